import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SmallCluster, topics, until } from './small-cluster';

const ns = 'shop.orders';

describe('a data node', () => {
  let cluster: SmallCluster;
  beforeEach(async () => {
    cluster = await SmallCluster.start();
  });
  afterEach(() => cluster.close());

  it('registers, opens what it is given, applies and answers', async () => {
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns);
    const { offset } = await cluster.append(ns, 'k', 'v');
    expect(await cluster.read('n1', ns, ['k', 'nothing'], { minOffset: 0 })).toBeDefined();
    expect(await cluster.read('n1', ns, ['k'], { minOffset: offset + 1 })).toEqual(['v']);
    expect(topics.journal).toBe('levee.journal');
    void until;
    void rm;
    void join;
  });
});
