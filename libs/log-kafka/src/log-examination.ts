import { addressText, asOffset, asPartition, messageOf } from '@levee/kernel';
import {
  type BrokerCondition,
  type LogCondition,
  LogFailure,
  type OpenTransaction,
  type WeakPartition,
} from '@levee/log';
import type { ClusterMetadata } from './cluster-metadata';
import { kafkaError } from './protocol/error-codes';
import {
  apis,
  decodeListOffsets,
  encodeListOffsets,
  isolation,
  type MetadataAnswer,
  type PartitionMetadata,
} from './protocol/requests';
import {
  type ActiveProducer,
  decodeDescribeProducers,
  decodeListTransactions,
  encodeDescribeProducers,
  encodeListTransactions,
  transactionApis,
} from './protocol/transactions';

/** Settings of brokers that bear on durability and on how long others may keep readers waiting. */
export const brokerSettingNames = [
  'transaction.max.timeout.ms',
  'unclean.leader.election.enable',
  'auto.create.topics.enable',
] as const;

export interface ExaminationParts {
  readonly metadata: ClusterMetadata;
  /** Settings by node id; may fail. */
  readonly brokerSettings: (nodeIds: readonly number[]) => Promise<ReadonlyMap<number, Record<string, string>>>;
}

interface Withheld {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

const endOfLog = -1;

/**
 * Looks at brokers, partitions and transactions. Committed records end where the oldest open transaction begins
 * (last stable offset); only partitions whose durable records go on after it are asked who that is.
 */
export async function examineLog(parts: ExaminationParts, topics: readonly string[]): Promise<LogCondition> {
  const { metadata } = parts;
  let answer: MetadataAnswer;
  try {
    answer = await metadata.look(topics);
  } catch (cause) {
    throw new LogFailure('LOG_UNAVAILABLE', `no broker answers: ${messageOf(cause)}`, { cause });
  }
  const weakPartitions: WeakPartition[] = [];
  const openTransactions: OpenTransaction[] = [];
  for (const topic of answer.topics) {
    if (topic.errorCode !== kafkaError.none) continue;
    for (const { partition, leader, replicas, inSync } of topic.partitions)
      if (leader < 0 || inSync < replicas)
        weakPartitions.push({
          topic: topic.name,
          partition: asPartition(partition),
          hasLeader: leader >= 0,
          replicas,
          inSync,
        });
    openTransactions.push(...(await transactionsOn(metadata, topic.name, topic.partitions)));
  }
  return {
    brokers: await brokersOf(parts, answer),
    weakPartitions,
    openTransactions: await named(parts, openTransactions, answer),
    // A broker does not tell what it lost.
    damage: [],
  };
}

async function brokersOf({ brokerSettings }: ExaminationParts, answer: MetadataAnswer): Promise<BrokerCondition[]> {
  const alive = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, addressText({ host, port })]));
  const wanted = new Set(answer.topics.flatMap(({ partitions }) => partitions.flatMap(({ replicaIds }) => replicaIds)));
  const settings = await brokerSettings([...alive.keys()]).catch(() => new Map<number, Record<string, string>>());
  return [...new Set([...alive.keys(), ...wanted])]
    .sort((a, b) => a - b)
    .map((nodeId) => ({ nodeId, address: alive.get(nodeId), settings: settings.get(nodeId) ?? {} }));
}

async function transactionsOn(
  metadata: ClusterMetadata,
  topic: string,
  partitions: readonly PartitionMetadata[],
): Promise<OpenTransaction[]> {
  const byLeader = new Map<number, PartitionMetadata[]>();
  for (const each of partitions) {
    const group = byLeader.get(each.leader);
    if (group === undefined) byLeader.set(each.leader, [each]);
    else group.push(each);
  }
  const found: OpenTransaction[] = [];
  for (const [nodeId, led] of byLeader) {
    const address = metadata.addressOf(nodeId);
    if (address === undefined) continue;
    const broker = metadata.control(address);
    const ends = async (level: number): Promise<Map<number, number>> => {
      const queries = led.map(({ partition, leaderEpoch }) => ({ partition, leaderEpoch, timestampMs: endOfLog }));
      const answered = decodeListOffsets(await broker.send(apis.listOffsets, encodeListOffsets(topic, queries, level)));
      return new Map(answered.flatMap((a) => (a.errorCode === kafkaError.none ? [[a.partition, a.offset]] : [])));
    };
    const committed = await ends(isolation.readCommitted);
    const durable = await ends(isolation.readUncommitted);
    const withheld = led.flatMap(({ partition }): Withheld[] => {
      const [from, to] = [committed.get(partition), durable.get(partition)];
      return from !== undefined && to !== undefined && from < to ? [{ partition, from, to }] : [];
    });
    if (withheld.length === 0) continue;
    const request = encodeDescribeProducers(
      topic,
      withheld.map(({ partition }) => partition),
    );
    const producers = decodeDescribeProducers(await broker.send(transactionApis.describeProducers, request));
    found.push(...withheld.flatMap((each) => openOn(topic, each, producers)));
  }
  return found;
}

function openOn(topic: string, { partition, to }: Withheld, producers: readonly ActiveProducer[]): OpenTransaction[] {
  return producers
    .filter((producer) => producer.partition === partition && producer.startOffset >= 0)
    .map(({ producerId, producerEpoch, startOffset, lastTimestampMs }) => ({
      topic,
      partition: asPartition(partition),
      producerId,
      producerEpoch,
      transactionalId: undefined,
      startOffset: asOffset(startOffset),
      withheldTo: asOffset(to),
      lastAppendMs: lastTimestampMs,
    }));
}

/** Who they are is known to their coordinators only, which may be any broker. */
async function named(
  { metadata }: ExaminationParts,
  open: readonly OpenTransaction[],
  { brokers }: MetadataAnswer,
): Promise<OpenTransaction[]> {
  if (open.length === 0) return [];
  const request = encodeListTransactions([...new Set(open.map(({ producerId }) => producerId))]);
  const names = new Map<number, string>();
  for (const { host, port } of brokers) {
    const answer = await metadata
      .control({ host, port })
      .send(transactionApis.listTransactions, request)
      .catch(() => undefined);
    if (answer === undefined) continue;
    for (const { producerId, transactionalId } of decodeListTransactions(answer))
      names.set(producerId, transactionalId);
  }
  return open.map((each) => ({ ...each, transactionalId: names.get(each.producerId) }));
}
