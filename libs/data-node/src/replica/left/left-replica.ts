import { damageOf, type Replica, type ReplicaIdentity } from '@levee/chunk-store';
import { messageOf } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import type { CopiedReplica } from '../../copy/copy-sessions';
import { type CutReplica, LogCuts } from '../../witness/log-cuts';
import { HostedPlaces } from '../hosted-places';
import type { HostedWorld } from '../hosted-world';

/**
 * A replica in a unit generation that no decision in force names (decision record 0029). It stands where it is: nothing
 * is applied to it, and nobody reads from it. What the log lost of it is told, and can be copied.
 */
export class LeftReplica implements CutReplica, CopiedReplica {
  readonly cuts: LogCuts;
  private damage: string | undefined;

  constructor(
    world: HostedWorld,
    readonly identity: ReplicaIdentity,
    readonly current: Replica,
    /** Name of the namespace that has its binlog. */
    readonly namespace: string,
  ) {
    const { slotStart, slotEnd, partitions } = identity;
    const places = new HostedPlaces(partitionsOf(slotStart, slotEnd, partitions), world.waits);
    this.cuts = new LogCuts(world, places, identity, this);
  }

  get chunkId(): string {
    return this.identity.chunkId;
  }

  get replica(): Replica {
    return this.current;
  }

  get readable(): boolean {
    return this.damage === undefined;
  }

  get reason(): string {
    return this.damage ?? 'readable';
  }

  damagedBy(error: unknown): boolean {
    const damage = damageOf(error);
    if (damage !== undefined) this.damage ??= messageOf(damage);
    return damage !== undefined;
  }

  // CutReplica: it neither follows nor serves.

  mustRebuild(): void {}

  follow(): void {}

  review(): void {}
}
