import { ByteReader } from './byte-reader';
import { ByteWriter } from './byte-writer';

/** A request of Kafka's protocol in the version that this adapter speaks. */
export interface KafkaApi {
  readonly key: number;
  readonly version: number;
  readonly name: string;
}

/**
 * Non-flexible versions where they can do it (shorter code); Metadata 12 because it brings epochs and topic ids, Fetch 13
 * because it names topics by their id: a topic that was deleted and created again is another one.
 */
export const apis = {
  produce: { key: 0, version: 7, name: 'Produce' },
  fetch: { key: 1, version: 13, name: 'Fetch' },
  listOffsets: { key: 2, version: 5, name: 'ListOffsets' },
  metadata: { key: 3, version: 12, name: 'Metadata' },
  findCoordinator: { key: 10, version: 2, name: 'FindCoordinator' },
  apiVersions: { key: 18, version: 0, name: 'ApiVersions' },
  initProducerId: { key: 22, version: 1, name: 'InitProducerId' },
  offsetsForLeaderEpoch: { key: 23, version: 3, name: 'OffsetForLeaderEpoch' },
} as const satisfies Record<string, KafkaApi>;

export const isolation = { readUncommitted: 0, readCommitted: 1 } as const;

/** Key -> versions the broker speaks. */
export type ApiVersions = Record<number, { minVersion: number; maxVersion: number }>;

export function decodeApiVersions(answer: Buffer): ApiVersions {
  const reader = new ByteReader(answer);
  const errorCode = reader.int16();
  if (errorCode !== 0) throw new RangeError(`ApiVersions answered error ${errorCode}`);
  const versions: ApiVersions = {};
  for (const [key, minVersion, maxVersion] of reader.array(
    (r) => [r.int16(), r.int16(), r.int16()] as [number, number, number],
  ))
    versions[key] = { minVersion, maxVersion };
  return versions;
}

/** The requests of {@link apis} that this broker does not speak in our version. */
export function unsupportedApis(versions: ApiVersions): string[] {
  return Object.values(apis)
    .filter(({ key, version }) => {
      const range = versions[key];
      return range === undefined || version < range.minVersion || version > range.maxVersion;
    })
    .map(({ name, version }) => `${name} ${version}`);
}

export interface MetadataAnswer {
  readonly brokers: ReadonlyArray<{ nodeId: number; host: string; port: number }>;
  readonly clusterId: string | null;
  readonly topics: readonly TopicMetadata[];
}

export interface TopicMetadata {
  readonly errorCode: number;
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly PartitionMetadata[];
}

export interface PartitionMetadata {
  readonly errorCode: number;
  readonly partition: number;
  /** Node id, -1 while there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: number;
  /** Node ids of the replicas. */
  readonly replicaIds: readonly number[];
  readonly inSync: number;
}

/** `topics: undefined` asks for all. */
export function encodeMetadata(topics: readonly string[] | undefined): Buffer {
  const writer = new ByteWriter().int8(0); // no tags in the request header
  if (topics === undefined) writer.unsignedVarint(0);
  else {
    writer.unsignedVarint(topics.length + 1);
    for (const topic of topics) writer.raw(Buffer.alloc(16)).compactString(topic).int8(0);
  }
  const allowAutoTopicCreation = 0;
  const includeTopicAuthorizedOperations = 0;
  return writer.int8(allowAutoTopicCreation).int8(includeTopicAuthorizedOperations).int8(0).bytes();
}

export function decodeMetadata(answer: Buffer): MetadataAnswer {
  const reader = new ByteReader(answer);
  reader.skipTags();
  reader.int32(); // throttle time
  const brokers = reader.compactArray((r) => {
    const broker = { nodeId: r.int32(), host: r.compactString() ?? '', port: r.int32() };
    r.compactString(); // rack
    r.skipTags();
    return broker;
  });
  const clusterId = reader.compactString();
  reader.int32(); // controller
  const topics = reader.compactArray((r) => {
    const errorCode = r.int16();
    const name = r.compactString() ?? '';
    const topicId = r.uuid();
    r.int8(); // internal
    const partitions = r.compactArray(readPartition);
    r.int32(); // authorized operations
    r.skipTags();
    return { errorCode, name, topicId, partitions };
  });
  return { brokers, clusterId, topics };
}

function readPartition(r: ByteReader): PartitionMetadata {
  const errorCode = r.int16();
  const partition = r.int32();
  const leader = r.int32();
  const leaderEpoch = r.int32();
  const replicaIds = r.compactArray((ids) => ids.int32());
  const inSync = r.compactArray((ids) => ids.int32()).length;
  r.skipCompactInt32s(); // offline
  r.skipTags();
  return { errorCode, partition, leader, leaderEpoch, replicas: replicaIds.length, replicaIds, inSync };
}

/** Asks for the offset of the first record at or after `timestampMs`; -1 = end, -2 = start. */
export interface OffsetQuery {
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly timestampMs: number;
}

export interface OffsetAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly offset: number;
}

/** Ends are those of committed records unless asked otherwise. */
export function encodeListOffsets(
  topic: string,
  queries: readonly OffsetQuery[],
  level: number = isolation.readCommitted,
): Buffer {
  const writer = new ByteWriter().int32(-1).int8(level).int32(1).string(topic).int32(queries.length);
  for (const { partition, leaderEpoch, timestampMs } of queries)
    writer.int32(partition).int32(leaderEpoch).int64(timestampMs);
  return writer.bytes();
}

export function decodeListOffsets(answer: Buffer): OffsetAnswer[] {
  const reader = new ByteReader(answer);
  reader.int32();
  return reader
    .array((r) => {
      r.string();
      return r.array((p) => {
        const partition = p.int32();
        const errorCode = p.int16();
        p.int64(); // timestamp
        const offset = p.int64();
        p.int32(); // leader epoch
        return { partition, errorCode, offset };
      });
    })
    .flat();
}

export interface EpochEnd {
  readonly errorCode: number;
  /** The largest epoch not above the one asked for, -1 when the log knows none. */
  readonly leaderEpoch: number;
  /** Where that epoch ended, -1 when unknown. */
  readonly endOffset: number;
}

/** Where did `leaderEpoch` end (KIP-320)? `currentLeaderEpoch` makes a deposed leader refuse. */
export function encodeOffsetsForLeaderEpoch(
  topic: string,
  query: { readonly partition: number; readonly currentLeaderEpoch: number; readonly leaderEpoch: number },
): Buffer {
  return new ByteWriter()
    .int32(-1)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(query.partition)
    .int32(query.currentLeaderEpoch)
    .int32(query.leaderEpoch)
    .bytes();
}

export function decodeOffsetsForLeaderEpoch(answer: Buffer): EpochEnd {
  const reader = new ByteReader(answer);
  reader.int32();
  const [end] = reader
    .array((r) => {
      r.string();
      return r.array((p) => {
        const errorCode = p.int16();
        p.int32(); // partition
        return { errorCode, leaderEpoch: p.int32(), endOffset: p.int64() };
      });
    })
    .flat();
  if (end === undefined) throw new RangeError('OffsetForLeaderEpoch answered for no partition');
  return end;
}

export function encodeFindTransactionCoordinator(transactionalId: string): Buffer {
  const transaction = 1;
  return new ByteWriter().string(transactionalId).int8(transaction).bytes();
}

export function decodeFindCoordinator(answer: Buffer): {
  errorCode: number;
  nodeId: number;
  host: string;
  port: number;
} {
  const reader = new ByteReader(answer);
  reader.int32();
  const errorCode = reader.int16();
  reader.string();
  return { errorCode, nodeId: reader.int32(), host: reader.string() ?? '', port: reader.int32() };
}

export function encodeInitProducerId(transactionalId: string | null, transactionTimeoutMs: number): Buffer {
  return new ByteWriter().string(transactionalId).int32(transactionTimeoutMs).bytes();
}

export function decodeInitProducerId(answer: Buffer): { errorCode: number; producerId: number; epoch: number } {
  const reader = new ByteReader(answer);
  reader.int32();
  return { errorCode: reader.int16(), producerId: reader.int64(), epoch: reader.int16() };
}
