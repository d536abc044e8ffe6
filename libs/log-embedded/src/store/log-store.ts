import type { EntryHead } from '../entry';
import type { KeyRange } from '../keys';

export type StoreWrite =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

export const put = (key: Buffer, value: Buffer): StoreWrite => ({ type: 'put', key, value });
export const del = (key: Buffer): StoreWrite => ({ type: 'del', key });

/** Where entries belong. */
export interface Place {
  readonly topic: number;
  readonly partition: number;
}

/**
 * What the log needs of its storage: entries by place and base offset, small values by key (see `keys.ts`). Two
 * kinds: files of our own on disk, and any abstract-level database, for memory and for tests.
 */
export interface LogStore {
  open(): Promise<void>;
  close(): Promise<void>;
  /** One change: all of it or nothing, durable when it resolves. */
  write(writes: readonly StoreWrite[]): Promise<void>;
  get(key: Buffer): Promise<Buffer | undefined>;
  /** The small values with keys in `range`, in order. */
  valuesIn(range: KeyRange): Promise<Array<[key: Buffer, value: Buffer]>>;
  /** The entries that begin in `[from, until)`, in order; what is damaged may be left out. */
  entries(place: Place, from: number, until: number): EntryCursor;
  /** The last entry that begins below `until`. */
  lastBefore(place: Place, until: number): Promise<FoundEntry | undefined>;
  /** Drops every key in `range`, and is not undone by a crash. */
  clear(range: KeyRange): Promise<void>;
  /** Replaces entries of one partition by others that cover the same offsets. */
  rewrite(place: Place): Rewrite;
  /** Gives back the space of what was replaced or dropped; called now and then, beside no rewrite. */
  reclaim(cancelled: () => boolean): Promise<void>;
  /** What was found to be wrong with the storage on opening and was made good, for people. */
  troubles(): readonly string[];
  /** Stretches that may be lost, as far as opening shows it: they have to be read to know. */
  suspects(): ReadonlyArray<Place & { readonly from: number; readonly to: number }>;
}

export interface FoundEntry {
  readonly base: number;
  readonly bytes: Buffer;
  /** Of `bytes`, when the storage has checked them already. */
  readonly head?: EntryHead;
}

export interface EntryCursor {
  /** At most `count` more; none: there are no more. */
  next(count: number): Promise<readonly FoundEntry[]>;
  close(): Promise<void>;
}

export interface Rewrite {
  /** `bytes` takes the place of the entries that begin at `sources`. May be on disk before {@link commit}, or not. */
  put(bytes: Buffer, sources: readonly number[]): Promise<void>;
  /** With `writes`: durable when it resolves. */
  commit(writes: readonly StoreWrite[]): Promise<void>;
  /** Gives up what {@link commit} has not made durable. */
  abandon(): Promise<void>;
}
