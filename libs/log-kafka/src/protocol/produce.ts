import { ByteReader } from './byte-reader';
import { ByteWriter } from './byte-writer';

export interface ProducePartition {
  readonly topic: string;
  readonly partition: number;
  /** One whole record batch. */
  readonly batch: Buffer;
}

export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: number;
}

/**
 * Produce 7 with acks=all. Each (topic, partition) may come once. `timeoutMs`: how long the broker waits for its
 * followers before it answers REQUEST_TIMED_OUT.
 */
export function encodeProduce(partitions: readonly ProducePartition[], timeoutMs: number): Buffer {
  const topics = new Map<string, ProducePartition[]>();
  let bytes = 64;
  for (const entry of partitions) {
    const known = topics.get(entry.topic);
    if (known === undefined) topics.set(entry.topic, [entry]);
    else known.push(entry);
    bytes += entry.batch.length + entry.topic.length + 32;
  }
  const writer = new ByteWriter(bytes).string(null).int16(-1).int32(timeoutMs).int32(topics.size);
  for (const [topic, entries] of topics) {
    writer.string(topic).int32(entries.length);
    for (const { partition, batch } of entries) writer.int32(partition).int32(batch.length).raw(batch);
  }
  return writer.bytes();
}

/**
 * `answers` in the broker's order, which is not the request's. `throttleMs`: for so long the broker does not read the
 * connection, because the client has used more than its quota.
 */
export function decodeProduce(answer: Buffer): { answers: ProduceAnswer[]; throttleMs: number } {
  const reader = new ByteReader(answer);
  const answers = reader
    .array((r) => {
      const topic = r.string() ?? '';
      return r.array((p) => {
        const partition = p.int32();
        const errorCode = p.int16();
        const baseOffset = p.int64();
        p.int64(); // append time
        p.int64(); // log start
        return { topic, partition, errorCode, baseOffset };
      });
    })
    .flat();
  return { answers, throttleMs: reader.int32() };
}
