import {
  acceptLoss,
  FoldStore,
  type Line,
  repair,
  type RepairOrder,
  type RepairWorld,
  WitnessNodes,
} from '@levee/audit';
import { encodePut } from '@levee/codec';
import { asOffset, asPartition, silentLogger } from '@levee/kernel';
import { LogFailure, systemClock, systemTimers } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { BentLog } from './bent-log';
import { olderCopy, recordsOf } from './older-copy';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const nodeIds = ['n1', 'n2'] as const;

/**
 * One partition: Genesis at 0, k0..k8 at 1..9, and then what the log loses: k9..k14, k3 deleted, k4 and k5 changed, k6 a
 * value that expires at once. Afterwards somebody writes k5 and deletes k7.
 */
describe('repair of a log that lost something', () => {
  let cluster: SmallCluster;
  let log: BentLog;
  let binlog: string;
  let copy: EmbeddedLog;
  let nodes: WitnessNodes;
  let world: RepairWorld;
  let writing: string | undefined;
  let stopped: (readonly number[])[];

  const append = (key: string, value: string | null) => {
    const record = {
      key: Buffer.from(key),
      value: value === null ? null : encodePut(Buffer.from(key), Buffer.from(value), null),
    };
    return log.append(binlog, asPartition(0), [record]);
  };
  const rebuilds = (): number =>
    nodeIds.reduce((sum, nodeId) => sum + Number(cluster.nodes.get(nodeId)?.stats()['rebuilds'] ?? 0), 0);
  const everywhere = async (keys: readonly string[]): Promise<string[][]> =>
    Promise.all(nodeIds.map((nodeId) => cluster.read(nodeId, ns, keys)));

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    log = new BentLog(cluster.log);
    for (const nodeId of nodeIds) await cluster.node(nodeId, { log });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    binlog = cluster.view.state.namespace(ns)!.binlog;
    for (let i = 0; i < 9; i++) await append(`k${i}`, `v${i}`);
    for (let i = 9; i < 15; i++) await append(`k${i}`, `v${i}`);
    await append('k3', null);
    await append('k4', 'changed');
    await append('k5', 'lost');
    const key = Buffer.from('k6');
    const value = encodePut(key, Buffer.from('brief'), systemClock.nowMs() + 50);
    await log.append(binlog, asPartition(0), [{ key, value }]);
    await until('the writes', async () => (await everywhere(['k5'])).every(([value]) => value === 'lost'));
    for (const nodeId of nodeIds) await cluster.stopNode(nodeId);
    copy = await olderCopy(cluster.log as EmbeddedLog, binlog, 10);
    log.instead.set(binlog, copy);
    await append('k5', 'newer');
    await append('k7', null);
    for (const nodeId of nodeIds) await cluster.node(nodeId, { log });
    const shared = { clock: systemClock, timers: systemTimers, logger: silentLogger };
    nodes = new WitnessNodes({ ...shared, state: () => cluster.view.state });
    writing = undefined;
    const openStore = () => FoldStore.temporary();
    stopped = [];
    const stillStopped = (_: string, partitions: readonly number[]) => {
      stopped.push(partitions);
      return Promise.resolve(undefined);
    };
    const portals = { stillWriting: () => Promise.resolve(writing), stillStopped };
    world = { log, nodes, state: () => cluster.view.state, clock: systemClock, openStore, portals };
    await until('the witnesses', async () => {
      const found = await nodes.witnessesOf(ns).catch(() => []);
      return found.length === 2 && found.every(({ keysAtStake }) => keysAtStake !== null);
    });
  });
  afterEach(async () => {
    await cluster.close();
    await copy.close();
  });

  async function run(order: Partial<RepairOrder> = {}): Promise<readonly Line[]> {
    const lines: Line[] = [];
    const whole = { namespace: ns, yes: false, producersStopped: false, without: [], ...order };
    for await (const line of repair(world, whole, new AbortController().signal)) lines.push(line);
    return lines;
  }
  const total = (lines: readonly Line[]) => lines.find(({ event }) => event === 'total');

  it('says what it would do, and changes nothing', async () => {
    const { endOffset } = (await copy.offsets(binlog))[0]!;
    const lines = await run();
    expect(total(lines)).toMatchObject({ restore: 7, delete: 2, newer: 2, conflict: 0 });
    const texts = lines.map(({ message }) => message).join('\n');
    expect(texts).toContain('partition 0: the log lost from offset 10 to 20 what shop.orders#1/');
    expect(texts).toContain('key k3 was deleted and is deleted again (offset 4 is older)');
    expect(texts).toContain('key k5 was written later, at offset 10, and is left alone');
    expect(texts).toContain('key k9 is brought back as it was at offset 10');
    expect(texts).toContain('nothing was changed; with --yes');
    expect((await copy.offsets(binlog))[0]!.endOffset).toBe(endOffset);
    expect(rebuilds()).toBe(0);
  });

  it('brings back what was lost; what was deleted stays deleted, a newer write wins, offsets are new', async () => {
    const lines = await run({ yes: true });
    expect(lines.filter(({ event }) => event === 'letGo')).toHaveLength(2);
    const keys = ['k0', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9', 'k14'];
    const values = ['v0', 'nil', 'changed', 'newer', 'nil', 'nil', 'v8', 'v9', 'v14'];
    await cluster.ready();
    for (const found of await everywhere(keys)) expect(found).toEqual(values);
    expect(rebuilds()).toBe(2);
    // Behind every position that anybody has seen: 9 records, and whatever else the cluster writes.
    expect((await copy.offsets(binlog))[0]!.endOffset).toBeGreaterThanOrEqual(20 + 9);
    // Who asked hears when writes go on.
    expect(stopped).toEqual([[0]]);
    expect(lines.at(-1)?.message).toMatch(/^writes to 1 partitions of .* go on at every portal$/);
    const again = await run();
    expect(again.map(({ message }) => message)).toEqual([
      `no replica of ${ns} holds what its log lost: there is nothing to bring back`,
    ]);
  });

  it('never says that there is nothing to bring back where a stretch is damaged that replicas are past', async () => {
    await run({ yes: true });
    const what = 'it does not fit its checksum';
    log.damage = [{ topic: binlog, partition: asPartition(0), fromOffset: asOffset(3), toOffset: asOffset(5), what }];
    for (const yes of [false, true])
      await expect(run({ yes })).rejects.toMatchObject({
        code: 'NOT_PROVABLE',
        message: expect.stringMatching(
          /partition 0 is damaged from offset 3 to 5 .*put back a copy of the log's folder/,
        ) as string,
      });
  });

  it('goes on after it was ended in the middle: what was written is newer then', async () => {
    const stop = new AbortController();
    const order = { namespace: ns, yes: true, producersStopped: false, without: [] };
    for await (const line of repair(world, order, stop.signal)) if (line.event === 'written') break;
    expect(rebuilds()).toBe(0);
    expect(total(await run())).toMatchObject({ restore: 0, delete: 0, newer: 11, conflict: 0 });
    await run({ yes: true });
    await cluster.ready();
    for (const found of await everywhere(['k3', 'k4', 'k9'])) expect(found).toEqual(['nil', 'changed', 'v9']);
  });

  it('a writer that the log has forgotten is found out by a fence; what may be written already is not written again', async () => {
    const asked: number[] = [];
    let refused = 2;
    log.onAppend = (topic, records) => {
      if (topic !== binlog) return;
      asked.push(records.length);
      if (refused-- > 0) throw new LogFailure('OUTCOME_UNKNOWN', 'OUT_OF_ORDER_SEQUENCE (45)');
    };
    const order = { namespace: ns, yes: true, producersStopped: false, without: [] };
    for await (const line of repair(world, order, new AbortController().signal)) if (line.event === 'written') break;
    expect(asked).toEqual([1, 1, 1, 9]);
    expect(total(await run())).toMatchObject({ restore: 0, delete: 0, conflict: 0 });
  });

  it('a batch of unknown outcome ends the repair; the next one goes on from what is there', async () => {
    let unknown = true;
    log.onAppend = (topic, records) => {
      if (topic !== binlog || records.length === 1 || !unknown) return;
      unknown = false;
      throw new LogFailure('OUTCOME_UNKNOWN', 'no answer');
    };
    await expect(run({ yes: true })).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(rebuilds()).toBe(0);
    await run({ yes: true });
    await cluster.ready();
    for (const found of await everywhere(['k3', 'k4', 'k9'])) expect(found).toEqual(['nil', 'changed', 'v9']);
  });

  it('writes nothing while a portal may still write, and without a node only when people say so', async () => {
    writing = 'portal p2 at 127.0.0.1:7379 still takes writes to partition 0';
    const before = (await recordsOf(copy, binlog, 12)).length;
    await expect(run({ yes: true })).rejects.toMatchObject({ code: 'NOT_STOPPED' });
    await cluster.stopNode('n2');
    await expect(run()).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
    await expect(run()).rejects.toThrow('--without n2');
    expect((await recordsOf(copy, binlog, 12)).length).toBe(before);
    expect(total(await run({ without: ['n2'] }))).toMatchObject({ restore: 7, delete: 2 });
  });

  it('a loss that people accept is gone for good, and the replicas are built anew one after the other', async () => {
    const lines: Line[] = [];
    const accept = async (yes: boolean): Promise<void> => {
      for await (const line of acceptLoss(world, { namespace: ns, yes }, new AbortController().signal))
        lines.push(line);
    };
    await accept(false);
    expect(lines.at(-1)?.message).toContain('nothing was changed');
    expect(rebuilds()).toBe(0);
    await accept(true);
    expect(lines.filter(({ event }) => event === 'letGo')).toHaveLength(2);
    await cluster.ready();
    for (const found of await everywhere(['k3', 'k4', 'k5', 'k7', 'k9']))
      expect(found).toEqual(['v3', 'v4', 'newer', 'nil', 'nil']);
    expect(rebuilds()).toBe(2);
  });
});
