import { submit } from '@levee/journal';
import { TestCluster, topics, until } from './test-cluster';

jest.setTimeout(60_000);

describe('a namespace with maxTtlMs', () => {
  let cluster: TestCluster;
  let send: (...args: (string | Buffer)[]) => Promise<unknown>;

  beforeAll(async () => {
    cluster = await TestCluster.start(1);
    await cluster.namespace('default', { partitions: 1, chunks: 1, maxTtlMs: 60_000, multi: 'batch' });
    ({ send } = cluster.connect(await cluster.portal()));
  });
  afterAll(() => cluster.close());

  const refused =
    /^-LVLIMIT a time to live of \d+ ms: at most 60000 ms in default \(maxTtlMs\); ask for less, or for none/;

  it.each([
    [['SET', 'k', 'v', 'EX', '60'], 'OK'],
    [['SET', 'k', 'v', 'EX', '61'], refused],
    [['SET', 'k', 'v', 'PX', '90000'], refused],
    [['SETEX', 'k', '3600', 'v'], refused],
    [['PSETEX', 'k', '59000', 'v'], 'OK'],
    [['SET', 'k', 'v', 'EXAT', '4102444800'], refused],
  ])('%j', async (command, answer) => {
    const said = await send(...command);
    if (typeof answer === 'string') expect(said).toBe(answer);
    else expect(said).toMatch(answer);
  });

  it.each([
    ['SET', 'q', 'v', 'EX', '61'],
    ['SETEX', 'q', '3600', 'v'],
    ['PSETEX', 'q', '90000', 'v'],
  ])('%s … %s %s is refused when it is queued, and EXEC carries out nothing', async (...command) => {
    expect(await send('MULTI')).toBe('OK');
    expect(await send('SET', 'q1', 'v', 'EX', '60')).toBe('QUEUED');
    expect(await send(...command)).toMatch(refused);
    expect(await send('EXEC')).toMatch(/^-EXECABORT .*LVLIMIT a time to live of/);
    expect(await send('EXISTS', 'q', 'q1')).toBe(0);
  });

  it('gives the most to who asks for none', async () => {
    expect(await send('SET', 'a', '1')).toBe('OK');
    expect(await send('MSET', 'b', '2', 'c', '3')).toBe('OK');
    for (const key of ['a', 'b', 'c']) {
      const ttlMs = Number(await send('PTTL', key));
      expect(ttlMs).toBeLessThanOrEqual(60_000);
      expect(ttlMs).toBeGreaterThan(30_000);
    }
  });

  it('is gone when it is taken away', async () => {
    const payload = { name: 'default', maxTtlMs: null };
    await submit(cluster.log, topics, { kind: 'AlterNamespace', payload, principal: 'test' });
    await until('the portal seeing it', async () => (await send('SET', 'd', 'v', 'EX', '3600')) === 'OK');
    await send('SET', 'e', 'v');
    expect(await send('PTTL', 'e')).toBe(-1);
  });

  it('S78: a cache that is full has room again once its values have expired, though nobody deletes any', async () => {
    await cluster.namespace('cache', { partitions: 1, chunks: 1, maxTtlMs: 3_000, chunkCapacityBytes: 256 * 1024 });
    await until('the portal knowing it', async () => (await send('LV.USE', 'cache')) === 'OK');
    await send('LV.ACK', 'all');
    const value = 'x'.repeat(16 * 1024);
    let written = 0;
    for (let said: unknown = 'OK'; said === 'OK'; written++) {
      said = await send('SET', `k${written}`, value);
      if (said !== 'OK') expect(said).toMatch(/^-LVFULL /);
    }
    await until('room', async () => (await send('SET', 'again', value)) === 'OK');
    await until('the end of the last', async () => (await send('EXISTS', 'k0', `k${written - 2}`)) === 0);
    expect(written).toBeGreaterThan(10);
  });
});
