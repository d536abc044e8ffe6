import type { DirectRoutes, DirectView, FollowFacts } from '@levee/cluster';

/** What a portal says to LV.DIRECT. Portals of older versions do not say all of it. */
export type FactsAnswer = DirectView & {
  /** Wall clock by which it judges expiry. */
  readonly nowMs: number;
  /** Partitions whose log lost what replicas of nodes hold. */
  readonly stopped?: readonly number[];
  /** `kafka` or `embedded`. */
  readonly logKind?: string;
  /** For how long there may be decisions that it has not heard of. */
  readonly unheardMs?: number;
};

/** One creation of a namespace, as its log is followed. */
export interface FollowedNamespace
  extends FollowFacts, Pick<DirectRoutes, 'askedAs' | 'log' | 'partitions' | 'hashAlgorithm' | 'consistency'> {
  readonly logKind: string;
}

/** Another portal may know more of the very same version. */
export const older =
  'the portal is of a version that does not say how the log is followed: bring all portals to this one';

/** A text is why it cannot be followed. */
export function followedOf(answer: FactsAnswer & DirectRoutes): FollowedNamespace | string {
  const { follow, logKind, stopped, unheardMs } = answer as Partial<FactsAnswer & DirectRoutes>;
  if (follow === undefined || logKind === undefined || stopped === undefined || unheardMs === undefined) return older;
  if (typeof follow === 'string') return follow;
  const { askedAs, log, partitions, hashAlgorithm, consistency } = answer;
  return { ...follow, askedAs, log, partitions, hashAlgorithm, consistency, logKind };
}

/** What may change while what is held stays right. */
const passing = ['consistency', 'maxStalenessMs'] as const satisfies readonly (keyof FollowedNamespace)[];

/** What is held of one is what is held of the other. */
export function isSame(a: FollowedNamespace, b: FollowedNamespace): boolean {
  const fixed = (of: FollowedNamespace): string =>
    JSON.stringify(Object.entries({ ...of, ...Object.fromEntries(passing.map((name) => [name, 0])) }).sort());
  return fixed(a) === fixed(b);
}
