import { LogFailure, type TopicDescription, type TopicSpec } from '@levee/log';
import { embeddedLimits } from './limits';

/** A topic as it is stored: JSON behind a CRC, in two slots written together. */
export interface StoredTopic {
  readonly name: string;
  /** Names the topic in keys; never used again. */
  readonly number: number;
  readonly partitions: number;
  readonly createdAtMs: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** Kafka's defaults where the embedded log has the same knob, its only possibility where Kafka has a choice. */
const defaults: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'compression.type': 'uncompressed',
  'delete.retention.ms': '86400000',
  'max.compaction.lag.ms': '9223372036854775807',
  'max.message.bytes': '1048588',
  'message.timestamp.type': 'LogAppendTime',
  'min.cleanable.dirty.ratio': '0.5',
  'min.compaction.lag.ms': '0',
  'min.insync.replicas': '1',
  'retention.bytes': '-1',
  'retention.ms': '604800000',
  'segment.bytes': '1073741824',
  'segment.ms': '604800000',
  'unclean.leader.election.enable': 'false',
};

/** What cannot be otherwise here. */
const fixed: Readonly<Record<string, string>> = {
  'message.timestamp.type': 'LogAppendTime',
  'retention.bytes': '-1',
};

export interface TopicRules {
  readonly compacted: boolean;
  readonly deleting: boolean;
  readonly messageBytesMax: number;
  readonly retentionMs: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly compactionLagMinMs: number;
  readonly compactionLagMaxMs: number;
  readonly deleteRetentionMs: number;
  readonly dirtyRatioMin: number;
}

export function rulesOf(settings: Readonly<Record<string, string>>): TopicRules {
  const value = (name: string): string => settings[name] ?? defaults[name] ?? '';
  const policies = value('cleanup.policy').split(',');
  const retentionMs = Number(value('retention.ms'));
  return {
    compacted: policies.includes('compact'),
    deleting: policies.includes('delete'),
    messageBytesMax: Number(value('max.message.bytes')),
    retentionMs: retentionMs < 0 ? Infinity : retentionMs,
    segmentBytes: Number(value('segment.bytes')),
    segmentMs: Number(value('segment.ms')),
    compactionLagMinMs: Number(value('min.compaction.lag.ms')),
    compactionLagMaxMs: Number(value('max.compaction.lag.ms')),
    deleteRetentionMs: Number(value('delete.retention.ms')),
    dirtyRatioMin: Number(value('min.cleanable.dirty.ratio')),
  };
}

/** Refuses what no topic can be made of; such a spec is the caller's mistake. */
export function checkSpec(spec: TopicSpec): void {
  const wrong = problemOf(spec);
  if (wrong !== undefined) throw new LogFailure('TOPIC_MISCONFIGURED', `topic ${spec.name}: ${wrong}`);
}

function problemOf(spec: TopicSpec): string | undefined {
  const { topicNameLengthMax, partitionsMax } = embeddedLimits;
  if (!/^[a-zA-Z0-9._-]+$/.test(spec.name) || spec.name.length > topicNameLengthMax)
    return `a topic name has 1 to ${topicNameLengthMax} characters out of a-z A-Z 0-9 . _ -`;
  if (!Number.isInteger(spec.partitions) || spec.partitions < 1 || spec.partitions > partitionsMax)
    return `${spec.partitions} partitions are asked for, possible are 1 to ${partitionsMax}`;
  for (const [name, value] of Object.entries(spec.settings)) {
    const wrong = problemOfSetting(name, value);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

const policies: readonly string[] = ['compact', 'delete'];
/** Those for which -1 means: without a limit. */
const unlimited: readonly string[] = ['retention.ms', 'retention.bytes'];

function problemOfSetting(name: string, value: string): string | undefined {
  if (!Object.hasOwn(defaults, name))
    return `there is no setting ${name}; there are ${Object.keys(defaults).join(', ')}`;
  const only = fixed[name];
  if (only !== undefined && value !== only) return `${name} is always ${only} in the embedded log, not ${value}`;
  if (name === 'cleanup.policy' && !value.split(',').every((policy) => policies.includes(policy)))
    return `cleanup.policy is compact, delete or compact,delete, not ${value === '' ? 'empty' : value}`;
  const said = value.trim() === '' ? 'empty' : value;
  if (/\.(ms|bytes)$/.test(name)) {
    const least = unlimited.includes(name) ? -1 : 0;
    if (!/^-?\d+$/.test(value) || Number(value) < least)
      return `${name} is a whole number from ${least} on, not ${said}`;
  }
  if (name.endsWith('.ratio') && !(/^\d*\.?\d+$/.test(value) && Number(value) <= 1))
    return `${name} is a number from 0 to 1, not ${said}`;
  return undefined;
}

/** Throws TOPIC_MISCONFIGURED when the existing topic is not what `spec` requires. */
export function checkAgrees(spec: TopicSpec, existing: StoredTopic): void {
  if (existing.partitions !== spec.partitions)
    throw new LogFailure(
      'TOPIC_MISCONFIGURED',
      `topic ${spec.name} has ${existing.partitions} partitions and must have ${spec.partitions}; ` +
        `the number is fixed for life: deleteTopics(['${spec.name}']) if its records may go, else use another name`,
    );
  const settings = { ...defaults, ...existing.settings };
  for (const [name, wanted] of Object.entries(spec.settings)) {
    const actual = settings[name];
    if (actual !== wanted)
      throw new LogFailure(
        'TOPIC_MISCONFIGURED',
        `topic ${spec.name} has ${name}=${actual ?? '(unset)'} and must have ${name}=${wanted}; ` +
          `mend it with EmbeddedLog.alterTopic('${spec.name}', { '${name}': '${wanted}' })`,
      );
  }
}

const idOf = ({ number, createdAtMs }: Pick<StoredTopic, 'number' | 'createdAtMs'>): string =>
  `${number}-${createdAtMs}`;

export function describe(topic: StoredTopic): TopicDescription {
  return {
    name: topic.name,
    topicId: idOf(topic),
    partitions: topic.partitions,
    replicationFactor: 1,
    settings: { ...defaults, ...topic.settings },
  };
}

export function encodeTopic(topic: StoredTopic): Buffer {
  return Buffer.from(JSON.stringify(topic));
}

export function decodeTopic(payload: Buffer): StoredTopic {
  return JSON.parse(payload.toString()) as StoredTopic;
}

/** Whether it is the very topic that a reader means, if the reader says which. */
export function isOf(topic: StoredTopic, topicId: string | undefined): boolean {
  return topicId === undefined || topicId === idOf(topic);
}
