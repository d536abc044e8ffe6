import { assert } from '@levee/kernel';

/**
 * Work that can wait, most urgent first. Point reads and what is applied never wait for a turn and never pay for this:
 * between two slices of background work they have the event loop for themselves.
 */
export const ioClasses = ['scan', 'copy', 'digest', 'sweep'] as const;
export type IoClass = (typeof ioClasses)[number];

export interface IoRule {
  /** Turns it gets for each turn of a class of weight 1, while both wait. */
  readonly weight: number;
  /** While the event loop is busy with reads and writes: ms of rest for each ms that these take. */
  readonly rest: number;
  /** While clients are served: ms of rest for each ms that its own slices take. */
  readonly yields: number;
}

export const ioRules: Readonly<Record<IoClass, IoRule>> = {
  scan: { weight: 8, rest: 0, yields: 0 },
  copy: { weight: 4, rest: 0.5, yields: 0.25 },
  digest: { weight: 2, rest: 2, yields: 2 },
  sweep: { weight: 1, rest: 2, yields: 3 },
};

export const ioLimits = {
  /** A round of the event loop that takes no longer is calm; longer than the slice of background work in it. */
  calmMs: 10,
  /** Clients count as being served for so long after each request. */
  servedMs: 100,
  /** A slice that took longer was waiting for the disk, or for a processor that others had. */
  sliceMsMax: 4,
  /** Background work gets a turn this often, however busy the loop is: a copy that stands still fails its plan. */
  restMsMax: 50,
} as const;

assert(ioLimits.calmMs < ioLimits.restMsMax, 'a busy loop gives more rest than a calm one');

/** How long a slice of that class waits after a round of the event loop that took `busyMs`. */
export function restMs(ioClass: IoClass, busyMs: number): number {
  if (busyMs <= ioLimits.calmMs) return 0;
  return Math.min(ioLimits.restMsMax, ioRules[ioClass].rest * busyMs);
}

/** Whose turn it is: turns are shared by weight among the classes that wait, and nobody saves them up while idle. */
export class Turns {
  /** What a class has had, in turns of weight 1. */
  private readonly had: Record<IoClass, number> = { scan: 0, copy: 0, digest: 0, sweep: 0 };
  private now = 0;

  /** The class begins to wait. */
  arrive(ioClass: IoClass): void {
    this.had[ioClass] = Math.max(this.had[ioClass], this.now);
  }

  /** The class to be served next, and its turn counted; `undefined` when none waits. */
  next(waits: (ioClass: IoClass) => boolean): IoClass | undefined {
    let chosen: IoClass | undefined;
    for (const ioClass of ioClasses)
      if (waits(ioClass) && (chosen === undefined || this.had[ioClass] < this.had[chosen])) chosen = ioClass;
    if (chosen === undefined) return undefined;
    this.now = this.had[chosen];
    this.had[chosen] += 1 / ioRules[chosen].weight;
    return chosen;
  }
}
