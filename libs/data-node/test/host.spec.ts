import { ChunkStoreFailure } from '@levee/chunk-store';
import { nodeLimits } from '@levee/data-node';
import { asPartition } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { BareHost } from './bare-host';
import { BentLog } from './bent-log';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';

describe('the replicas of a node', () => {
  let cluster: SmallCluster;
  let bare: BareHost;
  let log: BentLog;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, replicas: 1 });
    // Nothing is swept in its turn: that is the first that a host asks for.
    let asked = 0;
    const after: typeof systemTimers.after = (ms, action) =>
      asked++ === 0 && ms === nodeLimits.sweepMs / 5 ? () => undefined : systemTimers.after(ms, action);
    log = new BentLog(cluster.log);
    bare = await BareHost.open(cluster, 'bare', { timers: { after }, log });
  });
  afterEach(async () => {
    await bare.close();
    await cluster.close();
  });

  const assignment = () => bare.assignment(0, cluster.view.state.chunksOf(ns)[0]!, 'follower');
  const binlog = (): string => cluster.view.state.namespace(ns)!.binlog;

  it('are counted soon after they become readable, after a rebuild too', async () => {
    for (let i = 0; i < 20; i++) await cluster.append(ns, `k${i}`, 'v');
    bare.host.adopt([assignment()]);
    await until('the count', () => bare.hosted(0)?.swept.liveKeys === 20);
    const hosted = bare.hosted(0)!;
    for (let i = 0; i < 5; i++) await cluster.append(ns, `k${i}`, null);
    hosted.mustRebuild('a test asks for it');
    await until('the rebuild', () => hosted.rebuilds === 1);
    await until('the new count', () => hosted.readable && hosted.swept.liveKeys === 15);
  });

  it('free their unit when every close of it is over, whatever was opened and closed between', async () => {
    bare.host.adopt([assignment()]);
    await until('readable', () => bare.hosted(0)?.readable === true);
    const { key } = assignment();
    let release: () => void = () => undefined;
    const { closeUnit } = bare.disk;
    const held = new Promise<void>((resolve) => (release = resolve));
    let closes = 0;
    bare.disk.closeUnit = async (...args) => {
      if (closes++ === 0) await held;
      await closeUnit.apply(bare.disk, args);
    };
    bare.host.adopt([]);
    bare.host.adopt([assignment()]);
    bare.host.adopt([]);
    let free = false;
    void bare.host.closed(key).then(() => (free = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(free).toBe(false);
    release();
    await until('the unit being free', () => free);
    await bare.disk.clearUnit(bare.unitId(0), 1);
    bare.host.adopt([assignment()]);
    await until('readable again', () => bare.hosted(0)?.readable === true);
  });

  it('that are closed while they open take up nothing beside those that come after them', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let asked = 0;
    log.onDescribe = (topics) => (topics.includes(binlog()) && asked++ === 0 ? held : Promise.resolve());
    bare.host.adopt([assignment()]);
    const first = bare.hosted(0)!;
    await until('the first asks how long tombstones stay', () => asked === 1);
    bare.host.adopt([]);
    bare.host.adopt([assignment()]);
    release();
    await until('the second being readable', () => bare.hosted(0)?.readable === true);
    expect(bare.hosted(0)).not.toBe(first);
    expect(first.state).toBe('closed');
    const feed = bare.host.feeds.of(first.identity, asPartition(0));
    expect(feed.size).toBe(1);
    const { offset } = await cluster.append(ns, 'k', 'v');
    await until('the record', () => bare.hosted(0)!.nextOffset(0) > offset);
    expect(bare.host.feeds.counts().restarts).toBe(0);
  });

  it('that were closed while they stood full are attached to nothing', async () => {
    bare.host.adopt([assignment()]);
    await until('readable', () => bare.hosted(0)?.readable === true);
    const hosted = bare.hosted(0)!;
    const feed = bare.host.feeds.of(hosted.identity, asPartition(0));
    let measured = 0;
    hosted.replica.space.measure = async () => {
      measured++;
      bare.host.adopt([]);
    };
    const { replica } = hosted;
    hosted.failed(new ChunkStoreFailure('UNIT_FULL', 'full'));
    await until('another look at its size', () => measured === 1);
    await bare.host.closed(assignment().key);
    expect([feed.size, hosted.state, replica.stagedNext(asPartition(0)) > 0]).toEqual([0, 'closed', true]);
  });
});
