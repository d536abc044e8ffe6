import type { NamespaceState } from '@levee/events';
import { genesisKey, stretchWords } from '@levee/journal';
import { asPartition, isoTime, isReservedKey } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import type { StoredBatch, StoredRecord } from '@levee/log';
import { windowOf } from '../proof/provability';
import { KeyReading } from '../proof/key-reading';
import { proofLimits, rulesNow } from '../proof/read-key';
import { recordValue } from '../proof/record-value';
import { Findings } from './finding';
import { reservedProblem } from './reserved-records';
import { type AuditWorld, walkPartition } from './walk-partition';

export interface BinlogVerified {
  readonly findings: Findings;
  readonly records: number;
  /** Per partition: everything below was walked. */
  readonly nextOffsets: readonly number[];
  /** Partitions whose start is above 0: nothing is known of what was below. */
  readonly cutPartitions: readonly number[];
}

/**
 * One namespace's binlog: checksums and order (which reading checks), genesis, reserved keys, each key in its own
 * partition, readable values, the log's own times, no gap where no cleaner may have been.
 */
export async function verifyBinlog(
  world: AuditWorld,
  namespace: NamespaceState & { readonly clusterId: string },
  from: readonly number[] = [],
): Promise<BinlogVerified> {
  const { binlog: topic, partitions } = namespace;
  const findings = new Findings(topic);
  const nextOffsets: number[] = [];
  const cutPartitions: number[] = [];
  let records = 0;
  for (let partition = 0; partition < partitions; partition++) {
    const judge = new PartitionJudge(namespace, partition, findings);
    const since = from[partition] ?? 0;
    const before = await rulesNow(world.log, topic, asPartition(partition));
    const gaps = new KeyReading(genesisKey, {
      cut: undefined,
      recordsMax: 1,
      clockMarginMs: proofLimits.clockMarginMs,
      startOffset: since,
      cleanedBelow: before.cleanedBelow,
    });
    const bounds = await walkPartition(
      world,
      { topic, partition, stored: true, ...(since > 0 ? { from: since } : {}) },
      {
        onBatch: ({ stored = [], readUnderEpoch: epoch = -1 }) => {
          for (const batch of stored) {
            gaps.add(batch, { epoch, askedMs: 0 });
            records += judge.batch(batch, since);
          }
        },
        onHole: (hole) => {
          findings.add('unreadable', `${stretchWords(hole)}: ${hole.why}`, { partition, offset: hole.fromOffset });
          if (hole.toOffset !== undefined) gaps.skipTo(hole.toOffset);
        },
      },
    );
    if (bounds.startOffset > 0) cutPartitions.push(partition);
    const { alarm } = windowOf(gaps.evidence(world.clock.nowMs()), before);
    // In a topic of others times are its producers', and say nothing of where a cleaner may have been.
    if (alarm !== undefined && namespace.sourceTopic === null)
      findings.add(
        'gap',
        `offsets ${alarm.fromOffset} to ${alarm.toOffset - 1} are missing where no cleaner may have been`,
        {
          partition,
          offset: alarm.fromOffset,
        },
      );
    judge.end(world.clock.nowMs());
    nextOffsets.push(bounds.endOffset);
  }
  return { findings, records, nextOffsets, cutPartitions };
}

class PartitionJudge {
  private newestMs = -Infinity;
  private newestAt = -1;

  constructor(
    private readonly namespace: NamespaceState & { readonly clusterId: string },
    private readonly partition: number,
    private readonly findings: Findings,
  ) {}

  /** How many records of it count: those from `since` on. */
  batch(batch: StoredBatch, since: number): number {
    const { baseOffset: offset, timestampType, timestampMs } = batch;
    const isBound = this.namespace.sourceTopic !== null;
    if (timestampType === 'create' && !isBound) this.tell('time', 'its time is its producer’s, not the log’s', offset);
    // Leaders have clocks of their own, which may differ.
    if (timestampMs < this.newestMs - proofLimits.clockMarginMs && !isBound)
      this.tell('time', `it is of ${isoTime(timestampMs)}, and behind one of ${isoTime(this.newestMs)}`, offset);
    if (timestampMs > this.newestMs) [this.newestMs, this.newestAt] = [timestampMs, offset];
    if (batch.kind !== 'data') return 0;
    const records = batch.records().filter((record) => record.offset >= since);
    for (const record of records) this.record(record);
    return records.length;
  }

  end(nowMs: number): void {
    if (this.newestMs > nowMs + proofLimits.clockMarginMs && this.namespace.sourceTopic === null)
      this.tell('time', `it is of ${isoTime(this.newestMs)}, which has not come yet`, this.newestAt);
  }

  private record(record: StoredRecord): void {
    const { key, offset } = record;
    if (key === null) return this.tell('record', 'it has no key', offset);
    if (isReservedKey(key)) {
      const problem = reservedProblem(record, this.namespace, this.partition);
      return problem && this.tell(problem.rule, problem.what, offset);
    }
    const { partitions, hashAlgorithm } = this.namespace;
    const own = partitionOf(hashOf(key, hashAlgorithm), partitions);
    if (own !== this.partition) this.tell('partition', `its key belongs to partition ${own}`, offset);
    const { kind, why } = recordValue(key, record, this.namespace);
    if (kind === 'unreadable') this.tell('record', `its value cannot be read: ${why}`, offset);
    if (offset === 0 && this.namespace.sourceTopic === null) this.tell('genesis', 'the first record is no Genesis', 0);
  }

  private tell(rule: 'time' | 'record' | 'partition' | 'reserved' | 'genesis', what: string, offset: number): void {
    this.findings.add(rule, what, { partition: this.partition, offset });
  }
}
