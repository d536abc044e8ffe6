import type { Partition } from '@levee/kernel';
import { slotRangeOf } from '@levee/keyspace';
import type { Ack } from '../operations';
import type { PortalReplica } from '../routes/namespace-routes';
import type { NamespaceStore } from '../routes/namespace-store';
import { StoreFailure } from '../store-errors';

/** Who waits for a position of a slot's partition; an {@link Append} is one. */
export interface AckWaiter {
  readonly slot: number;
  readonly partition: Partition;
  readonly ack: Ack;
  readonly nextOffset: number;
  /** Monotonic ms: not applied by then is pending. Set by `AckWaits`. */
  ackDeadlineAtMs: number;
  /** Monotonic ms: since when a write is in the log; nothing of a position that somebody named. Set by `AckWaits`. */
  ackSinceMs?: number;
  done(): void;
  /** Only ever LVPENDING. */
  failed(failure: StoreFailure): void;
  /** Nobody is there any more to be answered: it is pending at once. */
  abandoned?(): boolean;
}

interface AwaitedPosition {
  readonly partition: Partition;
  readonly nextOffset: number;
  readonly ack: Ack;
}

/** A waiter for each chunk of the partition of a position. */
export function waitersOf(
  namespace: NamespaceStore,
  { partition, nextOffset, ack }: AwaitedPosition,
): Omit<AckWaiter, 'done' | 'failed'>[] {
  const { slotStart, slotEnd } = slotRangeOf(partition, namespace.state.partitions);
  const routes = namespace.table?.overlapping(slotStart, slotEnd) ?? [];
  return routes.map((route) => ({
    slot: Math.max(route.slotStart, slotStart),
    partition,
    ack,
    nextOffset,
    ackDeadlineAtMs: 0,
  }));
}

interface WhyPending {
  /** Replicas of the route that are not there yet. */
  readonly missing: readonly PortalReplica[];
  /** Whether the log has what somebody named is not known here. */
  readonly named: boolean;
  readonly gone: StoreFailure | undefined;
}

/** Logged, or named by somebody, and not applied as was asked for when its time is over. */
export function pending({ partition, nextOffset }: AckWaiter, { missing, named, gone }: WhyPending): StoreFailure {
  const names = missing.map(({ nodeId }) => nodeId).join(', ');
  const where = names === '' ? 'there is no primary yet' : `not applied by ${names} yet`;
  const position = `${partition}:${nextOffset}`;
  const text = named ? `${position}: ${where}, if the log goes so far` : `${position} logged; ${where}`;
  return new StoreFailure('LVPENDING', gone ? `${position}: ${gone.message}` : text, { details: { position } });
}
