import { Digest } from '@levee/kernel';
import { reject, type Rejection } from '../../rejection';
import { firstDifference } from './digest-evidence';
import type { PlanDigest } from '../next/plan-work';

/** Two sets of replicas that hold the same slots: by chunk, which replicas (by unit) stand for it. */
export interface DigestSides {
  readonly before: readonly DigestSide[];
  readonly after: readonly DigestSide[];
}

export interface DigestSide {
  readonly chunkId: string;
  readonly unitIds: ReadonlySet<string>;
  /** Partitions that the chunk's slots lie in. */
  readonly partitions: readonly number[];
}

/** Everything that was compared is equal; `barriers` as `partition:offset`. */
export interface DigestsEqual {
  readonly equal: true;
  readonly barriers: readonly string[];
  readonly keys: number;
  /** Of what either side holds, over all partitions; 32 hexadecimal digits. */
  readonly digest: string;
}

export interface DigestsDiffer {
  readonly equal: false;
  /** Where, in words with the values. */
  readonly message: string;
  readonly evidence: object;
}

interface Sum {
  readonly digest: Digest;
  keys: number;
}

/**
 * Per partition: all replicas of a chunk agree at one barrier, and the sum of the chunks before is the sum of those
 * after. Without `before` (nothing of it is left) the replicas of each chunk after must agree. Replicas that differ show
 * enough alone; else it is refused when a digest is missing.
 */
export function compareDigests(
  digests: readonly PlanDigest[],
  { before, after }: DigestSides,
): DigestsEqual | DigestsDiffer | Rejection {
  const differing = firstDifference(digests);
  if (differing !== undefined) return replicasDiffer(differing);
  const byPlace = new Map(digests.map((digest) => [placeOf(digest), digest]));
  const sums = { before: new Map<number, Sum>(), after: new Map<number, Sum>() };
  for (const which of ['before', 'after'] as const)
    for (const side of which === 'before' ? before : after) {
      const problem = addSide(side, byPlace, sums[which]);
      if (problem !== undefined) return problem;
    }
  const offsets = new Map(digests.map(({ partition, barrierOffset }) => [partition, barrierOffset]));
  let keys = 0;
  const whole = new Digest();
  for (const [partition, sum] of sums.after) {
    keys += sum.keys;
    whole.merge(sum.digest);
    const was = sums.before.get(partition);
    if (before.length === 0 || (was?.digest.equals(sum.digest) === true && was.keys === sum.keys)) continue;
    return differs(partition, { was: shown(was), is: shown(sum), barrier: offsets.get(partition) });
  }
  const barriers = [...offsets].map(([partition, offset]) => `${partition}:${offset}`);
  return { equal: true, barriers, keys, digest: whole.toHex() };
}

function addSide(
  { chunkId, unitIds, partitions }: DigestSide,
  byPlace: ReadonlyMap<string, PlanDigest>,
  sums: Map<number, Sum>,
): Rejection | undefined {
  for (const partition of partitions) {
    let one: PlanDigest | undefined;
    for (const unitId of unitIds) {
      one = byPlace.get(placeOf({ unitId, partition }));
      if (one === undefined)
        return reject('BAD_COMMAND', `the digest of ${chunkId} partition ${partition} in unit ${unitId} is missing`);
    }
    if (one === undefined)
      return reject('BAD_COMMAND', `no replica of ${chunkId} was asked for its digest of partition ${partition}`);
    const sum = sums.get(partition) ?? { digest: new Digest(), keys: 0 };
    sum.digest.merge(Digest.fromHex(one.digest));
    sum.keys += one.keys;
    sums.set(partition, sum);
  }
  return undefined;
}

function replicasDiffer(digests: readonly PlanDigest[]): DigestsDiffer {
  const [first] = digests as [PlanDigest];
  const other = digests.find(({ digest, keys }) => digest !== first.digest || keys !== first.keys) ?? first;
  const { chunkId, partition, barrierOffset: barrier } = first;
  const of = ({ unitId, digest, keys }: PlanDigest): object => ({ unitId, digest, keys });
  return differs(partition, { chunkId, was: of(first), is: of(other), barrier });
}

function differs(partition: number, evidence: object): DigestsDiffer {
  const message = `partition ${partition} differs at one barrier: ${JSON.stringify(evidence)}; both sides are kept`;
  return { equal: false, message, evidence: { partition, ...evidence } };
}

function shown(sum: Sum | undefined): object {
  return { digest: sum?.digest.toHex() ?? 'nothing', keys: sum?.keys ?? 0 };
}

function placeOf({ unitId, partition }: Pick<PlanDigest, 'unitId' | 'partition'>): string {
  return `${unitId} ${partition}`;
}
