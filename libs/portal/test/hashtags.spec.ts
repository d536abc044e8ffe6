import { encodePut } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

const partitions = 4;

describe('S74: a namespace with hashAlgorithm murmur2-hashtag', () => {
  let cluster: TestCluster;
  let send: (...args: (string | Buffer)[]) => Promise<unknown>;

  beforeAll(async () => {
    cluster = await TestCluster.start(2);
    await cluster.namespace('default', { partitions, chunks: 8, hashAlgorithm: 'murmur2-hashtag' });
    ({ send } = cluster.connect(await cluster.portal()));
    await send('LV.CONSISTENCY', 'strong');
  });
  afterAll(() => cluster.close());

  const placeOf = async (key: string): Promise<unknown[]> => {
    const where = (await send('LV.WHERE', key)) as unknown[];
    return ['slot', 'partition', 'chunk'].map((name) => where[where.indexOf(name) + 1]);
  };

  it('keeps keys with one tag in one slot, and so in one chunk, and others apart', async () => {
    const tagged = await placeOf('{user1}');
    for (const key of ['{user1}:cart', 'order:{user1}', '{user1}{user2}'])
      expect([key, await placeOf(key)]).toEqual([key, tagged]);
    // An empty tag, and one that is not closed, are none.
    for (const key of ['{}user1', '{user1', 'user1:cart']) expect([key, await placeOf(key)]).not.toEqual([key, tagged]);
  });

  it('reads, writes, deletes and scans by whole keys all the same', async () => {
    const keys = Array.from({ length: 60 }, (_, i) => `{user${i % 7}}:${i}`);
    for (const key of keys) expect(await send('SET', key, `of ${key}`)).toBe('OK');
    expect(await send('MGET', ...keys)).toEqual(keys.map((key) => `of ${key}`));
    expect(await send('DEL', keys[0] as string)).toBe(1);
    expect(await send('GET', keys[0] as string)).toBeNull();
    const [, found] = (await send('SCAN', '0', 'MATCH', '{user*', 'COUNT', '1000')) as [string, string[]];
    expect(found.sort()).toEqual(keys.slice(1).sort());
  });

  it('takes records of producers that partition by the tag, and none that partition by the whole key', async () => {
    const key = Buffer.from('{tag}:of a producer');
    const by = (algorithm: 'murmur2' | 'murmur2-hashtag'): number => partitionOf(hashOf(key, algorithm), partitions);
    const [byTag, byKey] = [by('murmur2-hashtag'), by('murmur2')];
    expect(byTag).not.toBe(byKey);
    const { binlog } = cluster.view.state.namespace('default')!;
    const append = (partition: number, value: string): Promise<unknown> =>
      cluster.log.append(binlog, asPartition(partition), [{ key, value: encodePut(key, Buffer.from(value), null) }]);
    await append(byTag, 'right');
    await until('it is read', async () => (await send('GET', key)) === 'right');
    await append(byKey, 'wrong');
    await send('SET', 'after', 'v');
    expect(await send('GET', key)).toBe('right');
  });
});
