import type {
  CallOptions,
  Entry,
  Key,
  KeyPlace,
  Namespace,
  NamespaceStatus,
  PutOptions,
  ReadOptions,
  ScanOptions,
  Watch,
  WatchOptions,
  WriteOptions,
  Written,
} from '../api';
import type { Codec } from '../codecs/codec';
import { CodecError, LeveeError, PartialError } from '../errors';
import type { World } from '../world';
import { expiryOf } from './expiry';
import { inWindows } from './in-windows';
import { asciiOf, boundsOf, keyBytesOf } from './keys';
import { StoredWatch } from './stored-watch';
import { type How, later, type RawEntry, type RawPage, type Reach, type ReadHow } from './reach';

export interface NamespaceWorld {
  readonly deadlineMs: number;
  readonly world: World;
}

/** The keys of a namespace with values of one kind, over whichever distance. */
export class StoredNamespace<V> implements Namespace<V> {
  constructor(
    readonly name: string,
    private readonly reach: Reach,
    private readonly codec: Codec<V>,
    private readonly of: NamespaceWorld,
  ) {}

  typed<T>(codec: Codec<T>): Namespace<T> {
    return new StoredNamespace<T>(this.name, this.reach, codec, this.of);
  }

  async get(key: Key, options: ReadOptions = {}): Promise<V | undefined> {
    const { reach } = this;
    const bytes = keyBytesOf(key);
    const how = this.readHow(options, asciiOf(key, bytes));
    // No turn of the event loop where nothing is waited for.
    const now = reach.getNow === undefined ? later : reach.getNow(bytes, how);
    const found = now === later ? await reach.get(bytes, how) : now;
    return found && this.decoded(bytes, found.value);
  }

  async entry(key: Key, options: ReadOptions = {}): Promise<Entry<V> | undefined> {
    const bytes = keyBytesOf(key);
    const found = await this.reach.get(bytes, this.readHow(options));
    return found && this.entryOf(bytes, found, this.decoded(bytes, found.value));
  }

  async getMany(keys: Iterable<Key>, options: ReadOptions = {}): Promise<(V | undefined)[]> {
    const how = this.readHow(options);
    const wanted = Array.from(keys, keyBytesOf);
    const found = await this.reach.getMany(wanted, how);
    return found.map((entry, i) => entry && this.decoded(wanted[i] as Buffer, entry.value));
  }

  async put(key: Key, value: V, options: PutOptions = {}): Promise<Written> {
    const how = { ...this.how(options), ack: options.ack, expiry: expiryOf(options) };
    const bytes = keyBytesOf(key);
    return { position: await this.reach.write(bytes, this.encoded(bytes, value), how) };
  }

  async delete(key: Key, options: WriteOptions = {}): Promise<Written> {
    const how = { ...this.how(options), ack: options.ack, expiry: undefined };
    return { position: await this.reach.write(keyBytesOf(key), undefined, how) };
  }

  async putMany(entries: Iterable<readonly [Key, V]>, options: PutOptions = {}): Promise<Written[]> {
    const how = { ...this.how(options), ack: options.ack, expiry: expiryOf(options) };
    // All are encoded before one is written: what cannot be said at all writes nothing.
    const records = Array.from(entries, ([key, value]) => {
      const bytes = keyBytesOf(key);
      return [bytes, this.encoded(bytes, value)] as const;
    });
    const failures = new Map<number, LeveeError>();
    const written = await inWindows(records, async ([key, value], i) => {
      try {
        return { position: await this.reach.write(key, value, how) };
      } catch (error) {
        if (!(error instanceof LeveeError)) throw error;
        failures.set(i, error);
        return { position: '' };
      }
    });
    if (failures.size > 0) throw new PartialError(failures, records.length - failures.size);
    return written;
  }

  async *scan(options: ScanOptions = {}): AsyncGenerator<Entry<V>, void, undefined> {
    for await (const entries of this.pages(options, false))
      for (const entry of entries) {
        if (entry.error) throw entry.error;
        yield this.entryOf(entry.key, entry, this.decoded(entry.key, entry.value));
      }
  }

  async *keys(options: ScanOptions = {}): AsyncGenerator<string, void, undefined> {
    for await (const entries of this.pages(options, true)) for (const { key } of entries) yield key.toString('utf8');
  }

  async watch(options: WatchOptions = {}): Promise<Watch<V>> {
    const { key, prefix, from = 'now' } = options;
    if (key !== undefined && prefix !== undefined) throw new RangeError('give a key or a prefix, not both');
    const of = {
      key: key === undefined ? undefined : keyBytesOf(key),
      prefix: prefix === undefined ? undefined : keyBytesOf(prefix),
    };
    const raw = await this.reach.watch({ ...of, from, ...this.how(options) });
    return new StoredWatch(raw, (bytes, value) => this.decoded(bytes, value));
  }

  where(key: Key, options: CallOptions = {}): Promise<KeyPlace> {
    return this.reach.where(keyBytesOf(key), this.how(options));
  }

  status(options: CallOptions = {}): Promise<NamespaceStatus> {
    return this.reach.status(this.how(options));
  }

  session(): string | undefined {
    return this.reach.session();
  }

  join(token: string, options: CallOptions = {}): Promise<void> {
    return this.reach.join(token, this.how(options));
  }

  /** Each page has the deadline for itself: a scan takes as long as its consumer. */
  private async *pages(options: ScanOptions, keysOnly: boolean): AsyncGenerator<RawPage['entries'], void, undefined> {
    const { limit = Infinity, pageKeys = 500, consistency } = options;
    const bounds = boundsOf(options);
    let { from } = bounds;
    let left = limit;
    while (left > 0) {
      const how = { ...this.how(options), consistency, keysOnly, count: Math.max(1, Math.min(pageKeys, left)) };
      const { entries, next } = await this.reach.page(from, bounds.to, how);
      yield entries;
      left -= entries.length;
      if (!next) return;
      from = next;
    }
  }

  private entryOf(key: Buffer, { position, expiresAtMs }: RawEntry, value: V): Entry<V> {
    const expiresAt = expiresAtMs === 0 ? undefined : new Date(expiresAtMs);
    return { key: key.toString('utf8'), keyBytes: Buffer.from(key), value, position, expiresAt };
  }

  private how({ deadlineMs, signal }: CallOptions): How {
    return { deadlineAtMs: this.deadlineAtMs(deadlineMs), signal };
  }

  private deadlineAtMs(deadlineMs = this.of.deadlineMs): number {
    if (!(deadlineMs > 0)) throw new RangeError(`deadlineMs is ${deadlineMs}: it must be above 0`);
    return this.of.world.clock.monotonicMs() + deadlineMs;
  }

  private readHow({ deadlineMs, signal, consistency }: ReadOptions, keyText?: string): ReadHow {
    return { deadlineAtMs: this.deadlineAtMs(deadlineMs), signal, consistency, keyText };
  }

  private encoded(key: Buffer, value: V): Buffer {
    try {
      const encoded = this.codec.encode(value);
      return Buffer.isBuffer(encoded) ? encoded : Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    } catch (cause) {
      throw this.notCoded('the value cannot be written as', key, cause);
    }
  }

  private decoded(key: Buffer, value: Buffer): V {
    try {
      return this.codec.decode(value);
    } catch (cause) {
      throw this.notCoded('the value is no', key, cause);
    }
  }

  private notCoded(what: string, key: Buffer, cause: unknown): CodecError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const shown = key.toString('utf8', 0, 64);
    return new CodecError('CODEC', `${this.name}, key '${shown}': ${what} ${this.codec.name}: ${why}`, { cause });
  }
}
