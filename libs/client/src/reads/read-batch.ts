import { nodeProtocolLimits, noSeal, ReadEntriesWriter, type RespClient } from '@levee/wire';
import type { PointRead } from '../operations';
import type { ReadTarget } from '../routes/namespace-routes';
import type { ReadNamespace } from '../routes/read-namespace';
import type { StoreLimits } from '../store-limits';

/**
 * Reads of one node that have a connection of their own, since replies of a connection come in order: those whose
 * position the node is known to have, those that may have to wait for it, and those of large values.
 */
export const readLanes = { ready: 0, waiting: 1, large: 2 } as const;
export type ReadLane = (typeof readLanes)[keyof typeof readLanes];

export function laneOf(read: PointRead, { applied }: ReadTarget, { readSmallBytes }: StoreLimits): ReadLane {
  if (read.minOffset > (applied[read.partition] as number)) return readLanes.waiting;
  return read.expectedBytes > readSmallBytes ? readLanes.large : readLanes.ready;
}

/** The reads of one node, namespace and tick that are judged by one time. */
export class ReadBatch {
  readonly entries = new ReadEntriesWriter();
  readonly reads: PointRead[] = [];
  bytes = 0;
  /** Of the values, as far as can be told. */
  expectedBytes = 0;
  seal = noSeal;
  /** Monotonic ms. */
  sentAtMs = 0;
  /** Answered, or given up. */
  over = false;
  hedged = false;
  slow = false;
  /** It takes no more. */
  isClosed = false;

  constructor(
    readonly namespace: ReadNamespace,
    readonly target: ReadTarget,
    readonly lane: ReadLane,
    /**
     * By which expiry is judged: of this process, or that of a session which has seen a later one. Such a session's
     * reads have a batch of their own: its clock must not make keys of others vanish.
     */
    readonly clockMs: number,
  ) {}

  /** What would find no room in the answer behind large values is asked for in another one. */
  hasRoomFor(read: PointRead): boolean {
    if (this.reads.length >= nodeProtocolLimits.entriesMax || this.bytes > batchBytesMax) return false;
    return this.reads.length === 0 || this.expectedBytes + read.expectedBytes <= answerBytesMax;
  }

  add(read: PointRead): void {
    this.entries.add(read.slot, read.minOffset, read.key);
    this.reads.push(read);
    this.bytes += read.key.length + entryOverheadBytes;
    this.expectedBytes += read.expectedBytes;
  }
}

/** The connection that it goes on. */
export function clientOf({ target: { link }, lane }: ReadBatch): RespClient {
  if (lane === readLanes.ready) return link.reads;
  return lane === readLanes.waiting ? link.waitingReads : link.largeReads;
}

const batchBytesMax = 512 * 1024;
const answerBytesMax = nodeProtocolLimits.readReplyBytesMax / 2;
const entryOverheadBytes = 14;
