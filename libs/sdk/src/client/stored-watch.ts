import type { Change, Watch } from '../api';
import { LeveeError } from '../errors';
import type { RawChange, RawWatch } from './reach';
import { watchToken, type WatchPositions } from './watch-token';

/** Changes one by one, out of pages of them. The next page is asked for when the last one is used up. */
export class StoredWatch<V> implements Watch<V> {
  private changes: readonly RawChange[] = [];
  private at = 0;
  private ended = false;
  /** Behind the page that is used now. */
  private behind: WatchPositions;
  /** Behind what was given. */
  private readonly given: WatchPositions;

  constructor(
    private readonly raw: RawWatch,
    private readonly decode: (key: Buffer, value: Buffer) => V,
  ) {
    this.behind = raw.positions;
    this.given = { ...raw.positions, offsets: new Map(raw.positions.offsets) };
  }

  get token(): string {
    return watchToken(this.given);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Change<V>, undefined>> {
    while (!this.ended && this.at === this.changes.length) await this.more();
    if (this.ended) return { done: true, value: undefined };
    const change = this.changes[this.at++] as RawChange;
    this.given.offsets.set(change.partition, change.nextOffset);
    if (this.at === this.changes.length) this.adopt();
    return { done: false, value: this.changeOf(change) };
  }

  async return(): Promise<IteratorResult<Change<V>, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  close(): Promise<void> {
    this.ended = true;
    this.raw.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async more(): Promise<void> {
    const page = await this.raw.page().catch((error: unknown) => {
      this.ended = true;
      this.raw.close();
      throw error;
    });
    if (!page) {
      this.ended = true;
      return;
    }
    this.behind = page.positions;
    this.changes = page.changes;
    this.at = 0;
    if (page.changes.length === 0) this.adopt();
  }

  private adopt(): void {
    for (const [partition, offset] of this.behind.offsets) this.given.offsets.set(partition, offset);
  }

  private changeOf({ key, value, partition, nextOffset, timestampMs, expiresAtMs, error }: RawChange): Change<V> {
    const change = {
      key: key.toString('utf8'),
      keyBytes: Buffer.from(key),
      isDeleted: value === null,
      position: `${partition}:${nextOffset}`,
      writtenAt: new Date(timestampMs),
      expiresAt: expiresAtMs === 0 ? undefined : new Date(expiresAtMs),
    };
    if (error) return { ...change, isDeleted: false, value: undefined, error };
    if (value === null) return { ...change, value: undefined, error: undefined };
    try {
      return { ...change, value: this.decode(key, value), error: undefined };
    } catch (failure) {
      if (failure instanceof LeveeError) return { ...change, value: undefined, error: failure };
      throw failure;
    }
  }
}
