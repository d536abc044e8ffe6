import { asOffset, asPartition } from '@levee/kernel';
import { decodeSessionToken, Session } from '@levee/keyspace';
import type { KeyPlace, NamespaceStatus } from '../api';
import { inWindows } from '../client/in-windows';
import type { How, PageHow, RawEntry, RawPage, RawWatch, ReadHow, Reach, WatchWish, WriteHow } from '../client/reach';
import { DefiniteError, LimitError, NamespaceError, SessionError } from '../errors';
import { type MemoryData, memoryPartitions, placeOf } from './memory-data';
import { MemoryWatch } from './memory-watch';

/** What a portal refuses. */
const keyBytesMax = 1024;
const valueBytesMax = 1024 * 1024;

export interface MemoryReachWorld {
  readonly nowMs: () => number;
  readonly isClosed: () => boolean;
  readonly operationsMax: number;
  /** `undefined`: there is no such namespace. */
  readonly data: () => MemoryData | undefined;
}

/**
 * A namespace in this process. What is asked happens at once, in the order of the calls, and is answered in a later
 * microtask, as an answer never comes within the call.
 */
export class MemoryReach implements Reach {
  private readonly seen: Session;
  private readonly watches: MemoryWatch[] = [];
  private hasSeen = false;
  private underWay = 0;

  constructor(
    private readonly name: string,
    private readonly world: MemoryReachWorld,
  ) {
    this.seen = new Session({ namespace: name, binlog: binlogOf(name), partitions: memoryPartitions });
  }

  get(key: Buffer, how: ReadHow): Promise<RawEntry | undefined> {
    return this.perform('get', how, (data) => {
      checkKey(key);
      const found = data.get(key, this.world.nowMs());
      if (found) this.observe(found.position);
      // What is handed out is the caller's to change.
      return found && { ...found, value: Buffer.from(found.value) };
    });
  }

  getMany(keys: readonly Buffer[], how: ReadHow): Promise<(RawEntry | undefined)[]> {
    return inWindows(keys, (key) => this.get(key, how));
  }

  write(key: Buffer, value: Buffer | undefined, how: WriteHow): Promise<string> {
    return this.perform(value ? 'put' : 'delete', how, (data) => {
      checkKey(key);
      if (value && value.length > valueBytesMax)
        throw new LimitError(
          'LVLIMIT',
          `a value of ${value.length} bytes: at most ${valueBytesMax} bytes; store it in parts`,
        );
      const nowMs = this.world.nowMs();
      const { ttlMs, expiresAtMs = ttlMs === undefined ? 0 : nowMs + ttlMs } = how.expiry ?? {};
      return this.observe(data.write(key, value, { expiresAtMs, nowMs }));
    });
  }

  page(from: Buffer, to: Buffer, how: PageHow): Promise<RawPage> {
    return this.perform('page', how, (data) => {
      const { entries, next } = data.page(from, to, { count: how.count, nowMs: this.world.nowMs() });
      for (const { position } of entries) this.observe(position);
      const copies = entries.map((entry) => ({
        ...entry,
        key: Buffer.from(entry.key),
        value: how.keysOnly ? Buffer.alloc(0) : Buffer.from(entry.value),
        error: undefined,
      }));
      return { entries: copies, next };
    });
  }

  where(key: Buffer, how: How): Promise<KeyPlace> {
    return this.perform('where', how, () => {
      checkKey(key);
      return {
        namespace: this.name,
        binlog: binlogOf(this.name),
        ...placeOf(key),
        chunk: `${this.name}/0`,
        portal: memoryAddress,
        replicas: [{ node: memoryAddress, unit: memoryAddress, role: 'primary', address: memoryAddress }],
      };
    });
  }

  status(how: How): Promise<NamespaceStatus> {
    return this.perform('status', how, (data) => ({ name: this.name, keys: data.count(this.world.nowMs()) }));
  }

  watch(wish: WatchWish): Promise<RawWatch> {
    return this.perform('watch', wish, (data) => {
      const watch = new MemoryWatch(data, wish, `${binlogOf(this.name)}@${data.creation}`);
      this.watches.push(watch);
      return watch;
    });
  }

  /** Ends all watches. */
  close(): void {
    for (const watch of this.watches.splice(0)) watch.close();
  }

  session(): string | undefined {
    return this.hasSeen ? this.seen.encode() : undefined;
  }

  join(text: string, how: How): Promise<void> {
    return this.perform('status', how, () => {
      const token = decodeSessionToken(text);
      const refused = 'problem' in token ? token : this.seen.merge(token);
      if (refused) throw new SessionError('LVSESSION', refused.problem);
      this.hasSeen = true;
    });
  }

  private async perform<T>(name: string, { signal }: How, act: (data: MemoryData) => T): Promise<T> {
    const { isClosed, operationsMax } = this.world;
    if (isClosed()) throw new DefiniteError('CLIENT_CLOSED', `${name}: the client is closed`);
    if (signal?.aborted === true)
      throw new DefiniteError('ABORTED', `${name}: it was aborted`, { cause: signal.reason });
    if (this.underWay >= operationsMax)
      throw new LimitError(
        'CLIENT_LIMIT',
        `${this.underWay} operations of namespace ${this.name} wait for their answers, at most ${operationsMax} ` +
          '(limits.operationsMax): await some of them',
      );
    const data = this.world.data();
    if (!data)
      throw new NamespaceError(
        'LVNAMESPACE',
        `there is no namespace '${this.name}'; create it with: levee namespace create ${this.name}`,
      );
    const done = act(data);
    this.underWay++;
    await undefined;
    this.underWay--;
    return done;
  }

  private observe(position: string): string {
    const [partition, nextOffset] = position.split(':').map(Number) as [number, number];
    this.seen.observe(asPartition(partition), asOffset(nextOffset));
    this.hasSeen = true;
    return position;
  }
}

export const memoryAddress = 'memory';
const binlogOf = (name: string): string => `levee.${name}.memory`;

function checkKey(key: Buffer): void {
  if (key.length > keyBytesMax)
    throw new LimitError('LVLIMIT', `a key of ${key.length} bytes: at most ${keyBytesMax} bytes`);
}
