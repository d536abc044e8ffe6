import { LogFailure, type LogRecord, logLimits } from '@levee/log';
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
  for (const record of records) {
    const size = recordBytes(record);
    if (size > logLimits.recordBytesMax) return recordTooLarge(partition, size);
    bytes += size;
  }
  const { messageBytesMax } = partition.topic.rules;
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

function recordTooLarge(partition: PartitionLog, size: number): LogFailure {
  return new LogFailure(
    'TOO_LARGE',
    `a record of ${size} bytes for ${partition.name} is larger than the ${logLimits.recordBytesMax} a record may have`,
  );
}
