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

export function producerSettings(
  namespace: Pick<NamespaceState, 'binlog' | 'partitions' | 'hashAlgorithm'>,
): ProducerSettings {
  const { binlog: topic, partitions, hashAlgorithm } = namespace;
  const sizes =
    'a batch: at most 2 MiB, unpacked as well (max.message.bytes of the topic; else the broker refuses it with MESSAGE_TOO_LARGE); ' +
    'a key: at most 1 KiB, or no door can ask for it, and above 32 KiB it is only put into quarantine (tooLarge)';
  const value = `the bytes ${putHeader} and an Avro record Put (schemas/Put/v1.avsc), or null to delete; acks=all, idempotent`;
  switch (hashAlgorithm) {
    case 'murmur2':
      return {
        topic,
        partitions,
        rule: `partition = (murmur2(key) & 0x7fffffff) % ${partitions}`,
        clients: [
          {
            client: 'Java',
            setting: 'the default partitioner (leave partitioner.class unset, and give every record a key)',
          },
          { client: 'librdkafka (C, C++, Python, Go, .NET by Confluent)', setting: 'partitioner=murmur2_random' },
          { client: 'kafkajs 2', setting: 'createPartitioner: Partitioners.DefaultPartitioner' },
          { client: 'others', setting: 'compute the partition by the rule and pass it explicitly' },
        ],
        value,
        sizes,
      };
    case 'murmur2-hashtag':
      return {
        topic,
        partitions,
        rule:
          `partition = (murmur2(part) & 0x7fffffff) % ${partitions}, where part is what stands between the first { ` +
          `of the key and the first } after it, or the whole key when that is empty or missing`,
        clients: [{ client: 'all', setting: 'compute the partition by the rule and pass it explicitly' }],
        value,
        sizes,
      };
  }
}
