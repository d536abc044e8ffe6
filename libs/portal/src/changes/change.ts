import {
  expiryWithRetention,
  PutView,
  readPut,
  type RecordFormatName,
  recordFormats,
  type ValueRecord,
} from '@levee/codec';
import { isReservedKey } from '@levee/kernel';
import { type HashAlgorithm, hashOf, hasPlace, partitionOf } from '@levee/keyspace';
import type { StoredRecord } from '@levee/log';

/** One change of a key, as its record says it. */
export interface Change {
  readonly key: Buffer;
  /** Of its record. */
  readonly offset: number;
  readonly timestampMs: number;
  /** null: deleted. `undefined`: the record cannot be interpreted, and takes its key's place all the same. */
  readonly value: Buffer | null | undefined;
  /** 0 = never. */
  readonly expiresAtMs: number;
}

export interface ChangePlace {
  readonly partition: number;
  readonly partitions: number;
  readonly hashAlgorithm: HashAlgorithm;
  readonly recordFormat: RecordFormatName;
  /** Age from which on values are expired; null: only what records say counts. */
  readonly hiddenAfterMs: number | null;
}

/** Which keys are asked for. */
export type KeyFilter = (key: Buffer) => boolean;

const view = new PutView();

/** What the records change, in their order; those that no replica would apply change nothing. */
export function changesIn(records: readonly StoredRecord[], place: ChangePlace, wanted: KeyFilter): Change[] {
  const { partition, partitions, hashAlgorithm, recordFormat } = place;
  const format = recordFormats[recordFormat];
  const changes: Change[] = [];
  for (const record of records) {
    const { key, offset, timestampMs, value: raw } = record;
    if (key === null || isReservedKey(key) || !wanted(key) || !hasPlace(key, hashAlgorithm)) continue;
    if (partitionOf(hashOf(key, hashAlgorithm), partitions) !== partition) continue;
    if (raw === null) changes.push({ key, offset, timestampMs, value: null, expiresAtMs: 0 });
    else {
      const own = format.expiryOf(key, record as ValueRecord);
      const expiresAtMs = expiryWithRetention(own, timestampMs, place.hiddenAfterMs);
      changes.push({ key, offset, timestampMs, value: valueOf(recordFormat, key, raw), expiresAtMs });
    }
  }
  return changes;
}

function valueOf(format: RecordFormatName, key: Buffer, raw: Buffer): Buffer | undefined {
  if (format === 'raw') return raw;
  if (!recordFormats.put.reads(key, { value: raw, headers: [] })) return undefined;
  readPut(raw, view);
  return raw.subarray(view.valueStart, view.valueEnd);
}
