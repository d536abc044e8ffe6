import { bornOf, type ClusterState } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import { type Clock, failureCode, messageOf } from '@levee/kernel';
import type { Log, TopicDescription } from '@levee/log';
import { binlogSpec, type GrownBinlog, ownBinlogs, withBinlogAtRest } from './binlog';
import { compactedTopics, type ControlTopics } from './control-topics';
import { binlogLoss, brokersIn, durabilityAdvice } from './topic-policy';

/** What is wrong with topics. */
export interface TopicReport {
  readonly examined: number;
  readonly missing: readonly string[];
  /** One sentence each, with the mend. */
  readonly misconfigured: readonly string[];
  /** Binlogs that do not hold what was written: cut at the start, or another log under the name. */
  readonly losses: readonly { readonly namespace: string; readonly binlog: string; readonly what: string }[];
  /** Binlogs with more partitions than their namespaces. */
  readonly grown: readonly GrownBinlog[];
  /** Settings that let acknowledged records be lost when brokers fail, each with its mend. */
  readonly advice: readonly string[];
  /** min.insync.replicas by topic. */
  readonly minInSync: ReadonlyMap<string, number>;
}

/**
 * Holds every topic of the cluster against what it must be, without changing anything; what only the master knows (the
 * shortened settings of control topics) is left to its own check. A binlog that an effect is at work on is left out.
 * Fails with LOG_UNAVAILABLE.
 */
export async function examineTopics(
  log: Log,
  state: ClusterState,
  { topics, clock }: { readonly topics: ControlTopics; readonly clock: Clock },
): Promise<TopicReport> {
  const namespaces = ownBinlogs(withBinlogAtRest(state));
  const { prefix: _prefix, ...control } = topics;
  const names = [...Object.values(control), ...namespaces.map(({ binlog }) => binlog)];
  const descriptions = await log.describeTopics(names);
  const existing = new Map(descriptions.map((topic) => [topic.name, topic]));
  const misconfigured = controlFaults(existing, topics);
  const losses: TopicReport['losses'][number][] = [];
  const grown: GrownBinlog[] = [];
  for (const of of namespaces) {
    const topic = existing.get(of.binlog);
    if (topic === undefined) continue;
    const partitions = Math.max(of.partitions, topic.partitions);
    if (partitions > of.partitions) grown.push(await grownBinlog(log, of, partitions));
    const fault = await log.ensureTopics([binlogSpec({ ...of, partitions })]).catch((error: unknown) => {
      if (failureCode(error) === 'TOPIC_MISCONFIGURED') return messageOf(error);
      throw error;
    });
    if (fault !== undefined) misconfigured.push(...fault.split('\n'));
    const clusterId = state.clusterId ?? '';
    const what = await binlogLoss(log, { ...of, namespace: bornOf(of).name, clusterId }, clock);
    if (what !== undefined) losses.push({ namespace: of.name, binlog: of.binlog, what });
  }
  const minInSync = descriptions.map(
    ({ name, settings }) => [name, Number(settings['min.insync.replicas'] ?? 1)] as const,
  );
  return {
    examined: names.length,
    missing: names.filter((name) => !existing.has(name)),
    misconfigured,
    losses,
    grown,
    advice: descriptions.flatMap((topic) => durabilityAdvice(topic, brokersIn(log))),
    minInSync: new Map(minInSync),
  };
}

async function grownBinlog(log: Log, of: NamespaceState, has: number): Promise<GrownBinlog> {
  const { name: namespace, binlog, partitions } = of;
  const added = (await log.offsets(binlog)).filter(({ partition }) => partition >= partitions);
  const records = added.reduce((sum, { startOffset, endOffset }) => sum + endOffset - startOffset, 0);
  return { namespace, binlog, partitions, has, records };
}

/** Without these a control topic would forget what must be kept, whatever the master's settings are. */
function controlFaults(existing: ReadonlyMap<string, TopicDescription>, topics: ControlTopics): string[] {
  const wanted: [string, string, string][] = [
    [topics.journal, 'cleanup.policy', 'delete'],
    [topics.journal, 'retention.ms', '-1'],
    [topics.journal, 'retention.bytes', '-1'],
    ...compactedTopics(topics).map((name): [string, string, string] => [name, 'cleanup.policy', 'compact']),
  ];
  return wanted.flatMap(([name, setting, value]) => {
    const is = existing.get(name)?.settings[setting];
    return is === undefined || is === value
      ? []
      : [
          `topic ${name}: ${setting} is ${is}, must be ${value}: kafka-configs.sh --alter --entity-type topics ` +
            `--entity-name ${name} --add-config ${setting}=${value}`,
        ];
  });
}
