import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

describe('LV.USE with PIN, and LV.DIRECT', () => {
  let cluster: TestCluster;
  const connection = (): ReturnType<TestCluster['connect']>['send'] => cluster.connect(cluster.portals[0]!).send;

  beforeAll(async () => {
    cluster = await TestCluster.start(1);
    await cluster.namespace('default', { partitions: 1, chunks: 1 });
    await cluster.portal();
  });
  afterAll(() => cluster?.close());

  it('a pinned connection is refused in a later creation, until it chooses that; others go on', async () => {
    const [pinned, unpinned] = [connection(), connection()];
    await cluster.namespace('shop', { partitions: 1, chunks: 1 });
    await until('both being taken', async () => (await pinned('LV.USE', 'shop', 'PIN')) === 'OK');
    expect(await unpinned('LV.USE', 'shop')).toBe('OK');
    for (const send of [pinned, unpinned]) expect(await send('SET', 'k', 'old')).toBe('OK');
    await cluster.order('DeleteNamespace', { name: 'shop' });
    await until('it being gone', async () => /^-LVNAMESPACE/.test(String(await pinned('GET', 'k'))));
    await cluster.namespace('shop', { partitions: 2, chunks: 1 });
    await until('the other being back', async () => (await unpinned('GET', 'k')) === null);
    for (const command of [['GET', 'k'], ['SET', 'k', 'new'], ['LV.POS'], ['LV.PAGE', '', '', '5']])
      expect(await pinned(...command)).toMatch(/^-LVANEW shop was created anew .*LV.USE shop/);
    expect(await unpinned('GET', 'k')).toBeNull();
    expect(await pinned('LV.USE', 'shop', 'PIN')).toBe('OK');
    expect(await pinned('SET', 'k', 'new')).toBe('OK');
    expect(await pinned('GET', 'k')).toBe('new');
  });

  it.each([
    [['LV.USE', 'default', 'pin'], 'OK'],
    [['LV.USE', 'default', 'NAIL'], /^-ERR write LV.USE/],
    [['LV.USE', 'default', 'PIN', 'PIN'], /^-ERR write LV.USE/],
    [['LV.DIRECT', 'x'], /^-ERR a version is an integer/],
    [['LV.DIRECT', '99999999'], /^-LVVERSION route version 99999999/],
  ])('%j', async (command, answer) => {
    expect(await connection()(...command)).toEqual(typeof answer === 'string' ? answer : expect.stringMatching(answer));
  });

  it('LV.DIRECT tells how nodes are asked, what time it is here, and nothing twice', async () => {
    const send = connection();
    const view = JSON.parse((await send('LV.DIRECT')) as string) as { version: number; nowMs: number };
    expect(view).toMatchObject({
      change: 'metaChange',
      askedAs: '@default#1 default#1',
      nodes: [{ nodeId: 'n1' }],
      routes: [{ slotStart: 0, slotEnd: 1_000_000, nodes: [0], upCount: 1 }],
    });
    expect(Math.abs(view.nowMs - Date.now())).toBeLessThan(60_000);
    const again = JSON.parse((await send('LV.DIRECT', `${view.version}`)) as string) as object;
    const [nowMs, unheardMs] = [expect.any(Number) as number, expect.any(Number) as number];
    const facts = { nowMs, unheardMs, stopped: [], logKind: 'embedded' };
    expect(again).toEqual({ change: 'notChange', version: view.version, ...facts });
  });
});
