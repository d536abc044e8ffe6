import { assert } from '@levee/kernel';
import { partitionsMax } from '@levee/keyspace';
import { replicasMax } from '../commands/namespaces/knobs';
import { payloadLengthMax } from '../payload';

/** Bounds of plans. Milliseconds where they say Ms. */
export const planLimits = {
  /** Plans running at once in the cluster, those made of parts not counted. */
  runningMax: 16,
  /** Plans that load replicas onto one node at once. */
  loadingPerNodeMax: 2,
  /** Plans that load from one node at once: counted at the node of the source's primary. */
  servingPerNodeMax: 2,
  /** Moments that a plan remembers. */
  historyMax: 64,
  /** Plans that are over are kept for so long... */
  overKeptMs: 24 * 3_600_000,
  /** ...and at most so many of them. */
  overMax: 1_000,
  /** Forgotten by one decision: more than one, so that they never pile up. */
  forgottenMax: 4,
  /** Plans that are not over. */
  openMax: 4_096,
  /** Chunks that one split makes, or that one merge joins. */
  piecesMax: 16,
  /** Chunks on either side of one part of a resize. */
  partPiecesMax: 64,
  /** Chunks of a namespace after a resize. */
  chunksMax: 4_096,
  observeMsDefault: 600_000,
  observeMsMax: 7 * 86_400_000,
  maxLagRecordsDefault: 1_000,
  /** A plan that failed is tried again after so long, twice as long each time the same happens... */
  retryMinMs: 1_000,
  /** ...and never later than this. */
  retryMaxMs: 300_000,
  /** From so many identical failures in a row on it is an alarm. */
  failuresAlarm: 3,
  /** A plan that waits for others so long, and not for people or its turn, is an alarm. */
  waitAlarmMs: 300_000,
  /** After a rollback readers with an older route have so long before the replicas are cleared. */
  rolledBackGraceMs: 5_000,
  /** How soon a plan that could not begin is looked at again, when nothing changes meanwhile. */
  lookAgainMs: 1_000,
  /** Characters of the evidence that a proposal or a report carries, as JSON. */
  evidenceLengthMax: 16_384,
  /** Characters of the evidence of one moment, and of what a node reported of one replica... */
  shownLengthMax: 4_096,
  /** ...and of all moments together: what is older is in the decisions only. */
  historyLengthMax: 131_072,
  /** Replicas that one plan compares before its switch: those it makes, and one of each chunk it is made from. */
  comparedReplicasMax: 256,
  comparedPartitionsMax: partitionsMax,
  /** Digests of chunks in partitions that one plan compares; a cut inside a partition adds one on its side. */
  comparedSumsMax: 2_128,
} as const;

/** Most characters of one entry of a comparison as JSON, with names as long as may be. */
const compared = { barrier: 46, sum: 90, replica: 400, chunk: 240 } as const;

assert(planLimits.retryMinMs < planLimits.retryMaxMs, 'the pause before a retry grows');
assert(planLimits.piecesMax <= planLimits.partPiecesMax, 'a part of a resize does what a split can');
assert(planLimits.overMax < planLimits.openMax * 4, 'what is over takes less room than what is under way');
assert(planLimits.comparedSumsMax >= 2 * (partitionsMax + planLimits.partPiecesMax), 'any chunks can be compared');
assert(
  planLimits.comparedReplicasMax >= planLimits.piecesMax * replicasMax + 1,
  'every split and merge can be compared',
);
assert(
  planLimits.comparedPartitionsMax * compared.barrier +
    planLimits.comparedSumsMax * compared.sum +
    planLimits.comparedReplicasMax * compared.replica +
    2 * planLimits.partPiecesMax * compared.chunk <
    payloadLengthMax * 0.9,
  'what a plan compares fits one command',
);
