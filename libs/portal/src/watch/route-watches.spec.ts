import { ClusterState, type ClusterEvent } from '@levee/cluster';
import { Failure } from '@levee/kernel';
import { namespaceEntity, nodeEntity, routeEntity } from '../../../client/test/cluster-entities';
import type { WatchReader } from './route-watch';
import { RouteWatches, type WatchedView } from './route-watches';

/** A view whose decisions the test makes, and a clock that goes on when it says so. */
class Scene implements WatchedView {
  readonly state = new ClusterState();
  private readonly listeners = new Set<(adopted: { events: readonly ClusterEvent[] }) => void>();
  private nowMs = 0;
  private timers: { atMs: number; action: () => void }[] = [];
  private seq = 1;
  readonly watches: RouteWatches;

  constructor(limits: ConstructorParameters<typeof RouteWatches>[2] = {}) {
    this.state.absorb({ kind: 'cluster', entity: { clusterId: 'c', change: 'Test', seq: 1, term: 1 } });
    this.state.absorb({ kind: 'namespace', entity: namespaceEntity() });
    for (const nodeId of ['n1', 'n2']) this.state.absorb({ kind: 'node', entity: nodeEntity(nodeId) });
    for (const [i, half] of halves.entries())
      this.state.absorb({ kind: 'route', entity: routeEntity(['n1', 'n2'], { ...half, chunkId: `ns#1/c0000${i}` }) });
    const clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs };
    const timers = {
      after: (delayMs: number, action: () => void): (() => void) => {
        const timer = { atMs: this.nowMs + delayMs, action };
        this.timers.push(timer);
        return () => (this.timers = this.timers.filter((each) => each !== timer));
      },
    };
    this.watches = new RouteWatches(this, { clock, timers }, limits);
  }

  onDecision(listener: (adopted: { readonly events: readonly ClusterEvent[] }) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  until<T>(look: () => T | undefined): Promise<T> {
    const found = look();
    return found === undefined ? Promise.reject(new Failure('DEADLINE', 'late')) : Promise.resolve(found);
  }

  /** One decision; resolves when its listeners have looked. */
  async decide(...makers: ((seq: number) => ClusterEvent)[]): Promise<number> {
    const seq = ++this.seq;
    const events = makers.map((make) => make(seq));
    for (const event of events) this.state.absorb(event);
    for (const listener of this.listeners) listener({ events });
    await new Promise((resolve) => setImmediate(resolve));
    return seq;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.timers.filter(({ atMs }) => atMs <= this.nowMs);
    this.timers = this.timers.filter(({ atMs }) => atMs > this.nowMs);
    for (const { action } of due) action();
  }

  async watch(known?: number, reader = new TestReader()): Promise<TestReader> {
    reader.leave = (await this.watches.open('ns', known))(reader);
    return reader;
  }
}

const halves = [
  { slotStart: 0, slotEnd: 500_000 },
  { slotStart: 500_000, slotEnd: 1_000_000 },
];

class TestReader implements WatchReader {
  text = '';
  writes = 0;
  takes = true;
  ended = false;
  destroyed = false;
  drained: () => void = () => undefined;
  leave: () => void = () => undefined;

  write(bytes: Buffer): boolean {
    this.text += bytes.toString();
    this.writes++;
    return this.takes;
  }
  onDrain(drained: () => void): void {
    this.drained = drained;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }

  /** `event id: what`, one per event so far. */
  get events(): string[] {
    return this.text.split('\n\n').flatMap((block) => {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
      if (field('event') === '') return [];
      const { routes = [], whole } = JSON.parse(field('data')) as { routes?: { chunkId: string }[]; whole?: boolean };
      const chunks = routes.map(({ chunkId }) => chunkId.slice(-1)).join();
      return [`${field('event')} ${field('id')}${chunks && ': '}${chunks}${whole === true ? ' whole' : ''}`];
    });
  }
}

const moved =
  (half: 0 | 1) =>
  (seq: number): ClusterEvent => ({
    kind: 'route',
    entity: routeEntity(['n2', 'n1'], { ...halves[half], chunkId: `ns#1/c0000${half}`, seq }),
  });

describe('who watches routes', () => {
  it('gets the whole table, then only what changes', async () => {
    const scene = new Scene();
    const reader = await scene.watch();
    await scene.decide(moved(1));
    await scene.decide(moved(0));
    expect(reader.events).toEqual(['metaChange 1: 0,1 whole', 'metaChange 2: 1', 'metaChange 3: 0']);
    expect(reader.text).toMatch(/^retry: 1000\n\n/);
  });

  it('learns of a new address of a node, by the routes it is in', async () => {
    const scene = new Scene();
    const reader = await scene.watch(1);
    await scene.decide((seq) => ({ kind: 'node', entity: nodeEntity('n2', { respAddress: '127.0.0.1:77', seq }) }));
    expect(reader.events).toEqual(['metaChange 2: 0,1']);
    expect(reader.text).toContain('"respAddress":"127.0.0.1:77"');
  });

  it.each<[string, number | undefined, string[]]>([
    ['nothing', undefined, ['metaChange 2: 0,1 whole']],
    ['an older version', 1, ['metaChange 2: 0,1 whole']],
    ['the newest version', 2, []],
  ])('resumes with %s', async (_what, known, first) => {
    const scene = new Scene();
    await scene.decide(moved(0));
    const reader = await scene.watch(known);
    expect(reader.events).toEqual(first);
    await scene.decide(moved(1));
    expect(reader.events).toEqual([...first, 'metaChange 3: 1']);
  });

  it('is refused with a version that nobody has given', async () => {
    await expect(new Scene().watch(99)).rejects.toMatchObject({ code: 'VERSION_FROM_FUTURE' });
  });

  it('hears nothing of what does not concern it', async () => {
    const scene = new Scene();
    const reader = await scene.watch(1);
    await scene.decide((seq) => ({ kind: 'namespace', entity: namespaceEntity({ name: 'other', seq }) }));
    await scene.decide((seq) => ({ kind: 'node', entity: nodeEntity('n9', { seq }) }));
    expect(reader.events).toEqual([]);
  });

  it('gets signs of life', async () => {
    const scene = new Scene({ aliveMs: 10, slowMs: 20 });
    const reader = await scene.watch(1);
    for (let i = 0; i < 3; i++) scene.pass(10);
    expect(reader.text.match(/^: alive$/gm)).toHaveLength(3);
  });
});

describe('a slow reader', () => {
  it('holds one event at most, then gets all it missed as one', async () => {
    const scene = new Scene();
    const reader = new TestReader();
    reader.takes = false;
    await scene.watch(1, reader);
    const before = reader.writes;
    for (let i = 0; i < 1000; i++) await scene.decide(moved(i % 2 === 0 ? 0 : 1));
    expect(reader.writes).toBe(before);
    reader.takes = true;
    reader.drained();
    expect(reader.events).toEqual(['metaChange 1001: 0,1']);
  });

  it('is cut with a last event, and is hung up on if it does not take that either', async () => {
    const scene = new Scene({ aliveMs: 10, slowMs: 30, lastEventMs: 5 });
    const reader = new TestReader();
    reader.takes = false;
    const other = await scene.watch(1);
    await scene.watch(1, reader);
    scene.pass(10);
    scene.pass(10);
    expect(reader.ended).toBe(false);
    scene.pass(10);
    expect([reader.events, reader.ended, reader.destroyed]).toEqual([['slow '], true, false]);
    scene.pass(5);
    expect([reader.destroyed, other.ended]).toEqual([true, false]);
    expect(scene.watches.stats()).toEqual({ watchers: 1, slowCut: 1 });
  });
});

describe('a stream ends', () => {
  it('when the namespace is deleted', async () => {
    const scene = new Scene();
    const reader = await scene.watch(1);
    await scene.decide((seq) => ({ kind: 'namespace', entity: namespaceEntity({ state: 'deleting', seq }) }));
    expect([reader.events, reader.ended]).toEqual([['deleted '], true]);
    await expect(scene.watch()).rejects.toMatchObject({ code: 'LVNAMESPACE' });
  });

  it('when the namespace is another creation of its name', async () => {
    const scene = new Scene();
    const reader = await scene.watch(1);
    await scene.decide((seq) => ({ kind: 'namespace', entity: namespaceEntity({ number: 2, seq }) }));
    expect([reader.events, reader.ended]).toEqual([['deleted '], true]);
  });

  it('when the portal stops', async () => {
    const scene = new Scene();
    const reader = await scene.watch(1);
    scene.watches.close();
    expect([reader.events, reader.ended]).toEqual([['stopping '], true]);
    await expect(scene.watch()).rejects.toMatchObject({ code: 'STOPPING' });
  });
});

describe('watchers', () => {
  it('are so many and no more; one that leaves makes room', async () => {
    const scene = new Scene({ watchersMax: 2 });
    const first = await scene.watch();
    await scene.watch();
    await expect(scene.watch()).rejects.toThrow('2 watchers are connected, at most 2 may: watch at another portal');
    first.leave();
    first.leave();
    await scene.watch();
    expect(scene.watches.stats()).toMatchObject({ watchers: 2 });
  });

  it('of one version share one event', async () => {
    const scene = new Scene();
    const written: Buffer[] = [];
    const reader = (): TestReader =>
      Object.assign(new TestReader(), { write: (bytes: Buffer) => written.push(bytes) > 0 });
    await scene.watch(undefined, reader());
    await scene.watch(undefined, reader());
    const events = written.filter((bytes) => bytes.includes('metaChange'));
    expect(events).toHaveLength(2);
    expect(events[0]).toBe(events[1]);
  });
});
