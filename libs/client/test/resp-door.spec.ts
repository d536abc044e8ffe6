import { TestCluster } from './test-cluster';

let cluster: TestCluster;
let send: (...args: (string | Buffer)[]) => Promise<unknown>;

beforeAll(async () => {
  cluster = await TestCluster.start(2);
  await cluster.namespace('default');
  const portal = await cluster.portal();
  ({ send } = cluster.connect(portal));
}, 30_000);
afterAll(() => cluster?.close());

it('sets and gets', async () => {
  expect(await send('SET', 'a', '1')).toBe('OK');
  expect(await send('GET', 'a')).toBe('1');
  expect(await send('GET', 'none')).toBeNull();
});
