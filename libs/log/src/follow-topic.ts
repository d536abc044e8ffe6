import { messageOf, type Partition, pause, type Timers } from '@levee/kernel';
import { type Log, type LogBatch, LogFailure, type LogPosition, type PartitionOffsets, type TailOptions } from './port';

/** One partition of a topic; of a topic with several, each has a follower of its own. */
export interface FollowedPlace {
  readonly topic: string;
  readonly partition: Partition;
}

/** Why following was interrupted. */
export interface FollowFailure {
  readonly error: unknown;
  /** Who failed: the log, with the codes of `Log.tail`, or else `start` or `onBatch` of the options. */
  readonly of: 'log' | 'start' | 'onBatch';
  /** How often in a row it failed with these words, this time included; what is read since begins a new row. */
  readonly times: number;
}

/**
 * What follows from a failure: `again` goes on where reading stands, `anew` forgets where that is, a position goes on
 * there; each of them after the pause. `stop` ends it; to fail, throw.
 */
export type AfterFailure = 'again' | 'anew' | 'stop' | LogPosition;

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly timers: Timers;
  /** How each attempt reads. */
  readonly tail: () => Omit<TailOptions, 'signal'>;
  /** The pause before each further attempt. */
  readonly retryMs: () => number;
  /**
   * Where an attempt begins. `reached` is where reading stands: `undefined` before the first batch and after `anew`.
   * Returns `undefined` when it is too early to begin: then it is asked again after the pause.
   */
  readonly start: (reached: LogPosition | undefined) => LogPosition | undefined | Promise<LogPosition | undefined>;
  /** Takes a batch, also an empty one; the next one waits for its promise. When it fails, its records come again. */
  readonly onBatch: (batch: LogBatch) => void | Promise<void>;
  readonly onFailure: (failure: FollowFailure) => AfterFailure | Promise<AfterFailure>;
}

/**
 * Follows a partition until `signal` aborts: hands over its batches in order, one at a time, and tries again after a
 * pause whatever happens, also when the log was closed, which ends its tails without an error. It decides nothing: each
 * failure goes to `onFailure`, and nothing is skipped but by its word.
 *
 * Resolves after the abort as soon as the call under way has ended, of `start`, `onBatch` or `onFailure`, and calls
 * nothing any more; what fails after the abort is not told. Rejects only with what `onFailure` throws.
 */
export async function followTopic(log: Log, at: FollowedPlace, options: FollowOptions): Promise<void> {
  const { signal, timers } = options;
  let reached: LogPosition | undefined;
  let of: FollowFailure['of'] = 'start';
  let words: string | undefined;
  let times = 0;

  const attempt = async (): Promise<void> => {
    of = 'start';
    const from = await options.start(reached);
    if (from === undefined || signal.aborted) return;
    of = 'log';
    for await (const batch of log.tail(at.topic, at.partition, from, { ...options.tail(), signal })) {
      if (signal.aborted) return;
      of = 'onBatch';
      const working = options.onBatch(batch);
      if (working !== undefined) await working;
      of = 'log';
      const { nextOffset, leaderEpoch } = batch;
      if (nextOffset > (reached ?? from).nextOffset) times = 0;
      reached = { nextOffset, leaderEpoch };
    }
  };

  while (!signal.aborted) {
    try {
      await attempt();
    } catch (error) {
      if (signal.aborted) return;
      times = messageOf(error) === words ? times + 1 : 1;
      words = messageOf(error);
      const then = await options.onFailure({ error, of, times });
      if (then === 'stop') return;
      if (then !== 'again') reached = then === 'anew' ? undefined : then;
    }
    await pause(timers, options.retryMs(), signal);
  }
}

/** Start and end of one partition. Fails as `Log.offsets` does, and with TOPIC_MISSING. */
export async function boundsOf(log: Log, { topic, partition }: FollowedPlace): Promise<PartitionOffsets> {
  const bounds = (await log.offsets(topic)).find((each) => each.partition === partition);
  if (bounds === undefined) throw new LogFailure('TOPIC_MISSING', `topic ${topic} has no partition ${partition}`);
  return bounds;
}

/** Where a partition ends now, for who wants only what comes from now on. Fails as {@link boundsOf} does. */
export async function endOf(log: Log, at: FollowedPlace): Promise<LogPosition> {
  return { nextOffset: (await boundsOf(log, at)).endOffset, leaderEpoch: -1 };
}
