import { storedKeyBytesMax } from '@levee/chunk-store';
import { recordFormats, type ValueRecord } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import { isReservedKey } from '@levee/kernel';
import { hashOf, hasPlace, partitionOf } from '@levee/keyspace';
import type { LogHeader, StoredBatch, StoredRecord } from '@levee/log';
import { type FoldedRecord, FoldStore } from '../fold-store';
import type { AuditWorld } from '../verify/walk-partition';
import { isNewer, type Stray } from './judge-key';
import { type ReadSoFar, readOn, unread } from './read-on';

const strayLimits = {
  /** Producers that are told apart. */
  producersMax: 1_000,
} as const;

export type RepartitionedBinlog = Pick<
  NamespaceState,
  'name' | 'binlog' | 'partitions' | 'hashAlgorithm' | 'recordFormat'
>;

/** Who wrote strays. */
export interface StrayProducer {
  /** As the log names it; -1: it does not, and all such are one. */
  readonly producerId: number;
  count: number;
  /** Log time and place of its newest one. */
  newestMs: number;
  newest: string;
}

/** A key with records outside of its partition. */
export interface StrayKey {
  readonly key: Buffer;
  /** Its own. */
  readonly partition: number;
  readonly newest: Stray;
  /** Partitions that hold some. */
  readonly partitions: readonly number[];
  /** Where {@link Strays.record} finds the newest one. */
  readonly at: Buffer;
}

/**
 * Records outside of their keys' partitions, the last one of each key and partition, in a temporary database: memory is
 * bounded whatever the binlog holds.
 */
export class Strays {
  readonly progress: ReadSoFar[] = [];
  readonly producers = new Map<number, StrayProducer>();
  records = 0;
  /** Of keys that are too long to be stored anywhere. */
  tooLarge = 0;

  private constructor(
    private readonly world: AuditWorld,
    readonly binlog: RepartitionedBinlog,
    private readonly store: FoldStore,
  ) {}

  static async open(world: AuditWorld, binlog: RepartitionedBinlog): Promise<Strays> {
    return new Strays(world, binlog, await FoldStore.temporary());
  }

  /**
   * Reads on to the end of each partition as it is now, those too that somebody added, and no less far than `positions`.
   * Fails as {@link readOn} does.
   */
  async read(positions: readonly number[]): Promise<void> {
    const { world, binlog } = this;
    for (const { partition, startOffset, endOffset } of await world.log.offsets(binlog.binlog)) {
      const so = (this.progress[partition] ??= unread());
      const toOffset = Math.max(endOffset, positions[partition] ?? 0);
      await readOn(world, { topic: binlog.binlog, partition, startOffset, toOffset }, so, (records, batch) =>
        this.take(partition, records, batch),
      );
    }
  }

  /** By partition that they belong to. */
  async *keys(nowMs: number): AsyncGenerator<StrayKey> {
    let group: Found[] = [];
    let of: Buffer | undefined;
    for await (const record of this.store.all()) {
      const at = Buffer.from(record.key);
      const head = at.subarray(0, -partitionBytes);
      if (of !== undefined && !of.equals(head)) {
        yield strayKey(group);
        group = [];
      }
      of = head;
      group.push({ at, stray: this.strayOf(at, record, nowMs) });
    }
    if (group.length > 0) yield strayKey(group);
  }

  /** Value and headers of a stray. */
  async record(at: Buffer): Promise<{ readonly value: Buffer | null; readonly headers: readonly LogHeader[] }> {
    const found = await this.store.get(at);
    return { value: found?.raw ?? null, headers: found?.beside?.headers ?? [] };
  }

  close(): Promise<void> {
    return this.store.close();
  }

  private async take(partition: number, records: readonly StoredRecord[], batch: StoredBatch): Promise<void> {
    const { partitions, hashAlgorithm, recordFormat } = this.binlog;
    const found: FoldedRecord[] = [];
    for (const { key, value, offset, timestampMs: stampMs, headers } of records) {
      if (key === null || isReservedKey(key) || !hasPlace(key, hashAlgorithm)) continue;
      const own = partitionOf(hashOf(key, hashAlgorithm), partitions);
      if (own === partition) continue;
      this.records++;
      this.note(batch.producerId, { stampMs, place: `${partition}:${offset}` });
      if (key.length > storedKeyBytesMax) {
        this.tooLarge++;
        continue;
      }
      const expiresAtMs = value === null ? 0 : recordFormats[recordFormat].expiryOf(key, { value, headers });
      const timestampMs = batch.timestampType === 'create' ? unknownTime : stampMs;
      found.push({
        ...{ key: placeOf(own, key, partition), offset, tombstone: value === null, expiresAtMs, crc: 0 },
        ...{ raw: value, beside: { timestampMs, headers } },
      });
    }
    if (found.length > 0) await this.store.write(found, this.store.nextOffset + found.length);
  }

  private note(producerId: number, { stampMs, place }: { readonly stampMs: number; readonly place: string }): void {
    const isKnown = this.producers.has(producerId) || this.producers.size < strayLimits.producersMax;
    const id = isKnown ? producerId : -1;
    const known = this.producers.get(id);
    if (known === undefined) {
      this.producers.set(id, { producerId: id, count: 1, newestMs: stampMs, newest: place });
      return;
    }
    known.count++;
    if (stampMs < known.newestMs) return;
    known.newestMs = stampMs;
    known.newest = place;
  }

  private strayOf(at: Buffer, record: FoldedRecord, nowMs: number): Omit<Stray, 'rivalMs'> {
    const { offset, tombstone, expiresAtMs, raw, beside } = record;
    const { timestampMs: timeMs = unknownTime, headers = [] } = beside ?? {};
    const value = { value: raw, headers } as ValueRecord;
    const isExpired = expiresAtMs !== 0 && expiresAtMs <= nowMs;
    const isRead = tombstone || recordFormats[this.binlog.recordFormat].reads(keyIn(at), value);
    return {
      ...{ partition: at.readUInt16BE(at.length - partitionBytes), offset, timeMs },
      is: tombstone ? 'deletion' : isExpired ? 'expired' : 'value',
      problem: timeMs === unknownTime ? 'producerTime' : isRead ? undefined : 'unreadable',
    };
  }
}

/** The log took its producer's word for when it was. */
const unknownTime = 0;
const partitionBytes = 2;
const headBytes = partitionBytes + 4;

/** The key's own partition, the key's length, the key, the partition where it stands: what belongs together stands together. */
function placeOf(own: number, key: Buffer, partition: number): Buffer {
  const place = Buffer.allocUnsafe(headBytes + key.length + partitionBytes);
  place.writeUInt16BE(own, 0);
  place.writeUInt32BE(key.length, partitionBytes);
  key.copy(place, headBytes);
  place.writeUInt16BE(partition, headBytes + key.length);
  return place;
}

const keyIn = (place: Buffer): Buffer => place.subarray(headBytes, -partitionBytes);

/** The last record of a key in one partition. */
interface Found {
  readonly at: Buffer;
  readonly stray: Omit<Stray, 'rivalMs'>;
}

function strayKey(group: readonly Found[]): StrayKey {
  let [newest] = group as [Found];
  for (const each of group) if (isNewer(each.stray, newest.stray)) newest = each;
  const rivalMs = Math.max(...group.map((each) => (each === newest ? -Infinity : each.stray.timeMs)));
  // Which one is the newest is not known then.
  const unsure = group.find(({ stray }) => stray.problem === 'producerTime')?.stray;
  return {
    ...{ key: keyIn(newest.at), partition: newest.at.readUInt16BE(0), at: newest.at },
    newest: { ...(unsure ?? newest.stray), rivalMs },
    partitions: group.map(({ stray }) => stray.partition),
  };
}
