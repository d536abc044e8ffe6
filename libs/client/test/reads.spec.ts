import type { StoreLimits } from '@levee/client';
import { FakeNode, type Behaviour } from './fake-node';
import { closeStores, readOnce, storeOn, unhedged } from './store-on-nodes';

afterEach(closeStores);

async function readFrom(
  behaviours: readonly Behaviour[],
  { limits = unhedged, ...options }: { minOffset?: number; limits?: Partial<StoreLimits> } = {},
): Promise<{ outcome: string; reads: number[] }> {
  const nodes = await Promise.all(behaviours.map((behaviour, i) => new FakeNode(`n${i + 1}`, behaviour).start()));
  const outcome = await readOnce(storeOn(nodes, limits), options);
  return { outcome, reads: nodes.map(({ reads }) => reads) };
}

describe('a read asks the next replica', () => {
  const second = { value: 'from the second' };
  it.each<[string, Behaviour]>([
    ['is silent', 'silent'],
    ['sends garbage', 'garbage'],
    ['answers another number of keys', 'wrong count'],
    ['is not ready', 'not ready'],
    ['is another node than it should be', 'wrong node'],
    ['does not hold the slot any more', { error: 'LVMOVED', detail: '9 {}' }],
    ['is behind', { error: 'LVBEHIND', detail: '0:1' }],
    ['is stale', { error: 'LVSTALE', detail: '99999' }],
    ['is loading', { error: 'LVNOTREADY', detail: 'loading' }],
    ['is damaged', { error: 'LVDAMAGED', detail: 'crc' }],
  ])('when the first %s', async (_what, behaviour) => {
    expect((await readFrom([behaviour, second], { limits: {} })).outcome).toBe('from the second');
  });
});

describe('a read', () => {
  it('takes the primary when it answers', async () => {
    expect(await readFrom([{ value: 'a' }, { value: 'b' }])).toEqual({ outcome: 'a', reads: [1, 0] });
    expect(await readFrom(['nil', { value: 'b' }])).toEqual({ outcome: 'nil', reads: [1, 0] });
  });

  it('does not poll when the record itself is unreadable', async () => {
    const unreadable = { error: 'LVUNREADABLE', detail: '0:5 garbage' } as const;
    expect(await readFrom([unreadable, { value: 'b' }])).toEqual({
      outcome: 'LVUNREADABLE 0:5 garbage; the next write heals it: set the key again, or delete it',
      reads: [1, 0],
    });
  });

  it('does not poll when its chunk is asked too often', async () => {
    const limited = { error: 'LVLIMIT', detail: 'more than 5 requests a second' } as const;
    expect(await readFrom([limited, { value: 'b' }])).toEqual({
      outcome: 'LVLIMIT more than 5 requests a second',
      reads: [1, 0],
    });
  });

  it('is not asked for together with more large values than fit into an answer', async () => {
    const node = await new FakeNode('n1', { value: 'v'.repeat(100_000) }).start();
    const store = storeOn([node], unhedged);
    await readOnce(store);
    await Promise.all(Array.from({ length: 12 }, () => readOnce(store)));
    expect(node.mostKeys).toBe(5);
  });

  it('asks again for what did not fit into the reply', async () => {
    expect(await readFrom(['again once'])).toEqual({ outcome: 'at last', reads: [2] });
  });

  it('turns to the others first while a node is silent', async () => {
    const nodes = await Promise.all(
      [new FakeNode('n1', 'silent'), new FakeNode('n2', { value: 'b' })].map((node) => node.start()),
    );
    const store = storeOn(nodes);
    for (let i = 0; i < 20; i++) expect(await readOnce(store)).toBe('b');
    expect(nodes[0]!.reads).toBeLessThan(7);
  });

  it('takes the replica that has applied the position', async () => {
    const nodes = [
      { value: 'old', applied: 5 },
      { value: 'new', applied: 9 },
    ] as const;
    expect((await readFrom(nodes, { minOffset: 7 })).outcome).toBe('new');
    expect((await readFrom(nodes, { minOffset: 5 })).outcome).toBe('old');
  });

  it('ends at its deadline when it never fits into the reply', async () => {
    const limits = { ...unhedged, attemptMs: 100, positionWaitMs: 50, readMs: 300 };
    expect((await readFrom(['again always'], { limits })).outcome).toMatch(/^LVUNAVAILABLE the value found no room/);
  });

  it.each<[string, Behaviour]>([
    ['LVBEHIND 0:7', { value: 'old', applied: 5 }],
    ['LVSTALE', { error: 'LVSTALE', detail: '99999' }],
    ['LVUNAVAILABLE', 'silent'],
    ['LVUNAVAILABLE LVMOVED', { error: 'LVMOVED', detail: '9 {}' }],
  ])('says %s at its deadline', async (text, behaviour) => {
    const limits = { attemptMs: 200, readMs: 1_000 };
    const { outcome } = await readFrom([behaviour], { minOffset: 7, limits });
    expect(outcome).toContain(text);
  });
});
