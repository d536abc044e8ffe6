import type { Offset, Partition } from '@levee/kernel';
import type { Session } from '@levee/keyspace';
import { CallbackAppend } from '../callback-operations';
import type { Ack, Append } from '../operations';
import type { NamespaceStore } from '../routes/namespace-store';
import { slotScanPage, wholeScan, type SlotScanPage, type SlotScanState } from '../scans/slot-scan';
import type { Store } from '../store';
import { StoreFailure } from '../store-errors';
import { waitersOf, type AckWaiter } from './ack-waiter';
import { AppendLine } from './append-turns';

export interface FlushChoice {
  /** Default: as the namespace says. */
  readonly ack?: Ack | undefined;
  readonly session?: Session | undefined;
  /** Gives a deletion to the store; default: in a line of its own. */
  readonly write?: (append: Append) => void;
  /** Why nobody wants it any more; asked again and again. */
  readonly isOver?: () => string | undefined;
}

/** Why a namespace deletes nothing wholesale, and what to do about it; `undefined` = it does. */
export function flushProblem({
  name,
  state,
}: NamespaceStore): { readonly why: string; readonly instead: string } | undefined {
  if (state.flush === 'sweep') return undefined;
  if (state.sourceTopic !== null)
    return {
      why: `${name} serves the topic ${state.sourceTopic} of others: it is not emptied from here`,
      instead: state.writable ? 'DEL deletes single keys' : `who produces to ${state.sourceTopic} deletes keys there`,
    };
  return {
    why: `${name} does not allow it, for every key would be deleted`,
    instead: `levee namespace alter ${name} --flush sweep allows it, DEL deletes single keys`,
  };
}

/** Deletions under way at a time, of one flush. */
const atOnceMax = 128;
/** Of the requests that a namespace, or a chunk, may have in a second. */
const rateShare = 0.5;
const retryMs = 100;

/**
 * Deletes every key of a namespace: page after page of a scan, one record for each key. Once it ends, every key that
 * was there when it began, and was not written since, is deleted. One that is written meanwhile is deleted or stays: by
 * which record comes later in the log. A page is held at a time; each step has its deadline, all together have none.
 */
export class FlushSweep {
  /** Keys whose deletion is in the log; one that moved meanwhile may count twice. */
  deleted = 0;
  private readonly fences = new Map<Partition, Promise<Offset>>();
  /** Behind the last deletion in each partition. */
  private readonly positions = new Map<Partition, Offset>();
  private readonly failures: StoreFailure[] = [];
  private readonly line = new AppendLine();
  private progressAtMs: number;

  constructor(
    private readonly store: Store,
    private readonly namespace: NamespaceStore,
    private readonly choice: FlushChoice = {},
  ) {
    this.progressAtMs = store.monotonicMs();
  }

  /** Gives how many keys are deleted, again and again. Fails with a StoreFailure that says how far it came. */
  async *run(): AsyncGenerator<number, void, undefined> {
    this.check();
    await this.store.flushTurns.take();
    this.progressAtMs = this.store.monotonicMs();
    try {
      for (let state: SlotScanState | undefined = wholeScan; state;) {
        this.check();
        const { items, next }: SlotScanPage = await this.unlessLimited(() => this.page(state as SlotScanState));
        for (let at = 0; at < items.length;) {
          this.check();
          const wave = items.slice(at, (at += this.pace.keys)).map(({ key }) => key);
          await this.deleteKeys(wave);
          yield this.deleted;
        }
        state = next;
      }
      await this.applied();
    } catch (error) {
      throw this.told(error);
    } finally {
      this.store.flushTurns.giveBack();
    }
  }

  private page(state: SlotScanState): Promise<SlotScanPage> {
    const { ranges, limits } = this.store;
    const query = { limit: limits.scanPageKeys, keysOnly: true, session: undefined };
    return slotScanPage(ranges, this.namespace, state, query, (partition) => this.fenceOf(partition));
  }

  /** Once for each partition: it covers what was there when the flush began. */
  private fenceOf(partition: Partition): Promise<Offset> {
    let fence = this.fences.get(partition);
    if (!fence) this.fences.set(partition, (fence = this.store.fenceOf(this.namespace, partition)));
    return fence;
  }

  private async deleteKeys(keys: readonly Buffer[]): Promise<void> {
    for (let left = keys; left.length > 0;) {
      this.check();
      const { pauseMs } = this.pace;
      const limited: Buffer[] = [];
      let why: StoreFailure | undefined;
      const before = this.deleted;
      const failures = await Promise.all(left.map(async (key) => ({ key, failure: await this.deleteKey(key) })));
      for (const { key, failure } of failures) {
        if (failure?.code === 'LVLIMIT') {
          limited.push(key);
          why = failure;
        } else if (failure) this.failures.push(failure);
      }
      if (this.failures[0]) throw this.failures[0];
      if (this.deleted > before) this.progressAtMs = this.store.monotonicMs();
      else if (why && this.isStuck) throw why;
      left = limited;
      if (left.length > 0 || pauseMs > 0) await this.store.pause(Math.max(pauseMs, left.length > 0 ? retryMs : 0));
    }
  }

  private deleteKey(key: Buffer): Promise<StoreFailure | undefined> {
    return new Promise((resolve) => {
      const append: CallbackAppend = new CallbackAppend(key, null, 'logged', this.choice.session, (failure) => {
        if (!failure) this.noteDeleted(append);
        resolve(failure);
      });
      append.isSweep = true;
      const { write } = this.choice;
      if (write) return write(append);
      append.line = this.line;
      this.store.append(this.namespace, append);
    });
  }

  private noteDeleted({ partition, nextOffset }: Append): void {
    this.deleted++;
    if (nextOffset > (this.positions.get(partition) ?? 0)) this.positions.set(partition, nextOffset);
  }

  /** Whoever has few requests a second shall not lose them all to this. */
  private get pace(): { readonly keys: number; readonly pauseMs: number } {
    const { requestsPerSecond, chunkRequestsPerSecond } = this.namespace.state;
    const perSecond = Math.min(requestsPerSecond ?? Infinity, chunkRequestsPerSecond ?? Infinity) * rateShare;
    if (perSecond === Infinity) return { keys: atOnceMax, pauseMs: 0 };
    const keys = Math.min(atOnceMax, Math.max(1, Math.floor((perSecond * retryMs) / 1_000)));
    return { keys, pauseMs: (keys / perSecond) * 1_000 };
  }

  /** Tries again while there are no requests, or no turns, left for it. */
  private async unlessLimited<T>(action: () => Promise<T>): Promise<T> {
    for (;;) {
      this.check();
      try {
        const result = await action();
        this.progressAtMs = this.store.monotonicMs();
        return result;
      } catch (error) {
        const isLimit = error instanceof StoreFailure && error.code === 'LVLIMIT';
        if (!isLimit || this.isStuck) throw error;
        await this.store.pause(retryMs);
      }
    }
  }

  private get isStuck(): boolean {
    return this.store.monotonicMs() - this.progressAtMs > this.store.limits.appendMs;
  }

  private check(): void {
    const over = this.choice.isOver?.();
    if (over !== undefined) throw new StoreFailure('LVLIMIT', over);
    const refused = flushProblem(this.namespace);
    if (refused) throw new StoreFailure('LVUNSUPPORTED', `${refused.why}; ${refused.instead}`);
    if (this.namespace.frozen) throw this.namespace.frozen;
  }

  /** Waits as its ack asks for, once for all deletions. */
  private async applied(): Promise<void> {
    const ack = this.choice.ack ?? this.namespace.state.ack;
    if (ack === 'logged' || this.positions.size === 0) return;
    await new Promise<void>((resolve, reject) => {
      const waiters = [...this.positions].flatMap(([partition, nextOffset]) =>
        waitersOf(this.namespace, { partition, nextOffset, ack }),
      );
      let left = waiters.length;
      let failure: StoreFailure | undefined;
      const over = (why?: StoreFailure): void => {
        failure ??= why;
        if (--left > 0) return;
        if (failure) reject(failure);
        else resolve();
      };
      const all = waiters.map((waiter): AckWaiter => ({ ...waiter, done: () => over(), failed: over }));
      const refusal = this.store.awaitApplied(this.namespace, all, this.store.limits.ackMs);
      if (refusal) reject(new StoreFailure('LVPENDING', refusal.message));
    });
  }

  /** The failure with how far it came. A part that is done is done, whatever became of the rest. */
  private told(error: unknown): unknown {
    if (!(error instanceof StoreFailure)) return error;
    const unknown = this.failures.filter(({ code }) => code === 'LVINDEFINITE');
    const worst = unknown[0] ?? error;
    const { deleted } = this;
    const details = { deleted, indefinite: unknown.length };
    if (worst.code === 'LVPENDING')
      return new StoreFailure('LVPENDING', `${deleted} keys are deleted, all of them; ${worst.message}`, { details });
    const more = 'those that are left stay until it is repeated';
    if (unknown.length > 0)
      return new StoreFailure(
        'LVINDEFINITE',
        `${deleted} keys are deleted, and of ${unknown.length} it is unknown whether they are or will be; ${more}: ${worst.message}`,
        { details },
      );
    if (deleted === 0) return worst;
    return new StoreFailure('LVPARTIAL', `${deleted} keys are deleted; ${more}: ${worst.text}`, { details });
  }
}
