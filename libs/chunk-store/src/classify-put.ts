import { explainPut, putCrcMatches, PutView, readPut } from '@levee/codec';
import { recordKind, type RecordKind, type UnreadableReason } from './stored-value';

/** How a record's value reads as a `Put`. Reused between calls: take what you need before the next one. */
export interface Classified {
  readonly kind: RecordKind;
  /** 0 = never; an explicit time at or before 1970 is 1, which is as expired. */
  readonly expiresAtMs: number;
  readonly valueStart: number;
  readonly reason: UnreadableReason;
}

const view = new PutView();
const result: { -readonly [Field in keyof Classified]: Classified[Field] } = {
  kind: recordKind.none,
  expiresAtMs: 0,
  valueStart: 0,
  reason: 'garbage',
};

export function classifyPut(key: Uint8Array, raw: Uint8Array): Classified {
  const reading = readPut(raw, view);
  if (reading === 'put') {
    if (!putCrcMatches(key, raw, view)) return unreadable(recordKind.badCrc, 'badCrc');
    result.kind = recordKind.put;
    result.expiresAtMs = view.expiresAtMs === null ? 0 : Math.max(1, view.expiresAtMs);
    result.valueStart = view.valueStart;
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
export function explainValue(reason: UnreadableReason, raw: Uint8Array): string {
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
