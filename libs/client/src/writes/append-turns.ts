import { type Clock, defined, type Timers, TurnLines } from '@levee/kernel';
import type { Append } from '../operations';
import type { NamespaceStore } from '../routes/namespace-store';
import { begin, end, type Place, Room } from '../room';
import { StoreFailure } from '../store-errors';
import type { StoreLimits } from '../store-limits';
import { WaitingLine } from '../waiting-line';

export interface WaitingAppend {
  readonly namespace: NamespaceStore;
  readonly append: Append;
}

/** The writes of one asker, in their order. */
export class AppendLine extends WaitingLine<WaitingAppend> {
  waitingBytes = 0;
  /** Given to the log and not over. */
  underWayBytes = 0;

  override push(one: WaitingAppend): void {
    super.push(one);
    this.waitingBytes += one.append.bytes;
  }

  override shift(): WaitingAppend {
    const one = super.shift();
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
 * end makes its own writes wait and nobody else's.
 */
export class AppendTurns {
  private readonly lines = new TurnLines<AppendLine>();
  private readonly room: Room;
  private queued = { bytes: 0, records: 0 };
  private admitScheduled = false;
  private sweepArmed = false;

  constructor(
    private readonly limits: AppendTurnLimits,
    private readonly world: { readonly clock: Clock; readonly timers: Timers },
    /** To the log; `over` is to be called once it is over. */
    private readonly give: (one: WaitingAppend) => void,
  ) {
    const { appendsAtOnceBytesMax: bytesMax } = limits;
    this.room = new Room({ bytesMax, countMax: Infinity }, () => this.queued.records);
  }

  /** Of everything that is not over. */
  get bytes(): number {
    return this.room.bytes + this.queued.bytes;
  }

  get records(): number {
    return this.room.count + this.queued.records;
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
    const place = line.size === 0 ? this.placeOf(line, append.bytes, this.room.isOpen) : undefined;
    if (place) return this.begin(line, one, place);
    const refusal = this.refusal(line, append.bytes);
    if (refusal) return process.nextTick(() => append.failed(refusal));
    line.push(one);
    this.queued.bytes += append.bytes;
    this.queued.records++;
    this.lines.join(line);
    this.room.look();
    this.sweepLater();
  }

  /** One that was given to the log is over. */
  over(append: Append): void {
    end(defined(append.place, 'an append that was given has its place'), append.bytes);
    (append.line as AppendLine).underWayBytes -= append.bytes;
    if (this.admitScheduled || this.queued.records === 0) return;
    this.admitScheduled = true;
    setImmediate(this.admit);
  }

  /** Takes out everything that waits. */
  clear(why: StoreFailure): void {
    this.lines.each((line) => {
      while (line.size > 0) this.take(line).append.failed(why);
    });
  }

  private readonly admit = (): void => {
    this.admitScheduled = false;
    this.lines.round(
      () => this.room.isFree,
      (line) => this.admitSome(line),
    );
    this.room.look();
  };

  /** The bytes of what had its turn. */
  private admitSome(line: AppendLine): number {
    let bytes = 0;
    for (let { head } = line; head && bytes < quantumBytes; { head } = line) {
      const place = this.placeOf(line, head.append.bytes, this.room.isFree);
      if (!place) break;
      const one = this.take(line);
      bytes += one.append.bytes;
      this.begin(line, one, place);
    }
    return bytes;
  }

  /** A small write of whoever has little under way need not wait for large ones. */
  private placeOf(line: AppendLine, bytes: number, hasRoom: boolean): Place | undefined {
    const { appendsOfOneBytesMax, appendSmallBytes } = this.limits;
    if (hasRoom) return line.underWayBytes < appendsOfOneBytesMax ? this.room.place : undefined;
    return line.underWayBytes + bytes <= appendSmallBytes ? this.room.besidePlace : undefined;
  }

  private begin(line: AppendLine, one: WaitingAppend, place: Place): void {
    one.append.place = place;
    begin(place, one.append.bytes);
    line.underWayBytes += one.append.bytes;
    this.give(one);
  }

  /** Once too much waits, who has more than an equal part of it is refused more. */
  private refusal(line: AppendLine, bytes: number): StoreFailure | undefined {
    const { appendQueueBytesMax, appendQueueRecordsMax } = this.limits;
    const { queued } = this;
    if (line.size === 0) return undefined;
    if (queued.bytes + bytes <= appendQueueBytesMax && queued.records < appendQueueRecordsMax) return undefined;
    const lines = this.lines.count;
    if (line.waitingBytes * lines <= queued.bytes && line.size * lines <= queued.records) return undefined;
    const own = `${line.size} of them (${line.waitingBytes} bytes) of this client`;
    const most = `from ${appendQueueRecordsMax} (${appendQueueBytesMax} bytes) on nobody adds to more than an equal part`;
    return new StoreFailure(
      'LVLIMIT',
      `${queued.records} writes (${queued.bytes} bytes) wait for the log, ${own}: ${most}; slow down`,
    );
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
    this.lines.each((line) => {
      while (line.head && line.head.append.deadlineAtMs <= nowMs) this.take(line).append.failed(late);
    });
  }
}
