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
    'a compressed batch is read: keys, values, tombstones, headers, from any offset in it',
    async (c) => {
      const compressed = c.fault('appendCompressed');
      if (compressed === undefined) return;
      const topic = await c.topic({ 'compression.type': 'producer' });
      await c.append(topic, [record('k', 'plain')]);
      const records = [
        {
          key: Buffer.from('k'),
          value: Buffer.from('x'.repeat(1000)),
          headers: [{ key: 'h', value: Buffer.from('v') }],
        },
        { key: null, value: Buffer.from('no key') },
        { key: Buffer.from('k'), value: null },
      ];
      await compressed(topic, p0, records);
      await c.append(topic, [record('k', 'last')]);
      const read = await c.read(topic);
      expect(read.map(({ key, value, headers }) => ({ key, value, headers })).slice(1, 4)).toEqual(
        records.map(({ key, value, headers = [] }) => ({ key, value, headers })),
      );
      expect(read.map(({ offset }) => Number(offset))).toEqual([0, 1, 2, 3, 4]);
      expect(await c.values(topic, 2)).toEqual(['no key', null, 'last']);
    },
  ],
  [
    'a compressed batch that unpacks to more than anybody holds is RECORD_CORRUPT; who takes such stretches goes on behind it',
    async (c) => {
      const compressed = c.fault('appendCompressed');
      if (compressed === undefined) return;
      const topic = await c.topic({ 'compression.type': 'producer' });
      await c.append(topic, [record('k', 'before')]);
      await compressed(topic, p0, [record('a', 'x'), record('b', 'x'.repeat(40 * 2 ** 20))]);
      await c.append(topic, [record('k', 'after')]);
      const strict = c.tail(topic, 0);
      expect((await strict.take(1)).map((r) => r.value?.toString())).toEqual(['before']);
      const failure = await c.fails(strict.next(), 'RECORD_CORRUPT', topic, 'partition 0', '1');
      expect(failure).toMatchObject({ details: { from: 1, to: 3 } });
      const tail = c.tail(topic, 0, { takesBadStretches: true });
      const seen: string[] = [];
      while (seen.at(-1) !== 'after') {
        const batch = await tail.next();
        for (const { value } of batch?.records ?? []) seen.push(value?.toString() ?? '');
        for (const { fromOffset, toOffset, what } of batch?.badStretches ?? []) {
          seen.push(`${fromOffset}-${toOffset}`);
          expect(what).toMatch(/batch at offset 1 is compressed with gzip and cannot be unpacked/);
        }
      }
      expect(seen).toEqual(['before', '1-3', 'after']);
      expect(tail.nextOffset).toBe((await c.offsetsOf(topic)).end);
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
