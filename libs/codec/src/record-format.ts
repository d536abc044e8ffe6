import { encodePut, putCrcMatches, PutView, readPut } from './put';

/** How records of a namespace say what a key's value is; fixed when it is created. */
export type RecordFormatName = 'put' | 'raw';

/** A record's value that needs headers beside it. */
export class HeadedValue {
  constructor(
    readonly value: Buffer,
    readonly headers: readonly RecordHeader[],
  ) {}

  /** Bytes that it takes. */
  get length(): number {
    return this.headers.reduce((sum, { key, value }) => sum + key.length + value.length, this.value.length);
  }
}

export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer;
}

/** The record of a key as it stands in the log; its value is not null. */
export interface ValueRecord {
  readonly value: Uint8Array;
  readonly headers: readonly RecordHeader[];
}

export interface RecordFormat {
  readonly name: RecordFormatName;
  /**
   * The record that sets `key` to `value`. `expiresAtMs` is an integer from 0 to 2^53 - 2, or null for never. Neither
   * key nor value is kept.
   */
  encode(key: Uint8Array, value: Uint8Array, expiresAtMs: number | null): Buffer | HeadedValue;
  /** The record that a replica holds, once more: `raw` is its value in the log, `expiresAtMs` 0 = never. */
  again(raw: Buffer, expiresAtMs: number): Buffer | HeadedValue;
  /** Whether it says a value in this format. */
  reads(key: Uint8Array, record: ValueRecord): boolean;
  /** When the record expires, ms since 1970; 0 = never, or it cannot be read; a time at or before 1970 is 1. */
  expiryOf(key: Uint8Array, record: ValueRecord): number;
}

/** Of a raw record: when it expires, in decimal digits, ms since 1970. The last one of this name counts. */
export const expiryHeader = 'levee-expires-at-ms';
const digitsMax = 16;

/** `undefined` without the header; -1 when what it says is no such time. Otherwise at least 1, which is as expired as 0. */
export function readExpiryHeader(headers: readonly RecordHeader[]): number | undefined {
  for (let i = headers.length - 1; i >= 0; i--) {
    const { key, value } = headers[i] as RecordHeader;
    if (key === expiryHeader) return expiryIn(value);
  }
  return undefined;
}

function expiryIn(digits: Buffer): number {
  if (digits.length === 0 || digits.length > digitsMax) return -1;
  let ms = 0;
  for (const byte of digits) {
    if (byte < 0x30 || byte > 0x39) return -1;
    ms = ms * 10 + (byte - 0x30);
  }
  return Number.isSafeInteger(ms) ? Math.max(1, ms) : -1;
}

const view = new PutView();

/** A value as an Avro record `Put`. */
const putFormat: RecordFormat = {
  name: 'put',
  encode: encodePut,
  again: (raw) => raw,
  reads: (key, { value }) => readPut(value, view) === 'put' && putCrcMatches(key, value, view),
  expiryOf: (key, { value }) => {
    if (readPut(value, view) !== 'put' || !putCrcMatches(key, value, view)) return 0;
    return view.expiresAtMs === null ? 0 : Math.max(1, view.expiresAtMs);
  },
};

/** The header that says it. */
export const expiryHeaderOf = (expiresAtMs: number): RecordHeader => ({
  key: expiryHeader,
  value: Buffer.from(String(expiresAtMs), 'latin1'),
});

const headed = (value: Buffer, expiresAtMs: number): HeadedValue =>
  new HeadedValue(value, [expiryHeaderOf(expiresAtMs)]);

/** The record's value is the value. */
const rawFormat: RecordFormat = {
  name: 'raw',
  encode: (_key, value, expiresAtMs) => {
    const copy = Buffer.from(value);
    if (expiresAtMs === null) return copy;
    return headed(copy, expiresAtMs);
  },
  again: (raw, expiresAtMs) => (expiresAtMs === 0 ? raw : headed(raw, expiresAtMs)),
  reads: () => true,
  expiryOf: (_key, { headers }) => Math.max(0, readExpiryHeader(headers) ?? 0),
};

export const recordFormats: Readonly<Record<RecordFormatName, RecordFormat>> = { put: putFormat, raw: rawFormat };
