import type { StoredBatch, StoredRecord } from '@levee/log';
import type { Candidate, Cut, Evidence, Stretch } from './provability';

/** Under whom, and when (by a monotonic clock), a batch was asked for. */
export interface ReadAt {
  readonly epoch: number;
  readonly askedMs: number;
}

export interface KeyReadingOptions {
  readonly cut: Cut | undefined;
  readonly startOffset: number;
  /** As {@link CompactionRules.cleanedBelow}. */
  readonly cleanedBelow: number | undefined;
  readonly clockMarginMs: number;
  /** Newest records of the key that are kept; for `cut` one is enough. */
  readonly recordsMax: number;
}

/** A surviving record of the key, with what was seen from the one before it up to it. */
export interface OwnRecord extends Candidate {
  readonly record: StoredRecord;
  readonly source: Pick<
    StoredBatch,
    'baseOffset' | 'leaderEpoch' | 'timestampType' | 'crc' | 'producerId' | 'producerEpoch'
  >;
  readonly missingBefore: Stretch | undefined;
  readonly timeBeforeMs: number;
  readonly readAt: ReadAt;
}

type Gap = Stretch & { readonly timeBeforeMs: number; timeAfterMs: number | undefined };
type AtCut = Pick<Evidence, 'cutOffset' | 'missing' | 'timeBeforeCutMs' | 'timeAtCutMs'> & {
  readonly candidate: OwnRecord | undefined;
};

/**
 * What a reading of a partition shows of one key: fed with every batch from the start on, in order. Bounded in memory;
 * decodes only batches that may hold the key, or the cut.
 */
export class KeyReading {
  /** Ascending. */
  readonly own: OwnRecord[] = [];
  /** Records of the key that are no longer kept here. */
  forgotten = 0;
  recordsRead = 0;
  private next: number;
  private timeMs = -Infinity;
  private latestMs = -Infinity;
  private missing: Stretch | undefined;
  private lastGap: Gap | undefined;
  private lastEpoch: number | undefined;
  private atCut: AtCut | undefined;
  private later: OwnRecord | undefined;
  private createTime = false;
  private cleanedToMs = -Infinity;
  private begun: ReadAt | undefined;
  private last: ReadAt | undefined;
  private leaderChangedAt = -1;

  constructor(
    private readonly key: Buffer,
    private readonly options: KeyReadingOptions,
  ) {
    this.next = options.startOffset;
  }

  /** Everything below is read. */
  get nextOffset(): number {
    return this.next;
  }

  get startOffset(): number {
    return this.options.startOffset;
  }

  /** The newest record of the key below the cut. */
  get candidate(): OwnRecord | undefined {
    return this.atCut === undefined ? this.own.at(-1) : this.atCut.candidate;
  }

  get newestTimeMs(): number {
    return this.timeMs;
  }

  add(batch: StoredBatch, at: ReadAt): void {
    const { cut, cleanedBelow } = this.options;
    if (batch.nextOffset <= this.next) return;
    if (this.last !== undefined && this.last.epoch !== at.epoch) this.leaderChangedAt = this.next;
    this.begun ??= at;
    this.last = at;
    const from = Math.max(batch.baseOffset, this.next);
    const gapBefore = from > this.next;
    // What is missing before it is not younger than it.
    if (this.next < (cleanedBelow ?? 0)) this.cleanedToMs = Math.max(this.cleanedToMs, batch.timestampMs);
    if (gapBefore) this.noteMissing(from, this.timeMs);
    this.next = from;
    // A record that is gone may have carried a later time than what a new leader wrote. A log that knows how far it was
    // cleaned is one process, and its times never fall.
    const hidden = gapBefore || (this.lastEpoch === undefined && from > 0);
    if (hidden && batch.leaderEpoch !== this.lastEpoch && cleanedBelow === undefined)
      this.latestMs = Math.max(this.latestMs, batch.timestampMs + this.options.clockMarginMs);
    this.lastEpoch = batch.leaderEpoch;
    this.createTime ||= batch.timestampType === 'create';
    this.recordsRead += batch.recordCount;

    const own = batch.kind === 'data' && batch.recordCount > 0 ? batch.records(this.key) : [];
    const whole = batch.kind === 'control' || batch.recordCount === batch.nextOffset - batch.baseOffset;
    if (own.length > 0 || this.cutIsIn(batch, cut)) this.addRecords(batch, at);
    else if (batch.recordCount === 0 && !batch.oneTime) {
      // Of several times, and nothing is left: the cut may be anywhere in it.
      this.noteMissing(batch.nextOffset, batch.timestampMs);
      this.timeMs = Math.max(this.timeMs, batch.timestampMs);
      this.next = batch.nextOffset;
    } else {
      this.arrive(from, batch.timestampMs);
      if (!whole) this.noteMissing(batch.nextOffset, batch.timestampMs);
      this.next = batch.nextOffset;
    }
  }

  /** What lies before `offset` cannot be read, and is told elsewhere: it is none of the gaps. */
  skipTo(offset: number): void {
    this.next = Math.max(this.next, offset);
  }

  /** The reading is over: what no batch covers below `endOffset` is missing. */
  endAt(endOffset: number): void {
    if (this.next >= endOffset) return;
    this.noteMissing(endOffset, this.timeMs);
    this.next = endOffset;
  }

  /** After the last batch: what the reading showed of the cut. */
  evidence(readEndMs: number): Evidence {
    const atCut = this.atCut ?? this.snapshot(this.next, undefined);
    const { candidate, ...of } = atCut;
    return {
      ...this.shared(readEndMs, candidate),
      ...of,
      cutPassed: this.atCut !== undefined,
      later: laterOf(this.later),
    };
  }

  /** What it showed of the time from `record` to the record of the key behind it, `next`: was anything in between? */
  evidenceBetween(record: OwnRecord | undefined, next: OwnRecord | undefined, readEndMs: number): Evidence {
    return {
      ...this.shared(readEndMs, record),
      cutOffset: next?.offset ?? this.next,
      cutPassed: next !== undefined,
      missing: next === undefined ? this.missing : next.missingBefore,
      later: laterOf(next),
      timeBeforeCutMs: next?.timeBeforeMs ?? this.timeMs,
      timeAtCutMs: next?.timeMs,
    };
  }

  private shared(
    readEndMs: number,
    candidate: OwnRecord | undefined,
  ): Omit<Evidence, 'cutOffset' | 'cutPassed' | 'missing' | 'later' | 'timeBeforeCutMs' | 'timeAtCutMs'> {
    const { startOffset } = this.options;
    const { next: endOffset, lastGap, createTime, cleanedToMs } = this;
    const since = candidate?.readAt ?? this.begun;
    return {
      ...{ startOffset, endOffset, readEndMs, lastGap, createTime, cleanedToMs, candidate },
      leaderChanged: this.leaderChangedAt > (candidate?.offset ?? -1),
      readingMs: since === undefined || this.last === undefined ? 0 : this.last.askedMs - since.askedMs,
    };
  }

  /** Whether the cut falls on a record of this batch, or cannot be told from its head. */
  private cutIsIn(batch: StoredBatch, cut: Cut | undefined): boolean {
    if (cut === undefined || this.atCut !== undefined || batch.recordCount === 0) return false;
    if ('timeMs' in cut) return !batch.oneTime && batch.timestampMs > cut.timeMs;
    return batch.baseOffset < cut.nextOffset && cut.nextOffset < batch.nextOffset;
  }

  private addRecords(batch: StoredBatch, at: ReadAt): void {
    for (const record of batch.records()) {
      if (record.offset < this.next) continue;
      if (record.offset > this.next) this.noteMissing(record.offset, batch.timestampMs);
      const timeBeforeMs = this.timeMs;
      this.arrive(record.offset, record.timestampMs);
      this.next = record.offset + 1;
      if (batch.kind === 'data' && record.key?.equals(this.key) === true)
        this.addOwn(record, { batch, at, timeBeforeMs });
    }
    if (this.next < batch.nextOffset) this.noteMissing(batch.nextOffset, batch.timestampMs);
    this.next = batch.nextOffset;
  }

  private addOwn(
    record: StoredRecord,
    { batch, at, timeBeforeMs }: { readonly batch: StoredBatch; readonly at: ReadAt; readonly timeBeforeMs: number },
  ): void {
    const { offset } = record;
    const { timeMs } = this;
    const unknown = this.createTime && (this.lastGap !== undefined || this.options.startOffset > 0);
    const latestMs = unknown ? Infinity : Math.max(timeMs, this.latestMs);
    // What it points to is the reader's only until the next batch.
    const headers = record.headers.map(({ key, value }) => ({ key, value: Buffer.from(value) }));
    const kept = { ...record, key: this.key, value: record.value && Buffer.from(record.value), headers };
    const { baseOffset, leaderEpoch, timestampType, crc, producerId, producerEpoch } = batch;
    const source = { baseOffset, leaderEpoch, timestampType, crc, producerId, producerEpoch };
    const missingBefore = this.missing;
    const own: OwnRecord = { record: kept, source, offset, timeMs, latestMs, missingBefore, timeBeforeMs, readAt: at };
    this.missing = undefined;
    this.own.push(own);
    if (this.own.length > this.options.recordsMax) {
      this.own.shift();
      this.forgotten++;
    }
    if (this.atCut !== undefined) this.later ??= own;
  }

  /** A surviving offset with its stamp: the cut is before it, or not. */
  private arrive(offset: number, stampMs: number): void {
    const { cut } = this.options;
    const timeMs = Math.max(this.timeMs, stampMs);
    if (this.lastGap !== undefined) this.lastGap.timeAfterMs ??= timeMs;
    if (cut !== undefined && this.atCut === undefined) {
      if ('timeMs' in cut ? timeMs > cut.timeMs : offset >= cut.nextOffset)
        this.atCut = this.snapshot(offset, 'nextOffset' in cut && offset === cut.nextOffset ? timeMs : undefined);
    }
    this.timeMs = timeMs;
  }

  private snapshot(cutOffset: number, timeAtCutMs: number | undefined): AtCut {
    const { cut } = this.options;
    const { missing, timeMs: timeBeforeCutMs } = this;
    // Of a gap that the position lies in, only what is below it is before the cut.
    const before =
      missing !== undefined && cut !== undefined && 'nextOffset' in cut && missing.fromOffset >= cut.nextOffset
        ? undefined
        : missing;
    return { candidate: this.own.at(-1), cutOffset, missing: before, timeBeforeCutMs, timeAtCutMs };
  }

  /** Something is missing from where the reading stands to `toOffset`, in a batch of this time or behind that time. */
  private noteMissing(toOffset: number, timeMs: number): void {
    const stretch = { fromOffset: this.next, toOffset };
    this.missing ??= stretch;
    this.lastGap = { ...stretch, timeBeforeMs: Math.max(this.timeMs, timeMs), timeAfterMs: undefined };
  }
}

const laterOf = (own: OwnRecord | undefined): Evidence['later'] =>
  own === undefined ? undefined : { offset: own.offset, timeMs: own.timeMs };
