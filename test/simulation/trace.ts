import { createHash } from 'node:crypto';

/** Something a process does that outlives it: a record appended, a unit written, bytes sent. */
export interface Effect {
  /** Count of effects before it in this run: the same in every run of one seed. */
  readonly number: number;
  readonly atMs: number;
  readonly process: string;
  /** `append levee.journal`, `unit write`, `send`, … */
  readonly kind: string;
  /** Where the scenario stood, in words. */
  readonly phase: string;
  /** What the process was to it. */
  readonly role: string;
}

/** What befalls at one effect. */
export interface Fault {
  readonly effect: number;
  /** `before`: the effect does not happen (or, after a pause, later). */
  readonly when: 'before' | 'after';
  readonly strike: () => void;
}

/**
 * Every effect of a run in its order, summed up in one hash: two runs of one seed must have the same. The place where
 * faults strike, since a crash matters only between two effects.
 */
export class Trace {
  readonly effects: Effect[] = [];
  private readonly sum = createHash('sha256');
  private count = 0;
  faults: readonly Fault[] = [];
  /** Told of every effect, for tests. */
  watch: ((effect: { readonly process: string; readonly kind: string }) => void) | undefined;
  /** Keeps the effects, for the enumeration of crash points. */
  keep = false;
  describe: (process: string) => { readonly phase: string; readonly role: string } = () => ({ phase: '', role: '' });

  constructor(private readonly nowMs: () => number) {}

  /** Performs an effect, unless a fault of this run ends its process first. */
  effect(
    of: { readonly process: string; readonly kind: string; readonly content?: Uint8Array | string },
    perform: () => void,
  ): void {
    const number = this.count++;
    const { process, kind, content = '' } = of;
    this.sum.update(`${this.nowMs()} ${process} ${kind} `).update(content);
    if (this.keep) this.effects.push({ number, atMs: this.nowMs(), process, kind, ...this.describe(process) });
    this.watch?.(of);
    this.strike(number, 'before');
    perform();
    this.strike(number, 'after');
  }

  private strike(effect: number, when: Fault['when']): void {
    for (const fault of this.faults) if (fault.effect === effect && fault.when === when) fault.strike();
  }

  get length(): number {
    return this.count;
  }

  hash(): string {
    return this.sum.copy().digest('hex');
  }
}
