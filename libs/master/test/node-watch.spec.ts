import type { LivenessLimits } from '@levee/cluster';
import { decodeAs, encode } from '@levee/codec';
import type { Decision, NodeState } from '@levee/events';
import { type ClusterView, readToEnd } from '@levee/journal';
import { asPartition, silentLogger, type Logger } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { NodeWatch } from '../src';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world, type TestMaster } from './control-plane';
import { eventually } from './eventually';

const heartbeatMs = 40;
const liveness: LivenessLimits = {
  heartbeatMs,
  suspectAfterMs: 250,
  reportedSuspectAfterMs: 120,
  lostAfterMs: 900,
  gapMsMax: 200,
  reportWindowMs: 200,
  reportersMin: 2,
  beatsToRevive: 3,
};

/** A node that registers and sends heartbeats, and nothing else. */
class BeatingNode {
  readonly registration;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: EmbeddedLog,
    readonly nodeId: string,
  ) {
    this.registration = nodeRegistration(nodeId);
  }

  beat(): void {
    this.timer ??= setInterval(() => void this.send(), heartbeatMs);
  }

  silence(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async send(): Promise<void> {
    const value = encode('Heartbeat', {
      kind: 'node',
      id: this.nodeId,
      incarnation: this.registration.payload.incarnation,
      address: '127.0.0.1:7400',
      sentAtMs: world.clock.nowMs(),
      featureLevel: 2,
      positions: [],
      loads: [],
      moves: [],
      freeDiskBytes: -1,
      errors: [],
    });
    await this.log.append(topics.heartbeats, asPartition(0), [{ key: null, value }]).catch(() => undefined);
  }
}

describe('a master that watches its nodes', () => {
  let log: EmbeddedLog;
  let view: ClusterView;
  let nodes: BeatingNode[];
  const masters: TestMaster[] = [];
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (_fields: object, message: string) => void errors.push(message) };

  beforeEach(async () => {
    errors.length = 0;
    log = await openLog();
    masters.push(await startMaster(log, { instance: 'm1', claimAtOnce: true, liveness, logger }));
    view = await openView(log);
    nodes = ['n1', 'n2', 'n3', 'n4'].map((nodeId) => new BeatingNode(log, nodeId));
    for (const node of nodes) {
      expect(await run(log, view, node.registration)).toMatchObject({ rejectionCode: null });
      node.beat();
    }
    expect(
      await run(log, view, {
        kind: 'CreateNamespace',
        payload: { name: 'shop', chunks: 4, replicas: 3, partitions: 2 },
      }),
    ).toMatchObject({ rejectionCode: null });
    await view.until(() => (view.state.namespace('shop')?.state === 'active' ? true : undefined), 10_000, 'active');
  });

  afterEach(async () => {
    for (const node of nodes) node.silence();
    await view.close();
    for (const master of masters.splice(0)) await master.close();
    await log.close();
  });

  const becomes = (nodeId: string, state: NodeState['state']): Promise<NodeState> =>
    view.until(
      () => {
        const node = view.state.node(nodeId);
        return node?.state === state ? node : undefined;
      },
      10_000,
      `${nodeId} becoming ${state}`,
    );

  const decisions = async (): Promise<Decision[]> => {
    const found: Decision[] = [];
    await readToEnd(log, topics.journal, {
      clock: world.clock,
      deadlineMs: 5_000,
      onBatch: ({ records }) => {
        for (const { value } of records)
          try {
            if (value !== null) found.push(decodeAs('Decision', value));
          } catch {
            // A claim.
          }
      },
    });
    return found;
  };

  const primaries = (): string[] =>
    view.state
      .chunksOf('shop')
      .flatMap(({ replicas }) => replicas.flatMap((of) => (of.role === 'primary' ? [of.nodeId] : [])));

  it('suspects the silent one with its primaries moved, gives it up, and takes it back; the journal says why', async () => {
    nodes[0]?.silence();
    const suspect = await becomes('n1', 'suspect');
    expect(primaries()).not.toContain('n1');
    expect([...view.state.routesOf('shop')].every((route) => route.replicas[0]?.nodeId !== 'n1')).toBe(true);
    await becomes('n1', 'lost');
    expect([...view.state.routesOf('shop')].every(({ replicas }) => replicas.every((of) => of.nodeId !== 'n1'))).toBe(
      true,
    );
    nodes[0]?.beat();
    await becomes('n1', 'up');
    const decided = (await decisions()).filter(
      ({ command }) => /Node$/.test(command.kind) && command.kind !== 'RegisterNode',
    );
    expect(decided.map(({ command, rejectionCode }) => [command.kind, rejectionCode])).toEqual([
      ['SuspectNode', null],
      ['LoseNode', null],
      ['ReviveNode', null],
    ]);
    expect(decided[0]).toMatchObject({ seq: suspect.seq, commandOffset: -1 });
    const evidence = JSON.parse(decided[1]?.command.payload ?? '') as Record<string, unknown>;
    expect(evidence).toMatchObject({ nodeId: 'n1', observers: ['m1'], reports: [] });
    expect(evidence['silentMs']).toBeGreaterThanOrEqual(liveness.lostAfterMs);
  });

  it('gives nobody up while half of them are silent, and says so', async () => {
    for (const node of nodes.slice(0, 2)) node.silence();
    await Promise.all([becomes('n1', 'suspect'), becomes('n2', 'suspect')]);
    await new Promise((resolve) => setTimeout(resolve, liveness.lostAfterMs * 2));
    expect([...view.state.nodes()].map(({ state }) => state)).toEqual(['suspect', 'suspect', 'up', 'up']);
    expect(masters[0]?.master.nodesProblem).toMatch(/^2 of 4 nodes are silent at once \(n1, n2\): none is given up/);
    expect(errors).toContain('too many nodes are silent at once: none is given up');
    nodes[1]?.beat();
    await becomes('n2', 'up');
    await becomes('n1', 'lost');
    expect(masters[0]?.master.nodesProblem).toBeUndefined();
  });

  it('leaves a node in maintenance alone for its time, also over a takeover', async () => {
    nodes[0]?.silence();
    expect(await run(log, view, { kind: 'MaintainNode', payload: { nodeId: 'n1', forMs: 2_500 } })).toMatchObject({
      rejectionCode: null,
    });
    const begunAtMs = world.clock.monotonicMs();
    expect(primaries()).not.toContain('n1');
    await masters.shift()?.close();
    masters.push(await startMaster(log, { instance: 'm2', claimAtOnce: true, liveness, logger }));
    const ended = await becomes('n1', 'suspect');
    expect(ended.change).toBe('MaintenanceEnded');
    expect(world.clock.monotonicMs() - begunAtMs).toBeGreaterThan(2_000);
    await becomes('n1', 'lost');
  });

  it('believes nobody else who says that a node is lost', async () => {
    const incarnation = nodes[0]?.registration.payload.incarnation;
    const payload = { nodeId: 'n1', incarnation, silentMs: 9_999, observers: ['me'], reports: [] };
    for (const kind of ['SuspectNode', 'LoseNode', 'ReviveNode', 'FinishDeletion'])
      expect(await run(log, view, { kind, payload })).toMatchObject({ rejectionCode: 'FORBIDDEN' });
    expect(view.state.node('n1')?.state).toBe('up');
  });
});

describe('a namespace whose history window changes', () => {
  it('has a binlog with the settings of that window', async () => {
    const log = await openLog();
    const master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
    const view = await openView(log);
    try {
      for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId));
      await run(log, view, { kind: 'CreateNamespace', payload: { name: 'shop', chunks: 2, partitions: 2 } });
      const changes = (change: string): Promise<true> =>
        view.until(() => (view.state.namespace('shop')?.change === change ? true : undefined), 10_000, change);
      await changes('NamespaceActivated');
      await run(log, view, { kind: 'AlterNamespace', payload: { name: 'shop', historyWindowMs: 3_600_000 } });
      await changes('HistoryWindowAdjusted');
      const [topic] = await log.describeTopics(['levee.binlog.shop']);
      expect(topic?.settings).toMatchObject({ 'min.compaction.lag.ms': '3600000', 'segment.ms': '900000' });
      expect(master.master.effectProblem).toBeUndefined();
    } finally {
      await view.close();
      await master.close();
      await log.close();
    }
  });
});

describe('a namespace that is deleted', () => {
  it('loses its topic, and its name begins anew with another one', async () => {
    const log = await openLog();
    const master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
    const view = await openView(log);
    try {
      for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId));
      const create = { kind: 'CreateNamespace', payload: { name: 'shop', chunks: 2, replicas: 3, partitions: 2 } };
      const reaches = (state: string): Promise<true> =>
        view.until(() => (view.state.namespace('shop')?.state === state ? true : undefined), 10_000, state);
      await run(log, view, create);
      await reaches('active');
      await log.append('levee.binlog.shop', asPartition(0), [{ key: Buffer.from('k'), value: Buffer.from('v') }]);
      expect(await run(log, view, { kind: 'DeleteNamespace', payload: { name: 'shop' } })).toMatchObject({
        rejectionCode: null,
      });
      await reaches('deleted');
      expect(await log.describeTopics(['levee.binlog.shop'])).toEqual([]);
      expect([...view.state.routes()]).toEqual([]);
      await run(log, view, create);
      await reaches('active');
      expect(view.state.namespace('shop')).toMatchObject({ number: 2, binlog: 'levee.binlog.shop_2' });
      expect(await log.describeTopics(['levee.binlog.shop'])).toEqual([]);
      expect((await log.offsets('levee.binlog.shop_2')).map(({ endOffset }) => endOffset)).toEqual([1, 1]);
    } finally {
      await view.close();
      await master.close();
      await log.close();
    }
  });

  it('can be as large as it could be made', async () => {
    const log = await openLog();
    const master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
    const view = await openView(log);
    try {
      for (let n = 1; n <= 6; n++) await run(log, view, nodeRegistration(`n${n}`, 1_000));
      const payload = { name: 'shop', chunks: 2_000, replicas: 3, partitions: 1 };
      expect(await run(log, view, { kind: 'CreateNamespace', payload })).toMatchObject({ rejectionCode: null });
      await view.until(() => (view.state.counts.routes === 2_000 ? true : undefined), 20_000, 'its routes');
      expect(await run(log, view, { kind: 'DeleteNamespace', payload: { name: 'shop' } })).toMatchObject({
        rejectionMessage: null,
      });
      expect(view.state.counts).toMatchObject({ chunks: 0, routes: 0 });
    } finally {
      await view.close();
      await master.close();
      await log.close();
    }
  });
});

test('a watch whose log was closed does not spin', async () => {
  let looks = 0;
  const closed = {
    offsets: async () => (looks++, [{ partition: 0, startOffset: 0, endOffset: 0 }]),
    // As a closed log does it: the tail ends, without an error.
    tail: async function* () {},
  };
  const reign = { isOver: false, own: () => Promise.reject(new Error('not asked')) };
  const watch = new NodeWatch(
    closed as unknown as Log,
    { state: { nodes: () => [] }, onDecision: () => () => undefined } as unknown as ClusterView,
    {
      ...world,
      topics,
      reign,
      heartbeats: { latest: () => undefined },
      instance: 'm1',
      incarnation: 'i',
      limits: liveness,
    },
  );
  watch.start();
  await eventually('it looks again', () => looks > 1);
  const before = looks;
  await new Promise((resolve) => setTimeout(resolve, 500));
  await watch.stop();
  expect(looks - before).toBeLessThan(20);
});
