import { SmallCluster, until } from './small-cluster';

jest.setTimeout(60_000);

it('a fork that is being filled answers nobody: what is not copied yet would look absent', async () => {
  const cluster = await SmallCluster.start();
  try {
    await cluster.node('n1');
    await cluster.ready();
    const size = { partitions: 1, chunks: 1 };
    await cluster.namespace('shop', size);
    const { offset } = await cluster.append('shop', 'k', 'v');
    const forkedBinlog = cluster.view.state.namespace('shop')!.binlog;
    const origin = { forkedFrom: 'shop', forkedBinlog, forkedAtMs: Date.now(), forkedPositions: [Number(offset) + 1] };
    await cluster.command('CreateNamespace', {
      name: 'copy',
      replicas: 1,
      chunkCapacityBytes: 8 << 20,
      ...size,
      ...origin,
    });
    await until('the filling having begun', () => cluster.view.state.namespace('copy')?.change === 'ForkBegun');
    const heard = cluster.view.state.seq;
    await until('the node having heard of it', () => cluster.nodes.get('n1')!.view.seq >= heard);

    const refused = expect.stringMatching(/^LVNOTREADY namespace 'copy' is a fork of shop that is being filled/);
    expect(await cluster.read('n1', 'copy', ['k'])).toEqual([refused]);
    expect(await cluster.send('n1', ['LV.GET', 'copy', 'k'])).toMatchObject({ text: refused });
    expect(await cluster.send('n1', ['LV.GET', 'shop', 'k'])).toEqual(Buffer.from('v'));
  } finally {
    await cluster.close();
  }
});
