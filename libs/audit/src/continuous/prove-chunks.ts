import type { ChunkProof, NamespaceState, ReplicaDigest } from '@levee/events';
import { decodeAs } from '@levee/codec';
import { barrierKey, proofIdOf } from '@levee/journal';
import { asOffset, asPartition, Failure, failureCode, messageOf } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import { gatherDigests } from '../gather-digests';
import { rulesNow } from '../proof/read-key';
import { foldDigests, type LogDigest } from './digest-fold';
import { readableOf, type DueChunks } from './due-chunks';
import { type ComparedPartition, judgeChunk, replicaKey } from './judge-chunk';
import { compareBound } from './prove-bound';
import { type ProvedChunk, provingLimits, type ProvingWorld } from './proving-world';

/**
 * Compares the replicas of these chunks with each other and with the fold of their log, at one barrier of each partition.
 * Changes nothing. Fails as `gatherDigests` does, with INTERRUPTED, and where the log cannot be reached.
 */
export async function proveChunks(
  world: ProvingWorld,
  { namespace: name, chunkIds }: DueChunks,
): Promise<ProvedChunk[]> {
  const { view, digests, clock, timers, newId, submit, principal, signal } = world;
  const known = view.state.namespace(name);
  if (known?.state === 'active' && known.sourceTopic !== null) return proveBound(world, known, chunkIds);
  const proofId = proofIdOf(newId());
  const beganMs = clock.monotonicMs();
  const gathered = await gatherDigests(view, digests, {
    ...{ namespace: name, chunkIds, id: proofId, principal, clock, timers, submit, signal },
    deadlineMs: provingLimits.digestsMs,
    quietMs: provingLimits.quietMs,
    onlyUp: true,
  });
  const namespace = view.state.namespace(name);
  const chunks = chunkIds.flatMap((chunkId) => view.state.chunk(chunkId) ?? []);
  if (namespace === undefined) return [];
  const partitions = new Set(
    chunks.flatMap(({ slotStart, slotEnd }) => partitionsOf(slotStart, slotEnd, namespace.partitions)),
  );
  const folds = new Map<number, PartitionFold>();
  for (const partition of [...partitions].sort((a, b) => a - b))
    folds.set(partition, await foldOne(world, { namespace, partition, proofId, beganMs, chunks }, gathered.digests));

  return chunks.map((chunk) => {
    const compared = partitionsOf(chunk.slotStart, chunk.slotEnd, namespace.partitions).map(
      (partition): ComparedPartition => {
        const fold = folds.get(partition);
        const barrierOffset = fold?.barrierOffset ?? -1;
        const told = gathered.digests.filter(
          (each) =>
            each.chunkId === chunk.chunkId && each.partition === partition && each.barrierOffset === barrierOffset,
        );
        return {
          partition,
          barrierOffset,
          ...{ proofId, doubt: '' },
          log: fold?.chunks.get(chunk.chunkId),
          why: fold?.why ?? '',
          replicas: new Map(told.map((each) => [replicaKey(each), each])),
        };
      },
    );
    const judgement = judgeChunk(chunk.chunkId, readableOf(chunk), compared);
    return { ...judgement, chunkId: chunk.chunkId, proofId, partitions: compared };
  });
}

/** Of a topic of others: at the places that orders name. */
async function proveBound(
  world: ProvingWorld,
  namespace: NamespaceState,
  chunkIds: readonly string[],
): Promise<ProvedChunk[]> {
  const chunks = chunkIds.flatMap((chunkId) => world.view.state.chunk(chunkId) ?? []);
  const compared = await compareBound(world, namespace, chunks);
  return chunks.map((chunk) => {
    const partitions = compared.get(chunk.chunkId) ?? [];
    const { chunkId } = chunk;
    // Each group of partitions has a comparison of its own.
    const proofId = partitions.find((each) => each.proofId !== '')?.proofId ?? proofIdOf(world.newId());
    return { ...judgeChunk(chunkId, readableOf(chunk), partitions), chunkId, proofId, partitions };
  });
}

interface PartitionFold {
  readonly barrierOffset: number;
  readonly chunks: ReadonlyMap<string, LogDigest>;
  /** Why the log says nothing, in words. */
  readonly why: string;
}

async function foldOne(
  world: ProvingWorld,
  of: {
    readonly namespace: NamespaceState;
    readonly partition: number;
    readonly proofId: string;
    readonly beganMs: number;
    readonly chunks: readonly { readonly chunkId: string; readonly slotStart: number; readonly slotEnd: number }[];
  },
  digests: readonly ReplicaDigest[],
): Promise<PartitionFold> {
  const { log, clock, signal } = world;
  const { binlog: topic, partitions, hashAlgorithm, recordFormat } = of.namespace;
  const partition = asPartition(of.partition);
  // A barrier whose append was tried again may be there twice: its last place counts.
  const barrierOffset = digests.reduce(
    (last, each) => (each.partition === partition ? Math.max(last, each.barrierOffset) : last),
    -1,
  );
  const nothing = (why: string): PartitionFold => ({ barrierOffset, chunks: new Map(), why });
  if (barrierOffset < 0) return nothing('no replica told a digest');
  try {
    const timeMs = await barrierTime(world, topic, of.partition, { offset: barrierOffset, proofId: of.proofId });
    const readingMs = clock.monotonicMs();
    const chunks = await foldDigests(
      log,
      { topic, partition, partitions, hashAlgorithm, recordFormat },
      { ...world, toOffset: barrierOffset, timeMs, chunks: of.chunks },
    );
    const { lagMs, deleteRetentionMs, cleanedBelow } = await rulesNow(log, topic, partition);
    const [sinceBarrierMs, tookMs] = [clock.monotonicMs() - of.beganMs, clock.monotonicMs() - readingMs];
    // What a later record replaced may be gone once the cleaner was beyond the barrier.
    const isWhole =
      cleanedBelow === undefined ? sinceBarrierMs * 2 <= (lagMs ?? Infinity) : cleanedBelow <= barrierOffset;
    if (!isWhole)
      return nothing('compaction was beyond the barrier before the log was read: lengthen the history window');
    // A deletion that was met and removed meanwhile leaves what it deleted.
    if (tookMs * 2 > deleteRetentionMs) return nothing('the log was read for longer than half of delete.retention.ms');
    return { barrierOffset, chunks, why: '' };
  } catch (error) {
    if (signal.aborted || failureCode(error) !== 'NOT_PROVABLE') throw error;
    return nothing(messageOf(error));
  }
}

/** Append time of the barrier, in ms since 1970. NOT_PROVABLE: what stands there is another record. */
async function barrierTime(
  { log, signal }: ProvingWorld,
  topic: string,
  partition: number,
  of: { readonly offset: number; readonly proofId: string },
): Promise<number> {
  const stop = new AbortController();
  const from = { nextOffset: asOffset(of.offset), leaderEpoch: -1 };
  const options = {
    bytesMax: 64 * 1024,
    idleMs: 100,
    unavailableMs: provingLimits.readBarrierMs,
    takesBadStretches: true,
  };
  try {
    for await (const { records } of log.tail(topic, asPartition(partition), from, {
      ...options,
      signal: AbortSignal.any([signal, stop.signal]),
    })) {
      const record = records.find(({ offset }) => offset === of.offset);
      if (record?.value && record.key?.equals(barrierKey)) {
        const { digestPlan } = decodeAs('Barrier', record.value);
        if (digestPlan === of.proofId) return record.timestampMs;
      }
      throw new Failure('NOT_PROVABLE', `the record at offset ${of.offset} is not the barrier that replicas met there`);
    }
  } finally {
    stop.abort();
  }
  throw new Failure('INTERRUPTED', `reading ${topic} partition ${partition} was ended`);
}

/** As it is recorded. */
export function proofOf(
  { chunkId, proofId, verdict, message, replicas, partitions }: ProvedChunk,
  of: Pick<ChunkProof, 'namespace' | 'checkedAtMs' | 'tookMs' | 'intervalMs' | 'by'>,
): ChunkProof {
  return {
    ...{ chunkId, proofId, verdict, message, replicas, ...of },
    partitions: partitions.map(({ partition, barrierOffset, log }) => ({
      partition,
      barrierOffset,
      digest: log?.digest ?? '',
      keys: log?.keys ?? 0,
    })),
  };
}
