import { ChunkStoreFailure } from '@levee/chunk-store';
import { asOffset } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { BareHost } from './bare-host';
import { BentLog } from './bent-log';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const dayMs = 86_400_000;
const damage = new ChunkStoreFailure('REPLICA_DAMAGED', 'a test says so');

/** Two things that go wrong at a time: each is tried again until it is well, and nothing that was asked for is forgotten. */
describe('I18: a replica goes on by itself', () => {
  let cluster: SmallCluster;
  let log: BentLog;
  let bare: BareHost;
  let binlog: string;
  let aheadMs = 0;

  beforeEach(async () => {
    aheadMs = 0;
    cluster = await SmallCluster.start();
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, replicas: 1 });
    binlog = cluster.view.state.namespace(ns)!.binlog;
    log = new BentLog(cluster.log);
    bare = await BareHost.open(cluster, 'bare', { log, logTimeAheadMs: () => aheadMs });
    await cluster.append(ns, 'k', 'v');
  });
  afterEach(async () => {
    await bare.close();
    await cluster.close();
  });

  const assignment = () => bare.assignment(0, cluster.view.state.chunksOf(ns)[0]!, 'follower');
  const hosted = () => bare.hosted(0)!;

  async function readable(): Promise<void> {
    bare.host.adopt([assignment()]);
    await until('readable', () => hosted().readable);
  }

  async function followsAgain(): Promise<void> {
    const { offset } = await cluster.append(ns, 'later', 'v');
    await until('the record', () => hosted().readable && hosted().nextOffset(0) > offset);
  }

  it('when the log cannot be asked while it can neither be trusted nor rebuilt', async () => {
    await readable();
    log.onOffsets = (topic, offsets) =>
      topic === binlog ? offsets.map((each) => ({ ...each, startOffset: asOffset(1) })) : offsets;
    hosted().mustRebuild('a test asks for it');
    await until('it is held back', () => hosted().state === 'stuck');
    const hindrance = hosted().problem;
    let asked = 0;
    log.onOffsets = (topic, offsets) => {
      if (topic === binlog && asked++ === 0) throw new LogFailure('LOG_UNAVAILABLE', 'bent');
      return offsets;
    };
    await until('another look', () => asked === 1);
    expect([hosted().state, hosted().problem]).toEqual(['stuck', hindrance]);
    await until('the rebuild', () => hosted().rebuilds === 1);
    await followsAgain();
  });

  it('I19: when damage is found in files that are being opened: they are given up all the same', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let asked = 0;
    log.onDescribe = () => (asked++ === 0 ? held : Promise.resolve());
    bare.host.adopt([assignment()]);
    await until('the opening', () => asked === 1);
    expect(hosted().damagedBy(damage)).toBe(true);
    release();
    await until('the rebuild', () => hosted().rebuilds === 1);
    await followsAgain();
    expect(hosted().rebuilds).toBe(1);
  });

  it('when its unit cannot be measured while it stands full', async () => {
    await readable();
    const { space } = hosted().replica;
    const measure = space.measure.bind(space);
    let measured = 0;
    space.measure = () => (measured++ === 0 ? Promise.reject(new Error('bent')) : measure());
    hosted().failed(new ChunkStoreFailure('UNIT_FULL', 'full'));
    expect([hosted().readable, hosted().state]).toEqual([true, 'following']);
    await until('another try', () => measured === 2);
    await followsAgain();
  });

  it('I5: when the log cannot be asked about one that was away for too long', async () => {
    await readable();
    bare.host.adopt([]);
    await bare.host.closed(assignment().key);
    aheadMs = 10 * dayMs;
    let asked = 0;
    log.onTail = (topic) => {
      if (topic === binlog && asked++ === 0) throw new LogFailure('LOG_UNAVAILABLE', 'bent');
    };
    bare.host.adopt([assignment()]);
    await until('the rebuild', () => hosted().rebuilds === 1);
    await followsAgain();
  });
});
