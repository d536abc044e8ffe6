import type { ClusterEvent, ClusterState } from '@levee/cluster';
import type { NamespaceState, RouteReplica } from '@levee/events';
import type { Log } from '@levee/log';
import type { EngineContext } from '../engine-context';
import type { Append } from '../operations';
import { AckWaits } from '../writes/ack-waits';
import type { AppendTurns } from '../writes/append-turns';
import { Appends } from '../writes/appends';
import type { ChunkLoads } from '../writes/chunk-loads';
import { WriteMarks, WriteMarksTotal } from '../writes/write-marks';
import type { WriteStops } from '../writes/write-stops';
import { goneNamespace } from './absent-namespace';
import { buildRoutes, type ReadTarget } from './namespace-routes';
import { NamespaceStore } from './namespace-store';
import type { NodeLinks } from './node-link';

/** What a decision changed. */
interface DecidedEvents {
  readonly events: readonly ClusterEvent[];
  readonly decision: { readonly decidedAtMs: number };
}

/** What the store needs of `ClusterView`. */
export interface ClusterReader {
  readonly state: ClusterState;
  onDecision(listener: (adopted: DecidedEvents) => void): () => void;
}

/** A namespace with what writes to it. */
export interface Engine {
  readonly namespace: NamespaceStore;
  readonly appends: Appends;
  readonly ackWaits: AckWaits;
}

export interface EngineWorld {
  readonly context: EngineContext;
  readonly log: Log;
  readonly links: NodeLinks;
  readonly appendTurns: AppendTurns;
  readonly loads: ChunkLoads;
  readonly stops: WriteStops;
  /** Name of this process in its fence records. */
  readonly producer: string;
}

/** The active namespaces, with their knobs and routes as the cluster's decisions change them. */
export class NamespaceEngines {
  private readonly engines = new Map<string, Engine>();
  /** Of namespaces that are gone: what they wrote may still be on its way, to a topic that another creation may serve. */
  private readonly left = new Set<Engine>();
  private readonly unsubscribe: () => void;
  private refreshScheduled = false;
  /** Namespaces whose routes or knobs have changed since the last refresh. */
  private stale: Set<string> | 'all' = 'all';
  /** When routes were decided that are not in force here yet, by the master's clock. */
  private routesDecidedAtMs: number[] = [];
  private closed = false;
  private readonly marks = new WriteMarksTotal();

  constructor(
    private readonly view: ClusterReader,
    private readonly world: EngineWorld,
  ) {
    this.unsubscribe = view.onDecision((decided) => this.decided(decided));
    this.refreshNow();
  }

  get(name: string): Engine | undefined {
    return this.engines.get(name);
  }

  /** The engine of exactly this creation of a namespace. */
  of(namespace: NamespaceStore): Engine | undefined {
    const engine = this.engines.get(namespace.name);
    return engine?.namespace === namespace ? engine : undefined;
  }

  all(): Iterable<Engine> {
    return this.engines.values();
  }

  /**
   * Freezes that are not confirmed yet and that this process obeys with nothing on its way, as `<name>#<number>@<frozenSeq>`: no
   * write that began before is unanswered, or was lately given up without knowing what becomes of it.
   */
  get freezesSettled(): string[] {
    const settled: string[] = [];
    const unsettled = new Set(this.leftUnsettled().map(({ namespace }) => namespace.state.binlog));
    for (const { namespace, appends } of this.all()) {
      const { name, number, binlog, frozenSeq, freezeConfirmedSeq } = namespace.state;
      if (namespace.frozen && freezeConfirmedSeq === null && appends.settled && !unsettled.has(binlog))
        settled.push(`${name}#${number}@${frozenSeq}`);
    }
    return settled;
  }

  /** Nothing that this process wrote anywhere is on its way. */
  get settled(): boolean {
    return [...this.all(), ...this.leftUnsettled()].every(({ appends }) => appends.settled);
  }

  private leftUnsettled(): Engine[] {
    for (const engine of this.left) if (engine.appends.settled) this.left.delete(engine);
    return [...this.left];
  }

  /** Follows no decisions any more. */
  stopFollowing(): void {
    this.closed = true;
    this.unsubscribe();
  }

  /** Other partitions stand still than before. */
  stopsChanged(): void {
    for (const { namespace } of this.engines.values())
      namespace.stops = this.world.stops.current.get(namespace.state.binlog);
  }

  /** After the view has booted: its first state came without decisions. */
  refreshNow(): void {
    this.stale = 'all';
    if (!this.closed) this.refresh();
  }

  /** A decision costs the namespaces that it touches; one about a node touches all. */
  private decided({ events, decision }: DecidedEvents): void {
    if (events.some(({ kind }) => kind === 'route')) this.routesDecidedAtMs.push(decision.decidedAtMs);
    for (const event of events) {
      if (touchesAll(event)) this.stale = 'all';
      else if (this.stale !== 'all' && event.kind === 'namespace') this.stale.add(event.entity.name);
      else if (this.stale !== 'all' && event.kind === 'route') this.stale.add(event.entity.namespace);
    }
    if (this.refreshScheduled || (this.stale !== 'all' && this.stale.size === 0)) return;
    this.refreshScheduled = true;
    setImmediate(() => {
      this.refreshScheduled = false;
      if (!this.closed) this.refresh();
    });
  }

  /** Brings namespaces, knobs and routes up to the state; each table is swapped in one assignment. */
  private refresh(): void {
    const { state } = this.view;
    const { stale } = this;
    this.stale = new Set();
    const names = stale === 'all' ? [...state.namespaces()].map(({ name }) => name) : stale;
    if (stale === 'all') {
      this.world.links.retain((nodeId) => state.node(nodeId) !== undefined);
      this.world.loads.retain((chunkId) => state.chunk(chunkId) !== undefined);
    }
    for (const name of names) {
      const namespace = state.namespace(name);
      if (namespace?.state === 'active') this.refreshNamespace(state, namespace);
    }
    for (const [name, engine] of this.engines)
      if (state.namespace(name)?.state !== 'active') {
        this.leave(engine);
        this.engines.delete(name);
      }
    const { clock, times } = this.world.context;
    for (const decidedAtMs of this.routesDecidedAtMs.splice(0)) times.routeChange.observe(clock.nowMs() - decidedAtMs);
  }

  private refreshNamespace(state: ClusterState, namespace: NamespaceState): void {
    let engine = this.engines.get(namespace.name);
    // A topic of others may be served by one creation after the other.
    if (engine?.namespace.state.binlog !== namespace.binlog || engine.namespace.state.number !== namespace.number) {
      if (engine) this.leave(engine);
      this.engines.set(namespace.name, (engine = this.open(namespace)));
    }
    const store = engine.namespace;
    if (store.state !== namespace) store.update(namespace);
    if (store.frozen) engine.appends.refuseUnsent(store.frozen);
    const { loads } = this.world;
    const targetOf = (replica: RouteReplica): ReadTarget | undefined => this.targetOf(state, store, replica);
    const table = buildRoutes(state, namespace, targetOf, (chunkId) => loads.of(chunkId));
    if ('problem' in table) store.problem = table.problem;
    else if (table.version !== store.table?.version) store.problem = store.routes.publish(table)?.problem;
    if (store.problem !== undefined)
      this.world.context.logger.warn({ namespace: namespace.name, problem: store.problem }, 'no new route table');
  }

  /** Its namespace is no more: what waits is answered, at the latest when it is looked at next. */
  private leave(engine: Engine): void {
    const { namespace, appends } = engine;
    namespace.gone = goneNamespace(namespace.name);
    appends.end(namespace.gone);
    namespace.writes.release();
    if (!appends.settled) this.left.add(engine);
  }

  private open(state: NamespaceState): Engine {
    const { clock, limits } = this.world.context;
    const size = {
      partitions: state.partitions,
      ofNamespaceMax: limits.writeMarksOfNamespaceMax,
      allMax: limits.writeMarksMax,
    };
    const writes = new WriteMarks(size, this.marks);
    const namespace = new NamespaceStore(state, () => clock.monotonicMs(), writes);
    namespace.stops = this.world.stops.current.get(state.binlog);
    const ackWaits = new AckWaits(this.world.context, namespace);
    const target = { binlog: state.binlog, partitions: state.partitions, producer: this.world.producer };
    const { context, log, appendTurns } = this.world;
    const over = (append: Append): void => appendTurns.over(append);
    const appends = new Appends(context, log, target, over, (append) => {
      if (!namespace.gone) writes.note(append);
      if (!append.settled) ackWaits.add(append);
    });
    return { namespace, appends, ackWaits };
  }

  private targetOf(state: ClusterState, store: NamespaceStore, replica: RouteReplica): ReadTarget | undefined {
    const node = state.node(replica.nodeId);
    const { clusterId } = state;
    if (!node || node.storeId !== replica.storeId || clusterId === undefined) return undefined;
    const link = this.world.links.of(node, clusterId);
    const known = store.targets.get(node.nodeId);
    if (known?.link === link) return known;
    const applied = new Float64Array(store.state.partitions);
    const target: ReadTarget = { link, applied, open: [undefined, undefined, undefined], ahead: undefined };
    store.targets.set(node.nodeId, target);
    return target;
  }
}

/** An address or the state of a node, or something gone. */
function touchesAll(event: ClusterEvent): boolean {
  if (event.kind === 'removed') return ['namespace', 'node', 'route'].includes(event.entity.entity);
  return event.kind === 'node' || event.kind === 'cluster';
}
