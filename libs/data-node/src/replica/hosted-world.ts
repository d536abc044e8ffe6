import type { EngineBudget, ReplicaIdentity, NodeDisk, ValueBudget } from '@levee/chunk-store';
import type { LogClock, PartitionFeed } from '@levee/follow';
import type { ByteRate, Clock, Logger, Partition, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { CopyPlaces } from '../copy/copy-places';
import type { CopySessions } from '../copy/copy-sessions';
import type { RemoteWorld } from '../copy/piece-stream';
import type { DigestWork } from '../digests/digest-work';
import type { IoScheduler } from '../io/io-scheduler';
import type { HostedReplica } from './hosted-replica';
import type { WaitBudget } from './position-waits';
import type { Retentions } from './retentions';
import type { Turnstile } from './turnstile';

/** What all replicas of a node share. */
export interface HostedWorld {
  readonly disk: NodeDisk;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly logClock: LogClock;
  readonly budget: EngineBudget;
  readonly values: ValueBudget;
  /** Turns of everything that can wait. */
  readonly io: IoScheduler;
  readonly waits: WaitBudget;
  readonly rebuilds: Turnstile;
  readonly digests: { add(work: DigestWork): void };
  readonly retentions: Retentions;
  /** Of replicas that are copied from their peers, since the log has a hole. */
  readonly copyPlaces: CopyPlaces;
  /** Snapshots held open for copies. */
  readonly copies: CopySessions;
  /** Holds back what copies into this node's units take. */
  readonly copyRate: ByteRate;
  /** How other nodes are asked for copies. */
  readonly remote: RemoteWorld;
  /** The replica in `<unitId>@<generation>` of this node. */
  readonly hostedIn: (key: string) => HostedReplica | undefined;
  /** The replica is readable, and nobody has counted yet what its database holds. */
  readonly uncounted: (hosted: HostedReplica) => void;
  /** Why nothing may be cleared for now, whatever its reason: what this node knows of the cluster may be too old. */
  readonly clearingHeld: () => string | undefined;
  readonly feedOf: (identity: ReplicaIdentity, partition: Partition) => PartitionFeed;
}
