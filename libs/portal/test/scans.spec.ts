import { KeyValue } from '@levee/client';
import { TestCluster } from './test-cluster';

jest.setTimeout(60_000);

it('ordered scans are bounded in number; one that ends, however it ends, makes room', async () => {
  const cluster = await TestCluster.start(1);
  try {
    await cluster.namespace('default');
    const portal = await cluster.portal({ storeLimits: { scansMax: 2 } });
    const { send } = cluster.connect(portal);
    for (let i = 0; i < 20; i++) await send('SET', `k${i}`, 'v');
    const keyValue = new KeyValue(portal.store);
    const namespace = keyValue.namespace('default');
    const none = Buffer.alloc(0);
    const scan = (but = {}): ReturnType<KeyValue['scan']> =>
      keyValue.scan(namespace, { from: none, to: none, limit: 100, consistency: 'strong', ...but });
    const [left, read] = [scan(), scan()];
    await left.next();
    await read.next();
    await expect(scan().next()).rejects.toMatchObject({ code: 'LVLIMIT', message: expect.stringMatching(/^2 scans/) });
    await left.return();
    const again = scan({ limit: 1 });
    expect(await again.next()).toMatchObject({ done: false });
    expect(await again.next()).toMatchObject({ done: true });
    let rest = 0;
    for await (const item of read) rest += item.key.length > 0 ? 1 : 0;
    expect(rest).toBe(19);
    const both = [scan(), scan()];
    for (const each of both) expect(await each.next()).toMatchObject({ done: false });
    for (const each of both) await each.return();
  } finally {
    await cluster.close();
  }
});
