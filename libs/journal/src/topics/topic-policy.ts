import type { Clock } from '@levee/kernel';
import type { Log, TopicDescription } from '@levee/log';
import { type Binlog, binlogForeignness, type GrownBinlog, ownPartitions } from './binlog';

/**
 * What a binlog has lost for ever, in words; `undefined` when it is whole: it begins at offset 0 with our Genesis. Its
 * topic exists. Fails as the log does.
 */
export async function binlogLoss(log: Log, binlog: Binlog, clock: Clock): Promise<string | undefined> {
  const cut = (await ownPartitions(log, binlog)).find(({ startOffset }) => startOffset > 0);
  if (cut === undefined) return binlogForeignness(log, binlog, clock);
  return (
    `binlog ${binlog.binlog} partition ${cut.partition} begins at offset ${cut.startOffset}, it must begin at 0: ` +
    `somebody deleted records, so replicas built from it would miss keys`
  );
}

/** In words, that somebody added partitions to a binlog. */
export function binlogGrown({ namespace, binlog, partitions, has, records }: GrownBinlog): string {
  const added = has - partitions === 1 ? `partition ${partitions}` : `the partitions ${partitions} to ${has - 1}`;
  return (
    `binlog ${binlog} has ${has} partitions and ${namespace} was created with ${partitions}: somebody added ${added}, ` +
    `which hold ${records} records that no replica reads`
  );
}

/**
 * Settings that Levee does not make itself, because they depend on the brokers, and without which acknowledged records
 * can be lost: each with what it is, what it should be, and the command that mends it. A log without them says nothing.
 */
export function durabilityAdvice(topic: TopicDescription, brokers: string): string[] {
  const { name, settings, replicationFactor } = topic;
  const advice: string[] = [];
  const mend = (setting: string): string =>
    `kafka-configs.sh --bootstrap-server ${brokers} --alter --entity-type topics --entity-name ${name} --add-config ${setting}`;
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

/** `host:port,...` of a log on Kafka for commands that people type; empty for the embedded one. */
export function brokersIn({ description }: Pick<Log, 'description'>): string {
  return description.startsWith('kafka ') ? description.slice('kafka '.length) : '';
}
