import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';

describe('a node that knows that the journal has lost its end', () => {
  let cluster: SmallCluster;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    await cluster.node('n1');
    await cluster.node('n2');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
  });
  afterEach(() => cluster.close());

  it('clears no replica to build it anew, whatever is wrong with it, and does so once the journal is whole', async () => {
    const node = cluster.nodes.get('n1')!;
    const [hosted] = node.hosted;
    const { clusterId, seq } = node.view;
    node.view.know([{ seq: seq + 1, term: 1, clusterId, who: 'the disk of node n9' }]);
    expect(node.view.short).toMatch(/JOURNAL_SHORT/);
    hosted!.mustRebuild('a test asks for it', true);
    await until('it is held back', () => hosted!.state === 'stuck');
    expect(hosted!.problem).toMatch(/a test asks for it.*JOURNAL_SHORT.*the disk of node n9.*nothing is cleared/);
    // Longer than the pause before it looks again.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect([hosted!.state, hosted!.rebuilds]).toEqual(['stuck', 0]);
    expect(cluster.nodes.get('n2')!.readyProblem()).toBeUndefined();

    await cluster.command('CreateNamespace', { name: 'other', partitions: 1, chunks: 1, replicas: 1 });
    await until('the journal is whole', () => node.view.short === undefined);
    await until('it is built anew', () => hosted!.readable && hosted!.rebuilds === 1);
  });
});
