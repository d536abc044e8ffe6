import type { ChunkState, DigestOrder, NamespaceState, ReplicaDigest } from '@levee/events';
import { proofIdOf } from '@levee/journal';
import { asPartition, failureCode, messageOf } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import { LogFailure } from '@levee/log';
import { gatherDigests } from '../gather-digests';
import { rulesNow } from '../proof/read-key';
import type { LogDigest } from './digest-fold';
import { FollowingFold, TooManyKeys } from './following-fold';
import { type ComparedPartition, replicaKey } from './judge-chunk';
import { provingLimits, type ProvingWorld } from './proving-world';

const boundLimits = {
  /** Partitions that are followed at the same time; they share the memory. */
  partitionsAtOnce: 4,
  /** Places that are tried: a replica, or the fold, may be past one before it hears of it. */
  placesMax: 5,
  /** A place lies a second ahead; while producers pause it is not reached, and the next one is. */
  reachMs: 20_000,
  /** A deletion may be looked for so long at most, whatever the topic keeps. */
  readMsMax: 12 * 3_600_000,
} as const;

/** What came of one partition: the chunks' digests by its log, and what replicas told, at one place. */
interface ProvedPlace {
  readonly proofId: string;
  /** -1: no place was named. */
  readonly nextOffset: number;
  readonly log: ReadonlyMap<string, LogDigest>;
  readonly why: string;
  /** Why nobody may be blamed for a difference, in words. */
  readonly doubt: string;
  readonly told: readonly ReplicaDigest[];
}

type Bound = NamespaceState & { readonly sourceTopicId: string };

/**
 * Compares the replicas of chunks of a bound namespace with each other and with their log, at a place of each partition that
 * an order names: by chunk, in the order of its partitions. The fold follows the topic as replicas do, since its owner may
 * compact it at any time. Changes nothing. Fails as `gatherDigests` does, and with INTERRUPTED.
 */
export async function compareBound(
  world: ProvingWorld,
  namespace: NamespaceState,
  chunks: readonly ChunkState[],
): Promise<ReadonlyMap<string, readonly ComparedPartition[]>> {
  const touched = (some: readonly ChunkState[]): number[] => [
    ...new Set(some.flatMap(({ slotStart, slotEnd }) => partitionsOf(slotStart, slotEnd, namespace.partitions))),
  ];
  const { sourceTopicId } = namespace;
  const refusal = sourceTopicId === null ? 'it is not known which topic was bound' : sourceRefusal(namespace);
  if (sourceTopicId === null || refusal !== undefined) {
    const none = new Map(touched(chunks).map((partition) => [partition, nothing(refusal ?? '')]));
    return new Map(chunks.map((chunk) => [chunk.chunkId, comparedOf(chunk, namespace, none)]));
  }
  const places = new Map<number, ProvedPlace>();
  const partitions = touched(chunks).sort((a, b) => a - b);
  let atOnce: number = boundLimits.partitionsAtOnce;
  for (let from = 0; from < partitions.length;) {
    const some = partitions.slice(from, from + atOnce);
    const found = await provePlaces(world, { namespace: { ...namespace, sourceTopicId }, chunks, partitions: some });
    if (found instanceof TooManyKeys && some.length > 1) {
      atOnce = Math.ceil(some.length / 2);
      continue;
    }
    if (found instanceof TooManyKeys && chunks.length > 1) {
      const half = Math.ceil(chunks.length / 2);
      const first = await compareBound(world, namespace, chunks.slice(0, half));
      return new Map([...first, ...(await compareBound(world, namespace, chunks.slice(half)))]);
    }
    for (const partition of some)
      places.set(
        partition,
        found instanceof TooManyKeys ? nothing(found.message) : (found.get(partition) ?? nothing('')),
      );
    from += some.length;
  }
  return new Map(chunks.map((chunk) => [chunk.chunkId, comparedOf(chunk, namespace, places)]));
}

const nothing = (why: string): ProvedPlace => ({
  ...{ proofId: '', nextOffset: -1, log: new Map(), doubt: '', told: [] },
  why: why === '' ? 'no place was named at which it could be compared' : why,
});

/** Nothing can be said of replicas of a topic that is another one, or not whole any more. */
function sourceRefusal({ sourceFinding, sourceProblem }: NamespaceState): string | undefined {
  return sourceFinding === 'none' || sourceFinding === 'policy' ? undefined : (sourceProblem ?? sourceFinding);
}

function comparedOf(
  { chunkId, slotStart, slotEnd }: ChunkState,
  namespace: NamespaceState,
  places: ReadonlyMap<number, ProvedPlace>,
): readonly ComparedPartition[] {
  return partitionsOf(slotStart, slotEnd, namespace.partitions).map((partition): ComparedPartition => {
    const { proofId, nextOffset, log, why, doubt, told } = places.get(partition) ?? nothing('');
    const own = told.filter((each) => each.chunkId === chunkId);
    return {
      ...{ partition, barrierOffset: nextOffset, log: log.get(chunkId), why, proofId, doubt },
      replicas: new Map(own.map((each) => [replicaKey(each), each])),
    };
  });
}

/** Some partitions at the same time, each at a place of its own. */
async function provePlaces(
  world: ProvingWorld,
  of: { readonly namespace: Bound; readonly chunks: readonly ChunkState[]; readonly partitions: readonly number[] },
): Promise<ReadonlyMap<number, ProvedPlace> | TooManyKeys> {
  const { namespace, chunks, partitions } = of;
  const { log, signal } = world;
  const folds = new Map<number, FollowingFold>();
  try {
    for (const partition of partitions) {
      const { binlog: topic, partitions: count, hashAlgorithm, recordFormat, hiddenAfterMs } = namespace;
      const place = { topic, partition, partitions: count, hashAlgorithm, recordFormat, hiddenAfterMs };
      const { deleteRetentionMs, lagMs } = await rulesNow(log, topic, asPartition(partition));
      const readWithinMs = Math.min(lagMs === undefined ? Infinity : deleteRetentionMs / 2, boundLimits.readMsMax);
      const tableBytesMax = Math.floor(world.tableBytesMax / partitions.length);
      const { sourceTopicId: topicId } = namespace;
      folds.set(partition, new FollowingFold(log, place, { ...world, topicId, chunks, tableBytesMax, readWithinMs }));
    }
    let last: Compared | undefined;
    for (let places = 0; places < boundLimits.placesMax; places++) {
      await inTurn([...folds.values()], (fold) => fold.toEnd());
      const found = await compareAt(world, { ...of, folds });
      // Who does not answer at two places has another reason than that the first one was too near.
      const isDone = found.isProvable && (found.late === '' || found.late === last?.late);
      last = found;
      if (isDone) break;
    }
    return await withDoubts(world, { ...of, folds }, last?.places ?? new Map());
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof TooManyKeys) return error;
    if (!(error instanceof LogFailure) && failureCode(error) !== 'NOT_PROVABLE') throw error;
    return new Map(partitions.map((partition) => [partition, nothing(messageOf(error))]));
  } finally {
    for (const fold of folds.values()) fold.close();
  }
}

/** All at once; the first failure is the failure of all, once all have ended. */
async function inTurn(folds: readonly FollowingFold[], work: (fold: FollowingFold) => Promise<unknown>): Promise<void> {
  const ended = await Promise.allSettled(folds.map(work));
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
}

interface Compared {
  readonly places: ReadonlyMap<number, ProvedPlace>;
  /** The log says in every partition what was at its place. */
  readonly isProvable: boolean;
  /** Replicas on nodes that are up and did not answer, in words. */
  readonly late: string;
}

/** The folds stand at the ends; replicas and folds are compared where an order says. */
async function compareAt(
  world: ProvingWorld,
  {
    namespace: { name, number },
    chunks,
    partitions,
    folds,
  }: {
    readonly namespace: Bound;
    readonly chunks: readonly ChunkState[];
    readonly partitions: readonly number[];
    readonly folds: ReadonlyMap<number, FollowingFold>;
  },
): Promise<Compared> {
  const { view, digests, clock, timers, newId, submit, principal, signal } = world;
  const proofId = proofIdOf(newId());
  const logs = new Map<number, ReadonlyMap<string, LogDigest>>();
  const at = new Map<number, number>();
  let folding: Promise<unknown> = Promise.resolve();
  const onOrder = (order: DigestOrder, timeMs: number): void => {
    if (order.namespace !== name || order.number !== number || at.size > 0) return;
    const deadlineMs = clock.monotonicMs() + boundLimits.reachMs;
    for (const { partition, nextOffset } of order.positions) at.set(partition, nextOffset);
    folding = inTurnOf(folds, async (fold, partition) => {
      const nextOffset = at.get(partition);
      if (nextOffset !== undefined && (await fold.to(nextOffset, deadlineMs)))
        logs.set(partition, fold.digests(timeMs));
    });
    folding.catch(() => undefined);
  };
  const { digests: all, late } = await gatherDigests(view, digests, {
    ...{ namespace: name, chunkIds: chunks.map(({ chunkId }) => chunkId), partitions, id: proofId },
    ...{ principal, clock, timers, submit, signal, onOrder },
    deadlineMs: provingLimits.digestsMs,
    quietMs: provingLimits.quietMs,
    onlyUp: true,
  });
  await folding;
  const places = new Map(
    partitions.map((partition): [number, ProvedPlace] => {
      const nextOffset = at.get(partition) ?? -1;
      const log = logs.get(partition);
      const told = all.filter((each) => each.partition === partition && each.barrierOffset === nextOffset);
      const why =
        log !== undefined
          ? ''
          : nextOffset < 0
            ? 'no place was named at which it could be compared'
            : `what Kafka removed while it was read is not known at offset ${nextOffset}, or it was not reached in time`;
      return [partition, { proofId, nextOffset, log: log ?? new Map(), why, doubt: '', told }];
    }),
  );
  return { places, isProvable: logs.size === partitions.length, late: late.join() };
}

async function inTurnOf(
  folds: ReadonlyMap<number, FollowingFold>,
  work: (fold: FollowingFold, partition: number) => Promise<void>,
): Promise<void> {
  await Promise.all([...folds].map(([partition, fold]) => work(fold, partition)));
}

/**
 * [safety] Somebody may have deleted the first records of a partition, which replicas that are older than that still hold
 * and younger ones never had. Of a topic that forgets by age alone the master watches that nothing goes before its time;
 * of others nobody can tell whether a beginning above 0 is older than the replicas.
 */
async function withDoubts(
  { log }: ProvingWorld,
  { namespace, folds }: { readonly namespace: Bound; readonly folds: ReadonlyMap<number, FollowingFold> },
  places: ReadonlyMap<number, ProvedPlace>,
): Promise<ReadonlyMap<number, ProvedPlace>> {
  const { binlog, sourceFinding, hiddenAfterMs } = namespace;
  const [topic] = await log.describeTopics([binlog]);
  const isWatched = hiddenAfterMs !== null && topic?.settings['cleanup.policy'] === 'delete';
  const bounds = await log.offsets(binlog);
  return new Map(
    [...places].map(([partition, place]) => {
      const began = folds.get(partition)?.startOffset ?? 0;
      const begins = bounds.find((each) => each.partition === partition)?.startOffset ?? 0;
      if (hiddenAfterMs === null && begins !== began)
        return [partition, { ...nothing(`${binlog} partition ${partition} was cut at ${begins} while it was read`) }];
      const doubt =
        sourceFinding === 'policy'
          ? 'the policy of the topic is not what it was bound with'
          : !isWatched && began > 0
            ? `the partition begins at offset ${began}: whether a replica is older than that is not known`
            : '';
      return [partition, { ...place, doubt }];
    }),
  );
}
