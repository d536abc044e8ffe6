import type { TopicDescription, TopicSpec } from '@levee/log';
import { topicFaults } from './topic-policy';

const spec: TopicSpec = {
  name: 't',
  partitions: 8,
  settings: { 'cleanup.policy': 'compact', 'retention.ms': '604800000' },
};
const actual: TopicDescription = {
  name: 't',
  topicId: 'id',
  partitions: 8,
  replicationFactor: 3,
  settings: { 'cleanup.policy': 'compact', 'retention.ms': '604800000', 'segment.bytes': '1' },
};

describe('the policy check of a topic', () => {
  it.each<[string, Partial<TopicSpec>, Partial<TopicDescription>, RegExp[]]>([
    ['nothing is wrong, whatever the other settings are', {}, {}, []],
    [
      'partitions',
      { partitions: 4 },
      {},
      [/has 8 partitions and must have 4.*kafka-topics\.sh --bootstrap-server b:9092/],
    ],
    ['replication', { replicationFactor: 2 }, {}, [/factor is 3 and must be 2.*kafka-reassign-partitions\.sh/]],
    ['replication that nobody asked about', {}, { replicationFactor: 1 }, []],
    [
      'a setting',
      { settings: { 'cleanup.policy': 'delete' } },
      {},
      [
        /cleanup\.policy is compact, must be delete: kafka-configs\.sh .*--entity-name t --add-config cleanup\.policy=delete/,
      ],
    ],
    [
      'a list in another order',
      { settings: { 'cleanup.policy': 'delete,compact' } },
      { settings: { 'cleanup.policy': 'compact, delete' } },
      [],
    ],
    [
      'a list in the mend is bracketed',
      { settings: { 'cleanup.policy': 'compact,delete' } },
      {},
      [/--add-config cleanup\.policy=\[compact,delete\]/],
    ],
    ['a number spelt otherwise', { settings: { ratio: '0.10' } }, { settings: { ratio: '0.1' } }, []],
    ['a setting the broker does not name', { settings: { odd: 'x' } }, {}, [/odd is unknown, must be x/]],
  ])('%s', (_name, asked, is, faults) => {
    const found = topicFaults({ ...spec, ...asked }, { ...actual, ...is }, 'b:9092');
    expect(found).toHaveLength(faults.length);
    faults.forEach((fault, n) => expect(found[n]).toMatch(fault));
  });
});
