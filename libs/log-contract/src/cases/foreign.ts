import { type Case, numbered, p0, record } from '../contract-case';

export const foreign: readonly Case[] = [
  [
    'a committed foreign transaction is read, its control batch is only a gap',
    async (c) => {
      const open = c.fault('openForeignTransaction');
      if (open === undefined) return;
      const topic = await c.topic();
      await c.append(topic, [record('k', 'before')]);
      const transaction = await open(topic, p0, [record('k', 'inside')]);
      await transaction.commit();
      await c.append(topic, [record('k', 'after')]);
      const tail = c.tail(topic, 0);
      expect((await tail.take(3)).map((r) => r.value?.toString())).toEqual(['before', 'inside', 'after']);
      expect(tail.nextOffset).toBe((await c.offsetsOf(topic)).end);
    },
  ],
  [
    'an aborted foreign transaction is never seen',
    async (c) => {
      const open = c.fault('openForeignTransaction');
      if (open === undefined) return;
      const topic = await c.topic();
      const transaction = await open(topic, p0, numbered(3, 'aborted-'));
      await transaction.abort();
      await c.append(topic, [record('k', 'after')]);
      expect(await c.values(topic)).toEqual(['after']);
    },
  ],
  [
    'two aborted transactions of one producer in one fetch: nothing of either is seen, positions pass both',
    async (c) => {
      const abort = c.fault('abortForeignTransactions');
      if (abort === undefined) return;
      const topic = await c.topic();
      await c.append(topic, [record('k', 'before')]);
      await abort(topic, p0, 2);
      await c.append(topic, [record('k', 'between')]);
      await abort(topic, p0, 2);
      await c.append(topic, [record('k', 'after')]);
      expect(await c.values(topic)).toEqual(['before', 'between', 'after']);
    },
  ],
  [
    'an open foreign transaction hides what comes after it until it ends; then everything comes in order',
    async (c) => {
      const open = c.fault('openForeignTransaction');
      if (open === undefined) return;
      const topic = await c.topic();
      await c.append(topic, [record('k', 'before')]);
      const transaction = await open(topic, p0, [record('k', 'inside')]);
      await c.append(topic, [record('k', 'after')]);
      const tail = c.tail(topic, 0, { idleMs: 100 });
      expect((await tail.take(1)).map((r) => r.value?.toString())).toEqual(['before']);
      for (let n = 0; n < 3; n++) {
        const batch = await tail.next();
        expect(batch?.records).toEqual([]);
        expect({ ...batch, records: [] }).toMatchObject({ nextOffset: 1, endOffset: 1, withheldTo: 3 });
      }
      await transaction.commit();
      expect((await tail.take(2)).map((r) => r.value?.toString())).toEqual(['inside', 'after']);
      await c.append(topic, [record('k', 'last')]);
      expect((await tail.next())?.withheldTo).toBeUndefined();
    },
  ],
  [
    'an examination names who holds records back, where, since when, and nobody once that is over',
    async (c) => {
      const open = c.fault('openForeignTransaction');
      if (open === undefined) return;
      const topic = await c.topic({}, 2);
      await c.append(topic, [record('k', 'before')]);
      expect((await c.log.examine([topic, 'no-such-topic'])).openTransactions).toEqual([]);
      const transaction = await open(topic, p0, [record('k', 'inside')]);
      await c.append(topic, [record('k', 'after')]);
      const { openTransactions, weakPartitions } = await c.log.examine([topic]);
      expect(openTransactions).toEqual([
        {
          topic,
          partition: 0,
          producerId: expect.any(Number) as number,
          producerEpoch: 0,
          transactionalId: `open-${topic}`,
          startOffset: 1,
          withheldTo: 3,
          lastAppendMs: expect.any(Number) as number,
        },
      ]);
      expect(Math.abs(Date.now() - (openTransactions[0]?.lastAppendMs ?? 0))).toBeLessThan(60_000);
      expect(weakPartitions).toEqual([]);
      await transaction.abort();
      expect((await c.log.examine([topic])).openTransactions).toEqual([]);
    },
  ],
  [
    'a compressed batch is refused by name, not skipped and not misread',
    async (c) => {
      const compressed = c.fault('appendCompressed');
      if (compressed === undefined) return;
      const topic = await c.topic({ 'compression.type': 'producer' });
      await c.append(topic, [record('k', 'plain')]);
      await compressed(topic, p0, [record('k', 'x'.repeat(1000))]);
      const tail = c.tail(topic, 1);
      const failure = await c.fails(tail.next(), 'RECORD_CORRUPT', topic);
      expect(failure.message).toMatch(/compress/i);
    },
  ],
  [
    'where the topic keeps records uncompressed, compressed foreign batches are read',
    async (c) => {
      const compressed = c.fault('appendCompressed');
      if (compressed === undefined) return;
      const topic = await c.topic({ 'compression.type': 'uncompressed' });
      await compressed(topic, p0, numbered(20, 'x'.repeat(50)));
      expect(await c.values(topic)).toHaveLength(20);
    },
  ],
];
