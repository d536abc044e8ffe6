import { chunkFullShare } from '@levee/cluster';
import { assert } from '@levee/kernel';

export interface StoreLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** A read not answered by any replica by then fails. */
  readonly readMs: number;
  /** How long a node may wait for a position before the next replica is asked. */
  readonly positionWaitMs: number;
  /** How long one node may take to answer before the next replica is asked. */
  readonly attemptMs: number;
  /**
   * A read is hedged (the next replica is asked too) when its node takes longer than the p99 of its recent round trips,
   * but not less, nor more, than this; `First` while too few are known.
   */
  readonly hedgeDelayMinMs: number;
  readonly hedgeDelayMaxMs: number;
  readonly hedgeDelayFirstMs: number;
  /** Hedges per read, in the long run: an overloaded cluster gets little more than it is asked for. */
  readonly hedgeShare: number;
  /** Hedges at once, when there were none for a while. */
  readonly hedgesAtOnceMax: number;
  /** A node that takes so many hedge delays is asked last for a while. */
  readonly slowDelays: number;
  /** Pause before all replicas are tried again. */
  readonly retryMs: number;
  /** A position that no replica reached is looked for in the log so long. */
  readonly lostLookMs: number;
  /**
   * A write has so long from the door on, whatever it waits for. Not sent to the log by then: definite; not answered by
   * the log: indefinite; not applied where its ack asks for: pending. Fences of strong reads are tried as long.
   */
  readonly appendMs: number;
  /**
   * A write that the log gave up without knowing what becomes of it may appear for so long: what a closed connection
   * still holds is sent, or dropped, by then.
   */
  readonly unknownSettlesMs: number;
  /** A log that has taken nothing for so long, and says so each time, is not asked for a fence until the deadline. */
  readonly refusedMs: number;
  /** A logged write not applied where its ack asks for by then is pending. */
  readonly ackMs: number;
  /** LV.WAITs under way in a namespace, one for each chunk of the partition that is waited for. */
  readonly positionWaitsMax: number;
  /** Encoded records given to the log at a time, and those of one connection; the others wait for their turn. */
  readonly appendsAtOnceBytesMax: number;
  readonly appendsOfOneBytesMax: number;
  /** Whoever has no more under way than this is given more than there is room for, up to twice as much. */
  readonly appendSmallBytes: number;
  /**
   * Records that wait for their turn. From half of it on, connections with much under way begin no more; beyond it a
   * write fails definitely when its connection has more than an equal part of what waits.
   */
  readonly appendQueueBytesMax: number;
  readonly appendQueueRecordsMax: number;
  /** One append call: below the 2 MiB of a binlog's max.message.bytes with its largest record. */
  readonly appendBatchBytesMax: number;
  readonly appendBatchRecordsMax: number;
  /** Append calls under way per partition; what comes meanwhile shares the next. */
  readonly appendsInFlightMax: number;
  /** Values are refused for chunks that hold more than this part of chunkCapacityBytes; the rest is a reserve. */
  readonly chunkSoftShare: number;
  /**
   * Reads waiting or under way in this process. From a part of it on, connections with many of them begin no more; at
   * the limit only the first read of a connection is taken.
   */
  readonly readsMax: number;
  /** Reads asked of nodes at a time, and those of one connection; the others wait for their turn, at most so long. */
  readonly readsAtOnceMax: number;
  /** A batch with so many reads does not wait for the end of its tick: its node begins while others are gathered. */
  readonly readBatchFull: number;
  /** Bytes of their values, as far as can be told beforehand. */
  readonly readBytesAtOnceMax: number;
  readonly readsOfOneMax: number;
  /**
   * Whoever is expected to have no more under way than this is asked for more than there is room for, up to twice as
   * much; larger values have a connection of their own to each node.
   */
  readonly readSmallBytes: number;
  readonly readTurnMs: number;
  /** Bytes of values that one connection may be sent at a time, as far as can be told beforehand. */
  readonly readWindowBytes: number;
  /**
   * Groups of keys of one namespace, and of all, of which the latest write through this process is remembered: more of
   * them, fewer session reads that wait for the write of another key. Beyond the second a partition is one group.
   */
  readonly writeMarksOfNamespaceMax: number;
  readonly writeMarksMax: number;
  /** Fence records a second and partition. */
  readonly fencesPerSecondMax: number;
  /** How far the clock of another portal, as a session token tells it, may be ahead of the own one. */
  readonly sessionClockAheadMsMax: number;
  /** Cursors of SCAN that are remembered, and those of one connection. */
  readonly cursorsMax: number;
  readonly cursorsOfOneMax: number;
  readonly cursorIdleMs: number;
  /** A namespace with more keys is not counted for DBSIZE: nodes tell what they counted last. */
  readonly keysCountedMax: number;
  /** A count is told again for so long. */
  readonly countKeptMs: number;
  /** Keys that KEYS looks at, and bytes of those that it gives. */
  readonly keysListedMax: number;
  readonly keysListedBytesMax: number;
  /** Flushes under way in this process, and those that wait for their turn, at most `readTurnMs`. */
  readonly flushesAtOnceMax: number;
  readonly flushesWaitingMax: number;
  /** Keys of one page that one node is asked for. */
  readonly scanPageKeys: number;
  readonly scanPageBytes: number;
  /** Pages that one ordered scan holds, over all chunks, besides those under way; less where there are many. */
  readonly scanHeldBytesMax: number;
  /** How often every node is asked for partitions that stand still, and how long it may take to answer. */
  readonly witnessEveryMs: number;
  readonly witnessAskMs: number;
  /** The same of all scans of this process, as far as each may hold a page. */
  readonly scansHeldBytesMax: number;
  /** Pages of scans, ordered or not, asked of nodes at a time; the others wait for their turn. */
  readonly pagesAtOnceMax: number;
  /** So many wait for it, each at most `readTurnMs`: more than doors have connections. */
  readonly pagesWaitingMax: number;
  /** Ordered scans under way in this process. */
  readonly scansMax: number;
  /** One of which nothing was taken for so long gives way when another wants to begin. */
  readonly scanIdleMs: number;
}

export const storeLimits: StoreLimits = {
  keyBytesMax: 1024,
  valueBytesMax: 1024 * 1024,
  readMs: 5_000,
  positionWaitMs: 150,
  attemptMs: 1_000,
  hedgeDelayMinMs: 5,
  hedgeDelayMaxMs: 100,
  hedgeDelayFirstMs: 30,
  hedgeShare: 0.05,
  hedgesAtOnceMax: 2_000,
  slowDelays: 4,
  retryMs: 15,
  lostLookMs: 1_000,
  appendMs: 15_000,
  unknownSettlesMs: 180_000,
  refusedMs: 2_000,
  ackMs: 5_000,
  positionWaitsMax: 20_000,
  appendsAtOnceBytesMax: 4 * 1024 * 1024,
  appendsOfOneBytesMax: 2 * 1024 * 1024,
  appendSmallBytes: 64 * 1024,
  appendQueueBytesMax: 64 * 1024 * 1024,
  appendQueueRecordsMax: 200_000,
  appendBatchBytesMax: 512 * 1024,
  appendBatchRecordsMax: 4_096,
  appendsInFlightMax: 2,
  chunkSoftShare: chunkFullShare,
  readsMax: 200_000,
  readsAtOnceMax: 1_024,
  // Many connections fill the ticks of a portal: whole ones cost its nodes least.
  readBatchFull: Infinity,
  readBytesAtOnceMax: 2 * 1024 * 1024,
  readsOfOneMax: 128,
  readSmallBytes: 64 * 1024,
  readTurnMs: 30_000,
  readWindowBytes: 1024 * 1024,
  writeMarksOfNamespaceMax: 16_384,
  writeMarksMax: 4 * 1024 * 1024,
  fencesPerSecondMax: 200,
  sessionClockAheadMsMax: 60_000,
  cursorsMax: 4_096,
  cursorsOfOneMax: 64,
  cursorIdleMs: 600_000,
  keysCountedMax: 10_000,
  countKeptMs: 1_000,
  keysListedMax: 100_000,
  keysListedBytesMax: 16 * 1024 * 1024,
  flushesAtOnceMax: 2,
  flushesWaitingMax: 64,
  scanPageKeys: 1_000,
  scanPageBytes: 1024 * 1024,
  witnessEveryMs: 1_000,
  witnessAskMs: 5_000,
  scanHeldBytesMax: 16 * 1024 * 1024,
  scansHeldBytesMax: 64 * 1024 * 1024,
  pagesAtOnceMax: 3,
  pagesWaitingMax: 16_384,
  scansMax: 64,
  scanIdleMs: 1_000,
};

export function checkStoreLimits(limits: StoreLimits): void {
  assert(limits.positionWaitMs < limits.attemptMs, 'a node answers LVBEHIND before it is given up');
  const { hedgeDelayMinMs, hedgeDelayMaxMs, hedgeDelayFirstMs, slowDelays } = limits;
  assert(hedgeDelayMinMs <= hedgeDelayFirstMs && hedgeDelayFirstMs <= hedgeDelayMaxMs, 'the first delay is a delay');
  assert(slowDelays > 1, 'a read is hedged before its node counts as slow');
  assert(limits.hedgeShare <= 0.2, 'hedging does not overload what is slow because of load');
  assert(limits.attemptMs * 2 < limits.readMs, 'a read survives two silent replicas');
  assert(limits.scanHeldBytesMax >= limits.scanPageBytes, 'a scan holds at least one page');
  assert(limits.readsOfOneMax < limits.readsAtOnceMax, 'one connection leaves room for others');
  assert(limits.readsAtOnceMax < limits.readsMax, 'what is asked for at a time is less than what waits');
  assert(
    limits.appendsOfOneBytesMax < limits.appendsAtOnceBytesMax,
    'one connection leaves room in the log for others',
  );
  assert(limits.appendBatchBytesMax <= limits.appendsOfOneBytesMax, 'one connection fills a batch');
  assert(limits.ackMs <= limits.appendMs, 'an ack is waited for within the time of its write');
  assert(
    limits.refusedMs < limits.appendMs,
    'a log that takes nothing is known before the fence of a read is given up',
  );
  assert(limits.appendBatchBytesMax + limits.valueBytesMax < 2 * 1024 * 1024, 'an append call fits into one batch');
}
