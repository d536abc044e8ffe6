import { assert } from '@levee/kernel';
import type { PayloadFields } from '../../payload';
import { reject } from '../../rejection';
import { planLimits } from '../plan-limits';
import type { PlanDigest } from '../next/plan-work';

/**
 * Digests as VerifyPlan and ReclaimPlan carry them: a barrier once per partition, a replica once, and what replicas of
 * a chunk agree on once for all of them. Written out for each replica and partition, the digests of one chunk over some
 * hundred partitions were larger than a command may be.
 */
export interface DigestEvidence {
  readonly barriers: readonly DigestBarrier[];
  readonly digests: readonly AgreedDigests[];
}

interface DigestBarrier {
  readonly partition: number;
  readonly offset: number;
}

/** What these replicas of one chunk hold, the same in each. Replicas that differ stand in entries of their own. */
interface AgreedDigests {
  readonly chunkId: string;
  readonly replicas: readonly Pick<PlanDigest, 'nodeId' | 'storeId' | 'incarnation' | 'unitId' | 'generation'>[];
  readonly sums: readonly Pick<PlanDigest, 'partition' | 'digest' | 'keys'>[];
}

/**
 * The digests of one round, one barrier in each partition. Where replicas of a chunk differ, only the first place at
 * which they do is told: that is all it takes to stop a plan, and there is no bound on how much could differ.
 */
export function digestEvidence(digests: readonly PlanDigest[]): DigestEvidence {
  const differing = firstDifference(digests);
  return differing === undefined ? agreed(digests) : told(differing, ({ digest, keys }) => `${digest} ${keys}`);
}

function agreed(digests: readonly PlanDigest[]): DigestEvidence {
  return told(digests, () => '');
}

/** `apart` tells digests of one chunk from each other; equal texts share an entry. */
function told(digests: readonly PlanDigest[], apart: (of: PlanDigest) => string): DigestEvidence {
  const offsets = new Map<number, number>();
  const entries = new Map<
    string,
    { count: number; replicas: Map<string, PlanDigest>; sums: Map<number, PlanDigest> }
  >();
  for (const of of digests) {
    const offset = offsets.get(of.partition) ?? of.barrierOffset;
    assert(offset === of.barrierOffset, `I11: a round of digests has one barrier in partition ${of.partition}`);
    offsets.set(of.partition, offset);
    const key = `${of.chunkId} ${apart(of)}`;
    const entry = entries.get(key) ?? { count: 0, replicas: new Map(), sums: new Map() };
    entries.set(key, entry);
    entry.count++;
    entry.replicas.set(replicaOf(of), of);
    entry.sums.set(of.partition, of);
  }
  for (const { count, replicas, sums } of entries.values())
    assert(count === replicas.size * sums.size, 'I11: each replica has told a digest of each partition of its chunk');
  return {
    barriers: [...offsets].map(([partition, offset]) => ({ partition, offset })),
    digests: [...entries.values()].map(({ replicas, sums }) => ({
      chunkId: [...replicas.values()][0]?.chunkId ?? '',
      replicas: [...replicas.values()].map(({ nodeId, storeId, incarnation, unitId, generation }) => {
        return { nodeId, storeId, incarnation, unitId, generation };
      }),
      sums: [...sums.values()].map(({ partition, digest, keys }) => ({ partition, digest, keys })),
    })),
  };
}

/** All digests of the first chunk and partition at which replicas differ; `undefined` = they agree everywhere. */
export function firstDifference(digests: readonly PlanDigest[]): readonly PlanDigest[] | undefined {
  const first = new Map<string, PlanDigest>();
  for (const of of digests) {
    const place = `${of.chunkId} ${of.partition}`;
    const other = first.get(place) ?? of;
    first.set(place, other);
    if (other.digest === of.digest && other.keys === of.keys) continue;
    return digests.filter(({ chunkId, partition }) => chunkId === of.chunkId && partition === of.partition);
  }
  return undefined;
}

/** Reads `barriers` and `digests`; check `fields.problem` before using what comes out. */
export function readDigests(fields: PayloadFields): PlanDigest[] {
  const count = (of: PayloadFields, name: string): number => of.integer(name, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const { comparedPartitionsMax, comparedReplicasMax, comparedSumsMax } = planLimits;
  const offsets = new Map<number, number>();
  fields.objects('barriers', comparedPartitionsMax, (of) => {
    const [partition, offset] = [count(of, 'partition'), count(of, 'offset')];
    const known = offsets.get(partition) ?? offset;
    if (known !== offset)
      of.refuse(
        reject('STALE_EVIDENCE', `partition ${partition} was compared at barriers ${known} and ${offset}: use one`),
      );
    offsets.set(partition, offset);
  });
  let sums = 0;
  const entries = fields.objects('digests', comparedReplicasMax, (of) => {
    const entry = {
      chunkId: of.text('chunkId', 512),
      replicas: of.objects('replicas', comparedReplicasMax, readReplica),
      sums: of.objects('sums', comparedPartitionsMax, (sum) => readSum(sum, offsets)),
    };
    sums += entry.sums.length;
    if (sums > comparedSumsMax)
      of.refuse(reject('BAD_COMMAND', `digests has more than ${comparedSumsMax} sums: a plan compares fewer`));
    return entry;
  });
  if (fields.problem !== undefined) return [];
  return entries.flatMap(({ chunkId, replicas, sums: own }) =>
    replicas.flatMap((replica) => own.map((sum) => ({ chunkId, ...replica, ...sum }))),
  );
}

function readReplica(of: PayloadFields): AgreedDigests['replicas'][number] {
  return {
    nodeId: of.text('nodeId', 63),
    storeId: of.text('storeId', 64),
    incarnation: of.text('incarnation', 64),
    unitId: of.text('unitId', 128),
    generation: of.integer('generation', { min: 1, max: 2 ** 31 - 1 }),
  };
}

function readSum(
  of: PayloadFields,
  offsets: ReadonlyMap<number, number>,
): Pick<PlanDigest, 'partition' | 'digest' | 'keys' | 'barrierOffset'> {
  const partition = of.integer('partition', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const digest = of.text('digest', 32);
  const keys = of.integer('keys', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const barrierOffset = offsets.get(partition);
  if (of.problem === undefined && !/^[0-9a-f]{32}$/.test(digest))
    of.refuse(reject('BAD_COMMAND', `digest '${digest}' must be 32 hexadecimal digits`));
  if (of.problem === undefined && barrierOffset === undefined)
    of.refuse(reject('BAD_COMMAND', `barriers does not say at which offset partition ${partition} was compared`));
  return { partition, digest, keys, barrierOffset: barrierOffset ?? 0 };
}

const replicaOf = ({ unitId, generation, storeId, incarnation }: PlanDigest): string =>
  `${unitId} ${generation} ${storeId} ${incarnation}`;
