import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

let cluster: OneNodeCluster;
beforeAll(async () => {
  cluster = await OneNodeCluster.start();
});
afterAll(() => cluster?.close());

it('status names the master that reigns, and none once it fell silent', async () => {
  const status = async () => (await cluster.ask('GET', '/v1/status')).json;
  expect(await status()).toMatchObject({ master: 'm1', alarms: [] });
  await cluster.master.close();
  const endMs = Date.now() + 30_000;
  while ((await status())['master'] !== null && Date.now() < endMs)
    await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await status()).toMatchObject({
    master: null,
    alarms: [expect.stringMatching(/^no master was heard for \d+ s/)],
  });
});
