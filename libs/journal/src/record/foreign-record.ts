import type { Offset } from '@levee/kernel';
import type { JournalRecord } from './journal-chain';

const foreignLimits = {
  /** Remembered by each reader of the journal. */
  keptMax: 256,
  /** Of a key or a value, so much is kept. */
  bytesMax: 16_384,
} as const;

/** A record of the journal that no master of this cluster wrote there. Its bytes are copies, cut to `bytesMax`. */
export interface ForeignRecord {
  readonly offset: Offset;
  readonly why: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export function foreignRecord(record: JournalRecord & { readonly key?: Buffer | null }, why: string): ForeignRecord {
  return { offset: record.offset, why, key: copyOf(record.key ?? null), value: copyOf(record.value) };
}

/** The oldest ones are forgotten first. */
export function keepForeign(kept: ForeignRecord[], record: ForeignRecord): ForeignRecord {
  kept.push(record);
  if (kept.length > foreignLimits.keptMax) kept.shift();
  return record;
}

const copyOf = (bytes: Buffer | null): Buffer | null =>
  bytes === null ? null : Buffer.from(bytes.subarray(0, foreignLimits.bytesMax));
