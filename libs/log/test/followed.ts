import { asOffset, asPartition, type Timers } from '@levee/kernel';
import {
  type AfterFailure,
  type FollowFailure,
  type FollowOptions,
  followTopic,
  type Log,
  type LogBatch,
  LogFailure,
  type LogPosition,
  noHeaders,
} from '../src';

export const at = { topic: 'orders', partition: asPartition(0) };

/** One thing that happens to a reader: records up to an offset, a failure, the end of the tail, silence until cancelled. */
export type Step = number | Error | 'closed' | 'silence';

/** A log whose tails do what a test says, one list after the other; then they are silent. Records are their offsets. */
class TailScript {
  readonly begun: LogPosition[] = [];
  /** Tails that were begun and have not ended. */
  open = 0;

  constructor(private readonly tails: Step[][]) {}

  get asLog(): Log {
    return this as unknown as Log;
  }

  tail(
    _topic: string,
    _partition: number,
    from: LogPosition,
    options: { signal?: AbortSignal },
  ): AsyncIterable<LogBatch> {
    this.begun.push(from);
    return this.read(from, this.tails.shift() ?? ['silence'], options.signal as AbortSignal);
  }

  private async *read(from: LogPosition, steps: Step[], signal: AbortSignal): AsyncGenerator<LogBatch> {
    this.open++;
    try {
      let next: number = from.nextOffset;
      for (const step of steps) {
        if (signal.aborted || step === 'closed') return;
        if (step instanceof Error) throw step;
        if (step === 'silence') return await aborted(signal);
        yield batchOf(next, step);
        next = step;
      }
      await aborted(signal);
    } finally {
      this.open--;
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

export function batchOf(from: number, to: number): LogBatch {
  const offsets = Array.from({ length: Math.max(0, to - from) }, (_, n) => asOffset(from + n));
  return {
    ...at,
    firstOffset: asOffset(from),
    nextOffset: asOffset(to),
    leaderEpoch: 7,
    endOffset: asOffset(to),
    records: offsets.map((offset) => ({ offset, timestampMs: 0, key: null, value: null, headers: noHeaders })),
  };
}

/** Pauses end when the test says so; `asked` are their lengths. */
export class HeldPauses implements Timers {
  readonly asked: number[] = [];
  private readonly held = new Set<() => void>();

  after(delayMs: number, action: () => void): () => void {
    this.asked.push(delayMs);
    this.held.add(action);
    return () => void this.held.delete(action);
  }

  get waiting(): number {
    return this.held.size;
  }

  pass(): void {
    const now = [...this.held];
    this.held.clear();
    for (const action of now) action();
  }
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let n = 0; n < 1_000; n++) {
    if (isTrue()) return;
    await turn();
  }
  throw new Error(`it did not come to this: ${what}`);
}

export const position = (nextOffset: number, leaderEpoch = -1): LogPosition => ({
  nextOffset: asOffset(nextOffset),
  leaderEpoch,
});

export const unavailable = new LogFailure('LOG_UNAVAILABLE', 'no broker answers');

/** A follower of such a log, with what it was told. */
export class Followed {
  readonly log: TailScript;
  readonly pauses = new HeldPauses();
  readonly stop = new AbortController();
  readonly taken: number[] = [];
  readonly failures: FollowFailure[] = [];
  readonly starts: (number | undefined)[] = [];
  batches = 0;
  isOver = false;
  readonly done: Promise<void>;

  constructor(
    tails: Step[][],
    options: Partial<FollowOptions> & { after?: (failure: FollowFailure) => AfterFailure } = {},
  ) {
    this.log = new TailScript(tails);
    const { after = () => 'again', ...others } = options;
    this.done = followTopic(this.log.asLog, at, {
      signal: this.stop.signal,
      timers: this.pauses,
      tail: () => ({}),
      retryMs: () => 250,
      onFailure: (failure) => {
        this.failures.push(failure);
        return after(failure);
      },
      ...others,
      start: (reached) => {
        this.starts.push(reached?.nextOffset);
        return others.start === undefined ? (reached ?? position(0)) : others.start(reached);
      },
      onBatch: async (batch) => {
        this.batches++;
        await others.onBatch?.(batch);
        this.taken.push(...batch.records.map(({ offset }) => offset));
      },
    });
    const ended = (): void => void (this.isOver = true);
    this.done.then(ended, ended);
  }

  /** The pause that is under way ends. */
  async pass(): Promise<void> {
    await until('a pause', () => this.pauses.waiting === 1);
    this.pauses.pass();
  }

  /** Cancelled now, it ends without anything else having to happen, and leaves nothing behind. */
  async cancel(): Promise<void> {
    this.stop.abort();
    await until('the end of following', () => this.isOver);
    expect([this.log.open, this.pauses.waiting]).toEqual([0, 0]);
    await this.done;
  }
}
