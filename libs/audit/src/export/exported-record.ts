import { encodePut, putCrcMatches, PutView, readPut, type RecordFormatName } from '@levee/codec';
import type { LogHeader } from '@levee/log';
import { AvroReader, damaged, lengthBytes, longBytes } from './avro-bytes';

/** The last record of a key, with all that the log holds of it. Its buffers are its reader's until the next one. */
export interface CarriedRecord {
  readonly partition: number;
  readonly offset: number;
  /** When it was appended, ms since 1970. */
  readonly timestampMs: number;
  readonly key: Buffer;
  /** The record's value as it stood in the log. */
  readonly raw: Buffer;
  /** 0 = never. */
  readonly expiresAtMs: number;
  readonly headers: readonly LogHeader[];
}

/** One record of an export, in Avro's words. */
export const exportedRecordSchema = {
  type: 'record',
  name: 'ExportedRecord',
  namespace: 'levee',
  doc: 'A key of a namespace of Levee with its last value. The very last record of the file is the seal: its key is 00 "levee" 00 "seal", its partition -1.',
  fields: [
    { name: 'key', type: 'bytes', doc: 'Key.' },
    {
      name: 'value',
      type: ['null', 'bytes'],
      doc: 'Value; null = the record cannot be read as a value, and says so in field record.',
    },
    {
      name: 'expiresAtMs',
      type: ['null', 'long'],
      doc: 'When the value expires, in milliseconds since 1970-01-01T00:00:00Z; null = never.',
    },
    { name: 'partition', type: 'int', doc: 'Index of the binlog partition that it was in: from 0.' },
    { name: 'offset', type: 'long', doc: 'Its offset in that partition: from 0.' },
    {
      name: 'timestampMs',
      type: 'long',
      doc: 'When the log took it, in milliseconds since 1970-01-01T00:00:00Z.',
    },
    {
      name: 'headers',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'ExportedHeader',
          fields: [
            { name: 'key', type: 'string', doc: 'Name of the header.' },
            { name: 'value', type: 'bytes', doc: 'Value of the header.' },
          ],
        },
      },
      doc: 'Headers that its producer put beside it.',
    },
    {
      name: 'record',
      type: ['null', 'bytes'],
      doc: 'Value of the log record as it stood there, where that is not what Levee writes for this key, value and expiry; null = it is.',
    },
  ],
} as const;

const headersMax = 100_000;
const view = new PutView();

/** The body of one record. */
export function encodeExported(record: CarriedRecord, format: RecordFormatName): Buffer {
  const { key, raw, expiresAtMs, partition, offset, timestampMs, headers } = record;
  const { value, isPlain } = valueOf(record, format);
  return Buffer.concat([
    ...lengthBytes(key),
    ...(value === null ? [longBytes(0)] : [longBytes(1), ...lengthBytes(value)]),
    ...(expiresAtMs === 0 ? [longBytes(0)] : [longBytes(1), longBytes(expiresAtMs)]),
    longBytes(partition),
    longBytes(offset),
    longBytes(timestampMs),
    ...(headers.length === 0 ? [] : [longBytes(headers.length)]),
    ...headers.flatMap((header) => [...lengthBytes(Buffer.from(header.key)), ...lengthBytes(header.value)]),
    longBytes(0),
    ...(isPlain ? [longBytes(0)] : [longBytes(1), ...lengthBytes(raw)]),
  ]);
}

/** Fails with EXPORT_DAMAGED. */
export function decodeExported(reader: AvroReader, format: RecordFormatName): CarriedRecord {
  const key = reader.byteString();
  const value = reader.orNull(() => reader.byteString());
  const expiresAtMs = reader.orNull(() => reader.natural(Number.MAX_SAFE_INTEGER)) ?? 0;
  const partition = reader.long();
  const offset = reader.natural(Number.MAX_SAFE_INTEGER);
  const timestampMs = reader.natural(Number.MAX_SAFE_INTEGER);
  const headers: LogHeader[] = [];
  for (let count = reader.natural(headersMax); count > 0; count = reader.natural(headersMax))
    for (; count > 0; count--) headers.push({ key: reader.text(), value: reader.byteString() });
  const raw = reader.orNull(() => reader.byteString());
  const of = { partition, offset, timestampMs, key, expiresAtMs, headers };
  if (raw !== null) return { ...of, raw };
  if (value === null) throw damaged('holds a record without a value');
  if (format === 'raw' || partition < 0) return { ...of, raw: value };
  return { ...of, raw: encodePut(key, value, expiresAtMs === 0 ? null : expiresAtMs) };
}

function valueOf(
  { key, raw, expiresAtMs }: CarriedRecord,
  format: RecordFormatName,
): { readonly value: Buffer | null; readonly isPlain: boolean } {
  if (format === 'raw') return { value: raw, isPlain: true };
  if (readPut(raw, view) !== 'put' || !putCrcMatches(key, raw, view)) return { value: null, isPlain: false };
  const value = raw.subarray(view.valueStart, view.valueEnd);
  const isPlain = encodePut(key, value, expiresAtMs === 0 ? null : expiresAtMs).equals(raw);
  return { value, isPlain };
}
