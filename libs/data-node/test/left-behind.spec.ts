import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BareHost, orderOf, pieceOf } from './bare-host';
import { SmallCluster, topics, until } from './small-cluster';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const ns = 'shop.orders';
const moves = 4;

describe('what replicas leave behind that come and go', () => {
  let cluster: SmallCluster;
  let bare: BareHost;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, replicas: 1 });
    for (let i = 0; i < 50; i++) await cluster.append(ns, `k${i}`, 'v');
    bare = await BareHost.open(cluster, 'bare');
  });
  afterEach(async () => {
    await bare.close();
    await cluster.close();
  });

  const digests = async (): Promise<number> => Number((await cluster.log.offsets(topics.digests))[0]!.endOffset);

  /** A replica is copied here, becomes readable, is digested, and goes again; what it was. */
  async function comesAndGoes(number: number): Promise<WeakRef<object>[]> {
    const [chunk] = cluster.view.state.chunksOf(ns);
    const learner = bare.assignment(0, chunk!, 'learner', orderOf([pieceOf(cluster, chunk!, ['n1'])]));
    bare.host.adopt([learner]);
    await until('the copy', () => bare.hosted(0)?.state === 'following');
    bare.host.adopt([bare.assignment(0, chunk!, 'follower')]);
    await until('being readable', () => bare.hosted(0)?.readable === true);
    const before = await digests();
    await cluster.command('RequestBarrier', { id: `move ${number}`, namespace: ns, digest: true });
    await until('the digests of both replicas', async () => (await digests()) >= before + 2);
    const hosted = bare.hosted(0)!;
    const what = [hosted, hosted.replica, hosted.copy].map((each) => new WeakRef<object>(each));
    bare.host.adopt([]);
    await bare.host.closed(learner.key);
    await bare.disk.clearUnit(bare.unitId(0), 1);
    return what;
  }

  it('is nothing: none of them, and none of what they held, stays in memory', async () => {
    const gone: WeakRef<object>[] = [];
    for (let i = 0; i < moves; i++) gone.push(...(await comesAndGoes(i)));
    expect(gone).toHaveLength(3 * moves);
    const left = (): number => gone.filter((each) => each.deref() !== undefined).length;
    // What is looked at stays until the end of its turn.
    await until('all of them being let go', () => {
      collectGarbage();
      return left() === 0;
    }).catch(() => undefined);
    expect(left()).toBe(0);
    expect(cluster.nodes.get('n1')!.stats()['copies']).toMatchObject({ open: 0, opened: moves });
  }, 240_000);
});
