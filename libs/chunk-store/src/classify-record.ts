import {
  expiryHeader,
  explainPut,
  putCrcMatches,
  PutView,
  readExpiryHeader,
  readPut,
  type RecordFormatName,
  type ValueRecord,
} from '@levee/codec';
import { recordKind, type RecordKind, type UnreadableReason } from './stored-value';

/** How a record reads. Reused between calls: take what you need before the next one. */
export interface Classified {
  readonly kind: RecordKind;
  /** 0 = never; an explicit time at or before 1970 is 1, which is as expired. */
  readonly expiresAtMs: number;
  readonly valueStart: number;
  /** Why it is unreadable; means nothing of a `put`. */
  readonly reason: UnreadableReason;
  /** A `put` that says its expiry in a way that nobody reads. */
  readonly badExpiry: boolean;
}

const view = new PutView();
const result: { -readonly [Field in keyof Classified]: Classified[Field] } = {
  kind: recordKind.none,
  expiresAtMs: 0,
  valueStart: 0,
  reason: 'garbage',
  badExpiry: false,
};

/** Classifies records of one format, none of them a tombstone. */
export type Classify = (key: Uint8Array, record: ValueRecord) => Classified;

/** How records of a namespace are read. */
export const classifiers: Readonly<Record<RecordFormatName, Classify>> = {
  put: (key, { value }) => classifyPut(key, value),
  raw: classifyRaw,
};

/** Every raw record can be read. One whose expiry is no time never expires: a value too many is better than one lost. */
function classifyRaw(_key: Uint8Array, { headers }: ValueRecord): Classified {
  const expiresAtMs = headers.length === 0 ? undefined : readExpiryHeader(headers);
  result.kind = recordKind.put;
  result.valueStart = 0;
  result.expiresAtMs = Math.max(0, expiresAtMs ?? 0);
  result.badExpiry = expiresAtMs === -1;
  return result;
}

function classifyPut(key: Uint8Array, raw: Uint8Array): Classified {
  const reading = readPut(raw, view);
  if (reading === 'put') {
    if (!putCrcMatches(key, raw, view)) return unreadable(recordKind.badCrc, 'badCrc');
    result.kind = recordKind.put;
    result.expiresAtMs = view.expiresAtMs === null ? 0 : Math.max(1, view.expiresAtMs);
    result.valueStart = view.valueStart;
    result.badExpiry = false;
    return result;
  }
  return reading === 'unknownSchema'
    ? unreadable(recordKind.unknownSchema, 'unknownSchema')
    : unreadable(recordKind.garbage, 'garbage');
}

/** A stored unreadable record once more: after an upgrade an unknown schema may be known. */
export function reclassify(key: Uint8Array, kind: RecordKind, raw: Uint8Array): Classified {
  if (kind === recordKind.unknownSchema) return classifyPut(key, raw);
  return kind === recordKind.badCrc ? unreadable(kind, 'badCrc') : unreadable(recordKind.garbage, 'garbage');
}

/** Why a value is unreadable, in words for quarantine. */
export function explainValue(reason: UnreadableReason | 'badExpiry', raw: Uint8Array): string {
  if (reason === 'badExpiry')
    return `the header ${expiryHeader} is no time in decimal digits (ms since 1970): the value is kept and never expires`;
  if (reason === 'badCrc') return 'the crc in the Put is not that of its key, expiry and value';
  return explainPut(raw)?.message ?? 'the value is no Put';
}

function unreadable(kind: RecordKind, reason: UnreadableReason): Classified {
  result.kind = kind;
  result.expiresAtMs = 0;
  result.valueStart = 0;
  result.reason = reason;
  return result;
}
