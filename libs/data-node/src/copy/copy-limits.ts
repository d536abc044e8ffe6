import { assert } from '@levee/kernel';

/** Named bounds of copies between nodes (I16). */
export const copyLimits = {
  /** Snapshots that a node holds open for copies, its own ones included. */
  openMax: 4,
  /** A snapshot that nobody asks anything of is closed: it keeps old table files alive. */
  idleMs: 20_000,
  /** Bytes of one block; an entry that is larger travels alone. */
  blockBytes: 1 << 20,
  /** Blocks that are on their way, or being made, while one is written: a milestone takes as long as several blocks. */
  blocksAhead: 3,
  /** For a block, and for opening a snapshot behind the writes that wait. */
  requestMs: 8_000,
  /** Pause after every source of a piece was tried in vain, growing to the second one. */
  retryMinMs: 50,
  retryMaxMs: 1_000,
  /** Without one block from any source for this long, the log from its start is the source. */
  sourcelessMs: 15_000,
  /** Replicas of a node that are copied from their peers at a time, since the log has a hole. */
  fromPeersMax: 1,
  /** Copies begun anew because they took too long before people are told: they must be faster, or kept longer. */
  restartsMax: 5,
  /** Reports, and a look at how far behind the ends the loaded replicas are. */
  reportMs: 100,
  reportRetryMs: 1_000,
  /** Positions that a report names, of the first partitions: with all of a thousand it would be refused. */
  positionsTold: 32,
} as const;

assert(copyLimits.requestMs < copyLimits.idleMs, 'a snapshot outlives a slow answer');
assert(copyLimits.requestMs < copyLimits.sourcelessMs, 'one slow answer does not make a copy sourceless');
