import type { NamespaceState } from '@levee/events';

/** What a producer that appends to the binlog itself must do so that its records land in their keys' partitions. */
export interface ProducerSettings {
  /** Topic to write to. */
  readonly topic: string;
  readonly partitions: number;
  /** The rule in words, for clients without a fitting partitioner. */
  readonly rule: string;
  readonly clients: readonly { readonly client: string; readonly setting: string }[];
  readonly value: string;
  /** What is refused by the log, or not read. */
  readonly sizes: string;
}

/** `C3 01` and the fingerprint of `Put`, with which each value begins (`RecordType` computes it; a test compares). */
const putHeader = 'c30173555d3059ee5513';

type Clients = ProducerSettings['clients'];
type Producing = Pick<NamespaceState, 'binlog' | 'partitions' | 'hashAlgorithm' | 'recordFormat'>;

const byRule: Clients[number] = {
  client: 'others',
  setting: 'compute the partition by the rule and pass it explicitly',
};

/** By hash algorithm: the partition of a key, and the clients that compute it. */
const partitioning: Readonly<
  Record<NamespaceState['hashAlgorithm'], { readonly rule: (partitions: number) => string; readonly clients: Clients }>
> = {
  murmur2: {
    rule: (partitions) => `partition = (murmur2(key) & 0x7fffffff) % ${partitions}`,
    clients: [
      {
        client: 'Java',
        setting: 'the default partitioner (leave partitioner.class unset, and give every record a key)',
      },
      { client: 'librdkafka (C, C++, Python, Go, .NET by Confluent)', setting: 'partitioner=murmur2_random' },
      { client: 'kafkajs 2', setting: 'createPartitioner: Partitioners.DefaultPartitioner' },
      byRule,
    ],
  },
  'murmur2-hashtag': {
    rule: (partitions) =>
      `partition = (murmur2(part) & 0x7fffffff) % ${partitions}, where part is what stands between the first { ` +
      `of the key and the first } after it, or the whole key when that is empty or missing`,
    clients: [{ ...byRule, client: 'all' }],
  },
  crc32: {
    rule: (partitions) => `partition = crc32(key) % ${partitions}, crc32 as zlib computes it, unsigned; no empty keys`,
    clients: [
      {
        client: 'librdkafka (C, C++, Python, Go, .NET by Confluent; kcat)',
        setting: 'partitioner=consistent_random, which is its default',
      },
      { client: 'sarama (Go)', setting: 'Producer.Partitioner = sarama.NewConsistentCRCHashPartitioner' },
      byRule,
    ],
  },
  fnv1a: {
    rule: (partitions) => `partition = abs(fnv1a32(key) as a signed number) % ${partitions}`,
    clients: [
      {
        client: 'sarama (Go)',
        setting: 'Producer.Partitioner = sarama.NewHashPartitioner, which is its default',
      },
      byRule,
    ],
  },
};

const values: Readonly<Record<NamespaceState['recordFormat'], string>> = {
  put: `the bytes ${putHeader} and an Avro record Put (schemas/Put/v1.avsc), or null to delete; acks=all, idempotent`,
  raw:
    'the value as it is, or null to delete; a header levee-expires-at-ms (decimal digits, ms since 1970) makes it ' +
    'expire; acks=all, idempotent',
};

const sizes =
  'a batch: at most 2 MiB, unpacked as well (max.message.bytes of the topic; else the broker refuses it with MESSAGE_TOO_LARGE); ' +
  'a key: at most 1 KiB, or no door can ask for it, and above 32 KiB it is only put into quarantine (tooLarge)';

export function producerSettings({ binlog, partitions, hashAlgorithm, recordFormat }: Producing): ProducerSettings {
  const { rule, clients } = partitioning[hashAlgorithm];
  return { topic: binlog, partitions, rule: rule(partitions), clients, value: values[recordFormat], sizes };
}
