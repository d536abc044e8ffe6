import { openMemory, prepareBatch, Replica, ReplicaSnapshot } from '@levee/chunk-store';
import { encodePut } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import type { LogHeader } from '@levee/log';
import { systemClock } from '@levee/log';
import { identity, nowMs, PartitionScript, read, type Write } from './fixtures';

const raw = { ...identity, recordFormat: 'raw' } as const;
const expiry = (text: string): readonly LogHeader[] => [{ key: 'levee-expires-at-ms', value: Buffer.from(text) }];

async function replicaOf(...writes: Write[]): Promise<Replica> {
  const replica = await Replica.open(await openMemory(), raw);
  await new PartitionScript(0, 1, 'murmur2', 'raw').append(...writes).applyTo(replica);
  return replica;
}

async function digestOf(...writes: Write[]): Promise<string> {
  const replica = await replicaOf(...writes);
  const snapshot = ReplicaSnapshot.take(replica);
  const { digest, keys } = await snapshot.digest(asPartition(0), nowMs, systemClock);
  await snapshot.close();
  await replica.close();
  return `${keys}:${digest}`;
}

describe('a replica of raw records', () => {
  it('has the bytes of a record as the value, whatever they are', async () => {
    const put = encodePut(Buffer.from('p'), Buffer.from('v'), 1);
    const replica = await replicaOf(
      { key: 'a', value: 'not avro' },
      { key: 'p', value: put },
      { key: 'empty', value: '' },
      { key: 'gone', value: 'x' },
      { key: 'gone', value: null, headers: expiry(String(nowMs + 1000)) },
    );
    const found = replica.get(Buffer.from('p'), nowMs);
    expect(found?.readable === true && found.value.equals(put)).toBe(true);
    expect([read(replica, 'a'), read(replica, 'empty'), read(replica, 'gone')]).toEqual(['not avro', '', 'nil']);
    await replica.close();
  });

  it('expires by the header; one that is no time never does, and is told of', async () => {
    const writes = [
      { key: 'soon', value: 'v', headers: expiry(String(nowMs + 1000)) },
      { key: 'past', value: 'v', headers: expiry('0') },
      { key: 'odd', value: 'v', headers: expiry('tomorrow') },
    ];
    const replica = await replicaOf(...writes);
    expect(['soon', 'past', 'odd'].map((key) => read(replica, key, nowMs))).toEqual(['v', 'nil', 'v']);
    expect(['soon', 'past', 'odd'].map((key) => read(replica, key, nowMs + 1000))).toEqual(['nil', 'nil', 'v']);
    const { problems } = new PartitionScript(0, 1, 'murmur2', 'raw').append(...writes).batch(0);
    expect(problems).toMatchObject([{ index: 2, reason: 'badExpiry' }]);
    await replica.close();
  });

  it('the digest covers value and expiry, and not how they came', async () => {
    const plain = await digestOf({ key: 'a', value: 'v' });
    expect(await digestOf({ key: 'a', value: 'old' }, { key: 'a', value: 'v' })).toBe(plain);
    const timed = await digestOf({ key: 'a', value: 'v', headers: expiry(String(nowMs + 1000)) });
    expect(await digestOf({ key: 'a', value: 'v', headers: expiry(String(nowMs + 2000)) })).not.toBe(timed);
    expect(timed).not.toBe(plain);
  });

  it('an empty key has no place by crc32', () => {
    const { batch } = new PartitionScript(0, 1, 'crc32', 'raw').append({ key: '', value: 'v' }).batch(0);
    const reading = { partitions: 1, recordFormat: 'raw', hashAlgorithm: 'crc32' } as const;
    expect(prepareBatch(batch, reading).problems).toMatchObject([{ index: 0, reason: 'noKey' }]);
    expect(prepareBatch(batch, { ...reading, hashAlgorithm: 'fnv1a' }).problems).toEqual([]);
  });

  it('what another format stored is not opened', async () => {
    const replica = await replicaOf({ key: 'a', value: 'v' });
    const { db } = replica;
    await expect(Replica.open(db, identity)).rejects.toThrow(/its recordFormat is raw, expected put/);
    await replica.close();
  });
});
