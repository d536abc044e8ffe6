import type { BindTopic } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import type { Clock } from '@levee/kernel';
import { partitionsMax } from '@levee/keyspace';
import type { Log, TopicDescription } from '@levee/log';
import { judgeSample, sampleProblem, sampleTopic } from './source-sample';
import { retentionOf, type SourceKeeping, sourcePolicyProblem } from './source-policy';
import { brokersIn } from './topic-policy';

/** What a namespace says of the topic of others that it serves. */
export type SourceOf = Pick<NamespaceState, 'name' | 'binlog' | 'partitions' | 'sourceTopicId'> & SourceKeeping;

/** A topic of others as it can be bound, or why it cannot be. Changes nothing at it (I23). Fails as the log does. */
async function lookAtSource(
  log: Log,
  name: string,
  keeping: SourceKeeping,
): Promise<{ readonly topic: TopicDescription } | { readonly problem: string }> {
  const [topic] = await log.describeTopics([name]);
  if (topic === undefined)
    return {
      problem: `there is no topic ${name}, or this cluster may not see it: levee namespace create makes none for others`,
    };
  if (topic.partitions > partitionsMax)
    return { problem: `topic ${name} has ${topic.partitions} partitions, at most ${partitionsMax} are served` };
  const problem = sourcePolicyProblem(topic, keeping, brokersIn(log));
  return problem === undefined ? { topic } : { problem };
}

/** As what a namespace is bound, or why it is not: by what the topic is, and by its newest records. Fails as the log does. */
export async function bindTopic(
  log: Log,
  of: Pick<BindTopic, 'binlog' | 'hashAlgorithm' | 'recordFormat' | 'expireWithRetention' | 'writable'>,
  clock: Clock,
): Promise<BoundTopic | { readonly problem: string }> {
  const { expireWithRetention, writable } = of;
  const found = await lookAtSource(log, of.binlog, { expireWithRetention, writable, retentionMs: null });
  if ('problem' in found) return found;
  const { topicId, partitions, name } = found.topic;
  const sample = await sampleTopic(log, { name, topicId }, clock);
  const problem = sampleProblem(judgeSample(sample.records, partitions), of);
  if (problem !== undefined) return { problem };
  return { topicId, partitions, ...(expireWithRetention ? { retentionMs: retentionOf(found.topic) } : {}) };
}

/** What is taken down of a topic that is bound. */
interface BoundTopic {
  readonly topicId: string;
  readonly partitions: number;
  /** Of a namespace whose values expire with it. */
  readonly retentionMs?: number | undefined;
}

/** What is wrong with the topic of a bound namespace. */
export interface SourceFinding {
  readonly finding: NamespaceState['sourceFinding'];
  /** In words, with what helps; null = nothing is wrong. */
  readonly problem: string | null;
}

/** Holds what a topic is now against what was bound; `topic` is absent when there is none of that name. */
export function sourceFinding(of: SourceOf, topic: TopicDescription | undefined, brokers: string): SourceFinding {
  const { name, binlog, partitions, sourceTopicId } = of;
  const anew = `delete the namespace, which leaves the topic (levee namespace delete ${name} --yes), and bind it anew`;
  if (topic === undefined)
    return {
      finding: 'missing',
      problem: `topic ${binlog}, which ${name} serves, does not exist any more: what replicas hold of it is kept and not served`,
    };
  if (topic.topicId !== sourceTopicId)
    return {
      finding: 'recreated',
      problem:
        `topic ${binlog} was deleted and created again: ${name} was bound to ${sourceTopicId}, the topic is ` +
        `${topic.topicId} now. What replicas hold of the old one is kept and not served; to serve the new one, ${anew}`,
    };
  if (topic.partitions > partitions)
    return {
      finding: 'grown',
      problem:
        `topic ${binlog} has ${topic.partitions} partitions, it was bound with ${partitions}: newer records of keys stand ` +
        `in other partitions now than older ones. Produce every key again, so that its new partition has it, then ${anew}`,
    };
  const problem = sourcePolicyProblem(topic, of, brokers);
  return problem === undefined ? { finding: 'none', problem: null } : { finding: 'policy', problem };
}
