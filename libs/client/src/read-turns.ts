import type { NamespaceStore } from './namespace-store';
import type { PointRead } from './operations';
import type { StoreLimits } from './store-limits';

export interface WaitingRead {
  readonly namespace: NamespaceStore;
  readonly read: PointRead;
}

/** So many reads of one line are let through before the next line has its turn. */
const quantum = 64;

/** The reads of one asker, in their order. How many are asked for at once depends on how large its values are. */
export class ReadLine {
  private waiting: WaitingRead[] = [];
  private first = 0;
  /** Asked for and not answered. */
  underWay = 0;
  /** A moving mean that rises at once: before anything is known, values count as large. */
  private valueBytes: number;

  constructor(
    private readonly limits: ReadTurnLimits,
    /** Nobody takes what is read. */
    private readonly isGone: () => boolean = () => false,
    /** What was read before is not taken yet. */
    private readonly isFull: () => boolean = () => false,
  ) {
    this.valueBytes = limits.readWindowBytes / firstWindow;
  }

  get gone(): boolean {
    return this.isGone();
  }

  get size(): number {
    return this.waiting.length - this.first;
  }

  get mayAsk(): boolean {
    if (this.underWay === 0 && this.size === 0) return true;
    const { readWindowBytes, readsOfOneMax } = this.limits;
    if (this.underWay >= Math.min(readsOfOneMax, Math.max(1, readWindowBytes / this.valueBytes))) return false;
    return !this.isFull();
  }

  saw(bytes: number): void {
    this.valueBytes = bytes > this.valueBytes ? bytes : this.valueBytes - (this.valueBytes - bytes) / 8;
  }

  push(one: WaitingRead): void {
    this.waiting.push(one);
  }

  unshift(one: WaitingRead): void {
    if (this.first > 0) this.waiting[--this.first] = one;
    else this.waiting.unshift(one);
  }

  shift(): WaitingRead {
    const one = this.waiting[this.first++] as WaitingRead;
    if (this.size === 0) {
      this.waiting = [];
      this.first = 0;
    } else if (this.first > 4096) {
      this.waiting = this.waiting.slice(this.first);
      this.first = 0;
    }
    return one;
  }
}

/** Askers of one value each are many. */
const othersWindows = 16;
/** Reads that a line may ask for before it has seen a value. */
const firstWindow = 64;

export type ReadTurnLimits = Pick<StoreLimits, 'readsAtOnceMax' | 'readsOfOneMax' | 'readWindowBytes'>;

/**
 * Who reads when: so many reads are asked of nodes at a time, by all askers in turn. What one asks for without end
 * makes its own reads wait and nobody else's, and no node is asked for more than its links can carry.
 */
export class ReadTurns {
  private underWay = 0;
  private lines: ReadLine[] = [];
  private turn = 0;
  /** Of askers that ask for one value each. */
  private readonly others: ReadLine;

  constructor(private readonly limits: ReadTurnLimits) {
    this.others = new ReadLine({ ...limits, readWindowBytes: limits.readWindowBytes * othersWindows });
  }

  /** Reads that wait. */
  get waiting(): number {
    return this.lines.reduce((sum, { size }) => sum + size, 0);
  }

  get hasWaiting(): boolean {
    return this.lines.length > 0;
  }

  /** True: ask now. Else it waits for `next`. */
  enter(one: WaitingRead): boolean {
    const line = (one.read.line ??= this.others);
    if (line.size === 0 && this.underWay < this.limits.readsAtOnceMax && line.mayAsk) {
      this.begin(line);
      return true;
    }
    if (line.size === 0) this.lines.push(line);
    line.push(one);
    return false;
  }

  /** A read that was let through is over, with a value of so many bytes. */
  leave(line: ReadLine, valueBytes: number): void {
    this.underWay--;
    line.underWay--;
    line.saw(valueBytes);
  }

  /** A read that was let through found no room in its node's answer: it is the next of its line. */
  again(one: WaitingRead): void {
    const line = (one.read.line ??= this.others);
    this.underWay--;
    line.underWay--;
    if (line.size === 0) this.lines.push(line);
    line.unshift(one);
  }

  /** Takes out everything that waits. */
  clear(drop: (one: WaitingRead) => void): void {
    for (const line of this.lines.splice(0)) while (line.size > 0) drop(line.shift());
  }

  /** Gives those whose turn it is to `ask`, or to `drop` where nobody waits for them any more. */
  admit(ask: (one: WaitingRead) => void, drop: (one: WaitingRead) => void): void {
    // Once all lines in a row may not ask, none does.
    for (let idle = 0; idle < this.lines.length && this.underWay < this.limits.readsAtOnceMax;) {
      if (this.turn >= this.lines.length) this.turn = 0;
      const line = this.lines[this.turn] as ReadLine;
      if (this.admitSome(line, ask, drop)) idle = 0;
      else idle++;
      if (line.size === 0) this.lines.splice(this.turn, 1);
      else this.turn++;
    }
  }

  private admitSome(line: ReadLine, ask: (one: WaitingRead) => void, drop: (one: WaitingRead) => void): boolean {
    let admitted = 0;
    while (admitted < quantum && line.size > 0) {
      if (line.gone) drop(line.shift());
      else if (this.underWay < this.limits.readsAtOnceMax && line.mayAsk) {
        const one = line.shift();
        this.begin(line);
        ask(one);
      } else break;
      admitted++;
    }
    return admitted > 0;
  }

  private begin(line: ReadLine): void {
    this.underWay++;
    line.underWay++;
  }
}
