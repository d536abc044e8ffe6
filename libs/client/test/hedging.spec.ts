import type { StoreLimits } from '@levee/client';
import { systemClock } from '@levee/log';
import { FakeNode } from './fake-node';
import { closeStores, readOnce, storeOn, unhedged } from './store-on-nodes';

afterEach(closeStores);

const started = (...nodes: FakeNode[]): Promise<FakeNode[]> => Promise.all(nodes.map((node) => node.start()));

/** A node that never answers, one that does, and a store on them. */
async function frozenPrimary(limits: Partial<StoreLimits> = {}) {
  const nodes = await started(new FakeNode('n1', 'silent'), new FakeNode('n2', { value: 'b' }));
  const store = storeOn(nodes, limits);
  const counts = (): Record<string, number> => store.stats()['reads'] as Record<string, number>;
  return { nodes, store, counts };
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; tookMs: number }> {
  const beganMs = systemClock.monotonicMs();
  const result = await work();
  return { result, tookMs: systemClock.monotonicMs() - beganMs };
}

describe('a read whose node takes long', () => {
  it('is answered by the next replica after the hedge delay, not after the attempt', async () => {
    const { store, counts } = await frozenPrimary();
    const { result, tookMs } = await timed(() => readOnce(store));
    expect(result).toBe('b');
    expect(tookMs).toBeGreaterThanOrEqual(20);
    expect(tookMs).toBeLessThan(4_000);
    expect(counts()).toMatchObject({ hedgesSent: 1, hedgesWon: 1, outstanding: 0, hits: 1 });
  });

  it('is hedged within the budget only: the others wait for their node', async () => {
    const { store, counts } = await frozenPrimary({ hedgesAtOnceMax: 3, hedgeShare: 0, attemptMs: 1_000 });
    const { tookMs } = await timed(() => Promise.all(Array.from({ length: 10 }, () => readOnce(store))));
    expect(tookMs).toBeGreaterThanOrEqual(980);
    expect(counts()).toMatchObject({ hedgesSent: 3, hedgesWon: 3, outstanding: 0, hits: 10 });
    expect(counts()['hedgesRefused']).toBeGreaterThan(0);
  });

  it('has its other replica left when the budget refused the hedge: that is asked as soon as its node fails', async () => {
    const nodes = await started(new FakeNode('n1', 'silent'), new FakeNode('n2', { value: 'b' }));
    const limits = { hedgesAtOnceMax: 0, hedgeShare: 0, attemptMs: 1_000, retryMs: 10_000, readMs: 15_000 };
    const store = storeOn(nodes, limits);
    const counts = (): Record<string, number> => store.stats()['reads'] as Record<string, number>;
    const { result, tookMs } = await timed(() => readOnce(store));
    expect(result).toBe('b');
    expect(counts()).toMatchObject({ hedgesSent: 0, hedgesRefused: 1, retries: 1 });
    // Not only after the pause before all replicas are tried again.
    expect(tookMs).toBeLessThan(9_000);
  });

  it('is settled once, whoever answers later', async () => {
    const nodes = await started(new FakeNode('n1', { value: 'late' }, 500), new FakeNode('n2', { value: 'b' }));
    const store = storeOn(nodes);
    expect(await readOnce(store)).toBe('b');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(store.stats()['reads']).toMatchObject({ hits: 1, misses: 0, outstanding: 0 });
  });

  it('waits for its first node when the second one cannot help', async () => {
    const behind = { error: 'LVBEHIND', detail: '0:1' } as const;
    const nodes = await started(new FakeNode('n1', { value: 'a' }, 500), new FakeNode('n2', behind));
    const store = storeOn(nodes);
    expect(await readOnce(store)).toBe('a');
    expect(nodes.map(({ reads }) => reads)).toEqual([1, 1]);
  });

  it('is not hedged when it is the only replica, nor when the other one is in doubt', async () => {
    const [alone] = await started(new FakeNode('n1', { value: 'a' }, 60));
    const store = storeOn([alone!]);
    expect(await readOnce(store)).toBe('a');
    expect(store.stats()['reads']).toMatchObject({ hedgesSent: 0, hits: 1 });
  });
});

describe('a node that takes long', () => {
  it('is asked last until one probe is quick again: the reads meanwhile are sent once', async () => {
    const nodes = await started(new FakeNode('n1', { value: 'a' }), new FakeNode('n2', { value: 'b' }));
    const store = storeOn(nodes, {
      hedgeDelayMinMs: 100,
      hedgeDelayFirstMs: 100,
      hedgeDelayMaxMs: 100,
    });
    for (let i = 0; i < 50; i++) expect(await readOnce(store)).toBe('a');
    nodes[0]!.delayMs = 2_000;
    const slow = await timed(() => readOnce(store));
    expect([slow.result, slow.tookMs < 1_500]).toEqual(['b', true]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const asked = nodes[0]!.reads;
    for (let i = 0; i < 50; i++) expect(await readOnce(store)).toBe('b');
    // Probes, in pauses that double from 100 ms: how many depends on how long 50 reads take here.
    expect(nodes[0]!.reads - asked).toBeLessThanOrEqual(6);
    nodes[0]!.delayMs = 0;
    const endMs = systemClock.monotonicMs() + 10_000;
    while ((await readOnce(store)) !== 'a' && systemClock.monotonicMs() < endMs)
      await new Promise((resolve) => setTimeout(resolve, 10));
    for (let i = 0; i < 20; i++) expect(await readOnce(store)).toBe('a');
  });

  it('does not slow reads down: p99 with one replica delayed by 250 ms is at most five times the quiet one', async () => {
    const nodes = await started(new FakeNode('n1', { value: 'a' }, 1), new FakeNode('n2', { value: 'a' }, 1));
    const store = storeOn(nodes, { attemptMs: 1_000, readMs: 5_000, hedgeDelayMaxMs: 100 });
    const p99 = async (): Promise<number> => {
      const took: number[] = [];
      const endMs = systemClock.monotonicMs() + 1_500;
      while (systemClock.monotonicMs() < endMs) {
        const eight = Array.from({ length: 8 }, () => timed(() => readOnce(store)));
        for (const { tookMs } of await Promise.all(eight)) took.push(tookMs);
      }
      took.sort((a, b) => a - b);
      return took[Math.floor(took.length * 0.99)] as number;
    };
    const measured: { quiet: number; delayed: number; fine: boolean }[] = [];
    // A slow moment may be the machine's; a store that is slow by itself is so each time.
    while (measured.length < 5 && measured.at(-1)?.fine !== true) {
      nodes[0]!.delayMs = 1;
      const quiet = await p99();
      nodes[0]!.delayMs = 250;
      const delayed = await p99();
      measured.push({ quiet, delayed, fine: delayed <= 5 * Math.max(quiet, 2) });
    }
    expect(measured.at(-1)).toMatchObject({ fine: true });
  }, 60_000);
});

describe('an eventual read', () => {
  it('begins with any replica whose node is up; session reads stay with the primary', async () => {
    const nodes = ['n1', 'n2', 'n3', 'n4'].map((nodeId) => new FakeNode(nodeId, { value: nodeId }));
    nodes[2]!.state = 'suspect';
    await started(...nodes);
    const store = storeOn(nodes, unhedged);
    for (let i = 0; i < 30; i++) await readOnce(store, { consistency: 'eventual' });
    const spread = nodes.map(({ reads }) => reads);
    expect(spread[2]).toBe(0);
    for (const i of [0, 1, 3]) expect(spread[i]).toBeGreaterThanOrEqual(8);
    for (let i = 0; i < 30; i++) await readOnce(store, { consistency: 'session' });
    expect(nodes[0]!.reads - spread[0]!).toBe(30);
  });
});
