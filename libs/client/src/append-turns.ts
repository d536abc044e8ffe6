import type { Clock, Timers } from '@levee/kernel';
import { Fifo } from './fifo';
import type { NamespaceStore } from './namespace-store';
import type { Append } from './operations';
import { StoreFailure } from './store-errors';
import type { StoreLimits } from './store-limits';

export interface WaitingAppend {
  readonly namespace: NamespaceStore;
  readonly append: Append;
}

/** The writes of one asker, in their order. */
export class AppendLine {
  private readonly waiting = new Fifo<WaitingAppend>();
  waitingBytes = 0;
  /** Given to the log and not over. */
  underWayBytes = 0;
  /** Among those who wait for their turn. */
  isListed = false;

  get size(): number {
    return this.waiting.size;
  }

  get head(): Append | undefined {
    return this.waiting.head?.append;
  }

  push(one: WaitingAppend): void {
    this.waiting.push(one);
    this.waitingBytes += one.append.bytes;
  }

  shift(): WaitingAppend {
    const one = this.waiting.shift();
    this.waitingBytes -= one.append.bytes;
    return one;
  }
}

export type AppendTurnLimits = Pick<
  StoreLimits,
  | 'appendMs'
  | 'appendsAtOnceBytesMax'
  | 'appendsOfOneBytesMax'
  | 'appendSmallBytes'
  | 'appendQueueBytesMax'
  | 'appendQueueRecordsMax'
>;

/** Of one line, before the next has its turn. */
const quantumBytes = 256 * 1024;
const sweepMs = 100;

/**
 * Who writes when: so many bytes are given to the log at a time, by all askers in turn, so that what one writes without
 * end makes its own writes wait and nobody else's. Who did not wait before goes first, once (as in FQ-CoDel); but every
 * other turn is of those who have waited longer.
 */
export class AppendTurns {
  private readonly fresh = new Fifo<AppendLine>();
  private readonly rest = new Fifo<AppendLine>();
  private restIsNext = false;
  private underWay = { bytes: 0, records: 0 };
  private queued = { bytes: 0, records: 0 };
  private admitScheduled = false;
  private sweepArmed = false;

  constructor(
    private readonly limits: AppendTurnLimits,
    private readonly world: { readonly clock: Clock; readonly timers: Timers },
    /** To the log; `over` is to be called once it is over. */
    private readonly give: (one: WaitingAppend) => void,
  ) {}

  /** Of everything that is not over. */
  get bytes(): number {
    return this.underWay.bytes + this.queued.bytes;
  }

  get records(): number {
    return this.underWay.records + this.queued.records;
  }

  /** So much waits that whoever has much of it begins no more. */
  get busy(): boolean {
    const { appendQueueBytesMax, appendQueueRecordsMax } = this.limits;
    return this.queued.bytes * 2 > appendQueueBytesMax || this.queued.records * 2 > appendQueueRecordsMax;
  }

  /** Gives it to the log when it is its turn, which comes at once as long as not too much is under way. */
  enter(one: WaitingAppend): void {
    const { append } = one;
    const line = (append.line ??= new AppendLine());
    if (line.size === 0 && this.mayGo(line, append.bytes)) return this.begin(line, one);
    const refusal = this.refusal(line, append.bytes);
    if (refusal) return process.nextTick(() => append.failed(refusal));
    line.push(one);
    this.queued.bytes += append.bytes;
    this.queued.records++;
    this.list(line, this.fresh);
    this.sweepLater();
  }

  /** One that was given to the log is over. */
  over(append: Append): void {
    this.underWay.bytes -= append.bytes;
    this.underWay.records--;
    (append.line as AppendLine).underWayBytes -= append.bytes;
    if (this.admitScheduled || this.queued.records === 0) return;
    this.admitScheduled = true;
    setImmediate(this.admit);
  }

  /** Takes out everything that waits. */
  clear(why: StoreFailure): void {
    for (let line = this.next(); line; line = this.next()) while (line.size > 0) this.take(line).append.failed(why);
  }

  private readonly admit = (): void => {
    this.admitScheduled = false;
    // Once all lines in a row may not go on, none does.
    for (let idle = 0; idle < this.fresh.size + this.rest.size && this.hasRoom;) {
      const line = this.next() as AppendLine;
      if (this.admitSome(line)) idle = 0;
      else idle++;
      if (line.size > 0) this.list(line, this.rest);
    }
  };

  private admitSome(line: AppendLine): boolean {
    let bytes = 0;
    while (bytes < quantumBytes && line.head && this.mayGo(line, line.head.bytes)) {
      const one = this.take(line);
      bytes += one.append.bytes;
      this.begin(line, one);
    }
    return bytes > 0;
  }

  private get hasRoom(): boolean {
    return this.underWay.bytes < this.limits.appendsAtOnceBytesMax;
  }

  /** A small write of whoever has little under way need not wait for large ones. */
  private mayGo(line: AppendLine, bytes: number): boolean {
    const { appendsOfOneBytesMax, appendsAtOnceBytesMax, appendSmallBytes } = this.limits;
    if (this.hasRoom) return line.underWayBytes < appendsOfOneBytesMax;
    return line.underWayBytes + bytes <= appendSmallBytes && this.underWay.bytes < appendsAtOnceBytesMax * 2;
  }

  private begin(line: AppendLine, one: WaitingAppend): void {
    this.underWay.bytes += one.append.bytes;
    this.underWay.records++;
    line.underWayBytes += one.append.bytes;
    this.give(one);
  }

  /** Once too much waits, who has more than an equal part of it is refused more. */
  private refusal(line: AppendLine, bytes: number): StoreFailure | undefined {
    const { appendQueueBytesMax, appendQueueRecordsMax } = this.limits;
    const { queued } = this;
    if (line.size === 0) return undefined;
    if (queued.bytes + bytes <= appendQueueBytesMax && queued.records < appendQueueRecordsMax) return undefined;
    const lines = this.fresh.size + this.rest.size;
    if (line.waitingBytes * lines <= queued.bytes && line.size * lines <= queued.records) return undefined;
    const own = `${line.size} of them (${line.waitingBytes} bytes) of this client`;
    const most = `from ${appendQueueRecordsMax} (${appendQueueBytesMax} bytes) on nobody adds to more than an equal part`;
    return new StoreFailure(
      'LVLIMIT',
      `${queued.records} writes (${queued.bytes} bytes) wait for the log, ${own}: ${most}; slow down`,
    );
  }

  private list(line: AppendLine, lines: Fifo<AppendLine>): void {
    if (line.isListed) return;
    line.isListed = true;
    lines.push(line);
  }

  private next(): AppendLine | undefined {
    this.restIsNext = !this.restIsNext;
    const [first, second] = this.restIsNext ? [this.fresh, this.rest] : [this.rest, this.fresh];
    const lines = first.size > 0 ? first : second;
    if (lines.size === 0) return undefined;
    const line = lines.shift();
    line.isListed = false;
    return line;
  }

  private take(line: AppendLine): WaitingAppend {
    const one = line.shift();
    this.queued.bytes -= one.append.bytes;
    this.queued.records--;
    return one;
  }

  private sweepLater(): void {
    if (this.sweepArmed) return;
    this.sweepArmed = true;
    this.world.timers.after(sweepMs, () => {
      this.sweepArmed = false;
      this.sweep();
      if (this.queued.records > 0) this.sweepLater();
    });
  }

  private sweep(): void {
    const nowMs = this.world.clock.monotonicMs();
    const { appendMs } = this.limits;
    const late = new StoreFailure(
      'LVDEFINITE',
      `other writes were before this one for ${appendMs} ms after it came; it was not sent`,
    );
    for (const lines of [this.fresh, this.rest])
      for (let left = lines.size; left > 0; left--) {
        const line = lines.shift();
        line.isListed = false;
        while (line.head && line.head.deadlineAtMs <= nowMs) this.take(line).append.failed(late);
        if (line.size > 0) this.list(line, lines);
      }
  }
}
