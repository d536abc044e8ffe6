import type { Trigger } from './healing-policy';

/** Facts that a proposal, or the lack of one, rests on: plain JSON, figures with their unit in the name. */
export type Facts = Readonly<Record<string, unknown>>;

/** A chunk, two neighbours joined by `+`, or a node. */
export interface Subject {
  readonly chunkId?: string;
  readonly nodeId?: string;
}

/** Payload of ProposePlan. */
export interface ProposedPlan {
  readonly kind: 'reReplicate' | 'move' | 'promote' | 'split' | 'merge' | 'shift';
  readonly trigger: Trigger;
  readonly evidence: Facts;
  readonly policyVersion: number;
  readonly chunkId?: string;
  readonly chunkIds?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly unitId?: string;
  readonly at?: number;
  readonly parts?: number;
}

export interface Proposal {
  /** Two dispatchers that find the same in the same state give it the same key. */
  readonly key: string;
  readonly subject: Subject;
  readonly payload: ProposedPlan;
}

/** Why nothing is proposed about a finding. Codes are API. */
export type ReasonCode =
  /** It has not lasted long enough. */
  | 'TOO_YOUNG'
  /** A plan holds the chunk, or loads the node. */
  | 'PLAN_OPEN'
  /** A plan changed it a short while ago. */
  | 'COOLING_DOWN'
  /** Loads of the node are not settled after the last change. */
  | 'SETTLING'
  /** No node that is up has a free unit of that size in a failure domain that is not taken. */
  | 'NO_NODE'
  /** Only the units kept for healing are free. */
  | 'ONLY_SPARE_UNITS'
  /** A chunk of one slot cannot be cut. */
  | 'ONE_SLOT'
  /** The last cut did not help: the load is that of one key, or of very few. */
  | 'ONE_HOT_KEY'
  /** Nothing that could be handed over or moved would make it better. */
  | 'NO_GAIN'
  /** As many plans as may be are proposed or under way. */
  | 'ENOUGH_PLANS'
  /** Much of the cluster is silent at once: nothing is moved meanwhile. */
  | 'STORM'
  /** A person resizes or rebalances here. */
  | 'PEOPLE_AT_WORK';

export interface WhyNot {
  readonly subject: Subject;
  readonly trigger: Trigger;
  readonly code: ReasonCode;
  /** For people, with the values. */
  readonly message: string;
  readonly facts: Facts;
}
