import { type Case, numbered, p0, pause, record } from '../contract-case';

export const time: readonly Case[] = [
  [
    'offsetAt of an empty partition is its end',
    async (c) => {
      const topic = await c.topic();
      expect(await c.log.offsetAt(topic, p0, 0)).toBe(0);
      expect(await c.log.offsetAt(topic, p0, Date.now() + 3_600_000)).toBe(0);
    },
  ],
  [
    'offsetAt finds the first record appended at or after a time',
    async (c) => {
      const topic = await c.topic();
      for (let n = 0; n < 12; n++) {
        await c.append(topic, numbered(1 + (n % 3), `${n}-`));
        await pause(3);
      }
      const all = await c.read(topic);
      for (const { timestampMs } of all) {
        const first = all.find((r) => r.timestampMs >= timestampMs);
        expect(await c.log.offsetAt(topic, p0, timestampMs)).toBe(first?.offset);
        const next = all.find((r) => r.timestampMs >= timestampMs + 1);
        expect(await c.log.offsetAt(topic, p0, timestampMs + 1)).toBe(next?.offset ?? all.length);
      }
    },
  ],
  [
    'offsetAt before everything is the first record, after everything the end',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(5));
      expect(await c.log.offsetAt(topic, p0, 0)).toBe(0);
      expect(await c.log.offsetAt(topic, p0, Date.now() + 3_600_000)).toBe(5);
      await c.append(topic, [record('k', 'v')]);
      expect(await c.log.offsetAt(topic, p0, Date.now() + 3_600_000)).toBe(6);
    },
  ],
];
