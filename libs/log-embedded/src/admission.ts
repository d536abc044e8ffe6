import { LogFailure, type LogHeader, type LogRecord, logLimits } from '@levee/log';
import { entryHeadBytes, recordBytes } from './entry';
import type { PartitionLog } from './partition-log';
import type { WriterClaim } from './writers';

/**
 * Bytes of `records` as they will be stored, or why they are refused: definitely, since nothing has happened yet.
 * Notes the writer's epoch: from its first accepted append on, older writers of its id are fenced.
 */
export function admit(
  partition: PartitionLog,
  records: readonly LogRecord[],
  queuedBytes: number,
  writer: WriterClaim | undefined,
): number | LogFailure {
  if (records.length === 0) return new LogFailure('TOO_LARGE', `an append to ${partition.name} has no records`);
  let bytes = 0;
  const { messageBytesMax, compacted } = partition.topic.rules;
  for (const record of records) {
    if (compacted && record.key === null) return keyMissing(partition);
    if (record.headers !== undefined && !fitsHeaders(record.headers)) return headersTooLarge(partition);
    const size = recordBytes(record);
    if (size > logLimits.recordBytesMax) return recordTooLarge(partition, size);
    bytes += size;
  }
  if (bytes + entryHeadBytes > messageBytesMax)
    return new LogFailure(
      'TOO_LARGE',
      `${bytes + entryHeadBytes} bytes for ${partition.name} are more than its max.message.bytes of ` +
        `${messageBytesMax}: append fewer or smaller records at once`,
    );
  if (queuedBytes + bytes > logLimits.appendQueueBytesMax)
    return new LogFailure(
      'LOG_UNAVAILABLE',
      `${queuedBytes} bytes of appends wait already, the limit is ${logLimits.appendQueueBytesMax}: append more slowly`,
    );
  if (writer !== undefined) {
    const newest = partition.writerEpochs.get(writer.id) ?? -1;
    if (newest > writer.epoch)
      return new LogFailure(
        'FENCED',
        `writer '${writer.id}' of epoch ${writer.epoch} is fenced in ${partition.name} by epoch ${newest}: stand by`,
      );
    partition.writerEpochs.set(writer.id, writer.epoch);
  }
  return bytes;
}

/** Counts and name lengths are 16 bits in an entry. */
const headersMax = 65_535;
const fitsHeaders = (headers: readonly LogHeader[]): boolean =>
  headers.length <= headersMax && headers.every(({ key }) => Buffer.byteLength(key) <= headersMax);

function headersTooLarge(partition: PartitionLog): LogFailure {
  return new LogFailure(
    'TOO_LARGE',
    `a record for ${partition.name} has more than ${headersMax} headers, or a header whose key is longer than that`,
  );
}

function keyMissing(partition: PartitionLog): LogFailure {
  return new LogFailure(
    'TOPIC_MISCONFIGURED',
    `a record without a key for ${partition.name}, which is compacted: give it a key, or set cleanup.policy=delete`,
  );
}

function recordTooLarge(partition: PartitionLog, size: number): LogFailure {
  return new LogFailure(
    'TOO_LARGE',
    `a record of ${size} bytes for ${partition.name} is larger than the ${logLimits.recordBytesMax} a record may have`,
  );
}
