import { asOffset } from '@levee/kernel';
import { noHeaders, type StoredBatch, type StoredRecord } from '@levee/log';

/** How the simulated brokers clean, ms of simulated time. */
export interface CleanerSettings {
  readonly lagMs: number;
  readonly deleteRetentionMs: number;
}

/** A record as it was appended; void: of an aborted transaction. */
export interface Appended {
  readonly offset: number;
  readonly stampMs: number;
  readonly key: string | undefined;
  readonly value: string | null;
  readonly isVoid: boolean;
}

interface Batch {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly leaderEpoch: number;
  readonly stampMs: number;
  readonly createTime: boolean;
  readonly kind: StoredBatch['kind'];
  records: readonly Appended[];
  horizonMs: number;
}

/** One broker's copy. Segments are groups of batches; the last one is never cleaned. */
class Broker {
  batches: Batch[] = [];
  firstDirty = 0;
  private pass: Generator<void> | undefined;
  private passBeganMs = 0;

  constructor(
    readonly skewMs: number,
    private readonly random: () => number,
  ) {}

  /** One step of a cleaning; a pass that takes long is finished. True while one is under way. */
  clean(nowMs: number, settings: CleanerSettings, told: (bound: number) => void): boolean {
    if (this.pass === undefined) {
      this.passBeganMs = nowMs;
      this.pass = this.cleaning(nowMs + this.skewMs, settings, told);
    }
    do {
      if (this.pass.next().done === true) {
        this.pass = undefined;
        return false;
      }
    } while (nowMs - this.passBeganMs > settings.deleteRetentionMs / 4);
    return true;
  }

  private *cleaning(nowMs: number, { lagMs, deleteRetentionMs }: CleanerSettings, told: (bound: number) => void) {
    const segments = this.segments();
    const young = segments.findIndex((s, i) => i === segments.length - 1 || s.some((b) => b.stampMs > nowMs - lagMs));
    const bound = segments[young]?.[0]?.baseOffset ?? 0;
    const last = new Map<string, number>();
    for (const { baseOffset, kind, records } of this.batches)
      if (baseOffset >= this.firstDirty && baseOffset < bound && kind === 'data')
        for (const { key, offset } of records) if (key !== undefined) last.set(key, offset);
    told(bound);
    yield;
    for (const segment of segments.slice(0, Math.max(0, young))) {
      for (const batch of segment) this.rewrite(batch, { last, nowMs, deleteRetentionMs });
      yield;
    }
    this.firstDirty = Math.max(this.firstDirty, bound);
  }

  private rewrite(
    batch: Batch,
    { last, nowMs, deleteRetentionMs }: { last: ReadonlyMap<string, number>; nowMs: number; deleteRetentionMs: number },
  ): void {
    if (batch.kind === 'control') return;
    const due = batch.horizonMs > 0 && batch.horizonMs <= nowMs;
    const kept = batch.records.filter(({ key, value, offset, isVoid }) => {
      if (isVoid || (value === null && due)) return false;
      return key === undefined || (last.get(key) ?? -1) <= offset;
    });
    if (batch.horizonMs === 0 && kept.some(({ value }) => value === null)) batch.horizonMs = nowMs + deleteRetentionMs;
    // The last batch of an idempotent producer stays when it is empty.
    if (kept.length > 0 || this.random() < 0.5) batch.records = kept;
    else this.batches = this.batches.filter((each) => each !== batch);
  }

  private segments(): Batch[][] {
    const segments = new Map<number, Batch[]>();
    for (const batch of this.batches) {
      const number = Math.floor(batch.baseOffset / 6);
      segments.set(number, [...(segments.get(number) ?? []), batch]);
    }
    return [...segments.values()];
  }
}

/** A partition on two brokers that clean by themselves, with everything that was ever appended to it. */
export class CleanedPartition {
  nowMs = 1000;
  readonly all: Appended[] = [];
  readonly brokers: readonly Broker[];
  leader = 0;
  epoch = 0;
  startOffset = 0;
  /** How far the cleaner says it may have been: said before it rewrites. */
  cleanedBelow = 0;

  constructor(
    readonly settings: CleanerSettings,
    private readonly random: () => number,
    { skewMs, brokers = 2 }: { readonly skewMs: number; readonly brokers?: number },
  ) {
    this.brokers = Array.from({ length: brokers }, (_, i) => new Broker(i === 0 ? skewMs : -skewMs, random));
  }

  get endOffset(): number {
    return this.all.length;
  }

  append(
    records: readonly { readonly key?: string; readonly value: string | null }[],
    { kind = 'data', stampMs }: { readonly kind?: StoredBatch['kind']; readonly stampMs?: number } = {},
  ): void {
    const baseOffset = this.endOffset;
    const stamp = stampMs ?? this.nowMs + (this.brokers[this.leader] as Broker).skewMs;
    const appended = records.map(({ key, value }, i) => {
      return { offset: baseOffset + i, stampMs: stamp, key, value, isVoid: kind === 'void' };
    });
    this.all.push(...appended);
    for (const broker of this.brokers)
      broker.batches.push({
        ...{ baseOffset, nextOffset: this.endOffset, leaderEpoch: this.epoch, stampMs: stamp },
        ...{ createTime: stampMs !== undefined, kind, records: appended, horizonMs: 0 },
      });
  }

  changeLeader(): void {
    this.leader = (this.leader + 1) % this.brokers.length;
    this.epoch++;
  }

  clean(settings = this.settings): void {
    const broker = this.brokers[Math.floor(this.random() * this.brokers.length)] as Broker;
    broker.clean(this.nowMs, settings, (bound) => (this.cleanedBelow = Math.max(this.cleanedBelow, bound)));
  }

  /** One whole pass of one broker. */
  cleanWhole(broker: number, settings = this.settings): void {
    const { brokers, nowMs } = this;
    while (
      brokers[broker]?.clean(nowMs, settings, (bound) => (this.cleanedBelow = Math.max(this.cleanedBelow, bound)))
    );
  }

  deleteBelow(offset: number): void {
    this.startOffset = offset;
    for (const broker of this.brokers) broker.batches = broker.batches.filter((b) => b.baseOffset >= offset);
  }

  /** The first batch from `offset` on, as the leader has it now. */
  batchFrom(offset: number): StoredBatch | undefined {
    const broker = this.brokers[this.leader] as Broker;
    const found = broker.batches.find(({ nextOffset }) => nextOffset > offset);
    return found && storedBatch(found);
  }

  /** Offset of the key's record in force at the cut, by everything that was ever appended. */
  truth(key: string, cut: { readonly timeMs: number } | { readonly nextOffset: number }): Appended | undefined {
    let found: Appended | undefined;
    for (const record of this.all) {
      if ('timeMs' in cut ? record.stampMs > cut.timeMs : record.offset >= cut.nextOffset) break;
      if (record.key === key && !record.isVoid) found = record;
    }
    return found;
  }

  /** When the record came into force: its time, or an earlier record's that was later. */
  timeOf(offset: number): number {
    return Math.max(...this.all.slice(0, offset + 1).map(({ stampMs }) => stampMs));
  }
}

function storedBatch(batch: Batch): StoredBatch {
  const { baseOffset, nextOffset, leaderEpoch, stampMs, kind, createTime } = batch;
  const records = batch.records.map(({ offset, key, value, stampMs: timestampMs }): StoredRecord => {
    const bytes = {
      key: key === undefined ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    };
    return { offset: asOffset(offset), timestampMs, ...bytes, headers: noHeaders };
  });
  return {
    ...{ baseOffset: asOffset(baseOffset), nextOffset: asOffset(nextOffset), leaderEpoch, kind },
    ...{ recordCount: records.length, timestampType: createTime ? 'create' : 'append', timestampMs: stampMs },
    ...{ oneTime: true, compression: 'none', crc: 0, bytes: 0, producerId: -1, producerEpoch: -1 },
    records: (of?: Buffer) => (of === undefined ? records : records.filter(({ key }) => key?.equals(of) === true)),
  };
}
