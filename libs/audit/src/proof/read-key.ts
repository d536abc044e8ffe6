import { type Clock, defined, Failure, type Partition } from '@levee/kernel';
import type { Log, PartitionOffsets, TopicDescription } from '@levee/log';
import { KeyReading } from './key-reading';
import type { CompactionRules, Cut } from './provability';

export const proofLimits = {
  /** By so much the clocks of brokers, and ours, may differ. */
  clockMarginMs: 300_000,
  /** A log that was cleaned while it was read is read again so often. */
  readingsMax: 5,
  readBytes: 4 * 1024 * 1024,
  unavailableMs: 30_000,
  /** Records of one key that are told at most: the newest. */
  recordsMax: 10_000,
} as const;

export interface KeyQuestion {
  readonly topic: string;
  readonly partition: Partition;
  readonly key: Buffer;
  /** `undefined`: only the history of the key is of interest. */
  readonly cut?: Cut | undefined;
  readonly recordsMax: number;
  /** Windows of the topic that are no more; see {@link CompactionRules.earlier}. */
  readonly earlier: CompactionRules['earlier'];
  /** Default {@link proofLimits.clockMarginMs}. */
  readonly clockMarginMs?: number | undefined;
}

/** A reading, and by what rules it is judged. */
export interface KeyAnswer {
  readonly reading: KeyReading;
  readonly readEndMs: number;
  readonly rules: CompactionRules;
}

/**
 * Reads a partition once, from its start to its end as of now, for one key. Writes nothing and is no consumer that
 * anybody sees. `progress` hears the next offset. Fails as `Log.tail` does, with TOPIC_MISSING, INTERRUPTED.
 */
export async function readKey(
  log: Log,
  question: KeyQuestion,
  {
    clock,
    signal,
    progress,
  }: {
    readonly clock: Clock;
    readonly signal?: AbortSignal;
    readonly progress?: (nextOffset: number, endOffset: number) => void;
  },
): Promise<KeyAnswer> {
  const { topic, partition } = question;
  for (let readings = 1; ; readings++) {
    const before = await policyOf(log, topic);
    const bounds = await boundsOf(log, topic, partition);
    const clockMarginMs = bounds.cleanedBelow === undefined ? (question.clockMarginMs ?? proofLimits.clockMarginMs) : 0;
    const options = { cut: question.cut, recordsMax: question.recordsMax, clockMarginMs };
    const { startOffset, endOffset, cleanedBelow } = bounds;
    const reading = new KeyReading(question.key, { ...options, startOffset, cleanedBelow });
    const from = { nextOffset: startOffset, leaderEpoch: -1 };
    const stop = new AbortController();
    const tail = log.tail(topic, partition, from, {
      ...{ stored: true, bytesMax: proofLimits.readBytes, unavailableMs: proofLimits.unavailableMs },
      signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
    });
    let readTo: number = startOffset;
    try {
      let askedMs = clock.monotonicMs();
      if (startOffset < endOffset)
        for await (const batch of tail) {
          const at = { epoch: batch.readUnderEpoch ?? -1, askedMs: batch.endAskedMs ?? askedMs };
          for (const each of batch.stored ?? []) if (each.baseOffset < endOffset) reading.add(each, at);
          progress?.(batch.nextOffset, endOffset);
          readTo = batch.nextOffset;
          // An open transaction may withhold what is below the end.
          if (batch.nextOffset >= endOffset || batch.nextOffset >= batch.endOffset) break;
          askedMs = clock.monotonicMs();
        }
    } finally {
      stop.abort();
    }
    if (signal?.aborted === true) throw new Failure('INTERRUPTED', `reading ${topic} partition ${partition} was ended`);
    reading.endAt(Math.min(readTo, endOffset));
    const readEndMs = Math.max(clock.nowMs(), reading.newestTimeMs);
    const after = await policyOf(log, topic);
    const cleanedFurther = (await boundsOf(log, topic, partition)).cleanedBelow !== cleanedBelow;
    if (cleanedFurther && readings < proofLimits.readingsMax) continue;
    if (cleanedFurther)
      throw new Failure('NOT_PROVABLE', `${topic} partition ${partition} was cleaned each time it was read: ask again`);
    return { reading, readEndMs, rules: rulesOf([before, after], { question, clockMarginMs, cleanedBelow }) };
  }
}

/** How a partition is cleaned by what its topic says now, changes of the past left out. */
export async function rulesNow(log: Log, topic: string, partition: Partition): Promise<CompactionRules> {
  const { cleanedBelow } = await boundsOf(log, topic, partition);
  const clockMarginMs = cleanedBelow === undefined ? proofLimits.clockMarginMs : 0;
  return rulesOf([await policyOf(log, topic)], { question: { earlier: [] }, clockMarginMs, cleanedBelow });
}

interface Policy {
  readonly compacts: boolean;
  readonly lagMs: number;
  readonly deleteRetentionMs: number;
}

async function policyOf(log: Log, topic: string): Promise<Policy> {
  const [found] = await log.describeTopics([topic]);
  if (found === undefined) throw new Failure('TOPIC_MISSING', `there is no topic ${topic}`);
  const setting = (name: string): number => Number(found.settings[name] ?? 0) || 0;
  return {
    compacts: compacts(found),
    lagMs: setting('min.compaction.lag.ms'),
    deleteRetentionMs: setting('delete.retention.ms'),
  };
}

const compacts = ({ settings }: TopicDescription): boolean =>
  (settings['cleanup.policy'] ?? 'delete').split(',').includes('compact');

async function boundsOf(log: Log, topic: string, partition: Partition): Promise<PartitionOffsets> {
  const all = await log.offsets(topic);
  return defined(
    all.find((each) => each.partition === partition),
    `offsets of ${topic} partition ${partition}`,
  );
}

/** Of what was seen before and after the reading, the one that spares less. */
function rulesOf(
  policies: readonly Policy[],
  of: {
    readonly question: Pick<KeyQuestion, 'earlier'>;
    readonly clockMarginMs: number;
    readonly cleanedBelow: number | undefined;
  },
): CompactionRules {
  return {
    lagMs: policies.every((policy) => policy.compacts) ? Math.min(...policies.map(({ lagMs }) => lagMs)) : undefined,
    deleteRetentionMs: Math.min(...policies.map(({ deleteRetentionMs }) => deleteRetentionMs)),
    earlier: of.question.earlier,
    cleanedBelow: of.cleanedBelow,
    clockMarginMs: of.clockMarginMs,
  };
}
