import { createHash } from 'node:crypto';
import { asOffset } from '@levee/kernel';
import { type HashAlgorithm, hashOf, partitionOf } from '@levee/keyspace';
import type { Log, TopicDescription } from '@levee/log';
import { CompressionTypes, type Admin, type Kafka, type Message, type Producer } from 'kafkajs';
import { eventually } from './deadline';

const groupOf = (topic: string): string => `${topic}-readers`;

/** A topic as a team has it, written by ordinary clients, with what its records say. */
export class TopicOfOthers {
  /** What each key holds; what was deleted is not there. */
  readonly oracle = new Map<string, string>();
  /** By partition: the offset behind the newest record that was sent. */
  readonly ends = new Map<number, number>();
  private sent = 0;

  constructor(
    readonly name: string,
    readonly partitions: number,
    readonly hashAlgorithm: HashAlgorithm,
    private readonly producer: Producer,
  ) {}

  static async create(
    admin: Admin,
    producer: Producer,
    of: Pick<TopicOfOthers, 'name' | 'partitions' | 'hashAlgorithm'> & { readonly settings?: Record<string, string> },
  ): Promise<TopicOfOthers> {
    const { name, partitions, hashAlgorithm, settings = { 'cleanup.policy': 'compact' } } = of;
    const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic: name, numPartitions: partitions, replicationFactor: 1, configEntries }],
    });
    await eventually(`${name} has leaders`, async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
      return topics[0]?.partitions.length === partitions && topics[0].partitions.every(({ leader }) => leader >= 0);
    });
    return new TopicOfOthers(name, partitions, hashAlgorithm, producer);
  }

  /** As its clients place it: each names the partition that its partitioner says. */
  message(key: string, value: string | null, headers?: Record<string, string>): Message {
    const partition = partitionOf(hashOf(Buffer.from(key), this.hashAlgorithm), this.partitions);
    return { key, value, partition, ...(headers === undefined ? {} : { headers }) };
  }

  /** Sends entries, null for a deletion, and notes what they say. */
  async send(
    entries: readonly (readonly [string, string | null])[],
    compression = CompressionTypes.None,
  ): Promise<void> {
    const messages = entries.map(([key, value]) => this.message(key, value, { traceparent: `00-${this.sent++}` }));
    const told = await this.producer.send({ topic: this.name, acks: -1, compression, messages });
    for (const [key, value] of entries)
      if (value === null) this.oracle.delete(key);
      else this.oracle.set(key, value);
    const counts = new Map<number, number>();
    for (const { partition = 0 } of messages) counts.set(partition, (counts.get(partition) ?? 0) + 1);
    for (const { partition, baseOffset } of told)
      this.ends.set(partition, Number(baseOffset) + (counts.get(partition) ?? 0));
  }

  /** Positions of all that was sent, as `LV.WAIT` takes them. */
  get positions(): string[] {
    return [...this.ends].map(([partition, nextOffset]) => `${partition}:${nextOffset}`);
  }

  /** A group of readers that has committed offsets here. */
  async readInGroup(kafka: Kafka, admin: Admin): Promise<void> {
    const groupId = groupOf(this.name);
    const offsets = Array.from({ length: this.partitions }, (_, partition) => ({ partition, offset: `${partition}` }));
    const consumer = kafka.consumer({ groupId });
    await consumer.connect();
    await consumer.disconnect();
    await admin.setOffsets({ groupId, topic: this.name, partitions: offsets });
  }
}

export interface Snapshot {
  readonly description: TopicDescription;
  readonly groups: readonly string[];
  readonly committed: unknown;
  /** By partition: each stored batch as `baseOffset nextOffset crc epoch`. */
  readonly batches: readonly (readonly string[])[];
  readonly records: number;
  /** Of every record with its time, key, value and headers. */
  readonly sha256: string;
}

/** Everything there is to see of a topic: records as they are stored, settings, groups. */
export async function snapshotOf(log: Log, admin: Admin, topic: string): Promise<Snapshot> {
  const [description] = await log.describeTopics([topic]);
  if (description === undefined) throw new Error(`there is no topic ${topic}`);
  const { groups } = await admin.listGroups();
  const committed = await admin.fetchOffsets({ groupId: groupOf(topic), topics: [topic] });
  const batches: string[][] = [];
  const hash = createHash('sha256');
  let records = 0;
  for (const { partition, startOffset, endOffset } of await log.offsets(topic)) {
    const found: string[] = [];
    const stop = new AbortController();
    const from = { nextOffset: asOffset(startOffset), leaderEpoch: -1 };
    for await (const batch of log.tail(topic, partition, from, { signal: stop.signal, stored: true })) {
      for (const each of batch.stored ?? []) {
        found.push(`${each.baseOffset} ${each.nextOffset} ${each.crc} ${each.leaderEpoch}`);
        for (const { offset, timestampMs, key, value, headers } of each.records()) {
          records++;
          const said = headers.map((one) => `${one.key}=${one.value.toString('hex')}`).join();
          hash.update(`${offset} ${timestampMs} ${key?.toString('hex')} ${value?.toString('hex')} ${said}\n`);
        }
      }
      if (batch.nextOffset >= endOffset) break;
    }
    stop.abort();
    batches.push(found);
  }
  return {
    description,
    groups: groups.map(({ groupId }) => groupId).sort(),
    committed,
    batches,
    records,
    sha256: hash.digest('hex'),
  };
}
