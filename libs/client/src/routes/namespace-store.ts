import type { NamespaceState } from '@levee/events';
import { TokenBucket } from '@levee/kernel';
import { hashOf, partitionOf, RouteTableSource, Session, slotOf, type RouteTable } from '@levee/keyspace';
import type { Append } from '../operations';
import type { StoreFailure } from '../store-errors';
import type { WriteMarks } from '../writes/write-marks';
import type { PartitionStops } from '../writes/write-stops';
import type { PortalRoute, ReadTarget } from './namespace-routes';

/** What this process knows of one namespace (one creation of it): knobs, routes, limits. */
export class NamespaceStore {
  readonly routes = new RouteTableSource<PortalRoute>();
  readonly targets = new Map<string, ReadTarget>();
  /** Why there are no routes, while there are none. */
  problem: string | undefined = 'no routes were read yet';
  /** Set once this creation of the namespace is deleted: then nobody waits for its routes, replicas or log. */
  gone: StoreFailure | undefined;
  /** Partitions that stand still; `undefined` while none does. */
  stops: PartitionStops | undefined;
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
    this.update(state);
  }

  get state(): NamespaceState {
    return this.currentState;
  }

  get name(): string {
    return this.currentState.name;
  }

  get table(): RouteTable<PortalRoute> | undefined {
    return this.routes.current;
  }

  /** Takes over changed knobs. */
  update(state: NamespaceState): void {
    const changed = state.requestsPerSecond !== this.currentState.requestsPerSecond || !this.requests;
    this.currentState = state;
    if (changed)
      this.requests =
        state.requestsPerSecond === null ? undefined : new TokenBucket(state.requestsPerSecond, this.nowMs);
    this.chunkRequests.clear();
  }

  newSession(): Session {
    const { name, binlog, partitions } = this.currentState;
    return new Session({ namespace: name, binlog, partitions });
  }

  /** Sets hash, partition and slot of an operation from its key. */
  place(operation: { readonly key: Uint8Array; hash: number; slot: number; partition: number }): void {
    const { partitions, hashAlgorithm } = this.currentState;
    const hash = hashOf(operation.key, hashAlgorithm);
    operation.hash = hash;
    operation.partition = partitionOf(hash, partitions);
    operation.slot = slotOf(hash, partitions);
  }

  /** Bytes above which a chunk takes no more values. */
  softLimitBytes(softShare: number): number {
    return Math.floor(this.currentState.chunkCapacityBytes * softShare);
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
