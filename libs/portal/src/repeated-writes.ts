import { StoreFailure } from '@levee/client';
import { failureCode, type Clock } from '@levee/kernel';

export interface RepeatedWriteLimits {
  /** An id is remembered for so long after its write began. */
  readonly rememberMs: number;
  /** Ids remembered at a time; beyond it the oldest is forgotten early. */
  readonly idsMax: number;
}

const repeatedWriteLimits: RepeatedWriteLimits = { rememberMs: 600_000, idsMax: 100_000 };

/** Characters of a request id. */
export const requestIdLengthMax = 128;

interface Remembered<T> {
  /** What was asked for. */
  readonly request: string;
  readonly atMs: number;
  readonly outcome: Promise<T>;
}

/**
 * Writes that carry a request id: who repeats one while it is under way, or within ten minutes, joins the original
 * and gets its outcome, also when that is unknown. Only what certainly did not happen is done again. One portal knows
 * only its own writes.
 */
export class RepeatedWrites<T> {
  /** By id, the oldest first. */
  private readonly byId = new Map<string, Remembered<T>>();
  private counts = { joined: 0, forgottenEarly: 0 };
  /** What began at this time, or before it, may have been forgotten; monotonic ms. */
  private forgottenAtMs = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly limits: RepeatedWriteLimits = repeatedWriteLimits,
  ) {}

  stats(): Readonly<Record<string, number>> {
    return { ...this.counts, ids: this.byId.size };
  }

  /**
   * Runs `write` unless `id` is known: then its outcome is that of the original. `request` tells whether it is the
   * same request. Fails with LVREQUEST when it is another one, else as the write does.
   */
  run(
    id: string,
    request: string,
    write: () => Promise<T>,
  ): { readonly outcome: Promise<T>; readonly joined: boolean } {
    const nowMs = this.clock.monotonicMs();
    this.forget(nowMs, Infinity);
    const known = this.byId.get(id);
    if (known !== undefined && known.request !== request)
      throw new StoreFailure(
        'LVREQUEST',
        `request id '${id}' was used for another write ${Math.round((nowMs - known.atMs) / 1000)} s ago: every write ` +
          'needs an id of its own; nothing was written',
      );
    if (known !== undefined) {
      this.counts.joined++;
      return { outcome: known.outcome, joined: true };
    }
    // [safety] Not before it was looked for: room is not made at the cost of the very write that is asked after.
    this.forget(nowMs, this.limits.idsMax - 1);
    const outcome = write();
    this.byId.set(id, { request, atMs: nowMs, outcome });
    outcome.catch((error: unknown) => {
      if (mayHaveHappened(error)) return;
      if (this.byId.get(id)?.outcome === outcome) this.byId.delete(id);
    });
    return { outcome, joined: false };
  }

  /** Whether a write that was first sent so long ago, and is not known here, certainly never came here. */
  remembersSince(agoMs: number): boolean {
    return agoMs <= this.limits.rememberMs && this.clock.monotonicMs() - agoMs > this.forgottenAtMs;
  }

  /** What is too old, and the oldest of what is more than `idsMost`. */
  private forget(nowMs: number, idsMost: number): void {
    for (const [id, { atMs }] of this.byId) {
      const isOld = nowMs - atMs > this.limits.rememberMs;
      if (!isOld && this.byId.size <= idsMost) return;
      if (!isOld) this.counts.forgottenEarly++;
      this.forgottenAtMs = atMs;
      this.byId.delete(id);
    }
  }
}

/** Indefinite and pending outcomes, and failures of ours that say nothing. */
function mayHaveHappened(error: unknown): boolean {
  const code = failureCode(error);
  return !(error instanceof StoreFailure) || code === 'LVINDEFINITE' || code === 'LVPENDING';
}
