import { type Change, type Namespace, type Watch } from '@levee/sdk';
import { followAgain, type RunnerLogger } from './follow-again';
import { KeptPosition, positionsInLevee } from './kept-position';
import { endOf, pauseBefore, untilDone } from './pauses';
import { Progress } from './progress';
import { asideOf, keepAside, messageOf, stateKeyPrefix } from './put-aside';

export interface RunnerOptions {
  readonly name: string;
  /** What is watched, with values as the handler takes them. */
  readonly store: Namespace<unknown>;
  readonly prefix: string | undefined;
  readonly key: string | undefined;
  readonly from: 'now' | 'beginning';
  readonly state: Namespace<Buffer>;
  readonly concurrency: number;
  readonly attempts: number;
  readonly handle: (change: Change<unknown>) => unknown;
  readonly logger: RunnerLogger;
  /** Pause before the next attempt, ms; doubled each time, and drawn from 0 to that. Default 100, at most 10 s. */
  readonly pauseMs?: number;
  /** For how long `stop` waits for handlers at work, ms; default 10 s. What is not done by then comes again. */
  readonly drainMs?: number;
}

const drainMsDefault = 10_000;
/** For each that is handled at a time so many may wait. */
const waitingOfEach = 8;

/**
 * Carries changes of a namespace to a handler, and keeps in Levee how far it is. One key is one lane: its changes come one
 * after the other. The position that is kept lies behind changes that are all done, so that what was under way when the
 * process ended comes again.
 */
export class ChangeRunner {
  private readonly stopping = new AbortController();
  private readonly ending = new Promise<void>((resolve) => {
    this.stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  private readonly lanes: Promise<void>[];
  private progress = new Progress();
  private readonly position: KeptPosition;
  private watch: Watch<unknown> | undefined;
  private running: Promise<void> | undefined;
  /** The position that was kept belongs to a history that is gone. */
  private lost = false;
  private wake: () => void = () => undefined;

  constructor(private readonly options: RunnerOptions) {
    const { concurrency, logger, name, state } = options;
    this.lanes = Array.from({ length: concurrency }, () => Promise.resolve());
    this.position = new KeptPosition(
      positionsInLevee(state, name),
      () => this.progress.token,
      (error) => logger.warn(`${name}: its position cannot be kept: ${messageOf(error)}`),
    );
  }

  /** Resolves once its first position is kept: what is written from then on is handled, whoever dies. */
  start(): Promise<void> {
    this.running ??= this.run();
    return this.position.isFixed;
  }

  /** Takes nothing more, lets handlers end that are at work, and keeps the position behind them. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.watch?.close();
    await this.running;
    await Promise.race([Promise.all(this.lanes), endOf(this.options.drainMs ?? drainMsDefault)]);
    await this.position.end();
  }

  /** Nothing is at work any more, or it is ending. */
  private async settled(): Promise<void> {
    await Promise.race([Promise.all(this.lanes), this.ending]);
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private run(): Promise<void> {
    const { name, logger } = this.options;
    return followAgain({
      ...{ name, logger, what: 'changes', pauseMs: this.pauseMs, signal: this.stopping.signal },
      follow: (began) => this.follow(began),
      lost: async () => {
        await this.settled();
        // What is kept stays until there is another one: a process that dies now must learn of the loss again.
        this.lost = true;
        this.position.forget();
        this.progress = new Progress();
      },
    });
  }

  /** From where all was done until the watch ends, or fails. */
  private async follow(began: () => void): Promise<void> {
    const { store, prefix, key, from } = this.options;
    // What is still under way would come twice, side by side.
    await this.settled();
    if (this.stopped) return;
    const position = this.progress.token ?? (this.lost ? undefined : await this.position.load());
    const watch = await store.watch({
      ...(key === undefined ? {} : { key }),
      ...(prefix === undefined ? {} : { prefix }),
      from: position ?? (this.lost ? 'beginning' : from),
      signal: this.stopping.signal,
    });
    this.lost = false;
    this.watch = watch;
    this.progress = new Progress(watch.token);
    try {
      await this.position.first();
      began();
      for await (const change of watch) {
        const isOwn = change.key.startsWith(stateKeyPrefix);
        const done = this.progress.begin(watch.token);
        if (isOwn) done();
        else this.hand(change, done);
        while (!this.stopped && this.progress.waiting >= this.options.concurrency * waitingOfEach) await this.room();
        if (this.stopped) break;
      }
    } finally {
      await watch.close();
    }
  }

  private hand(change: Change<unknown>, done: () => void): void {
    const lane = laneOf(change.keyBytes, this.lanes.length);
    this.lanes[lane] = (this.lanes[lane] as Promise<void>).then(async () => {
      if (await this.handled(change)) {
        done();
        this.position.soon();
      }
      this.wake();
    });
  }

  /** False: the process is ending before it was done. */
  private async handled(change: Change<unknown>): Promise<boolean> {
    const { attempts, handle, name, logger } = this.options;
    let failure: unknown = change.error;
    for (let attempt = 0; change.error === undefined && attempt < attempts; attempt++) {
      if (this.stopped) return false;
      try {
        await handle(change);
        return true;
      } catch (error) {
        failure = error;
        if (attempt + 1 < attempts) await this.pause(attempt);
      }
    }
    logger.error(`${name}: ${change.key} at ${change.position} is put aside: ${messageOf(failure)}`);
    return this.putAside(change, failure);
  }

  /** Until it is written: a change that is neither handled nor put aside must come again. */
  private putAside(change: Change<unknown>, failure: unknown): Promise<boolean> {
    const { state, store, name, logger } = this.options;
    return untilDone(() => keepAside(state, name, asideOf(store.name, change, failure)), {
      failed: (error) =>
        logger.warn(`${name}: ${change.key} cannot be put aside, it is tried again: ${messageOf(error)}`),
      pauseMs: this.pauseMs,
      signal: this.stopping.signal,
    });
  }

  private room(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }

  private get pauseMs(): number {
    return this.options.pauseMs ?? 100;
  }

  private pause(attempt: number): Promise<void> {
    return pauseBefore(attempt, this.pauseMs, this.stopping.signal);
  }
}

/** FNV-1a: the same key, the same lane. */
function laneOf(key: Uint8Array, lanes: number): number {
  let hash = 0x811c9dc5;
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % lanes;
}
