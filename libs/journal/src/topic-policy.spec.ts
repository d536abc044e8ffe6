import type { Log } from '@levee/log';
import { binlogLoss, durabilityAdvice } from './topic-policy';

const topic = (settings: Record<string, string>, replicationFactor = 3) => ({
  name: 'levee.journal',
  topicId: 't',
  partitions: 1,
  replicationFactor,
  settings,
});

/** settings | replicas | advice */
test.each<[Record<string, string>, number, RegExp[]]>([
  [{}, 3, []],
  [{ 'min.insync.replicas': '2', 'unclean.leader.election.enable': 'false' }, 3, []],
  [{ 'min.insync.replicas': '1' }, 1, []],
  [{ 'min.insync.replicas': '1' }, 3, [/min.insync.replicas is 1 with 3 replicas, it should be 2: kafka-configs.sh/]],
  [{ 'unclean.leader.election.enable': 'true' }, 1, [/is true, it should be false: .*--entity-name levee.journal/]],
])('%j with %d replicas', (settings, replicas, expected) => {
  const advice = durabilityAdvice(topic(settings, replicas));
  expect(advice).toHaveLength(expected.length);
  expected.forEach((pattern, i) => expect(advice[i]).toMatch(pattern));
});

test('a binlog that is missing, or does not begin at 0, is named', async () => {
  const log = { offsets: () => Promise.resolve([{ partition: 3, startOffset: 7, endOffset: 9 }]) } as unknown as Log;
  expect(await binlogLoss(log, { name: 'b' }, new Set())).toMatch(/binlog b is missing/);
  expect(await binlogLoss(log, { name: 'b' }, new Set(['b']))).toMatch(/b partition 3 begins at offset 7/);
});
