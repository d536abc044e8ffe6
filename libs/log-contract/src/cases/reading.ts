import { asOffset } from '@levee/kernel';
import { type Case, numbered, p0, record } from '../contract-case';

export const reading: readonly Case[] = [
  [
    'a tail begins at any offset, also in the middle of what was appended at once',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(10));
      await c.append(topic, numbered(10, 'w'));
      for (const from of [0, 1, 5, 9, 10, 11, 19, 20]) {
        const read = await c.read(topic, from);
        expect(read.map((r) => Number(r.offset))).toEqual(Array.from({ length: 20 - from }, (_, n) => from + n));
      }
    },
  ],
  [
    'a tail at the end gets what is appended later',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(3));
      const tail = c.tail(topic, 3);
      expect((await tail.next())?.records).toEqual([]);
      await c.append(topic, [record('k', 'later')]);
      expect((await tail.take(1)).map((r) => r.value?.toString())).toEqual(['later']);
    },
  ],
  [
    'a tail that follows for long sees every record once, in order',
    async (c) => {
      const topic = await c.topic();
      const tail = c.tail(topic, 0);
      const reading = tail.take(300);
      for (let n = 0; n < 100; n++) await c.append(topic, numbered(3, `${n}-`));
      expect((await reading).map((r) => Number(r.offset))).toEqual(Array.from({ length: 300 }, (_, n) => n));
    },
  ],
  [
    'every tail of a partition gets every record',
    async (c) => {
      const topic = await c.topic();
      const tails = [0, 0, 0].map((from) => c.tail(topic, from).take(50));
      await Promise.all(Array.from({ length: 50 }, (_, n) => c.append(topic, [record('k', `${n}`)])));
      const expected = Array.from({ length: 50 }, (_, n) => `${n}`);
      for (const read of await Promise.all(tails)) expect(read.map((r) => r.value?.toString())).toEqual(expected);
    },
  ],
  [
    'the first batch of an empty partition comes promptly, without records and at the end',
    async (c) => {
      const topic = await c.topic();
      const batch = await c.tail(topic, 0, { idleMs: 10_000 }).next();
      expect(batch).toMatchObject({ topic, partition: 0, firstOffset: 0, nextOffset: 0, endOffset: 0, records: [] });
    },
  ],
  [
    'the first batch at the end of a filled partition comes promptly and says that it is the end',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(4));
      const batch = await c.tail(topic, 4, { idleMs: 10_000 }).next();
      expect(batch).toMatchObject({ firstOffset: 4, nextOffset: 4, endOffset: 4, records: [] });
    },
  ],
  [
    'while a tail stands at the end, empty batches prove it, at least every idleMs',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(1));
      const tail = c.tail(topic, 0, { idleMs: 100 });
      await tail.toEnd();
      const begun = performance.now();
      for (let n = 0; n < 4; n++) {
        const batch = await tail.next();
        expect(batch).toMatchObject({ firstOffset: 1, nextOffset: 1, endOffset: 1, records: [] });
      }
      // Four times 100 ms; the rest is what a loaded machine and a remote broker may add.
      expect(performance.now() - begun).toBeLessThan(5_000);
    },
  ],
  [
    'batches follow each other: each begins where the last one ended, up to the reported end',
    async (c) => {
      const topic = await c.topic();
      for (let n = 0; n < 30; n++) await c.append(topic, numbered(10, 'x'.repeat(200)));
      const tail = c.tail(topic, 0, { bytesMax: 4_000 });
      const { records, batches } = await tail.toEnd();
      expect(records).toHaveLength(300);
      expect(batches.length).toBeGreaterThan(3);
      for (const batch of batches) expect(batch.endOffset).toBeGreaterThanOrEqual(batch.nextOffset);
    },
  ],
  [
    'a batch larger than bytesMax passes alone',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, [record('k', 'x'.repeat(100_000))]);
      await c.append(topic, [record('k', 'y'.repeat(100_000))]);
      const tail = c.tail(topic, 0, { bytesMax: 1_000 });
      expect((await tail.take(2)).map((r) => r.value?.length)).toEqual([100_000, 100_000]);
    },
  ],
  [
    'batches name the leader epoch of what they hold, and a tail may begin with it',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(3));
      const first = c.tail(topic, 0);
      await first.take(3);
      expect(first.leaderEpoch).toBeGreaterThanOrEqual(0);
      await c.append(topic, [record('k', 'later')]);
      expect((await c.tail(topic, first.position).take(1)).map((r) => r.value?.toString())).toEqual(['later']);
    },
  ],
  [
    'an offset above the end is out of range, with the range in the message; the tail never jumps',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(3));
      await c.fails(c.tail(topic, 4).next(), 'OFFSET_OUT_OF_RANGE', topic, '4');
      await c.fails(c.tail(topic, 1_000_000).next(), 'OFFSET_OUT_OF_RANGE', '1000000');
    },
  ],
  [
    'an offset below the start is out of range',
    async (c) => {
      const remove = c.fault('deleteRecordsBefore');
      if (remove === undefined) return;
      const topic = await c.topic();
      await c.append(topic, numbered(5));
      await c.append(topic, numbered(5, 'w'));
      await remove(topic, p0, asOffset(5));
      await c.until(async () => (await c.offsetsOf(topic)).start === 5, 'the start to move');
      await c.fails(c.tail(topic, 2).next(), 'OFFSET_OUT_OF_RANGE', topic, '2');
      expect(await c.values(topic, 5)).toEqual(['w0', 'w1', 'w2', 'w3', 'w4']);
    },
  ],
  [
    'a tail of a missing topic fails, naming it',
    async (c) => {
      await c.fails(c.tail('contract-missing-topic', 0).next(), 'TOPIC_MISSING', 'contract-missing-topic');
    },
  ],
  [
    'a slow reader gets everything, and does not slow appends or other readers',
    async (c) => {
      const topic = await c.topic({ 'max.message.bytes': '2097152' });
      const slow = c.tail(topic, 0, { bytesMax: 64 * 1024 });
      await slow.next();
      const value = 'x'.repeat(32 * 1024);
      const quick = c.tail(topic, 0).take(256);
      for (let n = 0; n < 256; n++) await c.append(topic, [record(`${n}`, value)]);
      expect(await quick).toHaveLength(256);
      const late = await slow.take(256);
      expect(late.map((r) => r.key?.toString())).toEqual(Array.from({ length: 256 }, (_, n) => `${n}`));
    },
  ],
  [
    'a reader that stands still holds a bounded number of bytes',
    async (c) => {
      const topic = await c.topic();
      for (let n = 0; n < 40; n++) await c.append(topic, [record(`${n}`, 'x'.repeat(20_000))]);
      const tail = c.tail(topic, 0, { bytesMax: 50_000 });
      let most = 0;
      let count = 0;
      while (count < 40) {
        const batch = await tail.next();
        let bytes = 0;
        for (const r of batch?.records ?? []) bytes += r.value?.length ?? 0;
        count += batch?.records.length ?? 0;
        most = Math.max(most, bytes);
      }
      expect(most).toBeLessThanOrEqual(50_000);
    },
  ],
];
