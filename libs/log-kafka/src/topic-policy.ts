import type { TopicDescription, TopicSpec } from '@levee/log';

/**
 * What is wrong with an existing topic, one sentence per fault with the command that mends it; empty when it is as
 * `spec` says. Settings that the spec does not name may have any value.
 */
export function topicFaults(spec: TopicSpec, actual: TopicDescription, brokers: string): string[] {
  const faults: string[] = [];
  if (actual.partitions !== spec.partitions)
    faults.push(
      `it has ${actual.partitions} partitions and must have ${spec.partitions}: the count is fixed for ever, ` +
        `use another topic prefix (LEVEE_TOPIC_PREFIX), or delete it with its data: ` +
        `kafka-topics.sh --bootstrap-server ${brokers} --delete --topic ${spec.name}`,
    );
  if (spec.replicationFactor !== undefined && actual.replicationFactor !== spec.replicationFactor)
    faults.push(
      `its replication factor is ${actual.replicationFactor} and must be ${spec.replicationFactor}: ` +
        `kafka-reassign-partitions.sh --bootstrap-server ${brokers} --reassignment-json-file <plan> --execute`,
    );
  const wrong = Object.entries(spec.settings).filter(([name, value]) => !sameSetting(actual.settings[name], value));
  if (wrong.length === 0) return faults;
  const differences = wrong.map(
    ([name, value]) => `${name} is ${actual.settings[name] ?? 'unknown'}, must be ${value}`,
  );
  const added = wrong.map(([name, value]) => (value.includes(',') ? `${name}=[${value}]` : `${name}=${value}`));
  faults.push(
    `${differences.join('; ')}: kafka-configs.sh --bootstrap-server ${brokers} --alter --entity-type topics ` +
      `--entity-name ${spec.name} --add-config ${added.join(',')}`,
  );
  return faults;
}

/** Lists in any order, numbers in any spelling. */
function sameSetting(actual: string | undefined, wanted: string): boolean {
  if (actual === undefined) return false;
  if (actual === wanted) return true;
  const sorted = (value: string): string =>
    value
      .split(',')
      .map((part) => part.trim())
      .sort()
      .join(',');
  if (sorted(actual) === sorted(wanted)) return true;
  return wanted.trim() !== '' && Number(actual) === Number(wanted);
}
