import { prepareBatch } from '@levee/chunk-store';
import { PutView, readPut } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import { openTransactions } from '@levee/journal';
import { asPartition, Failure, failureCode, isReservedKey } from '@levee/kernel';
import { hashAlgorithms, type HashAlgorithm, hashOf, hasPlace, partitionOf } from '@levee/keyspace';
import type { LogBatch, StoredBatch, StoredRecord } from '@levee/log';
import { namespaceWindows } from '../proof/namespace-windows';
import { reservedProblem } from '../verify/reserved-records';
import { type AuditWorld, walkPartition } from '../verify/walk-partition';
import { OffenderGroups } from './offender-groups';
import type { LintGroup, Offenders } from './offenders';

export interface Linted {
  readonly namespace: string;
  readonly topic: string;
  readonly records: number;
  /** What was found, the most harmful first; what people acknowledged comes last. */
  readonly offenders: readonly Offenders[];
  /** Records of reasons or producers beyond those that are told apart, by harm; those that are acknowledged by themselves. */
  readonly untold: Readonly<Record<LintGroup, number>>;
  /** Transactions that were left open, in words, each with the command that ends it. */
  readonly openTransactions: readonly { readonly finding: string; readonly command: string }[];
  /** Per partition, with those that somebody added: `[from, to)` was read. */
  readonly read: readonly { readonly partition: number; readonly from: number; readonly to: number }[];
}

/**
 * Walks through the binlog of a namespace and tells which records are not what it reads, by reason and producer. Records
 * are judged by what nodes apply them by, so that the reasons are those of the quarantine. Only reads. Fails with
 * NOT_FOUND, TOPIC_MISSING, INTERRUPTED, and as `Log.tail` does.
 */
export async function lintNamespace(
  world: AuditWorld,
  {
    name,
    sinceMs = 0,
    brokers,
  }: { readonly name: string; readonly sinceMs?: number | undefined; readonly brokers: string },
): Promise<Linted> {
  const { log, topics, clock } = world;
  const { namespace, clusterId = '' } = await namespaceWindows(log, topics, { name, clock, effectMs: 0 });
  const { binlog: topic, partitions, state } = namespace;
  if (state === 'deleted') throw new Failure('NOT_FOUND', `namespace ${name} is deleted`);
  const [described] = await log.describeTopics([topic]);
  if (described === undefined) throw new Failure('TOPIC_MISSING', `there is no topic ${topic}, the binlog of ${name}`);
  const groups = new OffenderGroups(namespace);
  const read: { partition: number; from: number; to: number }[] = [];
  let records = 0;
  // A topic of somebody else may grow: of that the doctor says what is to be done.
  const walked = namespace.sourceTopic === null ? Math.max(partitions, described.partitions) : partitions;
  for (let partition = 0; partition < walked; partition++) {
    const lint =
      partition < partitions
        ? new PartitionLint({ ...namespace, clusterId }, partition, groups)
        : new AddedPartitionLint(partitions, partition, groups);
    const { startOffset, endOffset } = await walkPartition(
      world,
      { topic, partition, stored: true },
      {
        onBatch: (batch) => {
          for (const stored of batch.stored ?? []) records += lint.batch(batch, stored, sinceMs);
        },
        onHole: ({ fromOffset, why }) =>
          groups.add('unreadableBatch', noProducer, { partition, offset: fromOffset, why }),
      },
    );
    read.push({ partition, from: startOffset, to: endOffset });
  }
  const open = openTransactions(await log.examine([topic]), { brokers, nowMs: clock.nowMs() });
  return {
    ...{ namespace: name, topic, records, read },
    openTransactions: open.map(({ finding, command }) => ({ finding, command })),
    ...groups.told(),
  };
}

/** A partition that somebody added to the binlog: no node reads it, so whatever is wrong there besides does not matter. */
class AddedPartitionLint {
  private readonly why: string;

  constructor(
    partitions: number,
    private readonly partition: number,
    private readonly groups: OffenderGroups,
  ) {
    this.why = `nobody applies it: the namespace has ${partitions} partitions, somebody added ${partition}`;
  }

  /** How many records of it were looked at. */
  batch(_read: LogBatch, stored: StoredBatch, sinceMs: number): number {
    const records = recordsSince(stored, sinceMs, { partition: this.partition, groups: this.groups });
    for (const record of records) {
      if (record.key === null || isReservedKey(record.key)) continue;
      this.groups.add('addedPartition', stored.producerId, { ...placeOf(this.partition, record), why: this.why });
    }
    return records.length;
  }
}

/** Of batches whose writer the log does not name. */
const noProducer = -1;

const view = new PutView();

class PartitionLint {
  constructor(
    private readonly namespace: NamespaceState & { readonly clusterId: string },
    private readonly partition: number,
    private readonly groups: OffenderGroups,
  ) {}

  /** How many records of it were looked at. */
  batch(read: LogBatch, stored: StoredBatch, sinceMs: number): number {
    const { namespace, partition, groups } = this;
    const records = recordsSince(stored, sinceMs, { partition, groups });
    if (records.length === 0) return 0;
    const { producerId, timestampType } = stored;
    const one = { ...read, partition: asPartition(partition), records };
    for (const { index, reason, message: why } of prepareBatch(one, namespace).problems) {
      const record = records[index] as StoredRecord;
      const placedBy = reason === 'wrongPartition' ? this.placedBy(record) : undefined;
      groups.add(reason, producerId, { ...placeOf(partition, record), why, placedBy });
    }
    const isBound = namespace.sourceTopic !== null;
    for (const record of records) {
      if (record.key === null) continue;
      const at = placeOf(partition, record);
      if (isReservedKey(record.key)) {
        const problem = reservedProblem(record, namespace, partition);
        if (problem) groups.add('reservedKey', producerId, { ...at, why: problem.what });
        continue;
      }
      if (timestampType === 'create' && !isBound)
        groups.add('producerTime', producerId, { ...at, why: 'its time is of its producer’s clock' });
      if (namespace.recordFormat === 'put' && isWithoutCrc(record))
        groups.add('noCrc', producerId, { ...at, why: 'the Put has no crc' });
    }
    return records.length;
  }

  /** The algorithms by which the key stands where it is. */
  private placedBy({ key }: StoredRecord): HashAlgorithm[] {
    const { partitions } = this.namespace;
    return hashAlgorithms.filter(
      (name) => key !== null && hasPlace(key, name) && partitionOf(hashOf(key, name), partitions) === this.partition,
    );
  }
}

/** What is in a batch since a time; one that cannot be unpacked is an offence by itself. */
function recordsSince(
  stored: StoredBatch,
  sinceMs: number,
  { partition, groups }: { readonly partition: number; readonly groups: OffenderGroups },
): readonly StoredRecord[] {
  if (stored.kind !== 'data' || stored.timestampMs < sinceMs) return [];
  const { producerId, baseOffset, timestampMs } = stored;
  try {
    return stored.records().filter((record) => record.timestampMs >= sinceMs);
  } catch (error) {
    if (failureCode(error) !== 'RECORD_CORRUPT') throw error;
    const why = error instanceof Error ? error.message : String(error);
    groups.add('unreadableBatch', producerId, { partition, offset: baseOffset, timestampMs, why });
    return [];
  }
}

const placeOf = (
  partition: number,
  { offset, timestampMs, key }: StoredRecord,
): { partition: number; offset: number; timestampMs: number; key: Buffer | null } => ({
  ...{ partition, offset, timestampMs, key },
});

const isWithoutCrc = ({ value }: StoredRecord): boolean =>
  value !== null && readPut(value, view) === 'put' && view.crc === null;
