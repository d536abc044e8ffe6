import { asOffset, failureCode, type Offset } from '@levee/kernel';
import { type Case, numbered, p0, record } from '../contract-case';

export const integrity: readonly Case[] = [
  [
    'a damaged record is RECORD_CORRUPT, naming topic, partition and offset; what is before it is read',
    async (c) => {
      const corrupt = c.fault('corrupt');
      if (corrupt === undefined) return;
      const topic = await c.damagedTopic(corrupt);
      const tail = c.tail(topic, 0, { bytesMax: 1 });
      expect((await tail.take(3)).map((r) => r.value?.toString())).toEqual(['v0', 'v1', 'v2']);
      await c.fails(tail.next(), 'RECORD_CORRUPT', topic, 'partition 0', '3');
    },
  ],
  [
    'a damaged record does not hide what comes after it from readers who begin there',
    async (c) => {
      const corrupt = c.fault('corrupt');
      if (corrupt === undefined) return;
      const topic = await c.damagedTopic(corrupt);
      expect(await c.values(topic, 4)).toEqual(['v4', 'v5']);
      expect(await c.append(topic, [record('k', 'v6')])).toBe(6);
    },
  ],
  [
    'a log whose records can be read tells of no damage',
    async (c) => {
      const topic = await c.topic({}, 2);
      await c.append(topic, numbered(3));
      expect((await c.log.examine([topic])).damage).toEqual([]);
    },
  ],
  [
    'a damaged record is a stretch that the failure and the examination name, and nothing else is',
    async (c) => {
      const corrupt = c.fault('corrupt');
      if (corrupt === undefined || c.harness.cannotPassOver !== undefined) return;
      const topic = await c.damagedTopic(corrupt);
      const failure = await c.fails(c.tail(topic, 3).next(), 'RECORD_CORRUPT');
      expect(failure).toMatchObject({ details: { topic, partition: 0, from: 3, to: 4 } });
      const { damage } = await c.log.examine([topic]);
      expect(damage).toEqual([
        { topic, partition: 0, fromOffset: 3, toOffset: 4, what: expect.stringMatching(/\w+/) as string },
      ]);
    },
  ],
  [
    'a damaged stretch that is passed over is a gap: readers go on, offsets stand, again is no error',
    async (c) => {
      const corrupt = c.fault('corrupt');
      if (corrupt === undefined || c.harness.cannotPassOver !== undefined) return;
      const topic = await c.damagedTopic(corrupt);
      const stretch = { fromOffset: asOffset(3), toOffset: asOffset(4) };
      for (const _ of ['first', 'again']) await c.within(c.log.passOver(topic, p0, stretch), 'passing over');
      expect((await c.read(topic)).map((r) => Number(r.offset))).toEqual([0, 1, 2, 4, 5]);
      expect((await c.log.examine([topic])).damage).toEqual([]);
      expect(await c.append(topic, [record('k', 'v6')])).toBe(6);
      await c.reopen();
      expect(await c.values(topic)).toEqual(['v0', 'v1', 'v2', 'v4', 'v5', 'v6']);
      expect((await c.log.examine([topic])).damage).toEqual([]);
    },
  ],
  [
    'passing over what can be read is refused, and changes nothing',
    async (c) => {
      const topic = await c.topic();
      for (let n = 0; n < 4; n++) await c.append(topic, [record('k', `v${n}`)]);
      const stretch = { fromOffset: asOffset(1), toOffset: asOffset(2) };
      await c.fails(c.log.passOver(topic, p0, stretch), 'OFFSET_OUT_OF_RANGE', topic, 'partition 0');
      expect(await c.values(topic)).toEqual(['v0', 'v1', 'v2', 'v3']);
    },
  ],
  [
    'the end is raised above every offset that was ever seen, durably, and readers cross the gap',
    async (c) => {
      const topic = await c.topic();
      const [from, to, end] = [2, 5, 9].map((n) => asOffset(n)) as [Offset, Offset, Offset];
      await c.append(topic, numbered(2));
      const stretch = { fromOffset: from, toOffset: to, endOffset: end };
      if (c.harness.cannotPassOver !== undefined) {
        await c.fails(c.log.passOver(topic, p0, stretch), 'OFFSET_OUT_OF_RANGE', topic);
        return;
      }
      const tail = c.tail(topic, 0);
      await tail.take(2);
      for (const _ of ['first', 'again']) await c.within(c.log.passOver(topic, p0, stretch), 'raising the end');
      expect(await c.append(topic, [record('k', 'later')])).toBe(9);
      expect((await tail.take(1)).map((r) => [Number(r.offset), r.value?.toString()])).toEqual([[9, 'later']]);
      await c.reopen();
      expect(await c.offsetsOf(topic)).toEqual({ start: 0, end: 10 });
      expect(await c.values(topic)).toEqual(['v0', 'v1', 'later']);
    },
  ],
  [
    'bytes damaged on their way are read again, and nobody notices',
    async (c) => {
      const damage = c.fault('corruptNextFetch');
      if (damage === undefined) return;
      const topic = await c.topic();
      await c.append(topic, numbered(5));
      await damage();
      expect(await c.values(topic)).toEqual(['v0', 'v1', 'v2', 'v3', 'v4']);
    },
  ],
  [
    'a record that vanished without a trace is RECORD_CORRUPT at its offset, not a gap',
    async (c) => {
      const lose = c.fault('loseRecord');
      if (lose === undefined) return;
      const topic = await c.topic();
      for (let n = 0; n < 6; n++) await c.append(topic, [record('k', `v${n}`)]);
      c.log = (await lose(topic, p0, asOffset(2))) ?? c.log;
      const tail = c.tail(topic, 0, { bytesMax: 1 });
      await tail.take(2);
      await c.fails(tail.next(), 'RECORD_CORRUPT', topic, '2');
    },
  ],
  [
    'the last record, vanished: its offset is RECORD_CORRUPT and not given to another',
    async (c) => {
      const lose = c.fault('loseRecord');
      if (lose === undefined) return;
      const topic = await c.topic();
      for (let n = 0; n < 4; n++) await c.append(topic, [record('k', `v${n}`)]);
      c.log = (await lose(topic, p0, asOffset(3))) ?? c.log;
      expect(await c.append(topic, [record('k', 'v4')])).toBe(4);
      await c.fails(c.tail(topic, 3).next(), 'RECORD_CORRUPT', topic, '3');
    },
  ],
  [
    'a log cut off behind a reader is LOG_TRUNCATED, not out of range and not silence',
    async (c) => {
      const truncate = c.fault('truncate');
      if (truncate === undefined) return;
      const topic = await c.topic();
      for (let n = 0; n < 6; n++) await c.append(topic, [record('k', `v${n}`)]);
      const tail = c.tail(topic, 0);
      await tail.take(6);
      const { position } = tail;
      c.log = await truncate(topic, p0, asOffset(3));
      await c.fails(c.tail(topic, position).next(), 'LOG_TRUNCATED', topic);
    },
  ],
  [
    'a log that was cut off and grew again is LOG_TRUNCATED for who saw the old records',
    async (c) => {
      const truncate = c.fault('truncate');
      if (truncate === undefined) return;
      const topic = await c.topic();
      for (let n = 0; n < 6; n++) await c.append(topic, [record('k', `v${n}`)]);
      const tail = c.tail(topic, 0);
      await tail.take(6);
      const { position } = tail;
      c.log = await truncate(topic, p0, asOffset(3));
      for (let n = 0; n < 6; n++) await c.append(topic, [record('k', `w${n}`)]);
      await c.fails(c.tail(topic, position).next(), 'LOG_TRUNCATED', topic, '6');
      expect(await c.values(topic)).toEqual(['v0', 'v1', 'v2', 'w0', 'w1', 'w2', 'w3', 'w4', 'w5']);
    },
  ],
  [
    'who had read no further than the cut reads on after it',
    async (c) => {
      const truncate = c.fault('truncate');
      if (truncate === undefined) return;
      const topic = await c.topic();
      for (let n = 0; n < 3; n++) await c.append(topic, [record('k', `v${n}`)]);
      const tail = c.tail(topic, 0);
      await tail.take(3);
      const { position } = tail;
      await c.append(topic, [record('k', 'lost')]);
      c.log = await truncate(topic, p0, asOffset(3));
      await c.append(topic, [record('k', 'new')]);
      expect((await c.tail(topic, position).take(1)).map((r) => r.value?.toString())).toEqual(['new']);
    },
  ],
  [
    'a topic deleted, made again and refilled past a waiting reader ends the reader, which sees nothing of the new one',
    async (c) => {
      const spec = c.spec();
      await c.log.ensureTopics([spec]);
      for (const value of ['a', 'b']) await c.append(spec.name, [record('k', value)]);
      const tail = c.tail(spec.name, 0, { idleMs: 20 });
      await tail.take(2);
      await c.within(c.log.deleteTopics([spec.name]), 'deleting');
      await c.remake(spec);
      for (const value of ['v', 'w', 'x', 'y', 'z']) await c.append(spec.name, [record('k', value)]);
      const records: number[] = [];
      const code = await c.within(
        (async () => {
          try {
            for (;;) records.push(...((await tail.next())?.records ?? []).map(({ offset }) => offset));
          } catch (error) {
            return failureCode(error) ?? String(error);
          }
        })(),
        'the end of the reader',
      );
      expect(['LOG_TRUNCATED', 'TOPIC_MISSING']).toContain(code);
      expect(records).toEqual([]);
      expect(await c.values(spec.name)).toEqual(['v', 'w', 'x', 'y', 'z']);
    },
  ],
];
