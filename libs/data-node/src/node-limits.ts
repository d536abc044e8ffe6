import { followLimits } from '@levee/follow';
import { assert } from '@levee/kernel';
import { copyLimits } from './copy/copy-limits';

/** Named bounds of a data node (I16). */
export const nodeLimits = {
  heartbeatMs: 300,
  /** Positions travel with every n-th heartbeat only. */
  positionsEveryHeartbeats: 10,
  /** The log's time is read anew this often, by looking at an own heartbeat's append time. */
  logClockMs: 30_000,
  /** So often a look whether the machine slept: its two clocks are further apart by this much than a look before. */
  sleepLookMs: 1_000,
  sleepMsMin: 5_000,
  registerDeadlineMs: 5_000,
  registerRetryMinMs: 250,
  registerRetryMaxMs: 5_000,
  /** An empty disk takes the place of a known one after hearing nothing of it for so long: seven heartbeats. */
  rivalSilenceMs: 2_100,
  /** A disk serves again after hearing nothing of an earlier run of its process for so long: three heartbeats. */
  twinSilenceMs: 900,
  /** Copies of records of a topic of others, of one partition and reason, that a run of a node puts into quarantine. */
  copiesOfSourceMax: 1_000,
  /** Copies of bad records waiting to be appended; more are counted and dropped. */
  outboxRecordsMax: 1_000,
  outboxRetryMs: 500,
  quarantinedValueBytesMax: 64 * 1024,
  /** Callers waiting for positions, all replicas together. */
  waitsMax: 100_000,
  /** Longest a caller may make the node wait, whatever it asks for. */
  waitMsMax: 60_000,
  /** Reads of users that wait for positions at the same time, and how long at most. */
  userWaitsMax: 64,
  userWaitMsMax: 5_000,
  /** Scans for digests that wait for their turn; each holds a snapshot of each of its partitions open. */
  digestsWaitingMax: 256,
  /** So long the next partition's barrier is waited for, so that one scan does for all. */
  digestGatherMs: 250,
  /** DBSIZE is as old as the last sweep: at least this long, longer where a sweep takes long. */
  sweepMs: 5_000,
  /** A replica that has become readable with a new database is counted so soon. */
  sweepSoonMs: 100,
  /** A sweep may take at most one part in this many of the time. */
  sweepShare: 50,
  /** Rebuilds at a time: the others go on serving. */
  rebuildsMax: 2,
  rebuildBackoffMs: 1_000,
  /** A witness looks this often whether the log holds again what it had lost. */
  witnessCheckMs: 3_000,
  /** What cannot be read is a hole in the log once it is met again after this long. */
  holeProvenMs: 2_000,
  /** A replica in front of a hole asks its peers this often whether one of them can be copied. */
  holeLookMs: 5_000,
  respDrainMs: 2_000,
  /** Who holds much, takes nothing of it for so long, and stands in the way of others is hung up on. */
  takesNothingMs: 5_000,
  /** Pages of scans and blocks of copies begun for one connection at a time: more than a portal or a copy asks for. */
  pagesOfOneMax: 8,
  /** So many more of it wait, each so long; beyond it they are refused, and nobody else's are. */
  pagesWaitingOfOneMax: 256,
  pageWaitMs: 1_000,
  /** What a page takes of the network budget at least: its iterator and what that reads ahead, however little is asked for. */
  pageBytesMin: 64 * 1024,
  /** A page or a block waits so long for room in the network budget; less than who asked waits for the answer. */
  roomWaitMs: 2_000,
} as const;

assert(nodeLimits.heartbeatMs * 3 < nodeLimits.rivalSilenceMs, 'a rival is heard even if heartbeats are lost');
assert(nodeLimits.heartbeatMs * 2 < nodeLimits.twinSilenceMs, 'a twin is heard even if a heartbeat is late');
assert(copyLimits.blocksAhead + 1 <= nodeLimits.pagesOfOneMax, 'a copy does not wait for its own blocks');
assert(followLimits.feedRetryMaxMs <= nodeLimits.holeLookMs, 'a hole is met again before the next look');
assert(followLimits.feedIdleMs < nodeLimits.waitMsMax, 'a wait outlives the time between two signs of life');

/** When no topic setting says otherwise: Kafka's floor in our policy. */
export const deleteRetentionMsDefault = 7 * 86_400_000;
