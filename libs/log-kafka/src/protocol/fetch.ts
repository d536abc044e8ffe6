import type { AbortedTransaction } from '../record-batch-decoder';
import { ByteReader } from './byte-reader';
import { ByteWriter } from './byte-writer';
import { isolation } from './requests';

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly fetchOffset: number;
  readonly bytesMax: number;
}

export interface FetchAnswer {
  readonly topic: string;
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

/** Fetch 11, committed records only, without a session. The broker fills partitions up in the order given. */
export function encodeFetch(partitions: readonly FetchPartition[], limits: FetchLimits): Buffer {
  const topics = new Map<string, FetchPartition[]>();
  for (const entry of partitions) {
    const known = topics.get(entry.topic);
    if (known === undefined) topics.set(entry.topic, [entry]);
    else known.push(entry);
  }
  const bytesMin = 1;
  const noSession = { id: 0, epoch: -1 };
  const writer = new ByteWriter(128 + partitions.length * 64)
    .int32(-1)
    .int32(limits.waitMs)
    .int32(bytesMin)
    .int32(limits.bytesMax)
    .int8(isolation.readCommitted)
    .int32(noSession.id)
    .int32(noSession.epoch)
    .int32(topics.size);
  for (const [topic, entries] of topics) {
    writer.string(topic).int32(entries.length);
    for (const entry of entries)
      writer.int32(entry.partition).int32(entry.leaderEpoch).int64(entry.fetchOffset).int64(-1).int32(entry.bytesMax);
  }
  return writer.int32(0).string('').bytes();
}

export function decodeFetch(answer: Buffer): { errorCode: number; partitions: FetchAnswer[] } {
  const reader = new ByteReader(answer);
  reader.int32(); // throttle time
  const errorCode = reader.int16();
  reader.int32(); // session
  const partitions = reader
    .array((r) => {
      const topic = r.string() ?? '';
      return r.array((p) => readPartition(p, topic));
    })
    .flat();
  return { errorCode, partitions };
}

function readPartition(p: ByteReader, topic: string): FetchAnswer {
  const partition = p.int32();
  const errorCode = p.int16();
  const highWatermark = p.int64();
  const lastStableOffset = p.int64();
  p.int64(); // log start
  const aborted = p.array((r) => ({ producerId: r.int64(), firstOffset: r.int64() }));
  p.int32(); // preferred replica
  const batches = p.raw(Math.max(0, p.int32()));
  return { topic, partition, errorCode, highWatermark, lastStableOffset, aborted, batches };
}
