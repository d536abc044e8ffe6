import { CallbackRead, Store, StoreFailure } from '@levee/client';
import { ClusterState } from '@levee/cluster';
import type { ChunkRoute, NamespaceState, NodeState } from '@levee/events';
import { asOffset, silentLogger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers, type Log } from '@levee/log';
import {
  entryErrorText,
  parseReadCommand,
  ReadReplyWriter,
  RespServer,
  type EntryErrorCode,
  type ReplySlot,
  type RespService,
} from '@levee/wire';

/** What a node of this test answers to every key; `silent` never answers. */
type Behaviour =
  | { readonly value: string; readonly applied?: number }
  | { readonly error: EntryErrorCode; readonly detail: string }
  | 'nil'
  | 'silent'
  | 'again once'
  | 'garbage'
  | 'wrong count'
  | 'not ready'
  | 'wrong node';

class FakeNode implements RespService<undefined> {
  reads = 0;
  private readonly server = new RespServer<undefined>(this);
  port = 0;

  constructor(
    readonly nodeId: string,
    private readonly behaviour: Behaviour,
  ) {}

  async start(): Promise<this> {
    this.port = await this.server.listen(0);
    return this;
  }

  close(): Promise<void> {
    return this.server.close(0);
  }

  open(): undefined {
    return undefined;
  }

  command(_connection: unknown, args: readonly Buffer[], reply: ReplySlot): void {
    if (String(args[0]) === 'LV.HELLO') {
      const nodeId = this.behaviour === 'wrong node' ? 'somebody' : this.nodeId;
      return reply.text(JSON.stringify({ clusterId: 'c', nodeId, storeId: `s-${this.nodeId}`, incarnation: 'i' }));
    }
    this.reads++;
    if (this.behaviour === 'silent') return;
    if (this.behaviour === 'not ready') return reply.error('LVNOTREADY starting');
    if (this.behaviour === 'garbage') return reply.bulk(Buffer.from('garbage'));
    const { entries } = parseReadCommand(args);
    const writer = new ReadReplyWriter();
    while (entries.next()) this.answer(writer, entries.minOffset);
    if (this.behaviour === 'wrong count') writer.nil(0);
    reply.bulk(writer.finish(0, 1, [{ partition: 0, nextOffset: 1 }]));
  }

  private answer(writer: ReadReplyWriter, minOffset: number): void {
    const { behaviour } = this;
    if (behaviour === 'again once' && this.reads === 1) writer.again();
    else if (behaviour === 'again once') writer.value(1, null, Buffer.from('at last'));
    else if (typeof behaviour !== 'object') writer.nil(7);
    else if ('error' in behaviour) writer.error(entryErrorText(behaviour.error, behaviour.detail));
    else if (minOffset > (behaviour.applied ?? Infinity))
      writer.error(entryErrorText('LVBEHIND', `0:${behaviour.applied}`));
    else writer.value(1, null, Buffer.from(behaviour.value));
  }
}

const stamp = { change: 'Test', seq: 1, term: 1 };
const namespace: NamespaceState = {
  ...stamp,
  name: 'ns',
  number: 1,
  binlog: 'b',
  state: 'active',
  partitions: 1,
  hashAlgorithm: 'murmur2',
  partitionStrategy: 'hash',
  chunks: 1,
  replicas: 2,
  ack: 'logged',
  consistency: 'session',
  maxStalenessMs: null,
  requestsPerSecond: null,
  chunkRequestsPerSecond: null,
  chunkCapacityBytes: 1,
  failoverStrategy: 'automatic',
  expectedBytes: null,
  expectedRequestsPerSecond: null,
  historyWindowMs: 1,
  maxTtlMs: null,
  manualPlans: [],
  nextChunk: 1,
  createdAtMs: 1,
};

function stateOf(nodes: readonly FakeNode[]): ClusterState {
  const state = new ClusterState();
  state.absorb({ kind: 'cluster', entity: { ...stamp, clusterId: 'c' } });
  state.absorb({ kind: 'namespace', entity: namespace });
  for (const { nodeId, port } of nodes) {
    const at = {
      domain: nodeId,
      respAddress: `127.0.0.1:${port}`,
      httpAddress: '',
      registeredAtMs: 1,
      featureLevel: 1,
    };
    const entity: NodeState = { ...stamp, nodeId, storeId: `s-${nodeId}`, incarnation: 'i', state: 'up', ...at };
    state.absorb({ kind: 'node', entity });
  }
  const route: ChunkRoute = {
    ...stamp,
    chunkId: 'ns#1/c00000',
    namespace: 'ns',
    slotStart: 0,
    slotEnd: 1_000_000,
    replicas: nodes.map(({ nodeId }, i) => ({
      nodeId,
      storeId: `s-${nodeId}`,
      unitId: `${nodeId}/u1`,
      generation: 1,
      role: i === 0 ? 'primary' : 'follower',
    })),
  };
  state.absorb({ kind: 'route', entity: route });
  return state;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function storeOn(nodes: readonly FakeNode[]): Store {
  const limits = { attemptMs: 100, positionWaitMs: 50, readMs: 500 };
  const world = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger };
  const view = { state: stateOf(nodes), onDecision: () => () => undefined };
  const store = new Store({} as Log, view, { ...world, producer: 'p', limits });
  cleanups.push(...nodes.map((node) => () => node.close()), () => store.close(0));
  return store;
}

function readOnce(store: Store, minOffset = 0): Promise<string> {
  return new Promise((resolve) => {
    const read = new CallbackRead(Buffer.from('k'), 'session', undefined, (result) => {
      if (result instanceof StoreFailure) resolve(result.text);
      else resolve(result ? result.value.toString() : 'nil');
    });
    read.minOffset = asOffset(minOffset);
    store.read(store.namespace('ns')!, read);
  });
}

async function readFrom(
  behaviours: readonly Behaviour[],
  options: { minOffset?: number } = {},
): Promise<{ outcome: string; reads: number[] }> {
  const nodes = await Promise.all(behaviours.map((behaviour, i) => new FakeNode(`n${i + 1}`, behaviour).start()));
  const outcome = await readOnce(storeOn(nodes), options.minOffset);
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
    expect((await readFrom([behaviour, second])).outcome).toBe('from the second');
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
      outcome: 'LVUNREADABLE 0:5 garbage',
      reads: [1, 0],
    });
  });

  it('asks again for what did not fit into the reply', async () => {
    expect(await readFrom(['again once'])).toEqual({ outcome: 'at last', reads: [2] });
  });

  it('turns to the others first while a node is silent', async () => {
    const nodes = await Promise.all(
      [new FakeNode('n1', 'silent'), new FakeNode('n2', { value: 'b' })].map((node) => node.start()),
    );
    const store = storeOn(nodes);
    const started = systemClock.monotonicMs();
    for (let i = 0; i < 20; i++) expect(await readOnce(store)).toBe('b');
    expect(systemClock.monotonicMs() - started).toBeLessThan(400);
    expect(nodes[0]!.reads).toBeLessThan(3);
  });

  it('takes the replica that has applied the position', async () => {
    const nodes = [
      { value: 'old', applied: 5 },
      { value: 'new', applied: 9 },
    ] as const;
    expect((await readFrom(nodes, { minOffset: 7 })).outcome).toBe('new');
    expect((await readFrom(nodes, { minOffset: 5 })).outcome).toBe('old');
  });

  it.each<[string, Behaviour]>([
    ['LVBEHIND 0:7', { value: 'old', applied: 5 }],
    ['LVSTALE', { error: 'LVSTALE', detail: '99999' }],
    ['LVUNAVAILABLE', 'silent'],
    ['LVUNAVAILABLE LVMOVED', { error: 'LVMOVED', detail: '9 {}' }],
  ])('says %s at its deadline', async (text, behaviour) => {
    const { outcome } = await readFrom([behaviour], { minOffset: 7 });
    expect(outcome).toContain(text);
  });
});
