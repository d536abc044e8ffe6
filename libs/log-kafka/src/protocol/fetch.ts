import type { AbortedTransaction } from '../record-batch-decoder';
import { ByteReader } from './byte-reader';
import { ByteWriter } from './byte-writer';
import { isolation } from './requests';

export interface FetchPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly fetchOffset: number;
  readonly bytesMax: number;
}

export interface FetchAnswer {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Whole batches, and perhaps the beginning of one more. Points into the answer. */
  readonly batches: Buffer;
}

export interface FetchLimits {
  /** Longest time the broker waits for the first byte. */
  readonly waitMs: number;
  readonly bytesMax: number;
}

/** Fetch 13, committed records only, without a session. The broker fills partitions up in the order given. */
export function encodeFetch(partitions: readonly FetchPartition[], limits: FetchLimits): Buffer {
  const topics = new Map<string, FetchPartition[]>();
  for (const entry of partitions) {
    const known = topics.get(entry.topicId);
    if (known === undefined) topics.set(entry.topicId, [entry]);
    else known.push(entry);
  }
  const bytesMin = 1;
  const noSession = { id: 0, epoch: -1 };
  const noTags = 0;
  const writer = new ByteWriter(128 + partitions.length * 64)
    .int8(noTags) // of the request header
    .int32(-1)
    .int32(limits.waitMs)
    .int32(bytesMin)
    .int32(limits.bytesMax)
    .int8(isolation.readCommitted)
    .int32(noSession.id)
    .int32(noSession.epoch)
    .unsignedVarint(topics.size + 1);
  for (const [topicId, entries] of topics) {
    writer.uuid(topicId).unsignedVarint(entries.length + 1);
    for (const { partition, leaderEpoch, fetchOffset, bytesMax } of entries) {
      writer.int32(partition).int32(leaderEpoch).int64(fetchOffset);
      writer.int32(-1).int64(-1).int32(bytesMax).int8(noTags); // last fetched epoch and log start: of followers
    }
    writer.int8(noTags);
  }
  const nothingForgotten = 1;
  return writer.unsignedVarint(nothingForgotten).compactString('').int8(noTags).bytes();
}

/** `throttleMs`: for so long the broker does not read the connection, because the client has used more than its quota. */
export function decodeFetch(answer: Buffer): { errorCode: number; partitions: FetchAnswer[]; throttleMs: number } {
  const reader = new ByteReader(answer);
  reader.skipTags();
  const throttleMs = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // session
  const partitions = reader
    .compactArray((r) => {
      const topicId = r.uuid();
      const found = r.compactArray((p) => readPartition(p, topicId));
      r.skipTags();
      return found;
    })
    .flat();
  return { errorCode, partitions, throttleMs };
}

function readPartition(p: ByteReader, topicId: string): FetchAnswer {
  const partition = p.int32();
  const errorCode = p.int16();
  const highWatermark = p.int64();
  const lastStableOffset = p.int64();
  p.int64(); // log start
  const aborted = p.compactArray((r) => {
    const transaction = { producerId: r.int64(), firstOffset: r.int64() };
    r.skipTags();
    return transaction;
  });
  p.int32(); // preferred replica
  const batches = p.raw(Math.max(0, p.compactCount()));
  p.skipTags();
  return { topicId, partition, errorCode, highWatermark, lastStableOffset, aborted, batches };
}
