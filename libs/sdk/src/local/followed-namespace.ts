import type { DirectRoutes, FollowFacts } from '@levee/cluster';
import { recordFormats } from '@levee/codec';
import { type DirectAnswer, readDirectAnswer } from '../direct/direct-answer';

/** What a portal says to LV.DIRECT. Portals of older versions do not say all of it. */
export type FactsAnswer = DirectAnswer & {
  /** Partitions whose log lost what replicas of nodes hold. */
  readonly stopped?: readonly number[];
  /** `kafka` or `embedded`. */
  readonly logKind?: string;
  /** For how long there may be decisions that it has not heard of; null: it has heard of none yet. */
  readonly unheardMs?: number | null;
};

/** Throws where it is anything else: what was known before stays in force. */
export function readFacts(text: string): FactsAnswer {
  const answer: FactsAnswer = readDirectAnswer(text);
  const { stopped = [], logKind = '', unheardMs = null } = answer;
  const isRight =
    Array.isArray(stopped) &&
    stopped.every(Number.isInteger) &&
    typeof logKind === 'string' &&
    (unheardMs === null || unheardMs >= 0) &&
    (answer.change === 'notChange' || isFollow((answer as Partial<DirectRoutes>).follow));
  if (!isRight)
    throw new Error("a portal's answer to LV.DIRECT does not say how the log is followed in a way known here");
  return answer;
}

function isFollow(follow: FollowFacts | string | undefined): boolean {
  if (follow === undefined || typeof follow === 'string') return true;
  const { clusterId, creation, bornAs, binlog, recordFormat, sourceTopicId, hiddenAfterMs, maxStalenessMs } = follow;
  return (
    [clusterId, creation, bornAs, binlog].every((text) => typeof text === 'string' && text !== '') &&
    Object.keys(recordFormats).includes(recordFormat) &&
    (sourceTopicId === null || typeof sourceTopicId === 'string') &&
    [hiddenAfterMs, maxStalenessMs].every((ms) => ms === null || (Number.isSafeInteger(ms) && ms > 0))
  );
}

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

/** All that must be the same for what is held to be right. */
export const fixedOf = (followed: FollowedNamespace): string =>
  JSON.stringify(Object.entries({ ...followed, ...Object.fromEntries(passing.map((name) => [name, 0])) }).sort());

/** What is held of one is what is held of the other. */
export const isSame = (a: FollowedNamespace, b: FollowedNamespace): boolean => fixedOf(a) === fixedOf(b);
