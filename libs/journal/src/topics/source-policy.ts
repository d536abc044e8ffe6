import { retentionLimits } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import type { TopicDescription } from '@levee/log';

/** What a namespace needs of its topic's settings. */
export interface SourceKeeping {
  /** Its values are hidden before the topic may let go of them. */
  readonly expireWithRetention: boolean;
  /** `retention.ms` as it was bound; null = nobody has looked yet, or values do not expire. */
  readonly retentionMs: NamespaceState['retentionMs'];
  /** Portals write there. */
  readonly writable: boolean;
}

const sourceLimits = {
  /** Replicas that were away for longer than half of it are built anew: with less that would never end. */
  deleteRetentionMsMin: 600_000,
  /** What portals append at a time fits; a larger value of a client is refused alone. Kafka's default is a little more. */
  messageBytesMin: 1_000_000,
} as const;

interface Settings {
  readonly name: string;
  readonly policy: string;
  readonly deletes: boolean;
  /** -1: it keeps every record, whatever its age; NaN: not told. */
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly mend: (setting: string) => string;
}

/** Age at which a topic lets go of records, ms; `undefined` where age alone does not say it. */
export const retentionOf = ({ settings }: Pick<TopicDescription, 'settings'>): number | undefined => {
  const ms = Number(settings['retention.ms'] ?? NaN);
  return Number.isSafeInteger(ms) && ms >= 0 ? ms : undefined;
};

/** Many say `Long.MAX_VALUE` where they mean for ever: longer than there have been times since 1970 is no age. */
function keptForMs(setting: string | undefined): number {
  const ms = Number(setting ?? NaN);
  return ms > Number.MAX_SAFE_INTEGER ? -1 : ms;
}

/** Why a topic cannot be served, or not any more, by what its settings say, with what helps; `undefined` when it can. */
export function sourcePolicyProblem(
  topic: TopicDescription,
  keeping: SourceKeeping,
  brokers: string,
): string | undefined {
  const { name, settings } = topic;
  const mend = (setting: string): string =>
    `kafka-configs.sh --bootstrap-server ${brokers} --alter --entity-type topics --entity-name ${name} --add-config ${setting}`;
  const policy = settings['cleanup.policy'] ?? 'delete';
  const parts = policy.split(',').map((part) => part.trim());
  const of: Settings = {
    ...{ name, policy, mend, deletes: parts.includes('delete') },
    retentionMs: keptForMs(settings['retention.ms']),
    retentionBytes: Number(settings['retention.bytes'] ?? NaN),
  };
  const problem =
    (keeping.expireWithRetention ? agingProblem(of, keeping) : forgettingProblem(of)) ??
    (keeping.writable ? writingProblem(topic, mend) : undefined);
  if (problem !== undefined) return problem;
  const tombstonesMs = Number(settings['delete.retention.ms'] ?? NaN);
  if (tombstonesMs < sourceLimits.deleteRetentionMsMin)
    return (
      `delete.retention.ms of ${name} is ${tombstonesMs}, it must be at least ${sourceLimits.deleteRetentionMsMin}: a ` +
      `replica that was away for half of it may miss deletions. Its owner can change that: ` +
      mend(`delete.retention.ms=${sourceLimits.deleteRetentionMsMin}`)
    );
  return undefined;
}

/** Of a namespace whose values stay until they are replaced: the topic must not let go of the last record of a key. */
function forgettingProblem({ name, policy, deletes, retentionMs, retentionBytes, mend }: Settings): string | undefined {
  // It lets go of nothing, by age or by size.
  if (!deletes || (retentionMs === -1 && retentionBytes === -1)) return undefined;
  const byAge = retentionMs !== -1;
  const bySize = retentionBytes !== -1;
  const forgets = [
    ...(byAge ? [`records that are older than retention.ms=${retentionMs}`] : []),
    ...(bySize ? [`the oldest records above retention.bytes=${retentionBytes}`] : []),
  ].join(' and ');
  const ways = bySize
    ? `With retention.bytes=-1 it could be served with --expire-with-retention; as it is, only compacted`
    : `Served with --expire-with-retention (and --record-format raw), a value counts as expired before its record is that ` +
      `old, as with a time to live that runs from the time of the record. Or its owner compacts it`;
  return (
    `cleanup.policy of ${name} is ${policy}: it forgets ${forgets}, which replicas would go on to serve. ${ways}: ` +
    mend('cleanup.policy=compact')
  );
}

/** Of a namespace whose values expire with retention: age alone must say what the topic lets go of, as it was bound. */
function agingProblem(
  { name, policy, deletes, retentionMs, retentionBytes, mend }: Settings,
  { retentionMs: boundMs }: SourceKeeping,
): string | undefined {
  const { retentionMsMin } = retentionLimits;
  if (!deletes)
    return boundMs === null
      ? `cleanup.policy of ${name} is ${policy}: it forgets nothing by age, so nothing need expire: leave out --expire-with-retention`
      : `cleanup.policy of ${name} is ${policy} and was one with delete: values are hidden after ${boundMs} ms as before. ` +
          'To have them for as long as the topic has them, delete the namespace, which leaves the topic, and bind it without --expire-with-retention';
  if (retentionBytes !== -1)
    return (
      `retention.bytes of ${name} is ${retentionBytes}: it forgets by size, which says of no record when, so replicas could ` +
      `differ; it must be -1. Its owner can change that: ${mend('retention.bytes=-1')}`
    );
  if (boundMs !== null && retentionMs !== boundMs) return otherRetention(name, { boundMs, isMs: retentionMs, mend });
  if (retentionMs === -1)
    return `retention.ms of ${name} is -1: it keeps every record, so nothing need expire: leave out --expire-with-retention`;
  if (Number.isSafeInteger(retentionMs) && retentionMs >= retentionMsMin) return undefined;
  return (
    `retention.ms of ${name} is ${retentionMs}, it must be at least ${retentionMsMin}: a quarter of it is the margin for ` +
    `clocks. Its owner can change that: ${mend(`retention.ms=${retentionMsMin}`)}`
  );
}

/** [safety] Of a topic that portals write to: what it acknowledges stays (I2), and it takes what they send. */
function writingProblem({ name, settings }: TopicDescription, mend: Settings['mend']): string | undefined {
  if (settings['unclean.leader.election.enable'] === 'true')
    return (
      `unclean.leader.election.enable of ${name} is true: a write that was acknowledged could be lost; to be written to it ` +
      `must be false. Its owner can change that: ${mend('unclean.leader.election.enable=false')}`
    );
  const { messageBytesMin } = sourceLimits;
  const bytes = Number(settings['max.message.bytes'] ?? NaN);
  if (bytes >= messageBytesMin) return undefined;
  return (
    `max.message.bytes of ${name} is ${bytes}, to be written to it must be at least ${messageBytesMin}. Its owner can change ` +
    `that: ${mend(`max.message.bytes=${messageBytesMin}`)}`
  );
}

function otherRetention(
  name: string,
  { boundMs, isMs, mend }: { readonly boundMs: number; readonly isMs: number; readonly mend: Settings['mend'] },
): string {
  const isLower = isMs >= 0 && isMs < boundMs;
  const means = isLower
    ? 'replicas that were there before serve values that the topic has let go of, and those that are built anew lack them'
    : 'values are hidden as they were, though the topic keeps their records for longer: nothing wrong is served';
  return (
    `retention.ms of ${name} is ${isMs}, and it was ${boundMs} when it was bound: ${means}. To follow it, delete the ` +
    `namespace, which leaves the topic, and bind it anew; or its owner changes it back: ${mend(`retention.ms=${boundMs}`)}`
  );
}
