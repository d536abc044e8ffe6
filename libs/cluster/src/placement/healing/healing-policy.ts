import { spareUnits } from '../unit-budget';
import { assert } from '@levee/kernel';

/** What is found above `enter` counts until it falls below `leave`: between the two nothing begins and nothing ends. */
export interface Threshold {
  readonly enter: number;
  readonly leave: number;
}

/** The rules by which the dispatcher heals and balances. Milliseconds, bytes, requests per second throughout. */
export interface HealingPolicy {
  /** Kept in every plan that follows from these rules: from 1. */
  readonly version: number;
  /** Share of a chunk's capacity from which it counts as full. */
  readonly fullShare: Threshold;
  /** Requests per second of one chunk, reads of all its replicas and writes together. */
  readonly hotChunk: Threshold;
  /** Load of a node as a multiple of its share: the mean load of a unit times its units. */
  readonly hotNode: Threshold;
  /** Below this load a node is never hot, however uneven the load is. */
  readonly hotNodePerSecondMin: number;
  /** Share of the mean use of units below which a node counts as empty, and up to which it is filled. */
  readonly emptyNode: { readonly enterBelow: number; readonly fillTo: number };
  /** Two neighbours are cold when they hold and do no more than this together, as shares of full and of hot. */
  readonly coldShare: number;
  /** A neighbour takes slots of a hot chunk when its load is at most this share of the hot one's. */
  readonly shiftShareMax: number;
  /** How long a finding must hold before anything follows from it. */
  readonly ageMs: Readonly<Record<Trigger, number>>;
  /** A chunk that a plan changed is left alone for so long; a dead replica is made up for at once. */
  readonly chunkCoolDownMs: number;
  /** A replica, or the lead of a chunk, does not return for so long to a node that it left to balance load. */
  readonly returnCoolDownMs: number;
  /** Loads say nothing about a node for so long after primaries or replicas came or went. */
  readonly nodeSettleMs: number;
  /** Of smoothed loads: after this time half of a figure stems from what was measured since. */
  readonly rateHalfLifeMs: number;
  /** Share of a node's units, and least number, that only healing may take. */
  readonly spareShare: number;
  readonly spareUnitsMin: number;
  /** Free bytes of the disk below which a node gets no more replicas. */
  readonly freeDiskBytesMin: number;
  readonly proposalsPerRoundMax: number;
  /** Plans by these rules that may be open before their switch; nothing is proposed beyond. */
  readonly openPlansMax: number;
  /** The same of those that load one node, or read from it. */
  readonly openPlansPerNodeMax: number;
  /** A hot node hands over so much at once, then its load is measured again. */
  readonly handOversPerNode: number;
  /** A split or shift that left a chunk with more than this share of what its slots do did not help: one key is hot. */
  readonly splitHelpsShare: number;
  /** Reasons why nothing is proposed, kept of one round. */
  readonly reasonsMax: number;
}

/** Why a plan is proposed; in the order in which they get their turn. */
export const triggers = [
  'deadReplica',
  'fullChunk',
  'hotChunk',
  'hotNode',
  'emptyNode',
  'coldNeighbours',
  'unevenPrimaries',
] as const;
export type Trigger = (typeof triggers)[number];

const healingPolicyVersion = 5;

/** The rules of this version. `settleMs`: how long a load must last to count; `coolDownMs`: rest of a changed chunk. */
export function healingPolicy(
  of: {
    readonly settleMs?: number;
    readonly coolDownMs?: number;
    readonly hotChunkPerSecond?: number;
    readonly hotNodePerSecondMin?: number;
  } = {},
  /** Figures in the place of these. */
  others: Partial<HealingPolicy> = {},
): HealingPolicy {
  const { settleMs = 60_000, coolDownMs = 600_000, hotChunkPerSecond = 10_000, hotNodePerSecondMin = 2_000 } = of;
  const policy: HealingPolicy = {
    version: healingPolicyVersion,
    fullShare: { enter: 0.75, leave: 0.65 },
    hotChunk: { enter: hotChunkPerSecond, leave: hotChunkPerSecond * 0.7 },
    hotNode: { enter: 1.3, leave: 1.1 },
    hotNodePerSecondMin,
    emptyNode: { enterBelow: 0.5, fillTo: 0.9 },
    coldShare: 0.25,
    shiftShareMax: 0.25,
    ageMs: {
      // A node is lost only after a long proven silence: nothing is gained by waiting once more.
      deadReplica: 0,
      fullChunk: settleMs / 6,
      hotChunk: settleMs,
      hotNode: settleMs,
      emptyNode: settleMs / 2,
      coldNeighbours: settleMs * 10,
      unevenPrimaries: settleMs,
    },
    chunkCoolDownMs: coolDownMs,
    returnCoolDownMs: coolDownMs * 36,
    nodeSettleMs: settleMs,
    rateHalfLifeMs: settleMs / 3,
    spareShare: spareUnits.share,
    spareUnitsMin: spareUnits.min,
    freeDiskBytesMin: 2 ** 30,
    proposalsPerRoundMax: 16,
    openPlansMax: 32,
    openPlansPerNodeMax: 4,
    handOversPerNode: 4,
    splitHelpsShare: 0.8,
    reasonsMax: 1_000,
    ...others,
  };
  checkHealingPolicy(policy);
  return policy;
}

/** Throws InvariantViolation for rules under which something could go back and forth. */
function checkHealingPolicy(policy: HealingPolicy): void {
  const { fullShare, hotChunk, hotNode, emptyNode, coldShare, shiftShareMax } = policy;
  for (const { enter, leave } of [fullShare, hotChunk, hotNode])
    assert(leave < enter, 'I18: a finding ends below its begin');
  assert(fullShare.enter / 2 < fullShare.leave, 'half of a chunk that just became full is not full');
  assert(hotChunk.enter / 2 < hotChunk.leave, 'half of a chunk that just became hot is not hot');
  assert(hotNode.leave > 1, 'not every node can have more than its share');
  assert(
    emptyNode.enterBelow < emptyNode.fillTo && emptyNode.fillTo < 1,
    'a filled node is not empty, nor the fullest',
  );
  assert(coldShare * fullShare.enter < fullShare.leave / 2, 'merged neighbours are far from full');
  assert(
    coldShare * hotChunk.enter < hotChunk.leave / 2,
    'merged neighbours are far from hot, and so are their halves',
  );
  assert(shiftShareMax < 0.5, 'after a shift both chunks have clearly less than the hot one had');
  assert(policy.chunkCoolDownMs <= policy.returnCoolDownMs, 'going back rests longer than going on');
  assert(policy.nodeSettleMs <= policy.chunkCoolDownMs, 'a chunk rests at least until its loads are measured anew');
  assert(policy.rateHalfLifeMs * 3 <= policy.nodeSettleMs, 'a load that changed is known before it is judged');
  assert(policy.proposalsPerRoundMax > 0 && policy.openPlansMax > 0, 'something may be proposed');
  assert(policy.spareShare >= 0 && policy.spareShare < 1, 'not all units are spare');
}
