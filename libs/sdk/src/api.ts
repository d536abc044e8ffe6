import type { Codec } from './codecs/codec';
import type { LeveeError } from './errors';

/** How to reach Levee. */
export interface ConnectOptions {
  /** RESP doors of portals, `host:port`. Write the same ones in every client: keys are bound to portals by these names. */
  readonly portals: readonly string[];
  /**
   * Default: `portal`. `direct()` of `@levee/client/direct`: reads go to data nodes, without a portal between. `local(...)` of
   * `@levee/client/local`: they are answered from a replica in this process.
   */
  readonly reads?: 'portal' | ReadsChoice;
  /** Where authentication is on: who this is, with a password or a token. */
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** `true`: TLS with the certificate authorities of Node. */
  readonly tls?: boolean | TlsChoice;
  /** Longest time of one operation, ms, whatever it waits for; default 10,000. Each call may set its own. */
  readonly deadlineMs?: number;
  /** Is told of every operation. */
  readonly metrics?: ClientMetrics;
  readonly limits?: Partial<ClientLimits>;
}

/** Where reads go. Made by `direct()` of `@levee/client/direct`, and `local(...)` of `@levee/client/local`. */
export interface ReadsChoice {
  readonly distance: 'direct' | 'local';
}

export interface TlsChoice {
  /** PEM of the authorities that may have signed the portals' certificates; default: those of Node. */
  readonly ca?: string | Buffer;
  /** PEM of an own certificate and its key. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

export interface ClientLimits {
  /** Operations of one namespace that are not answered yet; more fail with LimitError. */
  readonly operationsMax: number;
  /** Keys and values of them in bytes, for each connection. */
  readonly bytesMax: number;
  /** Connections to each portal for one namespace; a key always has the same one. */
  readonly connectionsPerPortal: number;
  /** Namespaces in use at a time. */
  readonly namespacesMax: number;
  /** How often a portal is asked whether it answers, ms, and how long it has for it. */
  readonly probeMs: number;
  /** A connection to a portal on which something was asked and nothing came for so long, ms, is made anew. */
  readonly silentMs: number;
  /** Second attempts, as a part of all operations in the long run. */
  readonly retryShare: number;
  /** Second attempts at once, after a time with few. */
  readonly retriesAtOnceMax: number;
  /** Pauses before the next attempt are drawn from 0 to this, doubled with each attempt. */
  readonly retryPauseMs: number;
  readonly retryPauseMsMax: number;
}

/** A connection to a cluster. Make one for a process, and close it at the end. */
export interface Client {
  /** The keys of one namespace, as bytes. Asks nobody. */
  namespace(name: string): Namespace<Buffer>;
  /** What this client knows of its portals. Asks nobody. */
  status(): ClientStatus;
  /** Waits for what is under way, at most until its deadline, and closes all connections. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ClientStatus {
  readonly portals: readonly PortalStatus[];
  /** Second attempts since the beginning, and those that the budget refused. */
  readonly retries: number;
  readonly retriesRefused: number;
  /** Of reads from nodes; `undefined`: none go there. */
  readonly direct?: DirectStatus | undefined;
  /** Of replicas in this process; `undefined`: there are none. */
  readonly local?: LocalStatus | undefined;
}

export interface LocalStatus {
  /** Reads that replicas here answered. */
  readonly answered: number;
  /** Reads of their namespaces that portals were asked for, by why. */
  readonly throughPortals: {
    /** Only portals can answer: strong ones, those behind a write of their key, keys that are refused. */
    readonly always: number;
    /** The key is in no slot that is held here. */
    readonly notHeld: number;
    /** There is no replica yet, or not any more: see `problem` of the namespace. */
    readonly noReplica: number;
    /** Its partition is not read to the end, or that, or a portal's word that it is the right one, is too long ago. */
    readonly stale: number;
    /** It had not come in time to what this client has written or seen. */
    readonly behind: number;
    /** A page of a scan: the keys are being brought in order, or there is no room for that (`orderProblem`). */
    readonly unordered: number;
  };
  /** What keys and values take here, estimated, and the most that they may take. */
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  /** Why the log is not followed. */
  readonly problem: string | undefined;
  readonly namespaces: readonly LocalNamespaceStatus[];
}

export interface LocalNamespaceStatus {
  readonly name: string;
  /** Every partition that is held is complete: reads are answered here. */
  readonly isComplete: boolean;
  /** Why it is not read here at the moment. */
  readonly problem: string | undefined;
  /** Why its scans are left to portals, where keys are answered. */
  readonly orderProblem: string | undefined;
  /** Those that are followed. */
  readonly partitions: readonly LocalPartitionStatus[];
}

/** As nodes publish it for each of their chunks: what is held of a partition at a barrier, of all chunks together. */
export interface LocalDigest {
  /** Id of the barrier. */
  readonly digestPlan: string;
  /** It covers what lies before. */
  readonly barrierOffset: number;
  /** 32 hexadecimal digits. */
  readonly digest: string;
  readonly keys: number;
}

export interface LocalPartitionStatus {
  readonly partition: number;
  /** It was read to the end not longer ago than an answer may be old, and nothing speaks against it. */
  readonly isComplete: boolean;
  /** Everything below is applied. */
  readonly nextOffset: number;
  /** Ms since it was last known that everything is applied that the log holds; `undefined`: not yet. */
  readonly ageMs: number | undefined;
  /** Expired ones that are not removed yet are among them; `undefined`: on disk, where nobody counts them. */
  readonly keys: number | undefined;
  /** How often it was read from its beginning. */
  readonly loads: number;
  /** At the last barrier that asked all replicas for one, where `local()` was told to make them. */
  readonly digest: LocalDigest | undefined;
  readonly problem: string | undefined;
}

export interface DirectStatus {
  /** Reads and pages of scans that nodes answered. */
  readonly answered: number;
  /** Those that portals were asked for, though this client reads from nodes, by why. */
  readonly throughPortals: {
    /** Only portals can answer: strong ones, those behind a write of their key, keys and namespaces that nodes are not asked for. */
    readonly always: number;
    /** Routes are not known yet, or not any more. */
    readonly noRoutes: number;
    /** No node that is well had an answer. */
    readonly refused: number;
    /** Nodes took long. */
    readonly slow: number;
  };
  /** Reads that were sent to a second node because the first one took long. */
  readonly hedges: number;
  readonly nodes: readonly NodeStatus[];
  readonly namespaces: readonly {
    readonly name: string;
    /** Of its routes here; 0: none. */
    readonly version: number;
    /** Why nothing of it is read from nodes at the moment. */
    readonly problem: string | undefined;
  }[];
}

export interface NodeStatus {
  readonly node: string;
  readonly address: string;
  /** It is asked; not so for a moment after it failed or took long. */
  readonly isAsked: boolean;
  /** Requests that it has not answered. */
  readonly outstanding: number;
}

export interface PortalStatus {
  readonly address: string;
  /** It answered when it was asked last. */
  readonly up: boolean;
  /** Why it is not. */
  readonly problem: string | undefined;
  /** Requests that it has not answered. */
  readonly outstanding: number;
}

/** Texts are written as UTF-8. */
export type Key = string | Uint8Array;

/** What a replica must have seen; the namespace has a default, `session` unless somebody changed it. */
export type Consistency = 'eventual' | 'session' | 'strong';

/** When a write is answered: in the log, and applied by the primary, and by every readable replica. */
export type Ack = 'logged' | 'primary' | 'all';

/** Partition and next offset of the log, `3:17`. */
export type Position = string;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest time for all of it, ms. */
  readonly deadlineMs?: number | undefined;
}

export interface ReadOptions extends CallOptions {
  readonly consistency?: Consistency | undefined;
}

export interface WriteOptions extends CallOptions {
  readonly ack?: Ack | undefined;
}

export interface PutOptions extends WriteOptions {
  /**
   * Time to live in ms, counted by the portal that takes the write, from when it does; or the time of its end, as portals'
   * clocks say it; not both.
   */
  readonly ttlMs?: number | undefined;
  readonly expiresAt?: Date | number | undefined;
}

export interface Entry<V> {
  readonly key: string;
  /** The key when it is no UTF-8. */
  readonly keyBytes: Buffer;
  readonly value: V;
  /** Behind the record that says the value. */
  readonly position: Position;
  readonly expiresAt: Date | undefined;
}

export interface Written {
  /** Behind the record of the write. */
  readonly position: Position;
}

/** Keys in byte order. */
export interface ScanOptions extends ReadOptions {
  /** Only keys that begin with it. */
  readonly prefix?: Key | undefined;
  /** The first key, and the first that is not given any more. */
  readonly from?: Key | undefined;
  readonly to?: Key | undefined;
  /** Most keys in all. */
  readonly limit?: number | undefined;
  /** Keys that are asked for at a time; default 500. */
  readonly pageKeys?: number | undefined;
}

export interface WatchOptions extends CallOptions {
  /** One key, or all that begin with the prefix; without both all keys of the namespace. */
  readonly key?: Key | undefined;
  readonly prefix?: Key | undefined;
  /**
   * `now` (the default); `beginning`: the newest change of every key at least, and older ones as far as the log has them;
   * or the token of an earlier watch, which goes on there. `deadlineMs` is for finding out where that is, no longer.
   */
  readonly from?: 'now' | 'beginning' | (string & {}) | undefined;
}

/**
 * Every change at least once, those of a partition, and so of a key, in the order of the log. It goes on by another portal when
 * one fails, and ends when it is closed, left, or its signal is aborted. It rejects with HistoryError when the log
 * does not hold every change since its position any more.
 */
export interface Watch<V> extends AsyncIterableIterator<Change<V>> {
  /** Where to go on, behind the change that was given last: keep it where the work on that change is kept. */
  readonly token: string;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Change<V> {
  readonly key: string;
  readonly keyBytes: Buffer;
  /** `undefined`: the key was deleted, or the value cannot be read. */
  readonly value: V | undefined;
  readonly isDeleted: boolean;
  /** Why the value cannot be read: UnreadableError or CodecError. It stops nothing. */
  readonly error: LeveeError | undefined;
  readonly position: Position;
  readonly writtenAt: Date;
  readonly expiresAt: Date | undefined;
}

export interface KeyPlace {
  readonly namespace: string;
  /** Topic of its log. */
  readonly binlog: string;
  readonly partition: number;
  readonly slot: number;
  readonly chunk: string;
  /** The portal that this client asks for the key. */
  readonly portal: string | undefined;
  readonly replicas: readonly {
    readonly node: string;
    readonly unit: string;
    readonly role: string;
    readonly address: string;
  }[];
}

export interface NamespaceStatus {
  readonly name: string;
  /** As the nodes last counted them where there are many. */
  readonly keys: number;
}

/**
 * The keys of one namespace with values of one kind. Requests of one key are carried out in the order in which they were
 * made, also when their portal dies meanwhile. Every method rejects with a {@link LeveeError}, whose `kind` says
 * whether a write happened.
 */
export interface Namespace<V> {
  readonly name: string;
  /** The same keys with values of another kind. */
  typed<T>(codec: Codec<T>): Namespace<T>;
  /** `undefined`: there is no such key. */
  get(key: Key, options?: ReadOptions): Promise<V | undefined>;
  /** The value with its position and expiry. */
  entry(key: Key, options?: ReadOptions): Promise<Entry<V> | undefined>;
  /** Values in the order of the keys. Rejects when one of them cannot be read. */
  getMany(keys: Iterable<Key>, options?: ReadOptions): Promise<(V | undefined)[]>;
  put(key: Key, value: V, options?: PutOptions): Promise<Written>;
  /** Deletes a key, whether it is there or not. */
  delete(key: Key, options?: WriteOptions): Promise<Written>;
  /** Each write for itself, in order where keys are equal; rejects with PartialError when some failed. */
  putMany(entries: Iterable<readonly [Key, V]>, options?: PutOptions): Promise<Written[]>;
  /** Entries in byte order of their keys. The next page is asked for when the last one is used up. */
  scan(options?: ScanOptions): AsyncGenerator<Entry<V>, void, undefined>;
  keys(options?: ScanOptions): AsyncGenerator<string, void, undefined>;
  /** Resolves once it is known from where on changes are told: what is written after that is told. */
  watch(options?: WatchOptions): Promise<Watch<V>>;
  /** Where a key lives. */
  where(key: Key, options?: CallOptions): Promise<KeyPlace>;
  status(options?: CallOptions): Promise<NamespaceStatus>;
  /** What this client has written and seen, as a token for another client or portal; `undefined`: nothing yet. */
  session(): string | undefined;
  /** Reads from now on see what the owner of the token had written and seen. */
  join(token: string, options?: CallOptions): Promise<void>;
}

/** A small interface for measurements. What it throws is ignored. */
export interface ClientMetrics {
  /** One operation is over. */
  operation?(event: OperationEvent): void;
  /** A portal is not asked any more, or again. */
  portal?(event: { readonly address: string; readonly up: boolean; readonly problem: string | undefined }): void;
}

export interface OperationEvent {
  readonly namespace: string;
  /** `routes`: the client asks for itself how nodes are reached. */
  readonly operation: 'get' | 'put' | 'delete' | 'page' | 'where' | 'status' | 'routes';
  /** Who answered, or was asked last; `replica`: the one in this process. */
  readonly by: 'portal' | 'node' | 'replica';
  readonly ms: number;
  /** Attempts that it took. */
  readonly attempts: number;
  /** `ok`, or the kind of its failure. */
  readonly outcome: 'ok' | 'definite' | 'indefinite' | 'pending';
  /** Code of the failure. */
  readonly code: string | undefined;
}
