import { openMemory, prepareBatch, Replica } from '@levee/chunk-store';
import { LogClock } from '@levee/follow';
import { type Clock, asPartition, silentLogger } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { ScriptedLog, scriptedIdentity as identity } from '../../follow/test/scripted-log';
import { overdueReason } from '../src/replica/completeness';
import type { HostedWorld } from '../src/replica/hosted-world';
import { openReplica } from '../src/replica/open-replica';
import { BareHost } from './bare-host';
import { BentLog } from './bent-log';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const dayMs = 86_400_000;
const nowMs = 1_000_000_000_000;
const partition = asPartition(0);
const times = (atMs: number) => ({ nowMs: atMs, deleteRetentionMs: 7 * dayMs });

describe('when a replica last missed nothing', () => {
  let cluster: SmallCluster;
  let log: BentLog;
  let bare: BareHost;
  let aheadMs = 0;
  let binlog: string;

  beforeEach(async () => {
    aheadMs = 0;
    cluster = await SmallCluster.start();
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, replicas: 1 });
    binlog = cluster.view.state.namespace(ns)!.binlog;
    log = new BentLog(cluster.log);
    bare = await BareHost.open(cluster, 'bare', { log, logTimeAheadMs: () => aheadMs });
  });
  afterEach(async () => {
    await bare.close();
    await cluster.close();
  });

  const chunk = () => cluster.view.state.chunksOf(ns)[0]!;

  function cutTails(cut: boolean): void {
    log.onBatch = (batch) => {
      if (cut && batch.topic === binlog) throw new LogFailure('LOG_UNAVAILABLE', 'cut');
      return batch;
    };
  }

  it.each([0, 1, 3_000])(
    'I5: ten days without a word while the process lives: rebuilt, with %d records to catch up with',
    async (backlog) => {
      await cluster.append(ns, 'k', 'v');
      bare.host.adopt([bare.assignment(0, chunk(), 'follower')]);
      await until('readable', () => bare.hosted(0)?.readable === true);
      const hosted = bare.hosted(0)!;
      cutTails(true);
      await until('the cut', () => hosted.places.at(0)?.trouble !== undefined);
      for (let i = 0; i < backlog; i++) await cluster.append(ns, `x${i}`, 'v');
      aheadMs = 10 * dayMs;
      cutTails(false);
      await until('the rebuild', () => hosted.rebuilds === 1);
      await until('readable again', () => hosted.readable);
      expect(hosted.rebuilds).toBe(1);
    },
    120_000,
  );

  it('I13: ends that were asked for before a decision are no answer after it', async () => {
    await cluster.append(ns, 'k', 'v');
    let release: () => void = () => undefined;
    let asked = 0;
    log.onOffsetsAnswered = (topic) => {
      if (topic !== binlog) return Promise.resolve();
      asked++;
      return new Promise((resolve) => (release = resolve));
    };
    bare.host.adopt([bare.assignment(0, chunk(), 'retired')]);
    await until('the question', () => asked === 1);
    await until('the replica at the end', () => (bare.hosted(0)?.ageMs(0, 0) ?? Infinity) !== Infinity);
    const hosted = bare.hosted(0)!;
    cutTails(true);
    await until('the cut', () => hosted.places.at(0)?.trouble !== undefined);
    const { offset } = await cluster.append(ns, 'late', 'v');
    bare.host.adopt([bare.assignment(0, chunk(), 'primary')]);
    log.onOffsetsAnswered = () => Promise.resolve();
    release();
    await until('the end being asked for anew', () => hosted.reason.includes(`of ${offset + 1}`));
    expect(hosted.readable).toBe(false);
    cutTails(false);
    await until('readable', () => hosted.readable);
    expect(hosted.nextOffset(0)).toBeGreaterThan(offset);
  });

  it('I5: a replica that was rewound to offset 0 is as old as it is, not complete as of now', async () => {
    const db = await openMemory();
    const before = await Replica.open(db, identity);
    const script = new ScriptedLog(() => nowMs);
    for (const key of ['a', 'gone', 'b']) script.put(key, 'old');
    for (let at = 0; at < script.end; at++) {
      const batch = prepareBatch(script.batch(at, at + 1), identity);
      const span = { from: 0, to: 1, firstOffset: at, nextOffset: at + 1 };
      await before.apply(batch, span, nowMs);
    }
    // The first write is lost from the middle of the write-ahead file.
    for await (const key of db.keys()) {
      if (!key.toString('latin1').startsWith('!j/')) continue;
      await db.del(key);
      break;
    }
    await db.del(Buffer.from('d/a'));
    const laterMs = nowMs + 10 * dayMs;
    const replica = await openReplica(worldAt(laterMs), db, opened);
    expect(replica.rewindProblem(0)).toMatch(/the write before 2 is missing after 0/);
    expect(replica.nextOffset(0)).toBe(0);
    expect(replica.get(Buffer.from('gone'), laterMs)).toMatchObject({ value: Buffer.from('old') });
    expect(overdueReason(0, replica.completeAtMs(0), times(laterMs))).toMatch(/longer ago than/);
  });

  it('one that never saw anything of a partition misses nothing of it', async () => {
    const replica = await openReplica(worldAt(nowMs), await openMemory(), opened);
    expect(overdueReason(0, replica.completeAtMs(0), times(nowMs))).toBeUndefined();
  });

  it('while the log has not told its time, no replica is opened: a clock of our own may be days ahead', async () => {
    const opening = openReplica(worldAt(undefined), await openMemory(), opened);
    await expect(opening).rejects.toMatchObject({ code: 'LOG_TIME_UNKNOWN' });
  });

  const opened = {
    identity,
    assignment: { unitId: 'n1/u01', generation: 1, capacityBytes: 0 } as never,
    partitions: [partition],
  };

  function worldAt(logNowMs: number | undefined): HostedWorld {
    const logClock = { nowMs: () => logNowMs, bestMs: () => logNowMs ?? Date.now() };
    const disk = { closeUnit: () => Promise.resolve() };
    return { disk, budget: { writeBufferBytes: 2 << 20 }, logClock, logger: silentLogger } as unknown as HostedWorld;
  }
});

describe('the clock of the log', () => {
  let monotonicMs = 1_000;
  const clock: Clock = { nowMs: () => 0, monotonicMs: () => monotonicMs };

  it('knows nothing before the first observation, then a lower bound that only grows', () => {
    monotonicMs = 1_000;
    const logClock = new LogClock(clock);
    expect([logClock.nowMs(), logClock.at(1_000)]).toEqual([undefined, undefined]);
    logClock.observe(50_000);
    monotonicMs = 1_500;
    expect(logClock.nowMs()).toBe(50_500);
    logClock.observe(50_100);
    expect(logClock.nowMs()).toBe(50_500);
    logClock.observe(51_000);
    expect([logClock.nowMs(), logClock.at(1_500), logClock.at(1_400)]).toEqual([51_000, 51_000, 50_400]);
  });

  it('I5: a machine that slept does not make what it had read before younger', () => {
    monotonicMs = 1_000;
    const logClock = new LogClock(clock);
    logClock.observe(50_000);
    monotonicMs = 2_000;
    // Ten days pass in which the monotonic clock stands still; then a record tells of them.
    logClock.observe(50_000 + 10 * dayMs);
    expect(logClock.at(1_999)).toBe(50_999);
    expect(logClock.at(2_000)).toBe(50_000 + 10 * dayMs);
    expect(logClock.at(999)).toBeUndefined();
  });

  it('remembers a few steps only; what is older than they are is not known', () => {
    monotonicMs = 0;
    const logClock = new LogClock(clock);
    for (let step = 0; step < 1_000; step++) {
      monotonicMs = step;
      logClock.observe(100_000 + step * 3);
    }
    expect([logClock.at(999), logClock.at(990), logClock.at(500)]).toEqual([102_997, 102_970, undefined]);
  });
});
