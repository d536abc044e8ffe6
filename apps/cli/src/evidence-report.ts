import {
  type Cut,
  type HistoryEntry,
  type KeyHistory,
  type OwnRecord,
  type Proof,
  recordValue,
  type StateAt,
} from '@levee/audit';
import { textOrBase64 } from '@levee/codec';
import { isoTime } from '@levee/kernel';
import { oneLine, type Row } from './output';

/** Of a record's bytes, so many are printed. */
const rawBytesMax = 4096;

/** Everything that `audit get` says, for machines. */
export function stateRow(
  { namespace, key, cut }: { readonly namespace: string; readonly key: Buffer; readonly cut: Cut },
  found: StateAt,
): Row {
  const { proof, record, digest, preconditions, ...place } = found;
  const at = 'timeMs' in cut ? { time: isoTime(cut.timeMs) } : { position: `${place.partition}:${cut.nextOffset}` };
  const proved = proof.verdict === 'proved';
  return {
    ...{ namespace, key: textOrBase64(key), at, verdict: proof.verdict },
    ...proofRow(proof),
    state: proved ? stateOf(record, cut, place) : 'unknown',
    ...(record === undefined ? {} : { [proved ? 'record' : 'newestRecordBefore']: recordRow(record, place) }),
    ...(digest === undefined ? {} : { nearestDigest: digest }),
    ...placeRow(place),
    preconditions,
  };
}

function proofRow(proof: Proof): Row {
  if (proof.verdict === 'proved') {
    const { between, by } = proof;
    if (between === undefined) return { by };
    return { by, inForceSinceSomeTimeIn: { from: isoTime(between.fromMs), to: isoTime(between.toMs) } };
  }
  const { reason, message, provableFromMs } = proof;
  return { reason, message, ...(provableFromMs === undefined ? {} : { provableFrom: isoTime(provableFromMs) }) };
}

type RecordPlace = Pick<StateAt, 'partition' | 'recordFormat' | 'hiddenAfterMs'>;

function stateOf(record: OwnRecord | undefined, cut: Cut, place: RecordPlace): string {
  if (record === undefined) return 'absent';
  const { kind, expiresAtMs } = recordValue(record.record.key as Buffer, record.record, place);
  const expired = 'timeMs' in cut && expiresAtMs !== undefined && expiresAtMs <= cut.timeMs;
  return expired ? 'expired' : kind;
}

function recordRow({ record, source, timeMs, latestMs }: OwnRecord, place: RecordPlace): Row {
  const { offset, value: raw, headers } = record;
  const { kind, value, expiresAtMs, crc, why } = recordValue(record.key as Buffer, record, place);
  const unsure = latestMs > timeMs && Number.isFinite(latestMs) ? { timeAtMost: isoTime(latestMs) } : {};
  return {
    ...{
      position: `${place.partition}:${offset + 1}`,
      offset,
      time: isoTime(record.timestampMs),
      ...unsure,
      says: kind,
    },
    ...(value === undefined ? {} : { value: textOrBase64(value) }),
    ...(expiresAtMs === undefined ? {} : { expiresAt: isoTime(expiresAtMs) }),
    ...(why === undefined ? {} : { why }),
    crc,
    raw: raw === null ? null : raw.subarray(0, rawBytesMax).toString('hex'),
    rawBytes: raw === null ? 0 : raw.length,
    headers: headers.map((header) => ({ key: header.key, value: textOrBase64(header.value) })),
    batch: { ...source, crc: source.crc.toString(16).padStart(8, '0') },
  };
}

const placeRow = ({
  readEndMs,
  recordFormat: _,
  hiddenAfterMs: __,
  ...place
}: Omit<StateAt, 'proof' | 'record' | 'digest' | 'preconditions'>): Row => ({
  read: { ...place, endedAt: isoTime(readEndMs) },
});

export function stateText(row: Row): string {
  const record = (row['record'] ?? row['newestRecordBefore']) as Row | undefined;
  const how = row['by'] ?? `${String(row['reason'])}: ${String(row['message'])}`;
  const lines = [
    `${String(row['verdict'])} (${String(how)})`,
    `state: ${String(row['state'])}`,
    ...(row['provableFrom'] === undefined ? [] : [`provable from: ${String(row['provableFrom'])}`]),
    ...(record === undefined ? [] : recordLines(record, row['record'] === undefined)),
    ...digestLines(row),
    ...(row['preconditions'] as readonly Row[]).map(
      (each) => `${String(each['state']).padEnd(7)} ${String(each['name'])}: ${String(each['what'])}`,
    ),
  ];
  return lines.map(oneLine).join('\n');
}

function recordLines(record: Row, isOnlyNewest: boolean): string[] {
  const { value, expiresAt, position, time, crc, raw, rawBytes, headers } = record;
  const shown = Number(rawBytes) > rawBytesMax ? `${String(raw)}… (${String(rawBytes)} bytes)` : String(raw);
  return [
    ...(isOnlyNewest ? ['the newest record that is there, which may not be what it held:'] : []),
    ...(value === undefined ? [] : [`value: ${typeof value === 'string' ? value : JSON.stringify(value)}`]),
    ...(expiresAt === undefined ? [] : [`expires: ${String(expiresAt)}`]),
    `position: ${String(position)} (offset ${String(record['offset'])}) at ${String(time)}`,
    `raw: ${shown}`,
    `crc: ${String(crc)}; batch ${JSON.stringify(record['batch'])}`,
    ...((headers as readonly unknown[]).length === 0 ? [] : [`headers: ${JSON.stringify(headers)}`]),
  ];
}

function digestLines(row: Row): string[] {
  const digest = row['nearestDigest'] as StateAt['digest'];
  if (digest === undefined) return [];
  const { chunkId, barrierOffset, digests, agree } = digest;
  const [first] = digests;
  return [
    `nearest digest: chunk ${chunkId} before offset ${barrierOffset}: ${first?.digest} over ${first?.keys} keys, ` +
      `${digests.length} replicas ${agree ? 'agree' : 'DIFFER'}`,
  ];
}

export function historyRow(
  { namespace, key }: { readonly namespace: string; readonly key: Buffer },
  { entries, before, older, preconditions, ...place }: KeyHistory,
): Row & { readonly entries: readonly Row[] } {
  return {
    ...{ namespace, key: textOrBase64(key), older },
    ...(before === undefined ? {} : { absentBefore: { verdict: before.verdict, ...proofRow(before) } }),
    entries: entries.map((entry) => entryRow(entry, place)),
    ...placeRow(place),
    preconditions,
  };
}

const entryRow = ({ record, untilNext }: HistoryEntry, place: RecordPlace): Row => ({
  ...recordRow(record, place),
  untilNext: { verdict: untilNext.verdict, ...proofRow(untilNext) },
});

export function historyLine(entry: Row): string {
  const { position, time, says, value, untilNext } = entry;
  const until = untilNext as Row;
  const shown = value === undefined ? String(says) : typeof value === 'string' ? value : JSON.stringify(value);
  const verdict = until['verdict'] === 'proved' ? 'proved' : `not provable (${String(until['reason'])})`;
  return `${String(position)}\t${String(time)}\t${verdict}\t${oneLine(shown)}`;
}
