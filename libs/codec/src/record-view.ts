import { decode, decodeAs } from './codec';
import { CodecFailure } from './codec-failure';

/** A log record as people and JSON see it. Exactly one of `key` and `keyBase64`, and of the value's forms, is there. */
export interface RecordView {
  /** The key as text when it is printable UTF-8; null = the record has none. */
  readonly key?: string | null;
  readonly keyBase64?: string;
  /** Name and version of the Avro record the value is. */
  readonly record?: string;
  readonly version?: number;
  /** The decoded value, bytes inside it as `textOrBase64`; null = tombstone. */
  readonly value?: unknown;
  /** The value as it is, when it is no record known here. */
  readonly valueBase64?: string;
  /** Why it is none. */
  readonly problem?: { readonly code: string; readonly message: string };
}

/** Decodes whatever the record holds; never throws, whatever the bytes. */
export function viewRecord(record: { readonly key: Uint8Array | null; readonly value: Uint8Array | null }): RecordView {
  return { ...viewKey(record.key), ...viewValue(record.value) };
}

function viewKey(key: Uint8Array | null): RecordView {
  if (key === null) return { key: null };
  const text = printable(key);
  return text === undefined ? { keyBase64: base64(key) } : { key: text };
}

function viewValue(value: Uint8Array | null): RecordView {
  if (value === null) return { value: null };
  try {
    // Only a Put may come in Confluent's framing, which begins with 00.
    if (value[0] === 0) return { record: 'Put', version: 1, value: jsonOf(decodeAs('Put', value)) };
    const { name, version, record } = decode(value);
    const inner = name === 'Decision' ? { events: record.events.map(viewValue) } : {};
    return { record: name, version, value: jsonOf({ ...record, ...inner }) };
  } catch (error) {
    if (!(error instanceof CodecFailure)) throw error;
    return { valueBase64: base64(value), problem: { code: error.code, message: error.message } };
  }
}

/** A copy without bytes: they become text where printable, else `{ base64 }`. */
function jsonOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return textOrBase64(value);
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, jsonOf(inner)]));
  return value;
}

/** Text when the bytes are printable UTF-8, else `{ base64 }`. */
export function textOrBase64(bytes: Uint8Array): string | { readonly base64: string } {
  return printable(bytes) ?? { base64: base64(bytes) };
}

/** Of a key that is shown beside others. */
const keyCharactersMax = 80;

/** A key on one line, for people: its text where it has one, else base64; a long one is cut. */
export function keyText(key: Uint8Array): string {
  const text = printable(key);
  const shown = text === undefined || /\s/.test(text) || text === '' ? `base64:${base64(key)}` : text;
  return shown.length <= keyCharactersMax ? shown : `${shown.slice(0, keyCharactersMax)}…`;
}

/** The text that the bytes are the UTF-8 form of, unless it has control characters other than tab and line ends. */
export function printable(bytes: Uint8Array): string | undefined {
  try {
    const text = strictUtf8.decode(bytes);
    return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
