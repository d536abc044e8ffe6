import { logLimits } from '@levee/log';
import { type Case, record } from '../contract-case';

const mebibyte = 1024 * 1024;

export const records: readonly Case[] = [
  [
    'keys and values are bytes: all 256 of them come back unchanged',
    async (c) => {
      const topic = await c.topic();
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
      await c.append(topic, [{ key: bytes, value: Buffer.from(bytes).reverse() }]);
      const [read] = await c.read(topic);
      expect(read?.key?.equals(bytes)).toBe(true);
      expect(read?.value?.equals(Buffer.from(bytes).reverse())).toBe(true);
    },
  ],
  [
    'a record without a key comes back with key null',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, [record(null, 'v')]);
      expect((await c.read(topic))[0]?.key).toBeNull();
    },
  ],
  [
    'an empty key is not a missing key',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, [record('', 'v'), record(null, 'v')]);
      expect((await c.read(topic)).map((r) => r.key?.length)).toEqual([0, undefined]);
    },
  ],
  [
    'a tombstone comes back with value null, an empty value with no bytes',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, [record('k', null), record('k', ''), record('k', 'v')]);
      expect(await c.values(topic)).toEqual([null, '', 'v']);
    },
  ],
  [
    'headers come back in order, with repeated keys, empty values and text beyond ASCII',
    async (c) => {
      const topic = await c.topic();
      const headers = [
        { key: 'seq', value: Buffer.from('17') },
        { key: 'grüße', value: Buffer.from([0, 255]) },
        { key: 'seq', value: Buffer.alloc(0) },
      ];
      await c.append(topic, [
        { key: Buffer.from('k'), value: null, headers },
        { key: null, value: Buffer.from('plain') },
      ]);
      const [headed, plain] = await c.read(topic);
      expect(headed?.headers.map((h) => [h.key, h.value.toString('hex')])).toEqual(
        headers.map((h) => [h.key, h.value.toString('hex')]),
      );
      expect(plain?.headers).toEqual([]);
      expect(plain?.value?.toString()).toBe('plain');
    },
  ],
  [
    'values of 1 MiB pass where the topic allows them',
    async (c) => {
      const topic = await c.topic({ 'max.message.bytes': `${2 * mebibyte}` });
      const value = Buffer.alloc(mebibyte, 'a');
      value.writeUInt32BE(0xdeadbeef, mebibyte - 4);
      for (const key of ['one', 'two', 'three']) await c.append(topic, [{ key: Buffer.from(key), value }]);
      const read = await c.read(topic);
      expect(read.map((r) => r.value?.equals(value))).toEqual([true, true, true]);
    },
  ],
  [
    'small and large records mix',
    async (c) => {
      const topic = await c.topic({ 'max.message.bytes': `${2 * mebibyte}` });
      const lengths = [0, 1, 100, 70_000, 3, 900_000, 0, 16_384, 65_535, 65_536, 127, 128];
      for (const length of lengths) await c.append(topic, [record('k', 'x'.repeat(length))]);
      expect((await c.read(topic)).map((r) => r.value?.length)).toEqual(lengths);
    },
  ],
  [
    'a thousand records in one append',
    async (c) => {
      const topic = await c.topic();
      const many = Array.from({ length: 1000 }, (_, n) => record(`key-${n}`, 'v'.repeat(n % 300)));
      expect(await c.append(topic, many)).toBe(0);
      const read = await c.read(topic);
      expect(read.map((r) => [r.key?.toString(), r.value?.length])).toEqual(
        many.map((r) => [r.key?.toString(), r.value?.length]),
      );
    },
  ],
  [
    'records carry their append time, which does not fall within a partition',
    async (c) => {
      const topic = await c.topic();
      const before = Date.now();
      for (let n = 0; n < 5; n++) await c.append(topic, [record('k', `${n}`)]);
      const times = (await c.read(topic)).map((r) => r.timestampMs);
      expect([...times].sort((a, b) => a - b)).toEqual(times);
      // A broker's clock may differ from ours; a minute is more than any test machine drifts.
      expect(Math.abs((times[0] as number) - before)).toBeLessThan(60_000);
    },
  ],
  [
    'an append that is larger than max.message.bytes fails definitely, naming the limit',
    async (c) => {
      const topic = await c.topic({ 'max.message.bytes': '20000' });
      await c.fails(c.append(topic, [record('k', 'x'.repeat(30_000))]), 'TOO_LARGE', topic);
      await c.fails(
        c.append(
          topic,
          Array.from({ length: 30 }, () => record('k', 'x'.repeat(1000))),
        ),
        'TOO_LARGE',
      );
      expect(await c.append(topic, [record('k', 'x'.repeat(15_000))])).toBe(0);
      expect(await c.offsetsOf(topic)).toEqual({ start: 0, end: 1 });
    },
  ],
  [
    'a record larger than any may be fails definitely, before anything is sent',
    async (c) => {
      const topic = await c.topic({ 'max.message.bytes': `${16 * mebibyte}` });
      const value = Buffer.alloc(logLimits.recordBytesMax + 1);
      await c.fails(c.append(topic, [{ key: null, value }]), 'TOO_LARGE');
      expect(await c.offsetsOf(topic)).toEqual({ start: 0, end: 0 });
    },
  ],
];
