import type { RawChange, RawChangePage, RawWatch, WatchWish } from '../client/reach';
import { parseWatchToken, type WatchPositions } from '../client/watch-token';
import { HistoryError } from '../errors';
import type { MemoryData } from './memory-data';

/** A watch of a namespace in this process. It waits for the next write, however long. */
export class MemoryWatch implements RawWatch {
  positions: WatchPositions;
  private at: number;
  private closed = false;
  private wake = (): void => undefined;
  private readonly aborted = (): void => this.close();

  constructor(
    private readonly data: MemoryData,
    private readonly wish: WatchWish,
    log: string,
  ) {
    const { from, signal } = wish;
    if (from === 'now' || from === 'beginning') {
      this.at = from === 'now' ? data.changes.length : 0;
      const offsets = from === 'now' ? data.ends() : new Map([...data.ends().keys()].map((of) => [of, 0] as const));
      this.positions = { log, offsets, mayMiss: from === 'beginning' };
    } else {
      this.at = 0;
      this.positions = parseWatchToken(from);
      if (this.positions.log !== log) throw lost(`the token is of the log ${this.positions.log}, this one is ${log}`);
      const ends = data.ends();
      for (const [partition, offset] of this.positions.offsets)
        if (offset > (ends.get(partition) ?? 0))
          throw lost(`position ${partition}:${offset} is behind the end of the log`);
    }
    signal?.addEventListener('abort', this.aborted, { once: true });
  }

  async page(): Promise<RawChangePage | undefined> {
    while (!this.closed) {
      if (this.data.isForgotten) throw lost('the namespace was cleared');
      const { offsets } = this.positions;
      const told = this.data.changes.slice(this.at);
      const changes = told.filter(
        (change) => change.nextOffset > (offsets.get(change.partition) ?? 0) && this.isWished(change),
      );
      this.at += told.length;
      // A token may be ahead of what is read again.
      const behind = new Map(offsets);
      for (const { partition, nextOffset } of told)
        behind.set(partition, Math.max(nextOffset, behind.get(partition) ?? 0));
      this.positions = { ...this.positions, offsets: behind };
      if (changes.length > 0) return { changes, positions: this.positions };
      await new Promise<void>((resolve) => {
        const forget = this.data.onChange(resolve);
        this.wake = () => {
          forget();
          resolve();
        };
      });
      this.wake();
    }
    return undefined;
  }

  close(): void {
    this.wish.signal?.removeEventListener('abort', this.aborted);
    this.closed = true;
    this.wake();
  }

  private isWished({ key }: RawChange): boolean {
    const { key: one, prefix } = this.wish;
    if (one) return key.equals(one);
    return !prefix || key.subarray(0, prefix.length).equals(prefix);
  }
}

const lost = (why: string): HistoryError =>
  new HistoryError('LVHISTORY', `${why}: read the keys anew, and watch from now on`);
