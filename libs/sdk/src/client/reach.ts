import type { LeveeError } from '../errors';
import type { Expiry } from './expiry';
import type { WatchPositions } from './watch-token';
import type { Ack, CallOptions, Consistency, KeyPlace, NamespaceStatus } from '../api';

/** Of all bundles alike. */
export const later: unique symbol = Symbol.for('levee.client.later') as never;

/** What a distance gives of a namespace, in bytes. Rejections are LeveeErrors. */
export interface Reach {
  /** What `get` would resolve with, where that is known without waiting; `later`: ask by `get`. Throws what it would reject with. */
  getNow?(key: Buffer, how: ReadHow): RawEntry | undefined | typeof later;
  get(key: Buffer, how: ReadHow): Promise<RawEntry | undefined>;
  /** In the order of the keys. Rejects with the first failure, and begins no more. */
  getMany(keys: readonly Buffer[], how: ReadHow): Promise<(RawEntry | undefined)[]>;
  /** Sets the key, or deletes it without a value; the position behind the record. */
  write(key: Buffer, value: Buffer | undefined, how: WriteHow): Promise<string>;
  /** Keys `[from, to)` in byte order; an empty `to` is no end. */
  page(from: Buffer, to: Buffer, how: PageHow): Promise<RawPage>;
  where(key: Buffer, how: How): Promise<KeyPlace>;
  status(how: How): Promise<NamespaceStatus>;
  /** Resolves once it is known from where on. */
  watch(wish: WatchWish): Promise<RawWatch>;
  session(): string | undefined;
  join(token: string, how: How): Promise<void>;
}

export interface How {
  /** Monotonic. */
  readonly deadlineAtMs: number;
  readonly signal: CallOptions['signal'];
}

export interface ReadHow extends How {
  readonly consistency: Consistency | undefined;
  /** The key's bytes as latin1, where they were given so. */
  readonly keyText?: string | undefined;
}

export interface WriteHow extends How {
  readonly ack: Ack | undefined;
  /** Undefined = never. */
  readonly expiry: Expiry | undefined;
}

export interface PageHow extends ReadHow {
  readonly count: number;
  readonly keysOnly: boolean;
}

export interface RawEntry {
  readonly value: Buffer;
  readonly position: string;
  /** 0 = never. */
  readonly expiresAtMs: number;
}

export interface WatchWish extends How {
  /** One of both, or neither: all keys. */
  readonly key: Buffer | undefined;
  readonly prefix: Buffer | undefined;
  /** `now`, `beginning`, or a token of an earlier watch. */
  readonly from: string;
}

export interface RawWatch {
  /** Behind what was told. */
  readonly positions: WatchPositions;
  /** Changes, or none for a while; `undefined`: the watch was closed. */
  page(): Promise<RawChangePage | undefined>;
  close(): void;
}

export interface RawChangePage {
  readonly changes: readonly RawChange[];
  readonly positions: WatchPositions;
}

export interface RawChange {
  readonly key: Buffer;
  /** null: deleted. */
  readonly value: Buffer | null;
  readonly partition: number;
  readonly nextOffset: number;
  readonly timestampMs: number;
  /** 0 = never. */
  readonly expiresAtMs: number;
  /** The record cannot be interpreted. */
  readonly error: LeveeError | undefined;
}

export interface RawPage {
  readonly entries: readonly (RawEntry & { readonly key: Buffer; readonly error: Error | undefined })[];
  /** Where the next one begins; undefined: there is none. */
  readonly next: Buffer | undefined;
}
