import { hiddenAfter } from '@levee/cluster';
import {
  brokersIn,
  judgeSample,
  likelyAlgorithms,
  retentionOf,
  type SampleVerdict,
  sampleProblem,
  sampleTopic,
  sourcePolicyProblem,
} from '@levee/journal';
import { type Clock, Failure } from '@levee/kernel';
import type { HashAlgorithm } from '@levee/keyspace';
import type { Log, TopicDescription } from '@levee/log';
import { type Framings, framingsOf } from './value-framing';

/** What was seen of a topic that may be bound. */
export interface SourceLook {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: number;
  /** What bears on how it can be served. */
  readonly settings: Readonly<Record<string, string>>;
  /** Of the newest records. */
  readonly sampled: {
    readonly records: number;
    readonly withoutKey: number;
    readonly deletions: number;
    readonly keyBytesMax: number;
    readonly valueBytesMax: number;
    readonly compressions: Readonly<Record<string, number>>;
    readonly unreadableBatches: number;
    /** Of the keys, how many stand in the partition that each algorithm says. */
    readonly placed: SampleVerdict['placed'];
    readonly framings: Framings;
    /** Names of headers, the first ones. */
    readonly headers: readonly string[];
  };
  /** The algorithms by which nearly all keys stand where they are; none: too few keys, or none of these. */
  readonly likelyAlgorithms: readonly HashAlgorithm[];
  /** Age from which on values would count as expired, ms, since the topic forgets by age; null: they would not. */
  readonly hiddenAfterMs: number | null;
  /** Why it would be refused as asked for; empty when it would not. */
  readonly refused: readonly string[];
  /** What to type. */
  readonly command: string;
}

export interface SourceQuestion {
  readonly name: string;
  readonly topic: string;
  /** As asked for; null where nothing was said. */
  readonly hashAlgorithm: HashAlgorithm | null;
  readonly recordFormat: 'put' | 'raw' | null;
  readonly expireWithRetention: boolean;
  readonly writable: boolean;
}

/** What a creation would be asked for by the command that a look prints: only raw records are written, or expire by their age. */
export function knobsLookedFor(knobs: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { recordFormat = null, writable, expireWithRetention } = knobs;
  const needsRaw = writable === true || expireWithRetention === true;
  return recordFormat === null && needsRaw ? { ...knobs, recordFormat: 'raw' } : knobs;
}

const lookLimits = { atOnceMax: 2, headersMax: 10 } as const;

const shownSettings = [
  'cleanup.policy',
  'compression.type',
  'message.timestamp.type',
  'min.compaction.lag.ms',
  'delete.retention.ms',
  'retention.ms',
  'retention.bytes',
  'max.message.bytes',
];

/** Looks at topics that people think of binding; reads, and changes nothing. */
export class SourceLooks {
  private underWay = 0;

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  /** Fails with SOURCE_UNFIT when there is no such topic, LVLIMIT when others look, and as the log does. */
  async look(question: SourceQuestion): Promise<SourceLook> {
    if (this.underWay >= lookLimits.atOnceMax)
      throw new Failure('LVLIMIT', `${this.underWay} looks at topics are under way: try again in a moment`);
    this.underWay++;
    try {
      const [topic] = await this.log.describeTopics([question.topic]);
      if (topic === undefined)
        throw new Failure('SOURCE_UNFIT', `there is no topic ${question.topic}, or it may not be seen`);
      return await this.seen(topic, question);
    } finally {
      this.underWay--;
    }
  }

  private async seen(topic: TopicDescription, question: SourceQuestion): Promise<SourceLook> {
    const { name, topicId, partitions, settings } = topic;
    const sample = await sampleTopic(this.log, topic, this.clock);
    const records = sample.records.map(({ record }) => record);
    const verdict = judgeSample(sample.records, partitions);
    const likely = likelyAlgorithms(verdict);
    const hashAlgorithm = question.hashAlgorithm ?? likely[0] ?? 'murmur2';
    const fitting = verdict.values > 0 && verdict.puts * 2 >= verdict.values ? 'put' : 'raw';
    const { writable } = question;
    const refusedBy = (expireWithRetention: boolean): string | undefined =>
      sourcePolicyProblem(topic, { expireWithRetention, writable, retentionMs: null }, brokersIn(this.log));
    const policy = refusedBy(question.expireWithRetention);
    const expires = question.expireWithRetention || (policy !== undefined && refusedBy(true) === undefined);
    const recordFormat = question.recordFormat ?? (expires || writable ? 'raw' : fitting);
    const retentionMs = retentionOf(topic);
    const misread = sampleProblem(verdict, { binlog: name, hashAlgorithm, recordFormat });
    const longest = (bytes: (Buffer | null)[]): number =>
      bytes.reduce((most, each) => Math.max(most, each?.length ?? 0), 0);
    const headers = [...new Set(records.flatMap((record) => record.headers.map(({ key }) => key)))];
    return {
      ...{ topic: name, topicId, partitions },
      settings: Object.fromEntries(
        shownSettings.flatMap((key) => (settings[key] === undefined ? [] : [[key, settings[key]]])),
      ),
      sampled: {
        records: records.length,
        withoutKey: records.filter(({ key }) => key === null).length,
        deletions: records.filter(({ key, value }) => key !== null && value === null).length,
        keyBytesMax: longest(records.map(({ key }) => key)),
        valueBytesMax: longest(records.map(({ value }) => value)),
        compressions: sample.compressions,
        unreadableBatches: sample.unreadable,
        placed: verdict.placed,
        framings: framingsOf(records),
        headers: headers.slice(0, lookLimits.headersMax),
      },
      likelyAlgorithms: likely,
      hiddenAfterMs: expires && retentionMs !== undefined ? hiddenAfter(retentionMs) : null,
      refused: [policy, misread].flatMap((each) => each ?? []),
      command:
        `levee namespace create ${question.name} --from-topic ${name}` +
        `${recordFormat === 'put' ? '' : ` --record-format ${recordFormat}`}` +
        `${hashAlgorithm === 'murmur2' ? '' : ` --hash-algorithm ${hashAlgorithm}`}` +
        `${expires ? ' --expire-with-retention' : ''}${writable ? ' --writable' : ''}`,
    };
  }
}
