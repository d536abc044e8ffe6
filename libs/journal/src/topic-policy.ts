import type { Log, TopicDescription, TopicSpec } from '@levee/log';

/** What a binlog has lost for ever, in words; `undefined` when it is whole: it exists, and begins at offset 0. */
export async function binlogLoss(
  log: Log,
  spec: Pick<TopicSpec, 'name'>,
  existing: ReadonlySet<string>,
): Promise<string | undefined> {
  if (!existing.has(spec.name)) return `binlog ${spec.name} is missing: somebody deleted it, restore it from a backup`;
  const cut = (await log.offsets(spec.name)).find(({ startOffset }) => startOffset > 0);
  if (cut === undefined) return undefined;
  return (
    `binlog ${spec.name} partition ${cut.partition} begins at offset ${cut.startOffset}, it must begin at 0: ` +
    `somebody deleted records, so replicas built from it would miss keys`
  );
}

/**
 * Settings that Levee does not make itself, because they depend on the brokers, and without which acknowledged records
 * can be lost: each with what it is, what it should be, and the command that mends it. A log without them says nothing.
 */
export function durabilityAdvice(topic: TopicDescription): string[] {
  const { name, settings, replicationFactor } = topic;
  const advice: string[] = [];
  const mend = (setting: string): string =>
    `kafka-configs.sh --alter --entity-type topics --entity-name ${name} --add-config ${setting}`;
  if (settings['unclean.leader.election.enable'] === 'true')
    advice.push(
      `${name}: unclean.leader.election.enable is true, it should be false: ${mend('unclean.leader.election.enable=false')}`,
    );
  const minInSync = settings['min.insync.replicas'];
  if (replicationFactor >= 3 && minInSync !== undefined && Number(minInSync) < 2)
    advice.push(
      `${name}: min.insync.replicas is ${minInSync} with ${replicationFactor} replicas, it should be 2: ${mend('min.insync.replicas=2')}`,
    );
  return advice;
}
