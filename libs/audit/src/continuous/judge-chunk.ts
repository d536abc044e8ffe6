import type { ChunkProof, ChunkReplica, ProvedReplica } from '@levee/events';

/** What was found of one partition of a chunk, at one barrier. */
export interface ComparedPartition {
  readonly partition: number;
  /** Id of the comparison, as digests carry it; empty where there was none. */
  readonly proofId: string;
  /** Or the place that stands for it in a topic of others. -1: no replica told where the barrier is. */
  readonly barrierOffset: number;
  /** From the log alone; `undefined`: not provable. */
  readonly log: { readonly digest: string; readonly keys: number } | undefined;
  /** Why the log says nothing, in words. */
  readonly why: string;
  /** Why nobody may be blamed for a difference, in words; empty: there is no reason. */
  readonly doubt: string;
  /** By `replicaKey`; a replica that did not answer is not in it. */
  readonly replicas: ReadonlyMap<string, ToldDigest>;
}

interface ToldDigest {
  readonly digest: string;
  readonly keys: number;
  readonly incarnation: string;
}

type Named = Omit<ChunkReplica, 'role'>;

export const replicaKey = ({ storeId, unitId, generation }: Omit<Named, 'nodeId'>): string =>
  `${storeId} ${unitId}@${generation}`;

/** A replica that holds something else than the log, and one that agrees with the log there. */
interface Blame {
  readonly replica: Named;
  readonly agrees: Named;
  readonly at: ComparedPartition;
}

export interface ChunkJudgement {
  readonly verdict: ChunkProof['verdict'];
  readonly message: string;
  readonly replicas: readonly ProvedReplica[];
  /** [safety] Empty unless the verdict is `replicaDiffers`. */
  readonly blamed: readonly Blame[];
}

/**
 * What a comparison of a chunk's replicas with each other and with the log means. [safety] A replica is blamed only when
 * it differs from the log and from another replica, which agrees with the log in every partition; and nobody is while any
 * partition of the log is in doubt, since a replica that is built anew holds what the log says in all of them.
 */
export function judgeChunk(
  chunkId: string,
  replicas: readonly Named[],
  partitions: readonly ComparedPartition[],
): ChunkJudgement {
  const holds = new Map(replicas.map((replica) => [replica, heldBy(replica, partitions)]));
  const proved = replicas.map((replica): ProvedReplica => {
    const { nodeId, storeId, unitId, generation } = replica;
    return { nodeId, storeId, unitId, generation, holds: holds.get(replica) ?? 'unknown' };
  });
  const of = (wanted: ProvedReplica['holds']): Named[] => replicas.filter((each) => holds.get(each) === wanted);
  const judged = (verdict: ChunkProof['verdict'], message = '', blamed: readonly Blame[] = []): ChunkJudgement => ({
    verdict,
    message,
    replicas: proved,
    blamed,
  });

  const others = of('other');
  const doubt = partitions.find((each) => isLogAlone(each, replicas));
  const unclear = partitions.find((each) => isUnclear(each, replicas));
  const unproved = partitions.find(({ log }) => log === undefined);
  if (unclear !== undefined) return judged('undecided', `${placeOf(chunkId, unclear)}: ${said(unclear, replicas)}`);
  if (doubt !== undefined)
    return judged('logDiffers', `${placeOf(chunkId, doubt)}: the log alone differs: ${said(doubt, replicas)}`);
  const unprovedText = unproved === undefined ? '' : `${placeOf(chunkId, unproved)}: ${unproved.why}`;
  if (others.length > 0) {
    const [agrees] = of('same');
    const at = partitions.find((each) => others.some((other) => differs(other, each)));
    const what = at === undefined ? chunkId : `${placeOf(chunkId, at)}: ${said(at, replicas)}`;
    const doubtText = partitions.find((each) => each.doubt !== '')?.doubt ?? '';
    if (agrees === undefined || doubtText !== '')
      return judged('undecided', [what, unprovedText, doubtText].filter((text) => text !== '').join('; '));
    const blamed = others.flatMap((replica) => {
      const where = partitions.find((each) => differs(replica, each));
      return where === undefined ? [] : [{ replica, agrees, at: where }];
    });
    return judged('replicaDiffers', what, blamed);
  }
  if (unproved !== undefined) return judged('notProvable', unprovedText);
  const missing = of('unknown').map(({ nodeId, unitId }) => `${unitId} on ${nodeId}`);
  if (missing.length === 0) return judged('proved');
  return judged('incomplete', `no digest came of ${missing.join(', ')}`);
}

function heldBy(replica: Named, partitions: readonly ComparedPartition[]): ProvedReplica['holds'] {
  if (partitions.some((each) => differs(replica, each))) return 'other';
  const all = partitions.every((each) => each.log !== undefined && each.replicas.has(replicaKey(replica)));
  return all ? 'same' : 'unknown';
}

function differs(replica: Named, { log, replicas }: ComparedPartition): boolean {
  const told = replicas.get(replicaKey(replica));
  return told !== undefined && log !== undefined && !same(told, log);
}

const same = (a: Omit<ToldDigest, 'incarnation'>, b: Omit<ToldDigest, 'incarnation'>): boolean =>
  a.digest === b.digest && a.keys === b.keys;

function toldOf({ replicas }: ComparedPartition, of: readonly Named[]): ToldDigest[] {
  return of.flatMap((each) => replicas.get(replicaKey(each)) ?? []);
}

/** Several replicas agree, and the log says something else. */
function isLogAlone(at: ComparedPartition, replicas: readonly Named[]): boolean {
  const [first, ...more] = toldOf(at, replicas);
  return (
    at.log !== undefined &&
    first !== undefined &&
    more.length > 0 &&
    !same(first, at.log) &&
    more.every((each) => same(each, first))
  );
}

/** Something differs, and no replica agrees with the log, or the log says nothing. */
function isUnclear(at: ComparedPartition, replicas: readonly Named[]): boolean {
  const told = toldOf(at, replicas);
  const { log } = at;
  const [first] = told;
  if (log === undefined) return told.some((each) => first !== undefined && !same(each, first));
  const allDiffer = told.length > 0 && told.every((each) => !same(each, log));
  return allDiffer && !isLogAlone(at, replicas);
}

const placeOf = (chunkId: string, { partition, barrierOffset }: ComparedPartition): string =>
  `${chunkId}, partition ${partition} before offset ${barrierOffset}`;

function said({ log, replicas }: ComparedPartition, of: readonly Named[]): string {
  const told = of.map((each) => {
    const { nodeId, unitId } = each;
    return `${unitId} on ${nodeId} holds ${textOf(replicas.get(replicaKey(each)))}`;
  });
  return `the log says ${textOf(log)}, ${told.join(', ')}`;
}

const textOf = (of: Omit<ToldDigest, 'incarnation'> | undefined): string =>
  of === undefined ? 'nothing' : `${of.keys} keys with digest ${of.digest}`;
