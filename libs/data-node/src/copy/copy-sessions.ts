import {
  type CopyBlock,
  copyBytesEstimate,
  type CopyPosition,
  type CopyRange,
  type CopySource,
  damageOf,
  type Replica,
  type ReplicaIdentity,
  type SnapshotReader,
} from '@levee/chunk-store';
import { Failure, type Logger, messageOf, type Timers } from '@levee/kernel';
import { copyLimits } from './copy-limits';

export interface CopySession {
  readonly copyId: string;
  readonly positions: readonly CopyPosition[];
  readonly bytesEstimate: number;
}

/** What a snapshot is taken of. */
export interface CopiedReplica {
  readonly identity: Pick<ReplicaIdentity, 'slotStart' | 'slotEnd'>;
  readonly chunkId: string;
  readonly readable: boolean;
  /** Why it is not readable, in words. */
  readonly reason: string;
  readonly replica: Replica;
  /** A reader met `error` in it; true when that is damage. */
  damagedBy(error: unknown): boolean;
}

interface OpenCopy {
  readonly hosted: CopiedReplica;
  readonly copy: CopySource;
  /** Blocks asked for, and those of them that are made. */
  asked: number;
  made: number;
  /** The block asked for last. */
  turn: Promise<unknown>;
  cancelIdle: () => void;
}

export interface CopySessionsOptions {
  /** Ids of copies begin with it, so that those of an earlier run are not mistaken for these. */
  readonly incarnation: string;
  readonly reader: SnapshotReader;
  readonly timers: Timers;
  readonly logger: Logger;
}

/**
 * The snapshots that this node holds open for replicas being built, here or elsewhere. Failures carry a code of the
 * node protocol: LVCOPYBUSY, LVCOPYGONE, LVNOTREADY, LVMOVED.
 */
export class CopySessions {
  private readonly copies = new Map<string, OpenCopy>();
  /** Being opened. */
  private opening = 0;
  private last = 0;
  private closed = false;
  readonly counts = { opened: 0, refused: 0, idle: 0, blocks: 0, bytes: 0 };

  constructor(private readonly options: CopySessionsOptions) {}

  get open(): number {
    return this.copies.size;
  }

  /** Takes a snapshot of a replica that is readable: only then nothing is missing in it (I13). */
  async begin(hosted: CopiedReplica, range: CopyRange): Promise<CopySession> {
    const { slotStart, slotEnd } = hosted.identity;
    if (range.slotStart < slotStart || range.slotEnd > slotEnd || range.slotStart >= range.slotEnd)
      throw new Failure(
        'LVMOVED',
        `${hosted.chunkId} has the slots ${slotStart} to ${slotEnd - 1}, not ${range.slotStart} to ${range.slotEnd - 1}`,
      );
    if (!hosted.readable) throw new Failure('LVNOTREADY', hosted.reason);
    if (this.copies.size + this.opening >= copyLimits.openMax || this.closed) {
      this.counts.refused++;
      throw new Failure('LVCOPYBUSY', `${copyLimits.openMax} copies are open, no more at a time: ask again later`);
    }
    this.opening++;
    try {
      const { replica } = hosted;
      const copy = await this.options.reader.copy(replica, range);
      const copyId = `${this.options.incarnation}-${++this.last}`;
      const turn = Promise.resolve();
      const open: OpenCopy = { hosted, copy, asked: 0, made: 0, turn, cancelIdle: () => undefined };
      this.copies.set(copyId, open);
      this.counts.opened++;
      this.watch(copyId, open);
      return { copyId, positions: copy.positions, bytesEstimate: copyBytesEstimate(replica, range) };
    } catch (error) {
      if (hosted.damagedBy(error)) throw damageOf(error);
      throw error;
    } finally {
      this.opening--;
    }
  }

  /**
   * Block `sequence`, each once and in order; a few may be asked for before the first is there. REPLICA_DAMAGED when a
   * value fails its checksum: the source is told.
   */
  next(copyId: string, sequence: number, bytesMax: number): Promise<CopyBlock> {
    const open = this.copies.get(copyId);
    if (open === undefined || open.asked !== sequence || open.asked - open.made > copyLimits.blocksAhead)
      return Promise.reject(gone(copyId, sequence));
    open.asked++;
    open.cancelIdle();
    const block = open.turn.then(() => this.make(copyId, sequence, open, bytesMax));
    open.turn = block.catch(() => undefined);
    return block;
  }

  end(copyId: string): void {
    const open = this.copies.get(copyId);
    if (open === undefined) return;
    this.copies.delete(copyId);
    open.cancelIdle();
    open.copy.close().catch((error: unknown) => {
      this.options.logger.debug({ copyId, error: messageOf(error) }, 'a snapshot did not close cleanly');
    });
  }

  close(): void {
    this.closed = true;
    for (const copyId of [...this.copies.keys()]) this.end(copyId);
  }

  private async make(copyId: string, sequence: number, open: OpenCopy, bytesMax: number): Promise<CopyBlock> {
    if (this.copies.get(copyId) !== open) throw gone(copyId, sequence);
    try {
      const block = await open.copy.next(bytesMax);
      open.made++;
      this.counts.blocks++;
      this.counts.bytes += block.bytes.length;
      if (block.last) this.end(copyId);
      else if (this.copies.get(copyId) === open && open.made === open.asked) this.watch(copyId, open);
      return block;
    } catch (error) {
      this.end(copyId);
      if (open.hosted.damagedBy(error)) throw damageOf(error);
      // Its database was closed under it: reclaimed, rebuilt, or this process ends.
      throw new Failure('LVCOPYGONE', `the copy ${copyId} ended: ${messageOf(error)}`, { cause: error });
    }
  }

  private watch(copyId: string, open: OpenCopy): void {
    open.cancelIdle();
    open.cancelIdle = this.options.timers.after(copyLimits.idleMs, () => {
      this.counts.idle++;
      this.options.logger.warn({ copyId, chunkId: open.hosted.chunkId }, 'nobody asks for the rest of a copy any more');
      this.end(copyId);
    });
  }
}

function gone(copyId: string, sequence: number): Failure {
  return new Failure('LVCOPYGONE', `there is no block ${sequence} of a copy ${copyId}: open another`);
}
