import { type BadStretch, type LogBatch, noHeaders, type StoredRecord } from '@levee/log';
import type { BadRecord } from './partition-feed';

export function begins({ fromOffset }: BadStretch, from: number, to: number): boolean {
  return fromOffset >= from && fromOffset < to;
}

export function badBatch({ fromOffset, toOffset, timestampMs, what, bytes }: BadStretch): {
  record: StoredRecord;
  problem: BadRecord;
} {
  const record = { offset: fromOffset, timestampMs, key: null, value: bytes, headers: noHeaders };
  const message = `${what}; nothing from offset ${fromOffset} to ${toOffset - 1} was applied`;
  return { record, problem: { reason: 'unreadableBatch', message, toOffset } };
}

export function bytesOf({ records }: LogBatch): number {
  let bytes = 0;
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  return bytes;
}

export function withheldProblem({ partition, endOffset, withheldTo }: LogBatch): string | undefined {
  if (withheldTo === undefined) return undefined;
  return (
    `partition ${partition}: a transaction that a producer left open holds back the records from offset ${endOffset} ` +
    `to ${withheldTo}; levee doctor names the producer`
  );
}
