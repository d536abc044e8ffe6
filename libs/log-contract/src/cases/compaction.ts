import { asPartition } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { type Case, type ContractCase, p0, record } from '../contract-case';

const nudge = 'compaction-nudge';
const own = (records: readonly StoredRecord[]): StoredRecord[] => records.filter((r) => r.key?.toString() !== nudge);
const shown = (records: readonly StoredRecord[]): string[] =>
  own(records).map((r) => `${r.offset} ${r.key?.toString() ?? '-'}=${r.value?.toString() ?? 'null'}`);

/** Has the partition cleaned until `seen` is true of its records; `undefined` when the fault is not to be had. */
async function cleaned(
  c: ContractCase,
  topic: string,
  seen: (records: StoredRecord[]) => boolean,
): Promise<StoredRecord[] | undefined> {
  const compact = c.fault('compact');
  if (compact === undefined) return undefined;
  let records: StoredRecord[] = [];
  await c.until(async () => {
    await compact(topic, p0);
    records = await c.read(topic);
    return seen(own(records));
  }, 'the cleaner to clean');
  return records;
}

export const compaction: readonly Case[] = [
  [
    'compaction keeps the last record of each key, at its offset, in order',
    async (c) => {
      const topic = await c.compactedTopic();
      for (let n = 0; n < 12; n++) await c.append(topic, [record(`k${n % 4}`, `v${n}`)]);
      const left = await cleaned(c, topic, (records) => records.length === 4);
      if (left !== undefined) expect(shown(left)).toEqual(['8 k0=v8', '9 k1=v9', '10 k2=v10', '11 k3=v11']);
    },
  ],
  [
    'a tail passes over gaps: positions grow, and it ends up at the same end',
    async (c) => {
      const topic = await c.compactedTopic();
      for (let n = 0; n < 20; n++) await c.append(topic, [record('same', `v${n}`), record(`k${n}`, 'x')]);
      const left = await cleaned(c, topic, (records) => records.length === 21);
      if (left === undefined) return;
      const { end } = await c.offsetsOf(topic);
      for (const from of [0, 1, 7, 20, 38, 39, 40]) {
        const tail = c.tail(topic, from, { bytesMax: 100 });
        const { records } = await tail.toEnd();
        expect(tail.nextOffset).toBe(end);
        expect(shown(records)).toEqual(shown(left.filter((r) => r.offset >= from)));
      }
    },
  ],
  [
    'a tail says below which offset it has not seen all',
    async (c) => {
      const topic = await c.compactedTopic();
      const missingIn = async (): Promise<number> => {
        const { batches } = await c.tail(topic, 0).toEnd();
        return Math.max(...batches.map(({ missingBelow = -1 }) => missingBelow));
      };
      await c.append(topic, [record('first', 'x'), record('second', 'x')]);
      expect(await missingIn()).toBe(-1);
      for (let n = 0; n < 20; n++) await c.append(topic, [record('same', `v${n}`)]);
      const left = await cleaned(c, topic, (records) => records.length === 3);
      if (left !== undefined) expect(await missingIn()).toBeGreaterThan(2);
    },
  ],
  [
    'a tail passes over stretches that compaction emptied, and stands behind them',
    async (c) => {
      const topic = await c.compactedTopic();
      for (let n = 0; n < 30; n++) await c.append(topic, [record('same', `v${n}`)]);
      const left = await cleaned(c, topic, (records) => records.length === 1);
      if (left === undefined) return;
      expect(shown(left)).toEqual(['29 same=v29']);
      const { end } = await c.offsetsOf(topic);
      for (const from of [0, 3, 15, 29]) {
        const tail = c.tail(topic, from, { bytesMax: 50 });
        expect(shown((await tail.toEnd()).records)).toEqual(['29 same=v29']);
        expect(tail.nextOffset).toBe(end);
      }
    },
  ],
  [
    'compaction changes nothing about offsets, ends and what is appended later',
    async (c) => {
      const topic = await c.compactedTopic();
      for (let n = 0; n < 10; n++) await c.append(topic, [record('a', `v${n}`)]);
      const left = await cleaned(c, topic, (records) => records.length === 1);
      if (left === undefined) return;
      const { start, end } = await c.offsetsOf(topic);
      expect(start).toBe(0);
      expect(await c.append(topic, [record('b', 'later')])).toBe(end);
      expect(shown(await c.read(topic, end))).toEqual([`${end} b=later`]);
    },
  ],
  [
    'a tombstone outlives the records it deletes, and goes in a later cleaning',
    async (c) => {
      const topic = await c.compactedTopic({ 'delete.retention.ms': '300' });
      await c.append(topic, [record('gone', 'v1'), record('kept', 'v')]);
      await c.append(topic, [record('gone', null)]);
      const first = await cleaned(c, topic, (records) => !records.some((r) => r.value?.toString() === 'v1'));
      if (first === undefined) return;
      const second = await cleaned(c, topic, (records) => !records.some((r) => r.value === null));
      expect(shown(second ?? [])).toEqual(['1 kept=v']);
    },
  ],
  [
    'delete.retention.ms keeps tombstones for readers on their way',
    async (c) => {
      const topic = await c.compactedTopic({ 'delete.retention.ms': '3600000' });
      await c.append(topic, [record('gone', 'v1'), record('other', 'x1')]);
      await c.append(topic, [record('gone', null), record('other', 'x2')]);
      const left = await cleaned(c, topic, (records) => records.length === 2);
      if (left === undefined) return;
      const again = await cleaned(c, topic, (records) => records.length === 2);
      expect(shown(again ?? [])).toEqual(['2 gone=null', '3 other=x2']);
    },
  ],
  [
    'records younger than min.compaction.lag.ms are all there',
    async (c) => {
      const compact = c.fault('compact');
      if (compact === undefined) return;
      const topic = await c.compactedTopic({ 'min.compaction.lag.ms': '3600000' });
      for (let n = 0; n < 10; n++) await c.append(topic, [record('same', `v${n}`)]);
      await compact(topic, p0);
      await compact(topic, p0);
      expect(own(await c.read(topic))).toHaveLength(10);
    },
  ],
  [
    'a reader in the middle while compaction runs sees the last record of every key',
    async (c) => {
      const compact = c.fault('compact');
      if (compact === undefined) return;
      const topic = await c.compactedTopic();
      const state = new Map<string, string>();
      const reader = c.tail(topic, 0, { bytesMax: 300 });
      for (let round = 0; round < 6; round++) {
        for (let n = 0; n < 10; n++) await c.append(topic, [record(`k${n % 5}`, `r${round}-${n}`)]);
        const batch = await reader.next();
        for (const r of own(batch?.records ?? [])) state.set(`${r.key?.toString()}`, `${r.value?.toString()}`);
        await compact(topic, p0);
      }
      for (const r of own((await reader.toEnd()).records)) state.set(`${r.key?.toString()}`, `${r.value?.toString()}`);
      expect([...state].sort()).toEqual([0, 1, 2, 3, 4].map((n) => [`k${n}`, `r5-${n + 5}`]));
    },
  ],
  [
    'headers, binary keys and append times survive compaction',
    async (c) => {
      const topic = await c.compactedTopic();
      const key = Buffer.from([0, 1, 254, 255]);
      const headers = [{ key: 'seq', value: Buffer.from('9') }];
      await c.append(topic, [{ key, value: Buffer.from('old') }, record('pad', 'x1')]);
      await c.append(topic, [{ key, value: Buffer.from('new'), headers }, record('pad', 'x2')]);
      const before = (await c.read(topic)).find((r) => r.offset === 2);
      const left = await cleaned(c, topic, (records) => records.length === 2);
      if (left !== undefined) expect(own(left)[0]).toEqual(before);
    },
  ],
  [
    'only the asked partition and topic is cleaned',
    async (c) => {
      const compact = c.fault('compact');
      if (compact === undefined) return;
      const topic = await c.compactedTopic();
      const plain = await c.topic({}, 2);
      for (let n = 0; n < 5; n++) await c.append(topic, [record('k', `${n}`)]);
      for (let n = 0; n < 5; n++) await c.append(plain, [record('k', `${n}`)], asPartition(1));
      await cleaned(c, topic, (records) => records.length === 1);
      expect(await c.values(plain, 0, asPartition(1))).toEqual(['0', '1', '2', '3', '4']);
    },
  ],
];
