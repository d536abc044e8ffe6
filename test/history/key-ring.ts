import { historyLimits } from './operation';

/** Room is left for the reads that end a run, and for writes that are open when a key retires. */
export const rotateAt = {
  operations: historyLimits.operationsPerKeyMax - 40,
  /** Answered unresolved plus open writes; one below the limit, so that a check is never close. */
  unresolvedWrites: historyLimits.unresolvedWritesPerKeyMax - 1,
} as const;

export interface RingKey {
  readonly name: string;
  operations: number;
  unresolvedWrites: number;
  openWrites: number;
  nextValue: number;
}

/** `width` keys in use at a time; one that has been used enough is retired and a fresh one takes its place. */
export class KeyRing {
  private readonly live: RingKey[] = [];
  readonly all: RingKey[] = [];

  constructor(
    private readonly prefix: string,
    private readonly width: number,
    private readonly random: () => number,
  ) {
    if (!(width >= 1)) throw new RangeError(`a key ring of ${width} keys: at least 1`);
    for (let i = 0; i < width; i++) this.live.push(this.fresh());
  }

  /** A live key. */
  pick(): RingKey {
    const at = Math.floor(this.random() * this.width);
    let key = this.live[at] as RingKey;
    if (key.operations >= rotateAt.operations || key.unresolvedWrites >= rotateAt.unresolvedWrites)
      this.live[at] = key = this.fresh();
    key.operations += 1;
    return key;
  }

  /** False when one more open write could exceed the limit of unresolved ones; with `alone`, when any is open. */
  mayWrite(key: RingKey, alone: boolean): boolean {
    if (alone && key.openWrites > 0) return false;
    return key.unresolvedWrites + key.openWrites < rotateAt.unresolvedWrites;
  }

  private fresh(): RingKey {
    const key: RingKey = {
      name: `${this.prefix}${this.all.length}`,
      operations: 0,
      unresolvedWrites: 0,
      openWrites: 0,
      nextValue: 1,
    };
    this.all.push(key);
    return key;
  }
}
