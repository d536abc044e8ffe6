import { type RecordFormat, recordFormats } from '@levee/codec';
import { askedAs, isOfOperation, isSourceLost, sessionLog, strongRefused, thawCommand } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import { TokenBucket } from '@levee/kernel';
import { hasPlace, RouteTableSource, Session, type RouteTable } from '@levee/keyspace';
import type { Append } from '../operations';
import { StoreFailure } from '../store-errors';
import type { WriteMarks } from '../writes/write-marks';
import type { PartitionStops } from '../writes/write-stops';
import type { PortalRoute, ReadTarget } from './namespace-routes';
import { placeIn, type ReadNamespace } from './read-namespace';

/** What this process knows of one namespace (one creation of it): knobs, routes, limits. */
export class NamespaceStore implements ReadNamespace {
  readonly routes = new RouteTableSource<PortalRoute>();
  readonly targets = new Map<string, ReadTarget>();
  /** Why there are no routes, while there are none. */
  problem: string | undefined = 'no routes were read yet';
  /** Set once this creation of the namespace is deleted: then nobody waits for its routes, replicas or log. */
  gone: StoreFailure | undefined;
  /** Partitions that stand still; `undefined` while none does. */
  stops: PartitionStops | undefined;
  /** Why nothing is written here: it serves a topic of others. */
  readonly readOnly: StoreFailure | undefined;
  /** Why nothing is written here for now: a decision froze its writes. */
  frozen: StoreFailure | undefined;
  /** Why there are no strong reads here. */
  readonly unfenced: StoreFailure | undefined;
  /** Why nothing is read here for now: what replicas hold is not what its topic says. */
  distrust: StoreFailure | undefined;
  private currentState: NamespaceState;
  private requests: TokenBucket | undefined;
  private readonly chunkRequests = new Map<string, TokenBucket>();

  constructor(
    state: NamespaceState,
    private readonly nowMs: () => number,
    /** What this process logged here, whichever door it came through. */
    readonly writes: WriteMarks,
  ) {
    this.currentState = state;
    this.readOnly = readOnlyFailure(state);
    this.unfenced = state.sourceTopic === null ? undefined : unsupported(strongRefused(state.sourceTopic));
    this.update(state);
  }

  get state(): NamespaceState {
    return this.currentState;
  }

  get name(): string {
    return this.currentState.name;
  }

  get askedAs(): string {
    return askedAs(this.currentState);
  }

  /** How its records say values. */
  get format(): RecordFormat {
    return recordFormats[this.currentState.recordFormat];
  }

  get table(): RouteTable<PortalRoute> | undefined {
    return this.routes.current;
  }

  /** Takes over changed knobs. */
  update(state: NamespaceState): void {
    const changed = state.requestsPerSecond !== this.currentState.requestsPerSecond || !this.requests;
    this.currentState = state;
    this.distrust = sourceFailure(state);
    this.frozen = frozenFailure(state);
    if (changed)
      this.requests =
        state.requestsPerSecond === null ? undefined : new TokenBucket(state.requestsPerSecond, this.nowMs);
    this.chunkRequests.clear();
  }

  /** This process follows the journal itself. */
  heard(): void {}

  newSession(): Session {
    const { name, partitions } = this.currentState;
    return new Session({ namespace: name, binlog: sessionLog(this.currentState), partitions });
  }

  /** Sets hash, partition and slot of an operation from its key. */
  place(operation: Parameters<typeof placeIn>[1]): void {
    placeIn(this.currentState, operation);
  }

  /** Why nothing can be written under a key here. */
  placeProblem(key: Uint8Array): StoreFailure | undefined {
    const { name, hashAlgorithm } = this.currentState;
    if (hasPlace(key, hashAlgorithm)) return undefined;
    return new StoreFailure(
      'LVDEFINITE',
      `${name} takes no empty key: by ${hashAlgorithm} it belongs to no partition; nothing was written`,
    );
  }

  /** Bytes above which a chunk takes no more values. */
  softLimitBytes(softShare: number): number {
    return Math.floor(this.currentState.chunkCapacityBytes * softShare);
  }

  /** Chunks that take no values at the moment. */
  chunksFull(softShare: number): number {
    const limitBytes = this.softLimitBytes(softShare);
    let full = 0;
    for (const { load } of this.table?.all ?? []) if (load.storedBytes > limitBytes) full++;
    return full;
  }

  /** Counts a value that goes to its chunk; the reason when that holds too much already. */
  takeRoom(append: Append, softShare: number): string | undefined {
    const route = this.table?.at(append.slot);
    if (!route) return undefined;
    const { load } = route;
    const { storedBytes } = load;
    const limitBytes = this.softLimitBytes(softShare);
    if (storedBytes <= limitBytes) {
      append.load = load;
      append.loadTurn = load.written(append.bytes);
      return undefined;
    }
    const { chunkCapacityBytes } = this.currentState;
    return (
      `chunk ${route.chunkId} holds ${storedBytes} bytes, its soft limit is ${limitBytes} (${softShare * 100} % of ` +
      `chunkCapacityBytes ${chunkCapacityBytes}): split it, raise chunkCapacityBytes, or delete keys`
    );
  }

  /** Takes one request out of the limits; the reason when there is none left. */
  refusal(slot: number): string | undefined {
    const { requestsPerSecond, chunkRequestsPerSecond, name } = this.currentState;
    if (this.requests && !this.requests.take())
      return `more than ${requestsPerSecond} requests a second in ${name}: slow down, or raise requestsPerSecond`;
    if (chunkRequestsPerSecond === null) return undefined;
    const chunkId = this.table?.at(slot).chunkId ?? '';
    let bucket = this.chunkRequests.get(chunkId);
    if (!bucket) this.chunkRequests.set(chunkId, (bucket = new TokenBucket(chunkRequestsPerSecond, this.nowMs)));
    if (bucket.take()) return undefined;
    return `more than ${chunkRequestsPerSecond} requests a second in chunk ${chunkId}: slow down, or raise chunkRequestsPerSecond`;
  }
}

function readOnlyFailure({ name, sourceTopic, writable }: NamespaceState): StoreFailure | undefined {
  if (sourceTopic === null || writable) return undefined;
  const message = `${name} serves the topic ${sourceTopic} as it is: write there, with any Kafka producer; nothing was written`;
  return new StoreFailure('LVREADONLY', message);
}

function frozenFailure({ name, frozenBy, frozenReason }: NamespaceState): StoreFailure | undefined {
  if (frozenBy === null) return undefined;
  const over = isOfOperation(frozenBy) ? 'in a while' : `after the thaw (${thawCommand(name, frozenBy)})`;
  const message = `writes to ${name} are frozen by ${frozenBy} (${frozenReason}): nothing was written; repeat it ${over}`;
  return new StoreFailure('LVFROZEN', message);
}

function sourceFailure(namespace: NamespaceState): StoreFailure | undefined {
  if (!isSourceLost(namespace)) return undefined;
  return new StoreFailure('LVSOURCE', namespace.sourceProblem ?? namespace.sourceFinding);
}

const unsupported = (message: string): StoreFailure => new StoreFailure('LVUNSUPPORTED', message);
