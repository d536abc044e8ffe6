import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { acceptLoss, FoldStore, type Line, repair, WitnessNodes } from '@levee/audit';
import { encodePut } from '@levee/codec';
import { asPartition, silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import type { WitnessFacts } from '@levee/wire';
import { BareHost } from './bare-host';
import { BentLog } from './bent-log';
import { olderCopy } from './older-copy';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);

/**
 * A lost decision had made a second replica of the chunk on n3, which holds everything: Genesis at 0, k0..k19 at 1..20,
 * k3 deleted at 21. Then the log was rolled back to offset 11 and k5 written anew, and n1 made its replica from that.
 */
describe('a unit that a lost decision gave out', () => {
  let cluster: SmallCluster;
  let log: BentLog;
  let binlog: string;
  let unitId: string;
  let copy: EmbeddedLog | undefined;
  let bare: BareHost | undefined;

  const append = (key: string, value: string | null) => {
    const bytes = Buffer.from(key);
    const put = value === null ? null : encodePut(bytes, Buffer.from(value), null);
    return log.append(binlog, asPartition(0), [{ key: bytes, value: put }]);
  };

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    log = new BentLog(cluster.log);
    await cluster.node('n1', { log });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, replicas: 1 });
    binlog = cluster.view.state.namespace(ns)!.binlog;
    await cluster.node('n3', { log });
    await cluster.ready();
    await cluster.namespace('passing', { partitions: 1, chunks: 1, replicas: 2 });
    const { replicas } = cluster.view.state.chunksOf('passing')[0]!;
    unitId = replicas.find(({ nodeId }) => nodeId === 'n3')!.unitId;
    await cluster.command('DeleteNamespace', { name: 'passing' });
    await until('the unit being free', () => cluster.view.state.unit(unitId)?.state === 'free');
    for (const key of keys) await append(key, `value of ${key}`);
    await append('k3', null);
    await cluster.stopNode('n3');
    await cluster.stopNode('n1');
    await leftOn('n3');
    copy = await olderCopy(cluster.log as EmbeddedLog, binlog, 11);
    log.instead.set(binlog, copy);
    await append('k5', 'newer');
    const [of] = [...cluster.view.state.chunksOf(ns)][0]!.replicas;
    rmSync(join(cluster.folder, 'n1', 'units', of!.unitId.split('/')[1]!, `g${of!.generation}`), { recursive: true });
    await cluster.node('n1', { log });
    await cluster.node('n3', { log });
    await cluster.ready();
  }, 60_000);
  afterEach(async () => {
    await cluster.close();
    await copy?.close();
    copy = undefined;
  });

  /** What a decision had put there that nobody knows any more. */
  async function leftOn(nodeId: string): Promise<void> {
    bare = await BareHost.open(cluster, nodeId, { log });
    const number = bare.disk.units.findIndex((unit) => unit.unitId === unitId);
    bare.host.adopt([bare.assignment(number, cluster.view.state.chunksOf(ns)[0]!, 'follower')]);
    await until('the copy', () => bare?.hosted(number)?.readable === true);
    await bare.close();
  }

  const nodes = () =>
    new WitnessNodes({
      clock: systemClock,
      timers: systemTimers,
      logger: silentLogger,
      state: () => cluster.view.state,
    });
  const witnesses = (without: readonly string[] = []): Promise<WitnessFacts[]> => nodes().witnessesOf(ns, without);
  const counted = () =>
    until('the witness', async () => typeof (await witnesses())[0]?.keysAtStake === 'number', 20_000);
  const portals = { stillWriting: () => Promise.resolve(undefined), stillStopped: () => Promise.resolve(undefined) };

  async function linesOf(all: AsyncGenerator<Line>): Promise<string> {
    const lines: string[] = [];
    for await (const { message } of all) lines.push(message);
    return lines.join('\n');
  }
  const run = (yes: boolean, without: readonly string[] = []): Promise<string> => {
    const world = { log, nodes: nodes(), state: () => cluster.view.state, clock: systemClock, portals };
    const order = { namespace: ns, yes, producersStopped: false, without };
    const openStore = () => FoldStore.temporary();
    return linesOf(repair({ ...world, openStore }, order, new AbortController().signal));
  };
  const accept = (yes: boolean): Promise<string> =>
    linesOf(acceptLoss({ nodes: nodes(), log, portals }, { namespace: ns, yes }, new AbortController().signal));
  const left = async () => (await cluster.stat('n3'))['leftUnits'] as { holds: string; witnessOf: string | null }[];
  const reads = () => cluster.read('n1', ns, keys);
  const restored = keys.map((key, i) => (i === 3 ? 'nil' : i === 5 ? 'newer' : `value of ${key}`));

  it('is a witness of what the log lost, with keys, and is named so', async () => {
    await counted();
    expect(await witnesses()).toEqual([
      expect.objectContaining({ nodeId: 'n3', unitId, left: true, cutOffset: 11, nextOffset: 22, keysAtStake: 10 }),
    ]);
    const [{ keys: named = [] } = {}] = await witnesses();
    expect([...named].sort()).toEqual(keys.slice(10).sort());
    const [found] = await left();
    expect(found?.witnessOf).toBe(ns);
    expect(found?.holds).toMatch(/lost partition 0 from offset 11 to 22, 10 keys such as k1\d, k1\d/);
    expect(await witnesses([unitId])).toEqual([]);
  }, 60_000);

  it('gives back what was lost; what was deleted is deleted, a newer write stays, and its files are set aside', async () => {
    await counted();
    expect(await run(false)).toMatch(/10 keys to bring back, 1 to delete again, 1 written later/);
    expect((await reads())[19]).toBe('nil');
    expect(await run(true)).toMatch(/among what that node set aside/);
    await until('what was lost', async () => (await reads()).join() === restored.join());
    expect(await left()).toEqual([]);
    await until('its files', async () => ((await cluster.stat('n3'))['setAside'] as unknown[]).length === 1);
    expect(await witnesses()).toEqual([]);
    expect(await run(false)).toMatch(/nothing to bring back/);
    // A restart changes nothing of that.
    await cluster.stopNode('n3');
    await cluster.node('n3', { log });
    await cluster.ready();
    expect([await left(), (await reads()).join()]).toEqual([[], restored.join()]);
  }, 60_000);

  it('is let go by those who accept the loss', async () => {
    await counted();
    expect(await accept(false)).toMatch(
      /on .* of n3 holds, left of a decision that the journal lost \(10 keys such as/,
    );
    expect(await left()).toHaveLength(1);
    expect(await accept(true)).toMatch(/among what that node set aside/);
    expect([await witnesses(), (await reads())[19]]).toEqual([[], 'nil']);
  }, 60_000);

  it('that is compared with a log which has all of it is no witness', async () => {
    await counted();
    log.instead.delete(binlog);
    await cluster.stopNode('n3');
    await cluster.node('n3', { log });
    await cluster.ready();
    await until('the look', async () => typeof (await left())[0]?.holds === 'string');
    expect(await left()).toMatchObject([
      { witnessOf: null, holds: expect.stringMatching(/nothing is missing/) as string },
    ]);
    expect(await witnesses(['n1'])).toEqual([]);
  }, 60_000);
});
