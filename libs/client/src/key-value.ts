import type { HeadedValue } from '@levee/codec';
import { asPartition, type Offset, type Partition } from '@levee/kernel';
import type { Session } from '@levee/keyspace';
import type { RangeItem } from '@levee/wire';
import { CallbackAppend, CallbackRead } from './callback-operations';
import type { Ack, Consistency } from './operations';
import type { NamespaceStore } from './routes/namespace-store';
import { orderedScan } from './scans/ordered-scan';
import { ScanPlaces } from './scans/scan-places';
import type { ScanVisits } from './scans/scan-visits';
import type { Store } from './store';
import { StoreFailure } from './store-errors';

export interface ReadChoice {
  /** Default: as the namespace says. */
  readonly consistency?: Consistency | undefined;
  readonly session?: Session | undefined;
}

export interface WriteChoice {
  readonly ack?: Ack | undefined;
  readonly session?: Session | undefined;
  /** Ms since 1970; default: never. */
  readonly expiresAtMs?: number | undefined;
}

export interface KeyValueEntry {
  readonly value: Buffer;
  /** null = never. */
  readonly expiresAtMs: number | null;
  readonly partition: Partition;
  readonly offset: number;
}

export interface WrittenAt {
  readonly partition: Partition;
  readonly nextOffset: Offset;
}

export interface ScanChoice extends ReadChoice {
  readonly from: Buffer;
  readonly to: Buffer;
  readonly limit: number;
  readonly keysOnly?: boolean;
  /** Is told which chunks the keys were looked for in. */
  readonly visits?: ScanVisits | undefined;
}

/** The store with promises, for paths on which a promise per operation does not matter. Failures are StoreFailures. */
export class KeyValue {
  private readonly scans: ScanPlaces;

  constructor(private readonly store: Store) {
    this.scans = new ScanPlaces(store.limits, () => store.monotonicMs());
  }

  namespace(name: string): NamespaceStore {
    const namespace = this.store.namespace(name);
    if (!namespace) throw this.store.absence(name.slice(0, 200));
    return namespace;
  }

  /** The time by which expiry is judged here. */
  expiryNowMs(): number {
    return this.store.expiryNowMs();
  }

  /** A session that begins with what `token` has written and seen. */
  session(namespace: NamespaceStore, token: string | undefined): Session {
    const session = namespace.newSession();
    if (token === undefined || token === '') return session;
    const problem = this.store.joinSession(session, token);
    if (problem) throw problem;
    return session;
  }

  /** `undefined` when there is no such key. */
  get(namespace: NamespaceStore, key: Buffer, choice: ReadChoice = {}): Promise<KeyValueEntry | undefined> {
    const consistency = choice.consistency ?? namespace.state.consistency;
    return new Promise((resolve, reject) => {
      const read: CallbackRead = new CallbackRead(key, consistency, choice.session, (result) => {
        if (result instanceof StoreFailure) return reject(result);
        if (!result) return resolve(undefined);
        const { value, offset } = result;
        const expiresAtMs = result.expiresAtMs === 0 ? null : result.expiresAtMs;
        resolve({ value, offset, expiresAtMs, partition: read.partition });
      });
      this.store.read(namespace, read);
    });
  }

  async put(namespace: NamespaceStore, key: Buffer, value: Buffer, choice: WriteChoice = {}): Promise<WrittenAt> {
    const record = this.store.encode(namespace, key, { value, expiresAtMs: choice.expiresAtMs ?? null });
    if (record instanceof StoreFailure) throw record;
    return this.write(namespace, key, record, choice);
  }

  delete(namespace: NamespaceStore, key: Buffer, choice: WriteChoice = {}): Promise<WrittenAt> {
    return this.write(namespace, key, null, choice);
  }

  /** Keys in byte order; fetched at the consumer's pace. Call `return` of it when nobody reads on. */
  async *scan(namespace: NamespaceStore, choice: ScanChoice): AsyncGenerator<RangeItem, void, undefined> {
    const place = this.scans.take(() => void items.return().catch(() => undefined));
    const items = this.scanned(namespace, choice, this.scans.heldBytesMax);
    try {
      for (;;) {
        const next = await items.next();
        if (place.failure) throw place.failure;
        if (next.done === true) return;
        place.givenAtMs = this.store.monotonicMs();
        yield next.value;
        if (place.failure) throw place.failure;
        place.givenAtMs = undefined;
      }
    } finally {
      this.scans.leave(place);
      await items.return();
    }
  }

  private async *scanned(
    namespace: NamespaceStore,
    choice: ScanChoice,
    heldBytesMax: number,
  ): AsyncGenerator<RangeItem, void, undefined> {
    const consistency = choice.consistency ?? namespace.state.consistency;
    const session = consistency === 'eventual' ? undefined : choice.session;
    const { from, to, limit, keysOnly = false, visits } = choice;
    const query = { from, to, limit, keysOnly, session, visits };
    const fences = consistency === 'strong' ? await this.fenceAll(namespace) : undefined;
    yield* orderedScan(this.store.ranges, namespace, fences ? { ...query, fences } : query, heldBytesMax);
  }

  private write(
    namespace: NamespaceStore,
    key: Buffer,
    record: Buffer | HeadedValue | null,
    choice: WriteChoice,
  ): Promise<WrittenAt> {
    const ack = choice.ack ?? namespace.state.ack;
    return new Promise((resolve, reject) => {
      const append: CallbackAppend = new CallbackAppend(key, record, ack, choice.session, (failure) => {
        if (failure) reject(failure);
        else resolve({ partition: append.partition, nextOffset: append.nextOffset });
      });
      this.store.append(namespace, append);
    });
  }

  /** Positions that cover everything acknowledged before the call, in every partition. */
  private async fenceAll(namespace: NamespaceStore): Promise<ReadonlyMap<number, Offset>> {
    const fences = new Map<number, Offset>();
    await Promise.all(
      Array.from({ length: namespace.state.partitions }, (_, partition) =>
        this.store.fenceOf(namespace, asPartition(partition)).then((offset) => fences.set(partition, offset)),
      ),
    );
    return fences;
  }
}
