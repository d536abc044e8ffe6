import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asPartition } from '@levee/kernel';
import type { EmbeddedLog } from '@levee/log-embedded';
import { BareHost, contentsOf } from './bare-host';
import { BentLog } from './bent-log';
import { damagedCopy } from './older-copy';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const dayMs = 86_400_000;
const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);

/**
 * One partition: Genesis at 0, k0..k19 behind it. The offsets 10 to 12 cannot be read, which nobody knows who did not
 * meet them, as on Kafka. The only replica that holds them is to be built anew.
 */
describe('I14: a replica that is built anew from a log with a hole that nobody knows of', () => {
  let cluster: SmallCluster;
  let log: BentLog;
  let bare: BareHost;
  let binlog: string;
  let aheadMs: number;
  let free: number;
  const copies: EmbeddedLog[] = [];

  beforeEach(async () => {
    aheadMs = 0;
    free = 2 ** 40;
    cluster = await SmallCluster.start();
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, replicas: 1 });
    binlog = cluster.view.state.namespace(ns)!.binlog;
    for (const key of keys) await cluster.append(ns, key, `value of ${key}`);
    log = new BentLog(cluster.log);
    log.knowsNoDamage = true;
  });
  afterEach(async () => {
    await bare.close();
    await cluster.close();
    for (const copy of copies.splice(0)) await copy.close();
  });

  async function open(units = '8x8MiB:leveldb'): Promise<void> {
    bare = await BareHost.open(cluster, 'bare', {
      log,
      units,
      logTimeAheadMs: () => aheadMs,
      freeBytes: () => free,
    });
    bare.host.adopt([bare.assignment(0, cluster.view.state.chunksOf(ns)[0]!, 'follower')]);
  }
  const hosted = () => bare.hosted(0)!;
  const all = [...keys].sort().map((key) => `${key}=value of ${key}`);

  async function whole(): Promise<void> {
    await until('readable', () => bare.hosted(0)?.readable === true);
    expect(await contentsOf(hosted())).toEqual(all);
  }

  async function damage(): Promise<void> {
    const copy = await damagedCopy(cluster.log as EmbeddedLog, binlog, [10, 11, 12]);
    copies.push(copy);
    log.instead.set(binlog, copy);
  }

  /** Away for longer than tombstones are kept. */
  async function tooOld(units?: string): Promise<void> {
    await open(units);
    await whole();
    await bare.close();
    await damage();
    aheadMs = 10 * dayMs;
    await open(units);
  }

  const waitsAtHole = () => until('the hole', () => hosted().holes.report !== undefined, 20_000);

  it('keeps what it held until it is whole again, over restarts', async () => {
    await tooOld();
    await waitsAtHole();
    expect(hosted()).toMatchObject({ rebuilds: 1, readable: false });
    const kept = bare.disk.needed(bare.unitId(0), 1)!;
    expect(kept.keptFor).toEqual({ damaged: false, positions: [{ partition: 0, nextOffset: 21 }] });
    expect(existsSync(join(kept.folder, 'CURRENT'))).toBe(true);
    await bare.close();
    await open();
    await waitsAtHole();
    expect(bare.disk.needed(bare.unitId(0), 1)).toEqual(kept);
    expect(hosted().rebuilds).toBe(0);
    // A copy of the log's folder heals it.
    log.instead.delete(binlog);
    await whole();
    await until('what it held being let go', () => readdirSync(join(bare.disk.folder, 'set-aside')).length === 0);
    expect(bare.disk.setAsides).toEqual([]);
  }, 60_000);

  it('with damaged files keeps them as long, and afterwards for people to look at', async () => {
    await open();
    await whole();
    await bare.close();
    await damage();
    rmSync(join(bare.disk.folder, 'units', 'u01', 'g1', 'CURRENT'));
    await open();
    await waitsAtHole();
    expect(bare.disk.needed(bare.unitId(0), 1)?.keptFor).toEqual({ damaged: true, positions: null });
    log.instead.delete(binlog);
    await whole();
    await until('the end of the need', () => bare.disk.needed(bare.unitId(0), 1) === undefined);
    expect(bare.disk.setAsides).toHaveLength(1);
  }, 60_000);

  it.each([
    ['without room to keep what it held', undefined, /no room to keep what .* free some space/],
    ['in a unit that is memory', '8x8MiB:memory', /bare\/u01 is memory, of which nothing can be kept/],
  ])(
    '%s reads the log first, and clears nothing while it cannot',
    async (_, units, why) => {
      await open(units);
      await whole();
      free = 0;
      await damage();
      hosted().mustRebuild('people said so');
      await until('the refusal', () => hosted().state === 'stuck', 20_000);
      expect(hosted()).toMatchObject({ rebuilds: 0, readable: false });
      expect(hosted().reason).toMatch(why);
      expect(hosted().holes.report).toMatchObject({ partition: 0, fromOffset: 10, toOffset: 13 });
      expect(await contentsOf(hosted())).toEqual(all);
      log.instead.delete(binlog);
      await until('the rebuild', () => hosted().rebuilds === 1, 20_000);
      await whole();
      expect(bare.disk.setAsides).toEqual([]);
    },
    60_000,
  );

  it('that is given back by a decision keeps nothing', async () => {
    await tooOld();
    await waitsAtHole();
    const unitId = bare.unitId(0);
    expect(bare.disk.needed(unitId, 1)).toBeDefined();
    bare.host.adopt([]);
    await bare.host.closed(`${unitId}@1`);
    await bare.disk.clearUnit(unitId, 1);
    await bare.disk.letGoKept(unitId, 1);
    expect(bare.disk.setAsides).toEqual([]);
  }, 60_000);

  it('reads no log where there is room', async () => {
    await open();
    await whole();
    let tails = 0;
    log.onTail = (topic, _, { nextOffset }) => void (topic === binlog && nextOffset === 0 && tails++);
    hosted().mustRebuild('people said so');
    await until('the rebuild', () => hosted().rebuilds === 1);
    await whole();
    // Of the Genesis, and to fill it.
    expect(tails).toBeLessThanOrEqual(3);
    expect((await log.offsets(binlog))[asPartition(0)]?.endOffset).toBeGreaterThan(20);
  });
});
