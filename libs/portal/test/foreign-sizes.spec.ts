import { encodePut } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { TestCluster, topics, until } from './test-cluster';

jest.setTimeout(60_000);

/** What only producers beside the portals can write. */
describe('records of other producers, by size', () => {
  let cluster: TestCluster;
  let send: (...args: (string | Buffer)[]) => Promise<unknown>;

  beforeAll(async () => {
    cluster = await TestCluster.start(1);
    await cluster.namespace('default', { partitions: 1, chunks: 1, flush: 'sweep' });
    ({ send } = cluster.connect(await cluster.portal()));
  });
  afterAll(() => cluster?.close());

  const write = async (key: Buffer, value: Buffer): Promise<void> => {
    const { binlog } = cluster.view.state.namespace('default')!;
    const partition = asPartition(partitionOf(hashOf(key, 'murmur2'), 1));
    await cluster.log.append(binlog, partition, [{ key, value: encodePut(key, value, null) }]);
  };
  const keys = async (): Promise<number[]> =>
    ((await send('KEYS', '*')) as string[]).map(({ length }) => length).sort();

  it('a value up to what the log takes is read', async () => {
    await write(Buffer.from('large'), Buffer.alloc(1_900_000, 'x'));
    await until('it being there', async () => (await send('STRLEN', 'large')) === 1_900_000);
    expect(await send('GET', 'large')).toHaveLength(1_900_000);
  });

  it.each([1_025, 32 * 1024])('a key of %d bytes is stored; scans give it, and a flush deletes it', async (bytes) => {
    await write(Buffer.alloc(bytes, 'k'), Buffer.from('v'));
    await until('it being there', async () => (await keys()).includes(bytes));
    expect(await send('GET', Buffer.alloc(bytes, 'k'))).toMatch(/^-LVLIMIT a key of/);
    expect(await send('FLUSHDB')).toBe('OK');
    expect(await keys()).toEqual([]);
  });

  it.each([32 * 1024 + 1, 70_000, 1_500_000])(
    'a key of %d bytes is in quarantine, and nobody is kept from the others',
    async (bytes) => {
      const before = (await cluster.log.offsets(topics.quarantine))[0]?.endOffset ?? 0;
      await write(Buffer.alloc(bytes, 'k'), Buffer.from('v'));
      expect(await send('SET', 'behind', '1')).toBe('OK');
      await until(
        'it being in quarantine',
        async () => ((await cluster.log.offsets(topics.quarantine))[0]?.endOffset ?? 0) > before,
      );
      expect([await send('GET', 'behind'), await keys()]).toEqual(['1', [6]]);
    },
  );
});
