import { createHash } from 'node:crypto';
import { decodeAs, encode } from '@levee/codec';
import { type ClusterState, type CreateBinlog, nextEffects } from '@levee/cluster';
import type { Genesis, NamespaceState } from '@levee/events';
import { asOffset, Failure, messageOf, reservedKeyPrefix, type Clock, type Partition } from '@levee/kernel';
import type { Log, LogRecord, PartitionOffsets, StoredRecord, TopicSpec } from '@levee/log';

const reserved = (name: string): Buffer => Buffer.concat([reservedKeyPrefix, Buffer.from(name)]);

/** Keys of Levee's own records in a binlog partition. */
export const genesisKey: Buffer = reserved('genesis');
export const barrierKey: Buffer = reserved('barrier');
export const fenceKey = (producer: string): Buffer => reserved(`fence/${producer}`);

/** What Genesis records and their check need of a namespace. */
export type Binlog = Pick<
  CreateBinlog,
  'clusterId' | 'namespace' | 'binlog' | 'partitions' | 'hashAlgorithm' | 'createdAtMs'
>;

/** Somebody added partitions to the topic: what producers write there is read by nobody. */
export interface GrownBinlog {
  readonly namespace: string;
  readonly binlog: string;
  /** Partitions of the namespace, which keys are hashed to: 0 to this - 1. */
  readonly partitions: number;
  /** Partitions that the topic has. */
  readonly has: number;
  /** Records in those that were added, deleted ones not counted. */
  readonly records: number;
}

export const binlogLimits = {
  messageBytesMax: 2 * 1024 * 1024,
  /** Tombstones are kept at least this long: a replica away for longer than half of it is built anew. */
  deleteRetentionMsMin: 7 * 86_400_000,
  genesisDeadlineMs: 30_000,
  /** Genesis records written at the same time. */
  partitionsAtOnce: 16,
} as const;

/** The topic of a namespace's binlog (DESIGN section 3); its settings follow the history window. */
export function binlogSpec(binlog: Pick<CreateBinlog, 'binlog' | 'partitions' | 'historyWindowMs'>): TopicSpec {
  const { historyWindowMs } = binlog;
  return {
    name: binlog.binlog,
    partitions: binlog.partitions,
    settings: {
      'cleanup.policy': 'compact',
      'compression.type': 'uncompressed',
      'message.timestamp.type': 'LogAppendTime',
      'min.compaction.lag.ms': String(historyWindowMs),
      'segment.ms': String(Math.max(1, Math.floor(historyWindowMs / 4))),
      'delete.retention.ms': String(Math.max(binlogLimits.deleteRetentionMsMin, historyWindowMs)),
      'max.message.bytes': String(binlogLimits.messageBytesMax),
    },
  };
}

/**
 * The record at offset 0 of a partition: proves which log this is. All of it follows from the decision, so that two
 * masters writing it write the same, and compaction may keep either.
 */
function genesisOf(binlog: Binlog, partition: Partition): Genesis {
  const { clusterId, namespace, partitions, hashAlgorithm, createdAtMs } = binlog;
  const seed = `${clusterId}/${binlog.binlog}/${partition}`;
  const nonce = createHash('sha256').update(seed).digest('hex').slice(0, 32);
  return { clusterId, namespace, binlog: binlog.binlog, partition, partitions, hashAlgorithm, nonce, createdAtMs };
}

/** Active namespaces, but for those whose binlog an effect is at work on: it is about to be another than it is. */
export function withBinlogAtRest(state: ClusterState): NamespaceState[] {
  const busy = new Set(nextEffects(state).map(({ binlog }) => binlog));
  return [...state.namespaces()].filter((of) => of.state === 'active' && !busy.has(of.binlog));
}

/** Those of these whose binlog is Levee's own: it is made, checked and mended; topics of others are only read (I23). */
export const ownBinlogs = (namespaces: readonly NamespaceState[]): NamespaceState[] =>
  namespaces.filter(({ sourceTopic }) => sourceTopic === null);

/** The bounds of the namespace's own partitions: others were added by hand, and are no part of it. */
export async function ownPartitions(
  log: Log,
  { binlog, partitions }: Pick<Binlog, 'binlog' | 'partitions'>,
): Promise<readonly PartitionOffsets[]> {
  return (await log.offsets(binlog)).filter(({ partition }) => partition < partitions);
}

/**
 * Creates the topic and its Genesis records, or verifies them where they are. Idempotent. Fails as the log does, with
 * BINLOG_FOREIGN when a partition begins with anything else: the topic belongs to another cluster or namespace.
 */
export async function createBinlog(log: Log, binlog: CreateBinlog, clock: Clock): Promise<void> {
  await log.ensureTopics([binlogSpec(binlog)]);
  const bounds = await ownPartitions(log, binlog);
  for (let at = 0; at < bounds.length; at += binlogLimits.partitionsAtOnce) {
    const some = bounds.slice(at, at + binlogLimits.partitionsAtOnce);
    await Promise.all(
      some.map(async ({ partition, endOffset }) => {
        const genesis = genesisOf(binlog, partition);
        if (endOffset > 0) return verifyGenesis(genesis, await firstRecord(log, binlog.binlog, { partition, clock }));
        const record: LogRecord = { key: genesisKey, value: encode('Genesis', genesis) };
        await log.append(binlog.binlog, partition, [record]);
      }),
    );
  }
}

/**
 * Whose log an existing topic is, if it is not the one that was made for `binlog`, in words; `undefined` when it is.
 * A topic that was deleted and created again has no Genesis, or that of another. Fails as the log does.
 */
export async function binlogForeignness(log: Log, binlog: Binlog, clock: Clock): Promise<string | undefined> {
  const bounds = await ownPartitions(log, binlog);
  for (let at = 0; at < bounds.length; at += binlogLimits.partitionsAtOnce) {
    const some = bounds.slice(at, at + binlogLimits.partitionsAtOnce);
    const found = await Promise.all(
      some.map(async ({ partition, endOffset }) => {
        const place = `binlog ${binlog.binlog} partition ${partition}`;
        if (endOffset === 0)
          return `${place} is empty, without its Genesis: somebody deleted the topic and created it again`;
        const first = await firstRecord(log, binlog.binlog, { partition, clock });
        // Somebody wrote over the Genesis, and compaction took it: nothing is left to compare.
        if (first.offset > 0) return undefined;
        const problem = genesisDifference(genesisOf(binlog, partition), first);
        return problem && `${place} is the log of somebody else, or was created again: ${problem}`;
      }),
    );
    const problem = found.find((each) => each !== undefined);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

async function firstRecord(
  log: Log,
  topic: string,
  options: { readonly partition: Partition; readonly clock: Clock },
): Promise<StoredRecord> {
  const done = new AbortController();
  const giveUpAt = options.clock.monotonicMs() + binlogLimits.genesisDeadlineMs;
  const tail = log.tail(
    topic,
    options.partition,
    { nextOffset: asOffset(0), leaderEpoch: -1 },
    { signal: done.signal, bytesMax: 64 * 1024, unavailableMs: binlogLimits.genesisDeadlineMs },
  );
  try {
    for await (const { records } of tail) {
      const record = records[0];
      if (record !== undefined) return record;
      if (options.clock.monotonicMs() > giveUpAt) break;
    }
  } finally {
    done.abort();
  }
  throw new Failure('DEADLINE', `the first record of ${topic}/${options.partition} could not be read`);
}

function verifyGenesis(expected: Genesis, record: StoredRecord): void {
  const difference = genesisDifference(expected, record);
  if (difference !== undefined) throw foreign(expected, difference);
}

function genesisDifference(expected: Genesis, record: StoredRecord): string | undefined {
  let found: Genesis;
  try {
    found = genesisIn(record);
  } catch (error) {
    return messageOf(error);
  }
  const differing = (Object.keys(expected) as (keyof Genesis)[]).find((field) => found[field] !== expected[field]);
  return differing && `its ${differing} is ${found[differing]}, not ${expected[differing]}`;
}

function genesisIn(record: StoredRecord): Genesis {
  const { key, value, offset } = record;
  if (offset !== 0 || key?.equals(genesisKey) !== true || value === null)
    throw new Failure('BINLOG_FOREIGN', `its first record, at offset ${offset}, is no Genesis`);
  try {
    return decodeAs('Genesis', value);
  } catch (error) {
    throw new Failure('BINLOG_FOREIGN', `its Genesis cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

const foreign = (expected: Genesis, what: string): Failure =>
  new Failure(
    'BINLOG_FOREIGN',
    `topic ${expected.binlog} partition ${expected.partition} is not ours: ${what}; create the namespace again under another name, or delete that topic`,
  );
