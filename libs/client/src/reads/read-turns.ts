import { defined, TurnLines } from '@levee/kernel';
import type { PointRead } from '../operations';
import type { ReadNamespace } from '../routes/read-namespace';
import { begin, end, type Place, Room } from '../room';
import type { StoreLimits } from '../store-limits';
import { WaitingLine } from '../waiting-line';

export interface WaitingRead {
  readonly namespace: ReadNamespace;
  readonly read: PointRead;
}

/** So many reads of one line, or values of so many bytes, are let through before the next line has its turn. */
const quantum = 64;
const quantumBytes = 256 * 1024;
/** So many are let through, or dropped, before anything else has its turn. */
const admittedAtOnceMax = 1_024;

/** The reads of one asker, in their order. How many are asked for at once depends on how large its values are. */
export class ReadLine extends WaitingLine<WaitingRead> {
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
  ) {
    super();
  }

  get gone(): boolean {
    return this.isGone();
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
}

/** Reads that count as few. */
const smallCount = 16;
/** Askers of one value each are many. */
const othersWindows = 16;
/** Reads that a line may ask for before it has seen a value. */
const firstWindow = 64;

export type ReadTurnLimits = Pick<
  StoreLimits,
  'readsAtOnceMax' | 'readsOfOneMax' | 'readWindowBytes' | 'readBytesAtOnceMax' | 'readSmallBytes'
>;

/** What a value is taken for as long as none was seen. */
const firstMeanBytes = 64 * 1024;

/**
 * Who reads when: so many reads are asked of nodes at a time, by all askers in turn. What one asks for without end
 * makes its own reads wait and nobody else's, and no node is asked for more than its links can carry.
 */
export class ReadTurns {
  /** In bytes as far as could be told when they were asked for. */
  private readonly room: Room;
  private meanBytes = firstMeanBytes;
  private readonly lines = new TurnLines<ReadLine>();
  private queued = 0;
  /** Of askers that ask for one value each. */
  private readonly others: ReadLine;

  constructor(private readonly limits: ReadTurnLimits) {
    this.others = new ReadLine({ ...limits, readWindowBytes: limits.readWindowBytes * othersWindows });
    const { readBytesAtOnceMax: bytesMax, readsAtOnceMax: countMax } = limits;
    this.room = new Room({ bytesMax, countMax }, () => this.queued);
  }

  /** Reads that wait. */
  get waiting(): number {
    return this.queued;
  }

  /** True: ask now. Else it waits for `next`. */
  enter(namespace: ReadNamespace, read: PointRead): boolean {
    const line = (read.line ??= this.others);
    const place = line.size === 0 && line.mayAsk(this.meanBytes) ? this.placeOf(line) : undefined;
    if (place) {
      this.begin(line, read, place);
      return true;
    }
    line.push({ namespace, read });
    this.waits(line);
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
    line.unshift(one);
    this.waits(line);
  }

  private waits(line: ReadLine): void {
    this.queued++;
    this.lines.join(line);
    this.room.look();
  }

  private take(line: ReadLine): WaitingRead {
    this.queued--;
    return line.shift();
  }

  /** Takes out everything that waits. */
  clear(drop: (one: WaitingRead) => void): void {
    this.lines.each((line) => {
      while (line.size > 0) drop(this.take(line));
    });
  }

  /** Takes out what waits for longer than it may: so much of it that nothing else waits long. */
  sweep(nowMs: number, late: (one: WaitingRead) => void): void {
    let left = admittedAtOnceMax;
    this.lines.each((line) => {
      for (; left > 0 && line.head && line.head.read.deadlineAtMs <= nowMs; left--) late(this.take(line));
    });
  }

  /**
   * Gives those whose turn it is to `ask`, or to `drop` where nobody waits for them any more. False: there are more, for
   * later, so that nothing else waits long.
   */
  admit(ask: (one: WaitingRead) => void, drop: (one: WaitingRead) => void): boolean {
    let admitted = 0;
    this.lines.round(
      () => this.room.isFree && admitted < admittedAtOnceMax,
      (line) => {
        const some = this.admitSome(line, ask, drop);
        admitted += some;
        return some;
      },
    );
    this.room.look();
    return admitted < admittedAtOnceMax;
  }

  private admitSome(line: ReadLine, ask: (one: WaitingRead) => void, drop: (one: WaitingRead) => void): number {
    let admitted = 0;
    const most = Math.max(1, Math.min(quantum, quantumBytes / (line.valueBytes ?? this.meanBytes)));
    while (admitted < most && line.size > 0) {
      if (line.gone) drop(this.take(line));
      else if (this.room.isFree && line.mayAsk(this.meanBytes)) {
        const one = this.take(line);
        this.begin(line, one.read, this.room.place);
        ask(one);
      } else break;
      admitted++;
    }
    return admitted;
  }

  /** A read of whoever has little under way need not wait for those of others. */
  private placeOf(line: ReadLine): Place | undefined {
    if (this.room.isOpen) return this.room.place;
    const bytes = (line.valueBytes ?? this.meanBytes) * (line.underWay + 1);
    const isSmall = line.underWay < smallCount && bytes <= this.limits.readSmallBytes;
    return isSmall ? this.room.besidePlace : undefined;
  }

  private begin(line: ReadLine, read: PointRead, place: Place): void {
    // Whole numbers: a read has no object beside it for a fraction.
    read.expectedBytes = line.valueBytes ?? this.meanBytes | 0;
    read.place = place;
    begin(place, read.expectedBytes);
    line.underWay++;
  }

  private end(read: PointRead): ReadLine {
    const line = read.line ?? this.others;
    end(defined(read.place, 'a read that was let through has its place'), read.expectedBytes);
    line.underWay--;
    return line;
  }
}
