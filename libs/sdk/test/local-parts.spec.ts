import { prepareBatch, recordKind } from '@levee/chunk-store';
import { encodePut } from '@levee/codec';
import { asOffset, asPartition, SteadyClock } from '@levee/kernel';
import { type LogBatch, noHeaders, type StoredRecord } from '@levee/log';
import { dice, seed } from '../../../test/support/seed';
import { local } from '../src/local';
import { type FollowedNamespace, isSame } from '../src/local/followed-namespace';
import { MemoryBudget } from '../src/local/memory-budget';
import { valueOf } from '../src/local/held-partition';
import { MemoryPartition } from '../src/local/memory-partition';

const everything = { slotStart: 0, slotEnd: 1_000_000 };
const reading = { hashAlgorithm: 'murmur2', partitions: 1, recordFormat: 'put' } as const;

const record = (offset: number, key: string, value: Buffer | null): StoredRecord => ({
  offset: asOffset(offset),
  timestampMs: 1,
  key: Buffer.from(key, 'latin1'),
  value,
  headers: noHeaders,
});

const put = (key: string, value: string, expiresAtMs: number | null = null): Buffer =>
  encodePut(Buffer.from(key, 'latin1'), Buffer.from(value), expiresAtMs);

function batchOf(records: readonly StoredRecord[], firstOffset: number, nextOffset: number): LogBatch {
  const place = { topic: 'levee.binlog.shop', partition: asPartition(0), leaderEpoch: 0 };
  const bounds = { firstOffset: asOffset(firstOffset), nextOffset: asOffset(nextOffset) };
  return { ...place, ...bounds, endOffset: asOffset(nextOffset), records };
}

async function apply(
  to: MemoryPartition,
  records: readonly StoredRecord[],
  firstOffset: number,
  nextOffset: number,
): Promise<void> {
  const prepared = prepareBatch(batchOf(records, firstOffset, nextOffset), reading);
  await to.apply(prepared, { from: 0, to: records.length, firstOffset, nextOffset });
}

describe('a partition in memory', () => {
  const opened = (bytesMax = 1 << 30, slots = everything): { replica: MemoryPartition; budget: MemoryBudget } => {
    const budget = new MemoryBudget(bytesMax);
    return { replica: new MemoryPartition(asPartition(0), slots, budget), budget };
  };

  it('holds the last record of each key, whatever came before and however often it is read again', async () => {
    const { replica, budget } = opened();
    const random = dice();
    const oracle = new Map<string, string>();
    const all: StoredRecord[] = [];
    for (let offset = 0; offset < 3_000; offset++) {
      // Short values and long ones are kept in different ways.
      const key = `k\xff\u0000${Math.floor(random() * 60)}`;
      const value = random() < 0.3 ? null : `${offset} ${'y'.repeat(random() < 0.2 ? 5_000 : 5)}`;
      all.push(record(offset, key, value === null ? null : put(key, value)));
      if (value === null) oracle.delete(key);
      else oracle.set(key, value);
    }
    for (let at = 0; at < all.length;) {
      const to = Math.min(all.length, at + 1 + Math.floor(random() * 200));
      // A batch may begin below the position.
      const from = Math.max(0, at - Math.floor(random() * 20));
      await apply(replica, all.slice(from, to), from, to);
      at = to;
    }
    const found = new Map([...replica.entries()].map(([key, held]) => [key, valueOf(held).toString()]));
    expect({ seed, found }).toEqual({ seed, found: oracle });
    for (const [key, held] of replica.entries()) expect(all[held.offset]?.key?.toString('latin1')).toBe(key);
    expect(replica.position()).toEqual({ nextOffset: all.length, leaderEpoch: 0 });
    replica.clear();
    expect(budget.usedBytes).toBe(0);
  });

  it('what it hands out is not what it holds', async () => {
    const { replica } = opened();
    const long = 'z'.repeat(3_000);
    await apply(replica, [record(0, 'short', put('short', 'abc')), record(1, 'long', put('long', long))], 0, 2);
    for (const key of ['short', 'long']) valueOf(replica.get(key, 0)!).fill(0);
    expect(['short', 'long'].map((key) => valueOf(replica.get(key, 0)!).toString())).toEqual(['abc', long]);
  });

  it('a value of 10 MB is held and given as any other', async () => {
    const { replica } = opened();
    const value = Buffer.alloc(10 << 20, 'q');
    await apply(replica, [record(0, 'k', encodePut(Buffer.from('k'), value, null))], 0, 1);
    expect(valueOf(replica.get('k', 0)!).equals(value)).toBe(true);
  });

  it.each([
    ['before its time', 999, 'v'],
    ['at its time', 1_000, undefined],
    ['after it', 5_000, undefined],
  ])('a value with an expiry, %s', async (_, nowMs, expected) => {
    const { replica } = opened();
    await apply(replica, [record(0, 'k', put('k', 'v', 1_000))], 0, 1);
    const found = replica.get('k', nowMs);
    expect(found && valueOf(found).toString()).toBe(expected);
  });

  it('a record that cannot be interpreted is held as such, and the next write heals it', async () => {
    const { replica } = opened();
    await apply(replica, [record(0, 'k', put('k', 'v')), record(1, 'k', Buffer.from('no put'))], 0, 2);
    expect(replica.get('k', 0)).toMatchObject({ kind: recordKind.garbage, offset: 1 });
    await apply(replica, [record(2, 'k', put('k', 'w'))], 2, 3);
    expect(valueOf(replica.get('k', 0)!).toString()).toBe('w');
  });

  it('holds its own slots only, and its position counts all', async () => {
    const { replica } = opened(1 << 30, { slotStart: 0, slotEnd: 500_000 });
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const records = keys.map((key, i) => record(i, key, put(key, 'v')));
    await apply(replica, records, 0, 100);
    const { slots } = prepareBatch(batchOf(records, 0, 100), reading);
    expect([...replica.entries()].map(([key]) => key).sort()).toEqual(
      keys.filter((_, i) => (slots[i] as number) < 500_000).sort(),
    );
    expect(replica.nextOffset).toBe(100);
  });

  it('beyond its memory it fails, and is worth nothing from then on', async () => {
    const { replica } = opened(10_000);
    const value = 'x'.repeat(2_000);
    const records = Array.from({ length: 8 }, (_, i) => record(i, `k${i}`, put(`k${i}`, value)));
    await expect(apply(replica, records, 0, 8)).rejects.toMatchObject({ code: 'MEMORY_FULL' });
    expect(replica.failure).toBeDefined();
    await expect(apply(replica, [], 0, 8)).rejects.toMatchObject({ code: 'MEMORY_FULL' });
  });
});

describe('the time that has passed for the world', () => {
  const clock = { wallMs: 1_000_000, runMs: 50, nowMs: () => clock.wallMs, monotonicMs: () => clock.runMs };
  const pass = (ms: number, asleepMs = 0): void => {
    clock.wallMs += ms + asleepMs;
    clock.runMs += ms;
  };

  it.each([
    ['awake', () => pass(10_000), { passed: 10_000, doubted: false }],
    ['asleep for an hour', () => pass(10, 3_600_000), { passed: 3_600_010, doubted: true }],
    [
      'a wall clock that is set back: rather too much than too little',
      () => pass(10, -60_000),
      { passed: 60_010, doubted: true },
    ],
    ['a wall clock that drifts a little', () => pass(10_000, 200), { passed: 10_000, doubted: false }],
  ])('%s', (_, happens, { passed, doubted }) => {
    const steady = new SteadyClock(clock);
    const begun = steady.passedMs();
    const soundSinceMs = steady.soundSinceMs;
    happens();
    expect(steady.passedMs() - begun).toBe(passed);
    expect(steady.soundSinceMs > soundSinceMs).toBe(doubted);
  });
});

describe('whether what is held of a namespace is right for what it is now', () => {
  const followed: FollowedNamespace = {
    clusterId: 'c',
    creation: 'shop#1',
    bornAs: 'shop',
    binlog: 'levee.binlog.shop',
    sourceTopicId: null,
    recordFormat: 'put',
    hiddenAfterMs: null,
    maxStalenessMs: null,
    askedAs: '@shop#1 shop#1',
    log: 'levee.binlog.shop',
    partitions: 4,
    hashAlgorithm: 'murmur2',
    consistency: 'session',
    logKind: 'kafka',
  };

  it.each<[Partial<FollowedNamespace>, boolean]>([
    [{ consistency: 'strong' }, true],
    [{ maxStalenessMs: 500 }, true],
    [{ creation: 'shop#2' }, false],
    [{ askedAs: '@shop#1 shop#2' }, false],
    [{ binlog: 'levee.binlog.shop_2' }, false],
    [{ sourceTopicId: 'x' }, false],
    [{ partitions: 8 }, false],
    [{ hashAlgorithm: 'crc32' }, false],
    [{ recordFormat: 'raw' }, false],
    [{ hiddenAfterMs: 5 }, false],
    [{ clusterId: 'd' }, false],
  ])('%j: %s', (change, expected) => {
    expect(isSame(followed, { ...followed, ...change })).toBe(expected);
  });
});

describe('what local() takes', () => {
  const right = { brokers: ['127.0.0.1:9092'], namespaces: ['shop'] };

  it.each([
    [{ brokers: [] }, /brokers is missing.*embedded log.*portals only/],
    [{ namespaces: [] }, /namespaces is missing/],
    [{ namespaces: ['a', { name: 'a' }] }, /a is named twice/],
    [{ namespaces: [{ name: 'a', slotStart: 5, slotEnd: 5 }] }, /slots 5 to 5/],
    [{ namespaces: [{ name: 'a', slotEnd: 1_000_001 }] }, /at most 1000000/],
    [{ stalenessMs: 10 }, /stalenessMs is 10: it is 2000 to/],
    [{ memoryBytesMax: 5 }, /memoryBytesMax is 5/],
    [{ memoryBytesMax: 1e15 }, /--max-old-space-size/],
    [{ dir: '' }, /dir is empty/],
    [{ dir: '/tmp/x', digests: true }, /digests are made of what is held in memory/],
  ])('%j cannot be meant', (but, message) => {
    expect(() => local({ ...right, ...but } as never)).toThrow(message);
  });

  it('opens nothing before a client is made of it', () => {
    expect(local(right).distance).toBe('local');
  });
});
