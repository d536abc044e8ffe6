import { failureCode } from '@levee/kernel';
import { isDefinite, LogFailure } from '@levee/log';
import { type Case, p0, record } from '../contract-case';

const mebibyte = 1024 * 1024;

export const pressure: readonly Case[] = [
  [
    'beyond appendQueueBytesMax of unanswered appends a call fails definitely, and what was accepted is stored',
    async (c) => {
      const pauseAppends = c.fault('pauseAppends');
      if (pauseAppends === undefined) return;
      const topic = await c.topic({ 'max.message.bytes': `${2 * mebibyte}` });
      await c.append(topic, [record('warm', 'up')]);
      const resume = await pauseAppends();
      const value = Buffer.alloc(mebibyte);
      const settled = Promise.allSettled(
        Array.from({ length: 80 }, (_, n) => c.log.append(topic, p0, [{ key: Buffer.from(`${n}`), value }])),
      );
      await resume();
      const outcomes = await c.within(settled, 'all answers', 60_000);
      const accepted = outcomes.flatMap((o, n) => (o.status === 'fulfilled' ? [`${n}`] : []));
      const codes = new Set(outcomes.flatMap((o) => (o.status === 'rejected' ? [failureCode(o.reason)] : [])));
      expect([...codes]).toEqual(['LOG_UNAVAILABLE']);
      expect(accepted.length).toBeGreaterThan(30);
      expect(accepted.length).toBeLessThan(66);
      const keys = (await c.read(topic)).map((r) => r.key?.toString());
      expect(keys).toEqual(['warm', ...accepted]);
      expect(await c.append(topic, [record('k', 'room again')])).toBe(accepted.length + 1);
    },
  ],
  [
    'while appends are stalled readers read on, and nothing unfinished is shown',
    async (c) => {
      const pauseAppends = c.fault('pauseAppends');
      if (pauseAppends === undefined) return;
      const topic = await c.topic();
      await c.append(topic, [record('k', 'seen')]);
      const resume = await pauseAppends();
      const stalled = c.append(topic, [record('k', 'stalled')]);
      expect(await c.values(topic)).toEqual(['seen']);
      await resume();
      expect(await stalled).toBe(1);
      expect(await c.values(topic)).toEqual(['seen', 'stalled']);
    },
  ],
  [
    'a cut connection mends by itself: appends and tails go on, nothing is lost or doubled',
    async (c) => {
      const cutOff = c.fault('cutOff');
      if (cutOff === undefined) return;
      const topic = await c.topic();
      const tail = c.tail(topic, 0);
      await c.append(topic, [record('k', 'before')]);
      expect(await tail.take(1)).toHaveLength(1);
      const mend = await cutOff();
      const during = c.append(topic, [record('k', 'during')]);
      await mend();
      await during;
      await c.append(topic, [record('k', 'after')]);
      expect((await tail.take(2)).map((r) => r.value?.toString())).toEqual(['during', 'after']);
      expect(await c.values(topic)).toEqual(['before', 'during', 'after']);
    },
  ],
  [
    'a tail throws LOG_UNAVAILABLE only after unavailableMs of trying',
    async (c) => {
      const cutOff = c.fault('cutOff');
      if (cutOff === undefined) return;
      const topic = await c.topic();
      await c.append(topic, [record('k', 'v')]);
      const tail = c.tail(topic, 0, { unavailableMs: 1_000 });
      await tail.take(1);
      const mend = await cutOff();
      const begun = performance.now();
      await c.fails(
        (async () => {
          while ((await tail.next()) !== undefined);
        })(),
        'LOG_UNAVAILABLE',
      );
      expect(performance.now() - begun).toBeGreaterThan(900);
      await mend();
    },
  ],
  [
    'failures are of the closed list, and only an unknown outcome is indefinite',
    async (c) => {
      const topic = await c.topic({ 'max.message.bytes': '20000' });
      for (const failing of [
        () => c.log.append('contract-missing-topic', p0, [record('k', 'v')]),
        () => c.log.append(topic, p0, [record('k', 'x'.repeat(30_000))]),
      ]) {
        const failure = await failing().then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(failure).toBeInstanceOf(LogFailure);
        expect(isDefinite((failure as LogFailure).code)).toBe(true);
      }
      expect(isDefinite('OUTCOME_UNKNOWN')).toBe(false);
    },
  ],
];
