import { expiryWithRetention, type RecordFormatName, type ValueRecord } from '@levee/codec';
import { isReservedKey } from '@levee/kernel';
import { type HashAlgorithm, hashOf, hasPlace, slotRangeOf } from '@levee/keyspace';
import type { LogBatch, StoredRecord } from '@levee/log';
import { recordKind } from './stored-value';
import { classifiers, explainValue } from './classify-record';

/** How keys of the namespace whose binlog is applied are placed, and how its records say values. */
export interface BinlogReading {
  readonly hashAlgorithm: HashAlgorithm;
  readonly partitions: number;
  readonly recordFormat: RecordFormatName;
  /** Age of a record from which on its value is expired, by the record's own time; null or absent: only what it says counts. */
  readonly hiddenAfterMs?: number | null | undefined;
}

/** Longer keys of other producers are not stored: what nodes tell each other has no room for them. Doors take far less. */
export const storedKeyBytesMax = 32 * 1024;

type ProblemReason = 'noKey' | 'garbage' | 'wrongPartition' | 'tooLarge' | 'badCrc' | 'unknownSchema' | 'badExpiry';

/** A record that goes to quarantine too; `noKey`, `wrongPartition` and `tooLarge` are not applied. */
export interface RecordProblem {
  readonly index: number;
  readonly reason: ProblemReason;
  readonly message: string;
}

/**
 * A log batch, hashed and decoded once for all replicas that apply it: one entry per record, in typed arrays, so that
 * nothing is allocated per record.
 */
export interface PreparedBatch {
  readonly batch: LogBatch;
  readonly records: readonly StoredRecord[];
  /** `recordKind` of each record; `none` for those which never reach a replica. */
  readonly kinds: Uint8Array;
  readonly slots: Int32Array;
  /** 0 = never. */
  readonly expiresAtMs: Float64Array;
  /** Where the user's value begins in the record's value. */
  readonly valueStarts: Uint8Array;
  readonly problems: readonly RecordProblem[];
  /** Indexes of records under a reserved key: genesis, barriers, fences, or a stranger's. */
  readonly reserved: readonly number[];
}

const noProblems: readonly RecordProblem[] = Object.freeze([]);
const noReserved: readonly number[] = Object.freeze([]);

/** Decodes and hashes a batch once. A bad record never throws (I17): it is reported in `problems`. */
export function prepareBatch(batch: LogBatch, reading: BinlogReading): PreparedBatch {
  const { records } = batch;
  const { partitions, hashAlgorithm, hiddenAfterMs } = reading;
  const classify = classifiers[reading.recordFormat];
  const count = records.length;
  const kinds = new Uint8Array(count);
  const slots = new Int32Array(count);
  const expiresAtMs = new Float64Array(count);
  const valueStarts = new Uint8Array(count);
  let problems: RecordProblem[] | undefined;
  let reserved: number[] | undefined;
  const { slotStart, slotEnd } = slotRangeOf(batch.partition, partitions);
  const width = slotEnd - slotStart;
  for (let index = 0; index < count; index++) {
    const record = records[index] as StoredRecord;
    const key = record.key;
    if (key === null || !hasPlace(key, hashAlgorithm)) {
      (problems ??= []).push({ index, reason: 'noKey', message: noKeyMessage(key) });
      continue;
    }
    if (key[0] === 0 && isReservedKey(key)) {
      (reserved ??= []).push(index);
      continue;
    }
    const hash = hashOf(key, hashAlgorithm);
    const partition = hash % partitions;
    if (partition !== batch.partition) {
      const message = `the key belongs to partition ${partition} of ${partitions}, by ${hashAlgorithm}`;
      (problems ??= []).push({ index, reason: 'wrongPartition', message });
      continue;
    }
    slots[index] = slotStart + (((hash - partition) / partitions) % width);
    if (key.length > storedKeyBytesMax) {
      const message = `the key has ${key.length} bytes, at most ${storedKeyBytesMax} are stored`;
      (problems ??= []).push({ index, reason: 'tooLarge', message });
      continue;
    }
    if (record.value === null) {
      kinds[index] = recordKind.tombstone;
      continue;
    }
    const read = classify(key, record as ValueRecord);
    kinds[index] = read.kind;
    if (read.kind === recordKind.put) {
      expiresAtMs[index] = expiryWithRetention(read.expiresAtMs, record.timestampMs, hiddenAfterMs);
      valueStarts[index] = read.valueStart;
    }
    if (read.kind !== recordKind.put || read.badExpiry) {
      const reason = read.badExpiry ? 'badExpiry' : read.reason;
      (problems ??= []).push({ index, reason, message: explainValue(reason, record.value) });
    }
  }
  return {
    batch,
    records,
    kinds,
    slots,
    expiresAtMs,
    valueStarts,
    problems: problems ?? noProblems,
    reserved: reserved ?? noReserved,
  };
}

const noKeyMessage = (key: Buffer | null): string =>
  key === null ? 'the record has no key' : 'its key is empty: by crc32 such a record may be in any partition';
