import type { CommandKind } from '../../command-kinds';

/** A digest that must be there: the very replica, in the very generation. */
export interface ExpectedDigest {
  readonly chunkId: string;
  readonly partition: number;
  readonly nodeId: string;
  readonly storeId: string;
  readonly unitId: string;
  readonly generation: number;
}

/** A digest as VerifyPlan and ReclaimPlan take it; `ReplicaDigest` of `@levee/events` has all of these fields. */
export interface PlanDigest extends ExpectedDigest {
  readonly incarnation: string;
  readonly barrierOffset: number;
  /** 32 hexadecimal digits. */
  readonly digest: string;
  readonly keys: number;
}

/** Nothing to do before `untilMs` (the master's clock) or, without it, before the state changes. */
interface WaitForPlan {
  readonly kind: 'wait';
  readonly untilMs?: number;
  /** Time alone brings nothing: at `untilMs` it is only looked at again, in case that the state has changed unseen. */
  readonly looksAgain?: true;
  /** What it waits for, in words. */
  readonly reason: string;
}

/** The master gives itself this command. */
interface SubmitForPlan {
  readonly kind: 'submit';
  readonly command: CommandKind;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The master proposes these parts: payloads of ProposePlan. */
interface ProposeParts {
  readonly kind: 'propose';
  readonly payloads: readonly Readonly<Record<string, unknown>>[];
}

/**
 * A barrier with digest goes into every partition of `expect`; then VerifyPlan (`switch`) or ReclaimPlan (`reclaim`)
 * with exactly these digests.
 */
export interface VerifyForPlan {
  readonly kind: 'verify';
  readonly purpose: 'switch' | 'reclaim';
  readonly planId: string;
  readonly attempt: number;
  readonly namespace: string;
  readonly chunkIds: readonly string[];
  readonly expect: readonly ExpectedDigest[];
}

/** What the master must do next for a plan: see `nextPlanWork`. */
export type PlanWork = WaitForPlan | SubmitForPlan | ProposeParts | VerifyForPlan;
