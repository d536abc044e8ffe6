import { decodeAs } from '@levee/codec';
import { asOffset, asPartition } from '@levee/kernel';
import { type HashAlgorithm, hashOf, partitionOf } from '@levee/keyspace';
import type { LogHeader, StoredRecord } from '@levee/log';
import { TestCluster, topics, until } from './test-cluster';

jest.setTimeout(60_000);

describe.each<HashAlgorithm>(['murmur2', 'crc32', 'fnv1a'])('a namespace of raw records, by %s', (hashAlgorithm) => {
  let cluster: TestCluster;
  let send: (...args: (string | Buffer)[]) => Promise<unknown>;
  let binlog: string;

  beforeAll(async () => {
    cluster = await TestCluster.start(1);
    const format = { recordFormat: 'raw', hashAlgorithm };
    await cluster.namespace('default', { partitions: 4, chunks: 2, flush: 'sweep', ...format });
    ({ send } = cluster.connect(await cluster.portal()));
    ({ binlog } = cluster.view.state.namespace('default')!);
  });
  afterAll(() => cluster?.close());

  async function recordsOf(topic: string, p: number): Promise<StoredRecord[]> {
    const partition = asPartition(p);
    const found: StoredRecord[] = [];
    const end = (await cluster.log.offsets(topic))[p]?.endOffset ?? 0;
    if (end === 0) return found;
    for await (const batch of cluster.log.tail(topic, partition, { nextOffset: asOffset(0), leaderEpoch: -1 })) {
      found.push(...batch.records);
      if (batch.nextOffset >= end) break;
    }
    return found;
  }

  /** As a producer that knows nothing of Levee. */
  async function produce(key: string, value: string | null, headers: readonly LogHeader[] = []): Promise<void> {
    const bytes = Buffer.from(key);
    const partition = asPartition(partitionOf(hashOf(bytes, hashAlgorithm), 4));
    await cluster.log.append(binlog, partition, [
      { key: bytes, value: value === null ? null : Buffer.from(value), headers },
    ]);
  }
  const expiry = (text: string): LogHeader[] => [{ key: 'levee-expires-at-ms', value: Buffer.from(text) }];
  const reads = (key: string, value: unknown): Promise<void> =>
    until(`${key} being ${String(value)}`, async () => (await send('GET', key)) === value);

  it('SET, GET, TTL, MGET, DEL and SCAN work, and the log holds plain values', async () => {
    expect(await send('SET', 'plain', 'value')).toBe('OK');
    expect(await send('SET', 'brief', 'value', 'PX', '3600000')).toBe('OK');
    expect(await send('MSET', 'a', '1', 'b', '')).toBe('OK');
    expect(await send('MGET', 'plain', 'brief', 'a', 'b', 'none')).toEqual(['value', 'value', '1', '', null]);
    expect(await send('TTL', 'plain')).toBe(-1);
    expect(Number(await send('PTTL', 'brief'))).toBeGreaterThan(3_500_000);
    expect(await send('DEL', 'a')).toBe(1);
    expect(await send('GET', 'a')).toBeNull();
    expect(((await send('KEYS', '*')) as string[]).sort()).toEqual(['b', 'brief', 'plain']);
    const found: string[] = [];
    for (let p = 0; p < 4; p++)
      for (const { key, value, headers } of await recordsOf(binlog, p))
        if (key?.[0] !== 0)
          found.push(`${key?.toString()}=${value?.toString() ?? 'null'} ${headers.map((one) => one.key).join()}`);
    expect(found.sort()).toEqual(['a=1 ', 'a=null ', 'b= ', 'brief=value levee-expires-at-ms', 'plain=value ']);
  });

  it('what any producer writes is a value; null deletes, the header expires', async () => {
    await produce('theirs', '{"price":7}');
    await reads('theirs', '{"price":7}');
    await produce('theirs', null);
    await reads('theirs', null);
    await produce('timed', 'x', expiry(String(Date.now() + 3_600_000)));
    await reads('timed', 'x');
    expect(Number(await send('TTL', 'timed'))).toBeGreaterThan(3_500);
    await produce('timed', 'x', expiry('1000'));
    await reads('timed', null);
  });

  it('an expiry that is no time keeps the value, and is told of', async () => {
    await produce('odd', 'kept', expiry('tomorrow'));
    await reads('odd', 'kept');
    expect(await send('TTL', 'odd')).toBe(-1);
    await until('its copy in quarantine', async () =>
      (await recordsOf(topics.quarantine, 0)).some(
        ({ value }) => decodeAs('Quarantined', value as Buffer).reason === 'badExpiry',
      ),
    );
  });

  it('an empty key is one, but by crc32', async () => {
    const said = await send('SET', '', 'x');
    if (hashAlgorithm === 'crc32')
      expect(said).toMatch(/^-LVDEFINITE .*takes no empty key: by crc32 it belongs to no partition/);
    else expect([said, await send('GET', '')]).toEqual(['OK', 'x']);
  });
});
