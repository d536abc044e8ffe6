import { ByteReader } from './byte-reader';
import { ByteWriter } from './byte-writer';
import type { KafkaApi } from './requests';

/** Questions about other people's transactions (KIP-664). Not needed to work: a broker may refuse them. */
export const transactionApis = {
  describeProducers: { key: 61, version: 0, name: 'DescribeProducers' },
  listTransactions: { key: 66, version: 0, name: 'ListTransactions' },
} as const satisfies Record<string, KafkaApi>;

export interface ActiveProducer {
  readonly partition: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Of its last batch, ms since 1970. */
  readonly lastTimestampMs: number;
  /** -1: it has no transaction open here. */
  readonly startOffset: number;
}

export function encodeDescribeProducers(topic: string, partitions: readonly number[]): Buffer {
  const writer = new ByteWriter()
    .int8(0)
    .unsignedVarint(2)
    .compactString(topic)
    .unsignedVarint(partitions.length + 1);
  for (const partition of partitions) writer.int32(partition);
  return writer.int8(0).int8(0).bytes();
}

/** Partitions that the broker could not speak of are left out. */
export function decodeDescribeProducers(answer: Buffer): ActiveProducer[] {
  const reader = new ByteReader(answer);
  reader.skipTags();
  reader.int32(); // throttle time
  return reader
    .compactArray((topic) => {
      topic.compactString();
      const partitions = topic.compactArray(readPartition);
      topic.skipTags();
      return partitions.flat();
    })
    .flat();
}

function readPartition(reader: ByteReader): ActiveProducer[] {
  const partition = reader.int32();
  reader.int16(); // error code: then there are no producers
  reader.compactString(); // error message
  const producers = reader.compactArray((r) => {
    const producerId = r.int64();
    const producerEpoch = r.int32();
    r.int32(); // last sequence
    const lastTimestampMs = r.int64();
    r.int32(); // coordinator epoch
    const startOffset = r.int64();
    r.skipTags();
    return { partition, producerId, producerEpoch, lastTimestampMs, startOffset };
  });
  reader.skipTags();
  return producers;
}

export interface ListedTransaction {
  readonly transactionalId: string;
  readonly producerId: number;
  /** `Ongoing`, `PrepareAbort`, … */
  readonly state: string;
}

/** The transactions of these producers that this broker coordinates. */
export function encodeListTransactions(producerIds: readonly number[]): Buffer {
  const writer = new ByteWriter()
    .int8(0)
    .unsignedVarint(1)
    .unsignedVarint(producerIds.length + 1);
  for (const id of producerIds) writer.int64(id);
  return writer.int8(0).bytes();
}

export function decodeListTransactions(answer: Buffer): ListedTransaction[] {
  const reader = new ByteReader(answer);
  reader.skipTags();
  reader.int32(); // throttle time
  reader.int16(); // error code: then there are none
  reader.compactArray((r) => r.compactString()); // unknown state filters
  return reader.compactArray((r) => {
    const transactionalId = r.compactString() ?? '';
    const producerId = r.int64();
    const state = r.compactString() ?? '';
    r.skipTags();
    return { transactionalId, producerId, state };
  });
}
