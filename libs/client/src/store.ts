import type { ClusterEvent, ClusterState } from '@levee/cluster';
import type { NamespaceState, RouteReplica } from '@levee/events';
import {
  asOffset,
  isReservedKey,
  type Clock,
  type Logger,
  type Offset,
  type Partition,
  type Random,
  type Timers,
} from '@levee/kernel';
import { encodePut } from '@levee/codec';
import type { Log } from '@levee/log';
import { AckWaits, type AckWaiter } from './ack-waits';
import { AppendBudget, Appends } from './appends';
import type { EngineContext } from './engine-context';
import { buildRoutes, type ReadTarget } from './namespace-routes';
import { NamespaceStore } from './namespace-store';
import { NodeLinks } from './node-link';
import type { Append, FenceWaiter, PointRead } from './operations';
import { Ranges } from './ranges';
import { Reads } from './reads';
import { StoreFailure } from './store-errors';
import { checkStoreLimits, storeLimits, type StoreLimits } from './store-limits';

/** What the store needs of `ClusterView`. */
export interface ClusterReader {
  readonly state: ClusterState;
  onDecision(listener: (adopted: { readonly events: readonly ClusterEvent[] }) => void): () => void;
}

export interface StoreOptions {
  /** Name of this process in its fence records: unique among those alive. */
  readonly producer: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly limits?: Partial<StoreLimits>;
}

interface Engine {
  readonly namespace: NamespaceStore;
  readonly appends: Appends;
  readonly ackWaits: AckWaits;
}

/**
 * The smart client: follows routes, appends writes to the log, reads from replicas. Doors are built around it; it has
 * no promise per operation. `namespace` first, then `read` and `append` with what it returned.
 */
export class Store {
  readonly links: NodeLinks;
  readonly limits: StoreLimits;
  readonly ranges: Ranges;
  private readonly context: EngineContext;
  private readonly reads: Reads;
  private readonly budget = new AppendBudget();
  private readonly engines = new Map<string, Engine>();
  private readonly unsubscribe: () => void;
  private refreshScheduled = false;
  /** Namespaces whose routes or knobs have changed since the last refresh. */
  private stale: Set<string> | 'all' = 'all';
  private expiryMs = 0;
  private closing = false;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterReader,
    private readonly options: StoreOptions,
  ) {
    const limits = { ...storeLimits, ...options.limits };
    checkStoreLimits(limits);
    this.limits = limits;
    const { clock, timers, random, logger } = options;
    this.context = { clock, timers, random, logger, limits, expiryNowMs: () => this.expiryNowMs() };
    this.links = new NodeLinks({ logger, clock, timers, random });
    this.reads = new Reads(this.context);
    this.ranges = new Ranges(this.context);
    this.unsubscribe = view.onDecision(({ events }) => this.decided(events));
    this.refreshNow();
  }

  /** `undefined` while there is none of this name that is active. The object changes when it is created anew. */
  namespace(name: string): NamespaceStore | undefined {
    return this.engines.get(name)?.namespace;
  }

  /** Wall clock for expiry; never falls. */
  expiryNowMs(): number {
    this.expiryMs = Math.max(this.expiryMs, this.options.clock.nowMs());
    return this.expiryMs;
  }

  /** Reads one key; `read` is called back exactly once, never before this returns. */
  read(namespace: NamespaceStore, read: PointRead): void {
    const now = this.options.clock.monotonicMs();
    read.deadlineAtMs = now + this.limits.readMs;
    namespace.place(read);
    const refusal = this.readRefusal(namespace, read);
    if (refusal) return process.nextTick(() => read.failed(refusal));
    this.reads.begin();
    if (read.consistency !== 'eventual' && read.session)
      read.minOffset = raise(read.minOffset, read.session.nextOffset(read.partition));
    if (read.consistency !== 'strong') return this.reads.dispatch(namespace, read);
    this.fence(namespace, read.partition, {
      deadlineAtMs: read.deadlineAtMs,
      fenced: (nextOffset) => {
        read.minOffset = raise(read.minOffset, nextOffset);
        this.reads.dispatch(namespace, read);
      },
      fenceFailed: (failure) => {
        this.reads.outstanding--;
        read.failed(failure);
      },
    });
  }

  /** Writes one key; `append` is called back exactly once, never before this returns. */
  append(namespace: NamespaceStore, append: Append): void {
    append.deadlineAtMs = this.options.clock.monotonicMs() + this.limits.appendMs;
    namespace.place(append);
    const refusal = this.appendRefusal(namespace, append);
    const engine = this.engines.get(namespace.name);
    if (refusal) return process.nextTick(() => append.failed(refusal));
    if (engine?.namespace !== namespace)
      return process.nextTick(() =>
        append.failed(
          new StoreFailure('LVNAMESPACE', `${namespace.name} was deleted or created anew; nothing was written`),
        ),
      );
    engine.appends.add(append);
  }

  /** A position of `partition` that covers everything acknowledged before the call. */
  fence(namespace: NamespaceStore, partition: Partition, waiter: FenceWaiter): void {
    const engine = this.engines.get(namespace.name);
    if (engine?.namespace === namespace) return engine.appends.fence(partition, waiter);
    const failure = new StoreFailure('LVNAMESPACE', `${namespace.name} was deleted or created anew`);
    process.nextTick(() => waiter.fenceFailed(failure));
  }

  /** As `fence`, with the time of a read to do it in. */
  fenceOf(namespace: NamespaceStore, partition: Partition): Promise<Offset> {
    const deadlineAtMs = this.options.clock.monotonicMs() + this.limits.readMs;
    return new Promise((resolve, reject) =>
      this.fence(namespace, partition, { deadlineAtMs, fenced: resolve, fenceFailed: reject }),
    );
  }

  /** Waits until a position is applied as `waiter.ack` asks, at most `deadlineMs`; for `logged` it is done at once. */
  awaitApplied(namespace: NamespaceStore, waiter: AckWaiter, deadlineMs: number): void {
    const engine = this.engines.get(namespace.name);
    if (engine?.namespace === namespace) return engine.ackWaits.add(waiter, deadlineMs);
    const failure = new StoreFailure('LVNAMESPACE', `${namespace.name} was deleted or created anew`);
    process.nextTick(() => waiter.failed(failure));
  }

  /** The record that sets `key`, or why the value is refused. `expiresAtMs` null = never. */
  encode(key: Buffer, value: Buffer, expiresAtMs: number | null): Buffer | StoreFailure {
    const { valueBytesMax } = this.limits;
    if (value.length <= valueBytesMax) return encodePut(key, value, expiresAtMs);
    return new StoreFailure(
      'LVLIMIT',
      `a value of ${value.length} bytes: at most ${valueBytesMax} bytes; store it in parts`,
    );
  }

  /** Why a key is refused before anything is done with it. */
  keyProblem(key: Uint8Array): StoreFailure | undefined {
    const { keyBytesMax } = this.limits;
    if (key.length > keyBytesMax)
      return new StoreFailure('LVLIMIT', `a key of ${key.length} bytes: at most ${keyBytesMax} bytes`);
    if (key[0] === 0 && isReservedKey(key))
      return new StoreFailure('LVRESERVED', `keys beginning with 00 'levee' 00 are not for users`);
    return undefined;
  }

  stats(): Readonly<Record<string, number | Readonly<Record<string, number>>>> {
    const appends: Record<string, number> = {};
    for (const { appends: each, ackWaits } of this.engines.values())
      for (const [name, n] of [...Object.entries(each.stats()), ...Object.entries(ackWaits.stats())])
        appends[name] = (appends[name] ?? 0) + n;
    const { bytes, records } = this.budget;
    return { reads: this.reads.stats(), appends: { ...appends, waitingBytes: bytes, waitingRecords: records } };
  }

  /** Takes no new work, lets what is under way finish for `drainMs`, then hangs up. */
  async close(drainMs: number): Promise<void> {
    this.closing = true;
    this.unsubscribe();
    const endAtMs = this.options.clock.monotonicMs() + drainMs;
    const busy = (): boolean => this.reads.outstanding > 0 || this.budget.records > 0;
    while (busy() && this.options.clock.monotonicMs() < endAtMs)
      await new Promise<void>((resolve) => this.options.timers.after(5, resolve));
    this.reads.close();
    for (const { appends } of this.engines.values()) appends.close();
    this.links.close();
  }

  private readRefusal(namespace: NamespaceStore, read: PointRead): StoreFailure | undefined {
    if (this.closing) return new StoreFailure('LVSTOPPING', 'this process is shutting down');
    const problem = this.keyProblem(read.key);
    if (problem) return problem;
    const limited = namespace.refusal(read.slot);
    if (limited !== undefined) return new StoreFailure('LVLIMIT', limited);
    if (this.reads.outstanding < this.limits.readsMax) return undefined;
    return new StoreFailure(
      'LVLIMIT',
      `${this.reads.outstanding} reads are under way, at most ${this.limits.readsMax}`,
    );
  }

  private appendRefusal(namespace: NamespaceStore, append: Append): StoreFailure | undefined {
    if (this.closing) return new StoreFailure('LVSTOPPING', 'this process is shutting down');
    const problem = this.keyProblem(append.key);
    if (problem) return problem;
    const limited = namespace.refusal(append.slot);
    return limited === undefined ? undefined : new StoreFailure('LVLIMIT', limited);
  }

  /** After the view has booted: its first state came without decisions. */
  refreshNow(): void {
    this.stale = 'all';
    this.refresh();
  }

  /** A decision costs the namespaces that it touches; one about a node touches all. */
  private decided(events: readonly ClusterEvent[]): void {
    for (const event of events) {
      if (touchesAll(event)) this.stale = 'all';
      else if (this.stale !== 'all' && event.kind === 'namespace') this.stale.add(event.entity.name);
      else if (this.stale !== 'all' && event.kind === 'route') this.stale.add(event.entity.namespace);
    }
    if (this.refreshScheduled || (this.stale !== 'all' && this.stale.size === 0)) return;
    this.refreshScheduled = true;
    setImmediate(() => {
      this.refreshScheduled = false;
      if (!this.closing) this.refresh();
    });
  }

  /** Brings namespaces, knobs and routes up to the state; each table is swapped in one assignment. */
  private refresh(): void {
    const { state } = this.view;
    const { stale } = this;
    this.stale = new Set();
    const names = stale === 'all' ? [...state.namespaces()].map(({ name }) => name) : stale;
    if (stale === 'all') this.links.retain((nodeId) => state.node(nodeId) !== undefined);
    for (const name of names) {
      const namespace = state.namespace(name);
      if (namespace?.state === 'active') this.refreshNamespace(state, namespace);
    }
    for (const [name, engine] of this.engines)
      if (state.namespace(name)?.state !== 'active') {
        engine.appends.close();
        this.engines.delete(name);
      }
  }

  private refreshNamespace(state: ClusterState, namespace: NamespaceState): void {
    let engine = this.engines.get(namespace.name);
    if (engine?.namespace.state.binlog !== namespace.binlog) {
      engine?.appends.close();
      this.engines.set(namespace.name, (engine = this.open(namespace)));
    }
    const store = engine.namespace;
    if (store.state !== namespace) store.update(namespace);
    const table = buildRoutes(state, namespace, (replica) => this.targetOf(state, store, replica));
    if ('problem' in table) store.problem = table.problem;
    else if (table.version !== store.table?.version) store.problem = store.routes.publish(table)?.problem;
    if (store.problem !== undefined)
      this.options.logger.warn({ namespace: namespace.name, problem: store.problem }, 'no new route table');
  }

  private open(state: NamespaceState): Engine {
    const namespace = new NamespaceStore(state, () => this.options.clock.monotonicMs());
    const ackWaits = new AckWaits(this.context, namespace);
    const target = { binlog: state.binlog, partitions: state.partitions, producer: this.options.producer };
    const appends = new Appends(this.context, this.log, target, this.budget, (append) => ackWaits.add(append));
    return { namespace, appends, ackWaits };
  }

  private targetOf(state: ClusterState, store: NamespaceStore, replica: RouteReplica): ReadTarget | undefined {
    const node = state.node(replica.nodeId);
    const { clusterId } = state;
    if (!node || node.storeId !== replica.storeId || clusterId === undefined) return undefined;
    const link = this.links.of(node, clusterId);
    const known = store.targets.get(node.nodeId);
    if (known?.link === link) return known;
    const applied = new Float64Array(store.state.partitions);
    const target: ReadTarget = { link, applied, open: [undefined, undefined] };
    store.targets.set(node.nodeId, target);
    return target;
  }
}

/** An address or the state of a node, or something gone. */
function touchesAll(event: ClusterEvent): boolean {
  if (event.kind === 'removed') return ['namespace', 'node', 'route'].includes(event.entity.entity);
  return event.kind === 'node' || event.kind === 'cluster';
}

const raise = (a: Offset, b: Offset): Offset => asOffset(Math.max(a, b));
