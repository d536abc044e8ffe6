import { failureCode } from '@levee/kernel';
import { type Case, type ContractCase, numbered, p0, pause, record } from '../contract-case';

export const ending: readonly Case[] = [
  [
    'a signal that is aborted already: the iteration just ends',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(3));
      const tail = c.tail(topic, 0, { signal: AbortSignal.abort() });
      expect(await tail.next()).toBeUndefined();
    },
  ],
  [
    'a signal ends a tail that waits at the end, promptly and without an error',
    async (c) => {
      const topic = await c.topic();
      const cancel = new AbortController();
      const tail = c.tail(topic, 0, { signal: cancel.signal, idleMs: 60_000 });
      await tail.next();
      const waiting = tail.next();
      await pause(20);
      cancel.abort();
      expect(await waiting).toBeUndefined();
      expect(await tail.next()).toBeUndefined();
    },
  ],
  [
    'a signal ends a tail in the middle of the records',
    async (c) => {
      const topic = await c.topic();
      for (let n = 0; n < 10; n++) await c.append(topic, numbered(10, 'x'.repeat(500)));
      const cancel = new AbortController();
      const tail = c.tail(topic, 0, { signal: cancel.signal, bytesMax: 2_000 });
      await tail.next();
      cancel.abort();
      expect(await tail.next()).toBeUndefined();
    },
  ],
  [
    'leaving the loop ends the tail; others read on',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(3));
      const other = c.tail(topic, 0);
      for (let n = 0; n < 5; n++) expect(await c.read(topic)).toHaveLength(3);
      expect(await other.take(3)).toHaveLength(3);
    },
  ],
  [
    'close ends every tail without an error',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(3));
      const tails = [c.tail(topic, 0), c.tail(topic, 3, { idleMs: 60_000 })];
      for (const tail of tails) await tail.next();
      const waiting = tails.map((tail) => tail.next());
      await c.within(c.log.close(), 'close');
      for (const next of waiting) await c.within(next, 'the end of a tail');
      for (const tail of tails) expect(await tail.next()).toBeUndefined();
    },
  ],
  [
    'close lets appends under way finish: each is either acknowledged and stored, or failed',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, [record('k', 'warm')]);
      const outcomes = Array.from({ length: 50 }, (_, n) => c.append(topic, [record('k', `${n}`)]));
      const settled = Promise.allSettled(outcomes);
      await c.within(c.log.close(), 'close');
      const acknowledged = (await settled).flatMap((o, n) => (o.status === 'fulfilled' ? [`${n}`] : []));
      await c.reopen();
      expect(await c.values(topic)).toEqual(expect.arrayContaining(['warm', ...acknowledged]));
    },
  ],
  [
    'a closed log refuses appends definitely',
    async (c) => {
      const topic = await c.topic();
      await c.within(c.log.close(), 'close');
      await c.fails(c.log.append(topic, p0, [record('k', 'v')]), 'LOG_UNAVAILABLE');
    },
  ],
  [
    'closing twice is closing once',
    async (c) => {
      await c.within(Promise.all([c.log.close(), c.log.close()]), 'close');
      await c.within(c.log.close(), 'close');
    },
  ],
  [
    'opened again, the log holds every acknowledged record at its offset, and goes on behind them',
    async (c) => {
      const topic = await c.topic({}, 2);
      await c.append(topic, numbered(7));
      await c.append(topic, numbered(5, 'w'));
      const before = await c.read(topic);
      await c.reopen();
      expect(await c.read(topic)).toEqual(before);
      expect(await c.append(topic, [record('k', 'next')])).toBe(12);
      await c.reopen();
      expect((await c.values(topic)).at(-1)).toBe('next');
      expect(await c.offsetsOf(topic)).toEqual({ start: 0, end: 13 });
    },
  ],
  [
    'a position read before the log was opened again is good after it',
    async (c) => {
      const topic = await c.topic();
      await c.append(topic, numbered(5));
      const tail = c.tail(topic, 0);
      await tail.take(5);
      const { position } = tail;
      await c.reopen();
      await c.append(topic, [record('k', 'after')]);
      const resumed = c.tail(topic, position);
      expect((await resumed.take(1)).map((r) => [Number(r.offset), r.value?.toString()])).toEqual([[5, 'after']]);
      expect(resumed.leaderEpoch).toBeGreaterThanOrEqual(position.leaderEpoch);
    },
  ],
  [
    'topics and their settings are there after the log was opened again',
    async (c) => {
      const spec = c.spec({ 'max.message.bytes': '123456' }, 3);
      await c.log.ensureTopics([spec]);
      const [before] = await c.log.describeTopics([spec.name]);
      await c.reopen();
      expect(await c.log.describeTopics([spec.name])).toEqual([before]);
      await c.log.ensureTopics([spec]);
    },
  ],
  [
    'a crash loses no acknowledged record and leaves no gap',
    async (c) => {
      const crash = c.fault('crash');
      if (crash === undefined) return;
      const topic = await c.topic();
      for (let round = 0; round < 3; round++) {
        const { base, values } = await acknowledged(c, topic, `r${round}`);
        const unanswered = c.log.append(topic, p0, [record('k', 'unanswered')]);
        unanswered.catch(() => undefined);
        c.log = await c.within(crash(round), 'a crash', crashDeadlineMs);
        const found = await c.read(topic, base);
        expect(found.slice(0, 4).map(({ offset, value }) => [Number(offset), value?.toString()])).toEqual(
          values.map((value, n) => [base + n, value]),
        );
        const isUnanswered = new RegExp(`^(unanswered|r${round}\\.\\d+-\\d)$`);
        for (const { value } of found.slice(4)) expect(value?.toString()).toMatch(isUnanswered);
      }
    },
  ],
];

/** A broker that starts again on a busy machine may take so long. */
const crashDeadlineMs = 90_000;

/** Four records in a row that are acknowledged; what is answered too late, on a busy machine, is tried under other names. */
async function acknowledged(
  c: ContractCase,
  topic: string,
  prefix: string,
): Promise<{ readonly base: number; readonly values: readonly string[] }> {
  for (let attempt = 0; ; attempt++) {
    const records = numbered(4, `${prefix}.${attempt}-`);
    try {
      const base = Number(await c.append(topic, records));
      return { base, values: records.map(({ value }) => `${value?.toString()}`) };
    } catch (error) {
      if (attempt === 20 || !['OUTCOME_UNKNOWN', 'LOG_UNAVAILABLE'].includes(failureCode(error) ?? '')) throw error;
    }
  }
}
