import { type Change, type Namespace, type Watch } from '@levee/sdk';
import { followAgain, type RunnerLogger } from '../changes/follow-again';
import { KeptPosition, type Positions } from '../changes/kept-position';
import { endOf, inTime, pauseBefore, untilDone } from '../changes/pauses';
import { asideOf, messageOf, type PutAside, stateKeyPrefix } from '../changes/put-aside';
import { batchesOf, type Taken } from './batches';

export interface LogReaderOptions {
  readonly name: string;
  readonly store: Namespace<Buffer>;
  readonly prefix: string | undefined;
  readonly from: 'now' | 'beginning';
  readonly positions: Positions;
  /** Where the application may save them itself, with what a batch led to: one that failed may be done all the same. */
  readonly isKeptElsewhere: boolean;
  readonly batchMax: number;
  readonly attempts: number;
  /** For how long a batch may be at work, ms. */
  readonly handleMs: number;
  readonly drainMs: number;
  readonly pauseMs: number;
  /** `token`: behind the last of the changes. `signal`: is aborted when nobody waits for it any more. */
  readonly handle: (changes: readonly Change<Buffer>[], about: { token: string; signal: AbortSignal }) => Promise<void>;
  readonly putAside: (aside: PutAside) => Promise<void>;
  readonly logger: RunnerLogger;
}

type Outcome = 'done' | 'refused' | 'ending';

/**
 * Carries changes of a namespace in batches, one batch at a time, in the order of the log. A batch that is refused each time
 * is handed over again change by change, so that only what is refused alone is put aside: nothing stands still for it,
 * nothing is left out, and what comes behind it stays behind it.
 */
export class LogReader {
  private readonly stopping = new AbortController();
  private readonly position: KeptPosition;
  /** Behind what is done. */
  private token: string | undefined;
  private watch: Watch<Buffer> | undefined;
  private running: Promise<void> | undefined;
  /** The position that was kept belongs to a history that is gone. */
  private lost = false;
  /** Why the last attempt was none. */
  private failure: unknown;

  constructor(private readonly options: LogReaderOptions) {
    const { name, logger, positions } = options;
    this.position = new KeptPosition(
      positions,
      () => this.token,
      (error) => logger.warn(`${name}: its position cannot be kept: ${messageOf(error)}`),
    );
  }

  /** Resolves once its first position is kept: what is written from then on is handed over, whoever dies. */
  start(): Promise<void> {
    this.running ??= this.run();
    return this.position.isFixed;
  }

  /** Takes nothing more, waits for the batch that is at work, and keeps the position behind it. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.watch?.close();
    await Promise.race([this.running, endOf(this.options.drainMs)]);
    await this.position.end();
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private run(): Promise<void> {
    const { name, logger, pauseMs } = this.options;
    return followAgain({
      ...{ name, logger, what: 'the log', pauseMs, signal: this.stopping.signal },
      follow: (began) => this.follow(began),
      lost: () => {
        this.lost = true;
        this.position.forget();
        this.token = undefined;
      },
    });
  }

  private async follow(began: () => void): Promise<void> {
    const { store, prefix, from, batchMax } = this.options;
    const position = this.token ?? (this.lost ? undefined : await this.position.load());
    if (this.stopped) return;
    const watch = await store.watch({
      ...(prefix === undefined ? {} : { prefix }),
      from: position ?? (this.lost ? 'beginning' : from),
      signal: this.stopping.signal,
    });
    this.lost = false;
    this.watch = watch;
    this.token = watch.token;
    try {
      await this.position.first();
      began();
      for await (const batch of batchesOf(watch, batchMax)) {
        if (this.stopped || !(await this.take(batch))) return;
      }
    } finally {
      await watch.close();
    }
  }

  /** False: it is ending, and not all of it is done. */
  private async take(batch: readonly Taken[]): Promise<boolean> {
    const foreign = batch.filter(({ change }) => !change.key.startsWith(stateKeyPrefix));
    const outcome = foreign.some(({ change }) => change.error) ? 'refused' : await this.handled(foreign);
    if (outcome === 'ending') return false;
    if (outcome === 'refused')
      for (const one of await this.undone(foreign)) if (!(await this.takeAlone(one))) return false;
    this.token = batch.at(-1)?.token;
    // Where its own position is all that changed, writing it would go on for ever.
    if (foreign.length > 0) this.position.soon();
    return true;
  }

  private async takeAlone(one: Taken): Promise<boolean> {
    const { change, token } = one;
    const outcome = change.error ? 'refused' : await this.handled([one]);
    if (outcome === 'ending' || (outcome === 'refused' && !(await this.asideIsKept(change)))) return false;
    this.token = token;
    this.position.soon();
    return true;
  }

  private async handled(batch: readonly Taken[]): Promise<Outcome> {
    const token = batch.at(-1)?.token;
    if (token === undefined) return 'done';
    const { attempts } = this.options;
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (this.stopped) return 'ending';
      try {
        const rest = attempt === 0 ? batch : await this.undone(batch);
        if (rest.length > 0) await this.once(rest, token);
        return 'done';
      } catch (error) {
        this.failure = error;
        if (attempt + 1 < attempts) await this.pause(attempt);
      }
    }
    return this.stopped ? 'ending' : 'refused';
  }

  /** Without what is saved as done, though it was not said so. */
  private async undone(batch: readonly Taken[]): Promise<readonly Taken[]> {
    if (!this.options.isKeptElsewhere) return batch;
    const saved = await this.position.load().catch((error: unknown) => {
      // Only what is saved says how far it is.
      this.token = undefined;
      throw error;
    });
    return batch.slice(batch.findIndex(({ token }) => token === saved) + 1);
  }

  private async once(batch: readonly Taken[], token: string): Promise<void> {
    const { handle, handleMs } = this.options;
    const given = new AbortController();
    try {
      const changes = batch.map(({ change }) => change);
      await inTime('it was not handled', handleMs, handle(changes, { token, signal: given.signal }));
    } finally {
      given.abort();
    }
  }

  /** Until it is written, or this ends: a change that is neither handled nor put aside must come again. */
  private asideIsKept(change: Change<Buffer>): Promise<boolean> {
    const { name, store, putAside, logger, pauseMs } = this.options;
    const failure = change.error ?? this.failure;
    logger.error(`${name}: ${change.key} at ${change.position} is put aside: ${messageOf(failure)}`);
    return untilDone(() => putAside(asideOf(store.name, change, failure)), {
      failed: (error) =>
        logger.warn(`${name}: ${change.key} cannot be put aside, it is tried again: ${messageOf(error)}`),
      pauseMs,
      signal: this.stopping.signal,
    });
  }

  private pause(attempt: number): Promise<void> {
    return pauseBefore(attempt, this.options.pauseMs, this.stopping.signal);
  }
}
