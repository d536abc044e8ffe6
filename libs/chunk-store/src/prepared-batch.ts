import { isReservedKey } from '@levee/kernel';
import { type HashAlgorithm, hashOf, slotsTotal } from '@levee/keyspace';
import type { LogBatch, StoredRecord } from '@levee/log';
import { recordKind } from './stored-value';
import { classifyPut, explainValue } from './classify-put';

/** Hashing of the namespace whose binlog is applied. */
export interface KeyHashing {
  readonly hashAlgorithm: HashAlgorithm;
  readonly partitions: number;
}

/** Longer keys of other producers are not stored: what nodes tell each other has no room for them. Doors take far less. */
export const storedKeyBytesMax = 32 * 1024;

type ProblemReason = 'garbage' | 'wrongPartition' | 'tooLarge' | 'badCrc' | 'unknownSchema';

/** A record that goes to quarantine too; `wrongPartition` and `tooLarge` (and garbage without a key) are not applied. */
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
export function prepareBatch(batch: LogBatch, hashing: KeyHashing): PreparedBatch {
  const { records } = batch;
  const { partitions, hashAlgorithm } = hashing;
  const count = records.length;
  const kinds = new Uint8Array(count);
  const slots = new Int32Array(count);
  const expiresAtMs = new Float64Array(count);
  const valueStarts = new Uint8Array(count);
  let problems: RecordProblem[] | undefined;
  let reserved: number[] | undefined;
  const width = slotsTotal / partitions;
  for (let index = 0; index < count; index++) {
    const record = records[index] as StoredRecord;
    const key = record.key;
    if (key === null) {
      (problems ??= []).push({ index, reason: 'garbage', message: 'the record has no key' });
      continue;
    }
    if (key[0] === 0 && isReservedKey(key)) {
      (reserved ??= []).push(index);
      continue;
    }
    const x = hashOf(key, hashAlgorithm) % slotsTotal;
    const partition = x % partitions;
    if (partition !== batch.partition) {
      const message = `the key belongs to partition ${partition} of ${partitions}, by ${hashAlgorithm}`;
      (problems ??= []).push({ index, reason: 'wrongPartition', message });
      continue;
    }
    slots[index] = partition * width + (x - partition) / partitions;
    if (key.length > storedKeyBytesMax) {
      const message = `the key has ${key.length} bytes, at most ${storedKeyBytesMax} are stored`;
      (problems ??= []).push({ index, reason: 'tooLarge', message });
      continue;
    }
    if (record.value === null) {
      kinds[index] = recordKind.tombstone;
      continue;
    }
    const put = classifyPut(key, record.value);
    kinds[index] = put.kind;
    if (put.kind === recordKind.put) {
      expiresAtMs[index] = put.expiresAtMs;
      valueStarts[index] = put.valueStart;
    } else {
      const { reason } = put;
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
