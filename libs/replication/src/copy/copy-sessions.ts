import {
  type CopyBlock,
  copyBytesEstimate,
  type CopyPosition,
  type CopyRange,
  type CopySource,
  type SnapshotReader,
} from '@levee/chunk-store';
import { Failure, failureCode, type Logger, messageOf, type Timers } from '@levee/kernel';
import type { HostedReplica } from '../hosted-replica';
import { copyLimits } from './copy-limits';

export interface CopySession {
  readonly copyId: string;
  readonly positions: readonly CopyPosition[];
  readonly bytesEstimate: number;
}

interface OpenCopy {
  readonly hosted: HostedReplica;
  readonly copy: CopySource;
  sequence: number;
  busy: boolean;
  /** The next block, made while the one before is on its way. */
  ahead: Promise<CopyBlock> | undefined;
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
  async begin(hosted: HostedReplica, range: CopyRange): Promise<CopySession> {
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
      const open: OpenCopy = { hosted, copy, sequence: 0, busy: false, ahead: undefined, cancelIdle: () => undefined };
      this.copies.set(copyId, open);
      this.counts.opened++;
      this.watch(copyId, open);
      return { copyId, positions: copy.positions, bytesEstimate: copyBytesEstimate(replica, range) };
    } finally {
      this.opening--;
    }
  }

  /** Block `sequence`, each once and in order. REPLICA_DAMAGED when a value fails its checksum: the source is told. */
  async next(copyId: string, sequence: number, bytesMax: number): Promise<CopyBlock> {
    const open = this.copies.get(copyId);
    if (open === undefined || open.busy || open.sequence !== sequence)
      throw new Failure('LVCOPYGONE', `there is no block ${sequence} of a copy ${copyId}: open another`);
    open.busy = true;
    open.cancelIdle();
    try {
      const block = await (open.ahead ?? open.copy.next(bytesMax));
      open.sequence++;
      this.counts.blocks++;
      this.counts.bytes += block.bytes.length;
      if (block.last) this.end(copyId);
      else if (this.copies.get(copyId) === open) {
        open.ahead = open.copy.next(bytesMax);
        // Whoever asks for it sees the failure; nobody does when the copy ends before.
        open.ahead.catch(() => undefined);
        this.watch(copyId, open);
      }
      return block;
    } catch (error) {
      this.end(copyId);
      if (failureCode(error) === 'REPLICA_DAMAGED') {
        open.hosted.damaged(error);
        throw error;
      }
      // Its database was closed under it: reclaimed, rebuilt, or this process ends.
      throw new Failure('LVCOPYGONE', `the copy ${copyId} ended: ${messageOf(error)}`, { cause: error });
    } finally {
      open.busy = false;
    }
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

  private watch(copyId: string, open: OpenCopy): void {
    open.cancelIdle();
    open.cancelIdle = this.options.timers.after(copyLimits.idleMs, () => {
      this.counts.idle++;
      this.options.logger.warn({ copyId, chunkId: open.hosted.chunkId }, 'nobody asks for the rest of a copy any more');
      this.end(copyId);
    });
  }
}
