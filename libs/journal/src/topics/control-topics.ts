import type { TopicSpec } from '@levee/log';

/** Names of the topics that hold the control plane, all under one prefix. */
export interface ControlTopics {
  readonly prefix: string;
  readonly commands: string;
  readonly heartbeats: string;
  readonly journal: string;
  readonly metadata: string;
  readonly routes: string;
  readonly plans: string;
  readonly quarantine: string;
  readonly digests: string;
}

/** Of topics that are not there yet: what a reader of a process's health should know. */
export const missingControlTopics = 'they are not there, a master makes them when it starts';

export function controlTopics(prefix: string): ControlTopics {
  return Object.freeze({
    prefix,
    commands: `${prefix}.commands`,
    heartbeats: `${prefix}.heartbeats`,
    journal: `${prefix}.journal`,
    metadata: `${prefix}.metadata`,
    routes: `${prefix}.routes`,
    plans: `${prefix}.plans`,
    quarantine: `${prefix}.quarantine`,
    digests: `${prefix}.digests`,
  });
}

/** The topics that a checkpoint is written to; their records carry seq and term. */
export const compactedTopics = (topics: ControlTopics): readonly string[] => [
  topics.metadata,
  topics.routes,
  topics.plans,
];

/** Those that hold nothing that lasts: what a stretch of them said is said again, or was not answered. */
export const passingTopics = (topics: ControlTopics): readonly string[] => [
  topics.commands,
  topics.heartbeats,
  topics.quarantine,
  topics.digests,
];

/** What of the control topics' policy depends on settings, so that tests can shorten it. */
export interface ControlPolicy {
  /** max.compaction.lag.ms of the compacted topics. */
  readonly compactionLagMs: number;
  /** segment.bytes of the compacted topics; Kafka refuses less than 1 MiB. */
  readonly segmentBytes: number;
  readonly commandsRetentionMs: number;
  readonly heartbeatsRetentionMs: number;
  readonly recordsRetentionMs: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const defaultControlPolicy: ControlPolicy = {
  compactionLagMs: hourMs,
  segmentBytes: 16 * 1024 * 1024,
  commandsRetentionMs: 7 * dayMs,
  heartbeatsRetentionMs: hourMs,
  recordsRetentionMs: 30 * dayMs,
};

const journalMessageBytesMax = 8 * 1024 * 1024;
const controlMessageBytesMax = 2 * 1024 * 1024;

/** Settings every topic of ours has: append time by the broker, no codec needed to read. */
const common = { 'compression.type': 'uncompressed', 'message.timestamp.type': 'LogAppendTime' } as const;

const deleted = (retentionMs: number, messageBytesMax = controlMessageBytesMax): Record<string, string> => ({
  ...common,
  'cleanup.policy': 'delete',
  'retention.ms': String(retentionMs),
  'retention.bytes': '-1',
  'max.message.bytes': String(messageBytesMax),
});

/** Specs of every control topic (DESIGN section 3), as the master creates and checks them. */
export function controlTopicSpecs(topics: ControlTopics, policy: ControlPolicy = defaultControlPolicy): TopicSpec[] {
  const compacted = {
    ...common,
    'cleanup.policy': 'compact',
    'segment.bytes': String(policy.segmentBytes),
    'min.cleanable.dirty.ratio': '0.1',
    'max.compaction.lag.ms': String(policy.compactionLagMs),
    'max.message.bytes': String(controlMessageBytesMax),
  };
  const spec = (name: string, settings: Record<string, string>): TopicSpec => ({ name, partitions: 1, settings });
  return [
    spec(topics.commands, deleted(policy.commandsRetentionMs)),
    spec(topics.heartbeats, deleted(policy.heartbeatsRetentionMs)),
    spec(topics.journal, deleted(-1, journalMessageBytesMax)),
    spec(topics.metadata, compacted),
    spec(topics.routes, compacted),
    spec(topics.plans, compacted),
    spec(topics.quarantine, deleted(policy.recordsRetentionMs)),
    spec(topics.digests, deleted(policy.recordsRetentionMs)),
  ];
}
