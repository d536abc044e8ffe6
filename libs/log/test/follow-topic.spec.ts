import { asPartition } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { MemoryLevel } from 'memory-level';
import { dice, seed } from '../../../test/support/seed';
import { endOf, followTopic, type Log, LogFailure, type LogPosition } from '../src';
import { at, batchOf, Followed, HeldPauses, position, type Step, turn, unavailable, until } from './followed';

const corrupt = new LogFailure('RECORD_CORRUPT', 'offsets 3 to 5', { details: { from: 3, to: 5 } });
const truncated = new LogFailure('LOG_TRUNCATED', 'cut at 2', { details: { cutOffset: 2 } });
const outOfRange = new LogFailure('OFFSET_OUT_OF_RANGE', 'begins at 9');

describe('what comes', () => {
  it('is handed over in order, empty batches too, and where it was is remembered with its epoch', async () => {
    const followed = new Followed([[2, 2, 5, 'closed']]);
    await followed.pass();
    await until('a second tail', () => followed.log.begun.length === 2);
    expect([followed.taken, followed.batches]).toEqual([[0, 1, 2, 3, 4], 3]);
    expect(followed.log.begun).toEqual([position(0), position(5, 7)]);
    await followed.cancel();
  });

  it('waits for what takes it: nothing is handed over before, or asked of the log', async () => {
    let release = (): void => undefined;
    const under = { now: 0, most: 0 };
    const followed = new Followed([[1, 2, 3]], {
      onBatch: async () => {
        under.most = Math.max(under.most, ++under.now);
        await new Promise<void>((resolve) => (release = resolve));
        under.now--;
      },
    });
    for (let n = 1; n <= 3; n++) {
      await until(`batch ${n}`, () => followed.batches === n && under.now === 1);
      for (let wait = 0; wait < 20; wait++) await turn();
      expect([followed.batches, followed.taken.length]).toEqual([n, n - 1]);
      release();
    }
    await until('all of it', () => followed.taken.length === 3);
    expect(under.most).toBe(1);
    await followed.cancel();
  });

  it('is read as the options say when an attempt begins', async () => {
    const read: unknown[] = [];
    const log = {
      tail: async function* (_topic: string, _partition: number, _from: unknown, options: object) {
        const { signal, ...others } = options as { signal: AbortSignal };
        read.push([signal.aborted, others]);
      },
    };
    const stop = new AbortController();
    const pauses = new HeldPauses();
    let attempt = 0;
    const done = followTopic(log as unknown as Log, at, {
      signal: stop.signal,
      timers: pauses,
      tail: () => ({ idleMs: 10 * ++attempt, bytesMax: 1_000 }),
      retryMs: () => 50 * 2 ** attempt,
      start: () => position(0),
      onBatch: () => undefined,
      onFailure: () => 'stop',
    });
    await until('a pause', () => pauses.waiting === 1);
    pauses.pass();
    await until('another pause', () => pauses.waiting === 1);
    stop.abort();
    await done;
    expect(read).toEqual([
      [false, { idleMs: 10, bytesMax: 1_000 }],
      [false, { idleMs: 20, bytesMax: 1_000 }],
    ]);
    expect(pauses.asked).toEqual([100, 200]);
  });
});

describe('a log that was closed first', () => {
  it('is asked again after a pause each time, and never in between', async () => {
    const followed = new Followed([['closed'], ['closed'], ['closed']]);
    for (let n = 1; n <= 3; n++) {
      await until('a pause', () => followed.pauses.waiting === 1);
      for (let wait = 0; wait < 20; wait++) await turn();
      expect(followed.log.begun).toHaveLength(n);
      followed.pauses.pass();
    }
    await until('the next tail', () => followed.log.begun.length === 4);
    expect([followed.failures, followed.pauses.asked]).toEqual([[], [250, 250, 250]]);
    await followed.cancel();
  });

  it('does not keep the end: a real one, embedded', async () => {
    const log = await EmbeddedLog.open({
      db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
    });
    await log.ensureTopics([{ name: at.topic, partitions: 1, settings: {} }]);
    const append = (): Promise<unknown> => log.append(at.topic, at.partition, [{ key: null, value: Buffer.from('v') }]);
    await append();
    expect(await endOf(log, at)).toEqual(position(1));
    await expect(endOf(log, { ...at, partition: asPartition(1) })).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
    const stop = new AbortController();
    const pauses = new HeldPauses();
    const seen: number[] = [];
    const done = followTopic(log, at, {
      signal: stop.signal,
      timers: pauses,
      tail: () => ({ idleMs: 5 }),
      retryMs: () => 1,
      start: (reached) => reached ?? position(0),
      onBatch: ({ records }) => void seen.push(...records.map(({ offset }) => offset)),
      onFailure: () => 'again',
    });
    await append();
    await until('both records', () => seen.length === 2);
    await log.close();
    for (let n = 0; n < 3; n++) {
      await until('a pause', () => pauses.waiting === 1);
      pauses.pass();
    }
    stop.abort();
    await done;
    expect([seen, pauses.waiting]).toEqual([[0, 1], 0]);
  });
});

describe('a failure', () => {
  it.each([
    ['of the log', [[2, unavailable], [4]], 2, 'log'],
    ['of the log at once', [[unavailable], [4]], undefined, 'log'],
    ['without a code', [[2, new Error('?')], [4]], 2, 'log'],
  ] as const)('%s: again from where reading stands, after the pause', async (_what, tails, reached, of) => {
    const followed = new Followed(tails.map((steps) => [...steps]));
    await until('a pause', () => followed.pauses.waiting === 1);
    expect(followed.failures).toMatchObject([{ of, times: 1 }]);
    await followed.pass();
    await until('everything', () => followed.taken.length === 4);
    expect([followed.taken, followed.starts]).toEqual([
      [0, 1, 2, 3],
      [undefined, reached],
    ]);
    await followed.cancel();
  });

  it.each([
    ['truncated', truncated, position(2, -1), [undefined, 2], [0, 1, 2, 3, 2, 3, 4]],
    ['out of range: on at the start', outOfRange, position(9), [undefined, 9], [0, 1, 2, 3]],
    ['damaged: on behind it', corrupt, position(5), [undefined, 5], [0, 1, 2, 3]],
    ['truncated: as at the beginning', truncated, 'anew', [undefined, undefined], [0, 1, 2, 3, 0, 1, 2, 3, 4]],
    ['out of range: the same place again', outOfRange, 'again', [undefined, 4], [0, 1, 2, 3, 4]],
  ] as const)('%s, as was decided', async (_what, failure, then, starts, taken) => {
    const followed = new Followed(
      [
        [4, failure],
        [5, 'silence'],
      ],
      { after: () => then },
    );
    await until('a pause', () => followed.pauses.waiting === 1);
    expect(followed.failures).toEqual([{ error: failure, of: 'log', times: 1 }]);
    await followed.pass();
    await until('the second tail was read', () => followed.batches === 2);
    await turn();
    expect([followed.starts, followed.taken]).toEqual([starts, taken]);
    await followed.cancel();
  });

  it('stops it, without a pause, when that is decided', async () => {
    const followed = new Followed([[4, truncated]], { after: () => 'stop' });
    await followed.done;
    expect([followed.pauses.asked, followed.log.open, followed.taken.length]).toEqual([[], 0, 4]);
  });

  it('fails it with what the decision throws', async () => {
    const worse = new Error('no good');
    const followed = new Followed([[corrupt]], {
      after: () => {
        throw worse;
      },
    });
    await expect(followed.done).rejects.toBe(worse);
    expect(followed.log.open).toBe(0);
  });

  it('of what takes a batch is not the log’s, whatever its code: the same records come again', async () => {
    let left = 2;
    const followed = new Followed([[2, 4], [4], [4]], {
      onBatch: ({ firstOffset }) => {
        if (firstOffset === 2 && left-- > 0) throw outOfRange;
      },
    });
    await followed.pass();
    await followed.pass();
    await until('everything', () => followed.taken.length === 4);
    expect(followed.failures.map(({ of, times }) => [of, times])).toEqual([
      ['onBatch', 1],
      ['onBatch', 2],
    ]);
    expect([followed.taken, followed.starts]).toEqual([
      [0, 1, 2, 3],
      [undefined, 2, 2],
    ]);
    await followed.cancel();
  });

  it('of who says where to begin is told as such; too early is none', async () => {
    const answers: (() => LogPosition | undefined)[] = [
      () => position(0),
      () => {
        throw unavailable;
      },
      () => undefined,
      () => position(3),
    ];
    const followed = new Followed([[1, 'closed'], [4]], { start: () => answers.shift()?.() });
    for (let n = 0; n < 3; n++) await followed.pass();
    await until('another batch', () => followed.taken.length === 2);
    expect(followed.failures).toEqual([{ error: unavailable, of: 'start', times: 1 }]);
    expect([followed.taken, followed.log.begun]).toEqual([
      [0, 3],
      [position(0), position(3)],
    ]);
    await followed.cancel();
  });

  it('is counted while the words are the same and nothing is read', async () => {
    const other = new LogFailure('LOG_UNAVAILABLE', 'another broker does not answer');
    // An empty batch is nothing read: a log that answers so and then fails is as bad as before.
    const followed = new Followed([[unavailable], [0, unavailable], [other], [2, other], [2, other]]);
    for (let n = 0; n < 5; n++) await followed.pass();
    await until('the last tail', () => followed.log.begun.length === 6);
    expect(followed.failures.map(({ times }) => times)).toEqual([1, 2, 1, 1, 2]);
    await followed.cancel();
  });
});

describe('cancelled', () => {
  it('before it began: asks nobody anything', async () => {
    const stop = AbortSignal.abort();
    const asked: string[] = [];
    await followTopic({ tail: () => asked.push('tail') } as unknown as Log, at, {
      signal: stop,
      timers: { after: () => () => void asked.push('pause') },
      tail: () => ({}),
      retryMs: () => 1,
      start: () => void asked.push('start') as undefined,
      onBatch: () => void asked.push('batch'),
      onFailure: () => void asked.push('failure') as never,
    });
    expect(asked).toEqual([]);
  });

  it.each([
    ['while it waits for the log', [['silence']] as Step[][]],
    ['behind a batch', [[3, 'silence']] as Step[][]],
    ['in a pause, after a failure', [[unavailable]] as Step[][]],
    ['in a pause, after the log was closed', [['closed']] as Step[][]],
  ])('%s: it ends, and leaves no tail, timer or listener', async (_when, tails) => {
    const followed = new Followed(tails);
    const wanted = tails[0]?.includes(3) ? 1 : 0;
    const isThere = (): boolean => followed.log.open === 1 || followed.pauses.waiting === 1;
    await until('it is there', () => followed.batches === wanted && isThere());
    await followed.cancel();
  });

  it.each(['onBatch', 'start'] as const)(
    'in %s: it ends with it, whatever comes of it, and calls nothing more',
    async (where) => {
      for (const outcome of ['kept', 'failed'] as const) {
        let end = (): void => undefined;
        const held = (): Promise<void> =>
          new Promise((resolve, reject) => (end = outcome === 'kept' ? resolve : () => reject(unavailable)));
        const followed = new Followed([[1, 2]], {
          ...(where === 'onBatch' ? { onBatch: held } : { start: () => held().then(() => position(0)) }),
        });
        await until('it is there', () => (where === 'onBatch' ? followed.batches === 1 : followed.starts.length === 1));
        followed.stop.abort();
        for (let wait = 0; wait < 20; wait++) await turn();
        expect(followed.isOver).toBe(false);
        end();
        await followed.cancel();
        const begun = where === 'onBatch' ? 1 : 0;
        expect([followed.failures, followed.batches, followed.log.begun.length]).toEqual([[], begun, begun]);
      }
    },
  );

  it('while the log was giving something: that is not handed over any more', async () => {
    const stop = new AbortController();
    const log = {
      tail: async function* () {
        yield batchOf(0, 1);
        stop.abort();
        yield batchOf(1, 2);
      },
    };
    const taken: number[] = [];
    await followTopic(log as unknown as Log, at, {
      signal: stop.signal,
      timers: new HeldPauses(),
      tail: () => ({}),
      retryMs: () => 1,
      start: () => position(0),
      onBatch: ({ nextOffset }) => void taken.push(nextOffset),
      onFailure: () => 'again',
    });
    expect(taken).toEqual([1]);
  });

  it('by what takes a batch: it was the last one', async () => {
    const stop = new AbortController();
    const followed = new Followed([[1, 2, 3]], { signal: stop.signal, onBatch: () => stop.abort() });
    await followed.done;
    expect([followed.batches, followed.log.open, followed.pauses.waiting]).toEqual([1, 0, 0]);
  });
});

test(`whatever happens to the log, each record is taken once and in order (seed ${seed})`, async () => {
  const random = dice(seed);
  const roll = (sides: number): number => Math.floor(random() * sides);
  const end = 400;
  for (let round = 0; round < 50; round++) {
    const log = {
      tail: async function* (_topic: string, _partition: number, from: LogPosition) {
        let next: number = from.nextOffset;
        for (;;) {
          const fate = roll(8);
          if (fate === 0) throw unavailable;
          if (fate === 1) return;
          if (fate === 2) await turn();
          const to = Math.min(end, next + roll(9));
          yield batchOf(next, to);
          next = to;
        }
      },
    };
    const stop = new AbortController();
    const taken: number[] = [];
    await followTopic(log as unknown as Log, at, {
      signal: stop.signal,
      timers: { after: (_ms, action) => (setImmediate(action), () => undefined) },
      tail: () => ({}),
      retryMs: () => 1,
      start: (reached) => reached ?? position(0),
      onBatch: async ({ records }) => {
        // Before anything of it is taken.
        if (roll(6) === 0) throw new Error('not now');
        if (roll(3) === 0) await turn();
        taken.push(...records.map(({ offset }) => offset));
        if (taken.length >= end) stop.abort();
      },
      onFailure: () => 'again',
    });
    expect(taken).toEqual(Array.from({ length: end }, (_, n) => n));
  }
});
