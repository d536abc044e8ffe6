import { Fifo } from './fifo';
import type { NamespaceStore } from './namespace-store';
import type { PointRead } from './operations';
import type { StoreLimits } from './store-limits';

export interface WaitingRead {
  readonly namespace: NamespaceStore;
  readonly read: PointRead;
}

/** So many reads of one line, or values of so many bytes, are let through before the next line has its turn. */
const quantum = 64;
const quantumBytes = 256 * 1024;
/** So many are let through, or dropped, before anything else has its turn. */
const admittedAtOnceMax = 1_024;

/** The reads of one asker, in their order. How many are asked for at once depends on how large its values are. */
export class ReadLine {
  private readonly waiting = new Fifo<WaitingRead>();
  /** Asked for and not answered. */
  underWay = 0;
  /** Of its values: a moving mean that rises at once; `undefined` before it has seen one. */
  valueBytes: number | undefined;

  constructor(
    private readonly limits: ReadTurnLimits,
    /** Nobody takes what is read. */
    private readonly isGone: () => boolean = () => false,
    /** What was read before is not taken yet. */
    private readonly isFull: () => boolean = () => false,
  ) {}

  get gone(): boolean {
    return this.isGone();
  }

  get size(): number {
    return this.waiting.size;
  }

  /** `meanBytes`: of everybody's values, where nothing is known of its own. */
  mayAsk(meanBytes: number): boolean {
    if (this.underWay === 0 && this.size === 0) return true;
    const { readWindowBytes, readsOfOneMax } = this.limits;
    const countMax = this.valueBytes === undefined ? firstWindow : readsOfOneMax;
    const window = Math.max(1, readWindowBytes / (this.valueBytes ?? meanBytes));
    return this.underWay < Math.min(countMax, window) && !this.isFull();
  }

  saw(bytes: number): void {
    const before = this.valueBytes ?? 0;
    this.valueBytes = bytes > before ? bytes : before - ((before - bytes) >> 3);
  }

  push(one: WaitingRead): void {
    this.waiting.push(one);
  }

  unshift(one: WaitingRead): void {
    this.waiting.unshift(one);
  }

  shift(): WaitingRead {
    return this.waiting.shift();
  }
}

/** Askers of one value each are many. */
const othersWindows = 16;
/** Reads that a line may ask for before it has seen a value. */
const firstWindow = 64;

export type ReadTurnLimits = Pick<
  StoreLimits,
  'readsAtOnceMax' | 'readsOfOneMax' | 'readWindowBytes' | 'readBytesAtOnceMax'
>;

/** What a value is taken for as long as none was seen. */
const firstMeanBytes = 64 * 1024;

/**
 * Who reads when: so many reads are asked of nodes at a time, by all askers in turn. What one asks for without end
 * makes its own reads wait and nobody else's, and no node is asked for more than its links can carry.
 */
export class ReadTurns {
  private underWay = 0;
  /** As far as could be told when they were asked for. */
  private bytesUnderWay = 0;
  private meanBytes = firstMeanBytes;
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
  enter(namespace: NamespaceStore, read: PointRead): boolean {
    const line = (read.line ??= this.others);
    if (line.size === 0 && this.hasRoom && line.mayAsk(this.meanBytes)) {
      this.begin(line, read);
      return true;
    }
    if (line.size === 0) this.joins(line);
    line.push({ namespace, read });
    return false;
  }

  /** A read that was let through is over, with a value of so many bytes. */
  leave(read: PointRead, valueBytes: number): void {
    const line = this.end(read);
    line.saw(valueBytes);
    this.meanBytes += (valueBytes - this.meanBytes) / 64;
  }

  /** A read that was let through found no room in its node's answer: it is the next of its line. */
  again(one: WaitingRead): void {
    const line = this.end(one.read);
    if (line.size === 0) this.joins(line);
    line.unshift(one);
  }

  /** Who did not wait before is the next, once: what is asked for now and then need not go through all the others. */
  private joins(line: ReadLine): void {
    this.lines.splice(this.turn, 0, line);
  }

  /** Takes out everything that waits. */
  clear(drop: (one: WaitingRead) => void): void {
    for (const line of this.lines.splice(0)) while (line.size > 0) drop(line.shift());
  }

  /**
   * Gives those whose turn it is to `ask`, or to `drop` where nobody waits for them any more. False: there are more, for
   * later, so that nothing else waits long.
   */
  admit(ask: (one: WaitingRead) => void, drop: (one: WaitingRead) => void): boolean {
    let admitted = 0;
    // Once all lines in a row may not ask, none does.
    for (let idle = 0; idle < this.lines.length && this.hasRoom;) {
      if (admitted >= admittedAtOnceMax) return false;
      if (this.turn >= this.lines.length) this.turn = 0;
      const line = this.lines[this.turn] as ReadLine;
      const some = this.admitSome(line, ask, drop);
      admitted += some;
      if (some > 0) idle = 0;
      else idle++;
      if (line.size === 0) this.lines.splice(this.turn, 1);
      else this.turn++;
    }
    return true;
  }

  private admitSome(line: ReadLine, ask: (one: WaitingRead) => void, drop: (one: WaitingRead) => void): number {
    let admitted = 0;
    const most = Math.max(1, Math.min(quantum, quantumBytes / (line.valueBytes ?? this.meanBytes)));
    while (admitted < most && line.size > 0) {
      if (line.gone) drop(line.shift());
      else if (this.hasRoom && line.mayAsk(this.meanBytes)) {
        const one = line.shift();
        this.begin(line, one.read);
        ask(one);
      } else break;
      admitted++;
    }
    return admitted;
  }

  private get hasRoom(): boolean {
    const { readsAtOnceMax, readBytesAtOnceMax } = this.limits;
    return this.underWay < readsAtOnceMax && (this.bytesUnderWay < readBytesAtOnceMax || this.underWay === 0);
  }

  private begin(line: ReadLine, read: PointRead): void {
    // Whole numbers: a read has no object beside it for a fraction.
    read.expectedBytes = line.valueBytes ?? this.meanBytes | 0;
    this.bytesUnderWay += read.expectedBytes;
    this.underWay++;
    line.underWay++;
  }

  private end(read: PointRead): ReadLine {
    const line = read.line ?? this.others;
    this.bytesUnderWay -= read.expectedBytes;
    this.underWay--;
    line.underWay--;
    return line;
  }
}
