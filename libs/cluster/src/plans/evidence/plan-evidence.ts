import type { ChunkReplica, ChunkState, PlanState } from '@levee/events';
import { partitionsOf } from '@levee/keyspace';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import type { DigestSide, DigestSides } from './compare-digests';
import {
  isLost,
  isReadable,
  isSame,
  isUp,
  livingReplicas,
  replicaInForce,
  replicasMade,
  sourceChunks,
  type ReplicaRef,
} from '../plan-shape';
import type { ExpectedDigest, PlanDigest } from '../next/plan-work';

/** A replica whose digest was toCompare: the very run on the very disk. */
export interface ComparedReplica extends ReplicaRef {
  readonly nodeId: string;
  readonly incarnation: string;
}

/** What `PlanState.verified` keeps, as JSON. */
export interface Verified {
  readonly barrierId: string;
  /** `partition:offset` of the barriers. */
  readonly barriers: readonly string[];
  readonly keys: number;
  /** Of what both sides hold; plans that were verified by an older version have none. */
  readonly digest?: string;
  readonly replicas: readonly ComparedReplica[];
}

interface ReplicaOnNode extends ReplicaRef {
  readonly nodeId: string;
}

/** Replicas to compare: `before` those that hold the data now, `after` those that shall. */
export interface ReplicasToCompare {
  readonly before: readonly ReplicaOnNode[];
  readonly after: readonly ReplicaOnNode[];
}

/**
 * Whom to ask before the switch: every replica that the plan makes, and one readable replica of each source, another
 * one in each attempt, so that a source that is damaged does not stop the plan for ever. Words when some cannot be
 * asked now. Where no source is left at all the new replicas stand for themselves: nothing better exists.
 */
export function comparedBeforeSwitch(
  state: ClusterState,
  plan: PlanState,
): ReplicasToCompare | { readonly waitsFor: string } {
  const after = replicasMade(plan);
  const silent = after.find((of) => !isUp(state, of));
  if (silent !== undefined) return { waitsFor: `node ${silent.nodeId}, which makes a replica and is not up` };
  const before: ReplicaOnNode[] = [];
  for (const chunk of sourceChunks(state, plan)) {
    const source = turn(
      chunk.replicas.filter((of) => isReadable(of) && isUp(state, of)),
      plan.attempt,
    );
    if (source !== undefined) before.push(replicaRef(chunk, source));
    else if (livingReplicas(state, chunk).length > 0)
      return { waitsFor: `a readable replica of ${chunk.chunkId} on a node that is up` };
  }
  return { before: before.length === plan.sources.length ? before : [], after };
}

/**
 * Whom to ask before what was superseded is cleared: one retired replica of each source, and of each target one that is
 * readable now. `undefined` = nothing is left to compare with.
 */
export function comparedBeforeReclaim(
  state: ClusterState,
  plan: PlanState,
): ReplicasToCompare | { readonly waitsFor: string } | undefined {
  const after: ReplicaOnNode[] = [];
  for (const { chunkId, replicas } of plan.targets) {
    const chunk = state.chunk(chunkId);
    const readable = chunk?.replicas.filter((of) => isReadable(of) && isUp(state, of)) ?? [];
    const made = readable.filter((of) => replicas.some((one) => isSame(one, of)));
    const one = turn(made.length > 0 ? made : readable, plan.attempt);
    if (chunk === undefined || one === undefined)
      return { waitsFor: `a readable replica of ${chunkId} on a node that is up` };
    after.push(replicaRef(chunk, one));
  }
  const before: ReplicaOnNode[] = [];
  for (const chunkId of plan.sources) {
    const retired = plan.retiring.filter((of) => of.chunkId === chunkId && isRetired(state, of));
    if (retired.length === 0) return undefined;
    const one = turn(
      retired.filter((of) => isUp(state, of)),
      plan.attempt,
    );
    if (one === undefined) return { waitsFor: `a retired replica of ${chunkId} on a node that is up` };
    before.push(one);
  }
  return { before, after };
}

/** Holds all that its chunk held at the switch, and follows the log still. */
export function isRetired(state: ClusterState, of: PlanState['retiring'][number]): boolean {
  const replica = replicaInForce(state, of);
  return replica?.role === 'retired' && of.role !== 'learner' && of.role !== 'dead' && !isLost(state, of);
}

function turn<T>(candidates: readonly T[], attempt: number): T | undefined {
  return candidates[(attempt - 1) % Math.max(1, candidates.length)];
}

function replicaRef({ chunkId }: ChunkState, { nodeId, storeId, unitId, generation }: ChunkReplica): ReplicaOnNode {
  return { chunkId, nodeId, storeId, unitId, generation };
}

/** One digest for each replica and each partition that its chunk lies in. */
export function expectedDigests(state: ClusterState, plan: PlanState, toCompare: ReplicasToCompare): ExpectedDigest[] {
  return [...toCompare.before, ...toCompare.after].flatMap(({ chunkId, nodeId, storeId, unitId, generation }) =>
    partitionsOfChunk(state, plan, chunkId).map((partition) => ({
      chunkId,
      partition,
      nodeId,
      storeId,
      unitId,
      generation,
    })),
  );
}

/** The sides that `digests` must cover: what is asked for now, and every other replica that they tell of. */
export function sidesOf(state: ClusterState, plan: PlanState, toCompare: ReplicasToCompare): DigestSides {
  const sides = (of: readonly ReplicaOnNode[]): DigestSide[] => {
    const byChunk = new Map<string, Set<string>>();
    for (const { chunkId, unitId } of of) byChunk.set(chunkId, (byChunk.get(chunkId) ?? new Set()).add(unitId));
    return [...byChunk].map(([chunkId, unitIds]) => ({
      chunkId,
      unitIds,
      partitions: partitionsOfChunk(state, plan, chunkId),
    }));
  };
  return { before: sides(toCompare.before), after: sides(toCompare.after) };
}

function partitionsOfChunk(state: ClusterState, plan: PlanState, chunkId: string): number[] {
  const chunk = state.chunk(chunkId);
  const namespace = state.namespace(plan.namespace ?? '');
  if (chunk === undefined || namespace === undefined) return [];
  return partitionsOf(chunk.slotStart, chunk.slotEnd, namespace.partitions);
}

/** I11: the digests tell of replicas that are in force, from the runs that are. `undefined` = they do. */
export function staleDigests(state: ClusterState, replicas: readonly ComparedReplica[]): Rejection | undefined {
  for (const of of replicas) {
    const node = state.node(of.nodeId);
    if (replicaInForce(state, of) !== undefined && node?.incarnation === of.incarnation && isUp(state, of)) continue;
    return reject(
      'STALE_EVIDENCE',
      `I11: the digest of ${of.chunkId} is of unit ${of.unitId} generation ${of.generation} on disk ${of.storeId}, run ` +
        `${of.incarnation} of ${of.nodeId}: not what is in force and up now; compare again`,
    );
  }
  return undefined;
}

/** The replicas that the digests tell of, each once. */
export function comparedReplicas(digests: readonly PlanDigest[]): ComparedReplica[] {
  const replicas = new Map<string, ComparedReplica>();
  for (const { chunkId, nodeId, storeId, incarnation, unitId, generation } of digests)
    replicas.set(`${unitId} ${incarnation}`, { chunkId, nodeId, storeId, incarnation, unitId, generation });
  return [...replicas.values()];
}

export function verifiedIn(plan: PlanState): Verified | undefined {
  return plan.verified === null ? undefined : (JSON.parse(plan.verified) as Verified);
}
