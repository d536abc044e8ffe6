import {
  expiryWithRetention,
  explainPut,
  putCrcMatches,
  PutView,
  readPut,
  type RecordFormatName,
  recordFormats,
} from '@levee/codec';
import type { StoredRecord } from '@levee/log';

/** What a record says of its key. One place knows how records of a namespace are written. */
export interface RecordValue {
  /** `unreadable`: it takes its key's place, and no reader can tell what it says; `why` does. */
  readonly kind: 'value' | 'deleted' | 'unreadable';
  readonly value: Buffer | undefined;
  /** Milliseconds since 1970; `undefined`: never. */
  readonly expiresAtMs: number | undefined;
  /** The writer's own checksum over key, expiry and value; `none`: it did not compute one. */
  readonly crc: 'matches' | 'differs' | 'none';
  readonly why: string | undefined;
}

/** How records of a namespace say values. */
export interface ValueReading {
  readonly recordFormat: RecordFormatName;
  /** Age from which on values are expired; null: only what records say counts. Of raw records alone. */
  readonly hiddenAfterMs: number | null;
}

export function recordValue(
  key: Buffer,
  { value: raw, headers, timestampMs }: Pick<StoredRecord, 'value' | 'headers' | 'timestampMs'>,
  { recordFormat: format, hiddenAfterMs }: ValueReading,
): RecordValue {
  const nothing = { value: undefined, expiresAtMs: undefined, crc: 'none', why: undefined } as const;
  if (raw === null) return { kind: 'deleted', ...nothing };
  if (format === 'raw') {
    const own = recordFormats.raw.expiryOf(key, { value: raw, headers });
    const expiresAtMs = expiryWithRetention(own, timestampMs, hiddenAfterMs);
    return { kind: 'value', ...nothing, value: raw, expiresAtMs: expiresAtMs === 0 ? undefined : expiresAtMs };
  }
  const view = new PutView();
  const reading = readPut(raw, view);
  if (reading !== 'put') {
    const why = explainPut(raw)?.message ?? 'it is no Put';
    return { kind: 'unreadable', ...nothing, why };
  }
  const matches = putCrcMatches(key, raw, view);
  if (!matches)
    return { kind: 'unreadable', ...nothing, crc: 'differs', why: 'its checksum is not that of its content' };
  return {
    kind: 'value',
    value: raw.subarray(view.valueStart, view.valueEnd),
    expiresAtMs: view.expiresAtMs ?? undefined,
    crc: view.crc === null ? 'none' : 'matches',
    why: undefined,
  };
}
