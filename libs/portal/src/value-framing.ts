import { recordFormats } from '@levee/codec';
import type { StoredRecord } from '@levee/log';

/** What values look like: how many of each kind. */
export interface Framings {
  /** Records `Put`. */
  readonly put: number;
  /** The framing of Confluent's serializers: a zero, and the id of a schema in four bytes. */
  readonly confluent: number;
  readonly json: number;
  readonly text: number;
  readonly bytes: number;
}

const confluentHeadBytes = 5;
/** Larger ones are not parsed to see what they are. */
const parsedBytesMax = 65_536;
const strict = new TextDecoder('utf-8', { fatal: true });

export function framingsOf(records: readonly StoredRecord[]): Framings {
  const counts = { put: 0, confluent: 0, json: 0, text: 0, bytes: 0 };
  for (const { key, value, headers } of records)
    if (key !== null && value !== null) counts[framingOf(key, { value, headers })]++;
  return counts;
}

function framingOf(key: Buffer, record: { value: Buffer; headers: StoredRecord['headers'] }): keyof Framings {
  const { value } = record;
  if (recordFormats.put.reads(key, record)) return 'put';
  if (value[0] === 0 && value.length > confluentHeadBytes) return 'confluent';
  if (value.length > parsedBytesMax) return 'bytes';
  let text: string;
  try {
    text = strict.decode(value);
  } catch {
    return 'bytes';
  }
  try {
    JSON.parse(text);
    return 'json';
  } catch {
    return 'text';
  }
}
