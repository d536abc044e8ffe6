import { asPartition } from '@levee/kernel';
import { type Case, numbered, p0, record } from '../contract-case';

export const appending: readonly Case[] = [
  [
    'the first record of a partition has offset 0, the following ones follow without gaps',
    async (c) => {
      const topic = await c.topic();
      expect(await c.append(topic, numbered(3))).toBe(0);
      expect(await c.append(topic, numbered(2))).toBe(3);
      expect((await c.read(topic)).map((r) => Number(r.offset))).toEqual([0, 1, 2, 3, 4]);
    },
  ],
  [
    'records of one append lie next to each other, in order',
    async (c) => {
      const topic = await c.topic();
      await Promise.all([0, 1, 2, 3].map((n) => c.append(topic, numbered(5, `a${n}-`))));
      const values = await c.values(topic);
      for (let at = 0; at < 20; at += 5) {
        const prefix = (values[at] ?? '').split('-')[0];
        expect(values.slice(at, at + 5)).toEqual([0, 1, 2, 3, 4].map((n) => `${prefix}-${n}`));
      }
    },
  ],
  [
    'appends to one partition keep the order of their calls, without waiting for each other',
    async (c) => {
      const topic = await c.topic();
      const bases = await Promise.all(Array.from({ length: 200 }, (_, n) => c.append(topic, [record('k', `${n}`)])));
      expect(bases.map(Number)).toEqual(Array.from({ length: 200 }, (_, n) => n));
      expect(await c.values(topic)).toEqual(Array.from({ length: 200 }, (_, n) => `${n}`));
    },
  ],
  [
    'two thousand appends at once over eight partitions are each stored exactly once, in order',
    async (c) => {
      const topic = await c.topic({}, 8);
      const partitions = Array.from({ length: 8 }, (_, n) => asPartition(n));
      await Promise.all(
        Array.from({ length: 2000 }, (_, n) => c.append(topic, [record(null, `${n}`)], asPartition(n % 8))),
      );
      for (const partition of partitions) {
        const expected = Array.from({ length: 250 }, (_, n) => `${n * 8 + partition}`);
        expect(await c.values(topic, 0, partition)).toEqual(expected);
      }
    },
  ],
  [
    'partitions are independent: each has its own offsets and records',
    async (c) => {
      const topic = await c.topic({}, 3);
      for (const n of [0, 1, 2]) await c.append(topic, numbered(n + 1, `p${n}-`), asPartition(n));
      expect(await c.append(topic, [record('k', 'x')], asPartition(2))).toBe(3);
      expect(await c.values(topic, 0, asPartition(1))).toEqual(['p1-0', 'p1-1']);
      expect((await c.log.offsets(topic)).map((o) => [o.partition, o.startOffset, o.endOffset])).toEqual([
        [0, 0, 1],
        [1, 0, 2],
        [2, 0, 4],
      ]);
    },
  ],
  [
    'of appends to several partitions at once, one that fails does not touch the others',
    async (c) => {
      const topic = await c.topic({ 'max.message.bytes': '20000' }, 4);
      const large = record('k', 'x'.repeat(50_000));
      const outcomes = await Promise.allSettled(
        [0, 1, 2, 3].map((n) => c.append(topic, n === 2 ? [large] : [record('k', `${n}`)], asPartition(n))),
      );
      expect(outcomes.map((o) => o.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
      for (const n of [0, 1, 3]) expect(await c.values(topic, 0, asPartition(n))).toEqual([`${n}`]);
      expect(await c.values(topic, 0, asPartition(2))).toEqual([]);
      expect(await c.append(topic, [record('k', 'later')], asPartition(2))).toBe(0);
    },
  ],
  [
    'after a failed append a later one to the same partition succeeds',
    async (c) => {
      const topic = await c.topic({ 'max.message.bytes': '20000' });
      const [first, second, third] = [
        c.append(topic, [record('k', 'a')]),
        c.append(topic, [record('k', 'x'.repeat(50_000))]),
        c.append(topic, [record('k', 'b')]),
      ];
      await c.fails(second as Promise<unknown>, 'TOO_LARGE');
      expect([await first, await third]).toEqual([0, 1]);
      expect(await c.values(topic)).toEqual(['a', 'b']);
    },
  ],
  [
    'an append of no records fails definitely, and hinders nobody',
    async (c) => {
      const topic = await c.topic();
      const [before, empty, after] = [
        c.append(topic, [record('k', 'a')]),
        c.append(topic, []),
        c.append(topic, [record('k', 'b')]),
      ];
      await c.fails(empty as Promise<unknown>, 'TOO_LARGE', topic, 'no records');
      expect([await before, await after]).toEqual([0, 1]);
      expect(await c.values(topic)).toEqual(['a', 'b']);
    },
  ],
  [
    'a record that the topic does not take fails its own append definitely, and no other that travels with it',
    async (c) => {
      const topic = await c.compactedTopic();
      await c.append(topic, [record('k', 'warm')]);
      const outcomes = await Promise.allSettled(
        [0, 1, 2, 3, 4].map((n) => c.append(topic, [record(n === 2 ? null : `k${n}`, `${n}`)])),
      );
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'fulfilled',
        'fulfilled',
      ]);
      await c.fails(c.append(topic, [record(null, 'v')]), 'TOPIC_MISCONFIGURED', topic);
      expect(await c.values(topic)).toEqual(['warm', '0', '1', '3', '4']);
    },
  ],
  [
    'an append to a missing topic fails definitely, naming it',
    async (c) => {
      await c.fails(
        c.log.append('contract-missing-topic', p0, [record('k', 'v')]),
        'TOPIC_MISSING',
        'contract-missing',
      );
    },
  ],
  [
    'an append to a partition that the topic does not have fails definitely, naming topic and partition',
    async (c) => {
      const topic = await c.topic({}, 2);
      await c.fails(c.log.append(topic, asPartition(7), [record('k', 'v')]), 'TOPIC_MISSING', topic, '7');
    },
  ],
  [
    'what was acknowledged is readable at once, by any reader',
    async (c) => {
      const topic = await c.topic();
      for (let n = 0; n < 20; n++) {
        const offset = await c.append(topic, [record('k', `${n}`)]);
        expect(await c.values(topic, offset)).toEqual([`${n}`]);
        expect((await c.offsetsOf(topic)).end).toBe(offset + 1);
      }
    },
  ],
  [
    'an append whose answer is lost is stored exactly once, and what follows keeps its order',
    async (c) => {
      const lose = c.fault('loseNextAppendResponse');
      if (lose === undefined) return;
      const topic = await c.topic();
      await c.append(topic, [record('k', 'before')]);
      await lose();
      const during = c.append(topic, [record('k', 'lost-answer')]);
      const after = Array.from({ length: 20 }, (_, n) => c.append(topic, [record('k', `after-${n}`)]));
      expect(await during).toBe(1);
      expect((await Promise.all(after)).map(Number)).toEqual(Array.from({ length: 20 }, (_, n) => n + 2));
      expect(await c.values(topic)).toEqual([
        'before',
        'lost-answer',
        ...Array.from({ length: 20 }, (_, n) => `after-${n}`),
      ]);
    },
  ],
  [
    'a lost answer for one partition does not double or drop what other partitions got',
    async (c) => {
      const lose = c.fault('loseNextAppendResponse');
      if (lose === undefined) return;
      const topic = await c.topic({}, 4);
      const partitions = [0, 1, 2, 3].map(asPartition);
      await Promise.all(partitions.map((p) => c.append(topic, [record('k', 'warm')], p)));
      await lose();
      await Promise.all(
        partitions.flatMap((p) => Array.from({ length: 10 }, (_, n) => c.append(topic, [record('k', `${n}`)], p))),
      );
      for (const p of partitions)
        expect(await c.values(topic, 0, p)).toEqual(['warm', ...Array.from({ length: 10 }, (_, n) => `${n}`)]);
    },
  ],
  [
    'sequence numbers wrap after 2^31 - 1 without a lost, doubled or reordered record',
    async (c) => {
      const set = c.fault('setNextSequence');
      if (set === undefined) return;
      const topic = await c.topic();
      await set(topic, p0, 2 ** 31 - 5);
      for (let n = 0; n < 6; n++) await c.append(topic, numbered(3, `b${n}-`));
      expect(await c.values(topic)).toEqual([0, 1, 2, 3, 4, 5].flatMap((n) => [0, 1, 2].map((m) => `b${n}-${m}`)));
    },
  ],
];
