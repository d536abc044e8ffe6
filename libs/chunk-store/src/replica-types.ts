import type { Offset } from '@levee/kernel';
import type { ValueBudget } from './value-cache';
import type { DiskWriteTurns } from './write-turns';

export interface ReplicaOptions {
  /** How far the chain of journal keys reaches back; must exceed twice the engine's write buffer. */
  readonly chainBytes?: number;
  /** Hard limit of the unit: beyond it `apply` fails with UNIT_FULL and the replica stands still. 0 = none. */
  readonly capacityBytes?: number;
  /** Memory for hot values; without it every read goes to the engine. */
  readonly values?: ValueBudget;
  /** Of large writes, among all replicas of the process; its own by default. */
  readonly writeTurns?: DiskWriteTurns;
}

/** Where the replica stands in a partition, everything below applied. */
export interface ReplicaPosition {
  readonly nextOffset: Offset;
  readonly leaderEpoch: number;
  readonly completeAtMs: number;
  /** The replica has seen later records than `nextOffset`: not readable before it is here again (I13). */
  readonly unreadableBelow: Offset;
}

/** The part of a batch to apply: records `[from, to)`, which end at `nextOffset`. */
export interface BatchSpan {
  readonly from: number;
  readonly to: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
}

export interface ReplicaStats {
  readonly recordsApplied: number;
  readonly bytesApplied: number;
  readonly writes: number;
  readonly reads: number;
  readonly cacheHits: number;
}
