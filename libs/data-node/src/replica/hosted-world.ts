import type { DiskWriteTurns, EngineBudget, NodeDisk, ReplicaIdentity, ValueBudget } from '@levee/chunk-store';
import type { LogClock, PartitionFeed } from '@levee/follow';
import type { ByteRate, Clock, Logger, Partition, Semaphore, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { CopyPlaces } from '../copy/copy-places';
import type { PieceSources } from '../copy/piece-stream';
import type { DigestWork } from '../digests/digest-work';
import type { ScrubbedReplica } from '../digests/scrub';
import type { SweptReplica } from '../digests/sweeps';
import type { IoScheduler } from '../io/io-scheduler';
import type { WaitBudget } from './position-waits';
import type { Retentions } from './retentions';

/** What a node gives to all replicas that it hosts. */
export interface HostWorld {
  readonly disk: NodeDisk;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly logClock: LogClock;
  readonly budget: EngineBudget;
  readonly values: ValueBudget;
  /** Of large writes; may be shared with other nodes of the process. */
  readonly writeTurns: DiskWriteTurns;
  /** Turns of everything that can wait. */
  readonly io: IoScheduler;
  readonly digests: { add(work: DigestWork): void };
  /** The replica is compared with its log: its files are to be looked at too. */
  readonly scrubSoon: (hosted: ScrubbedReplica) => void;
  /** Why nothing may be cleared for now, whatever its reason: what this node knows of the cluster may be too old. */
  readonly clearingHeld: () => string | undefined;
}

/** What all replicas of a node share: that, and what their host makes of it. */
export interface HostedWorld extends HostWorld, PieceSources {
  readonly waits: WaitBudget;
  readonly rebuilds: Semaphore;
  readonly retentions: Retentions;
  /** Of replicas that are copied from their peers, since the log has a hole. */
  readonly copyPlaces: CopyPlaces;
  /** Holds back what copies into this node's units take. */
  readonly copyRate: ByteRate;
  /** The replica is readable, and nobody has counted yet what its database holds. */
  readonly uncounted: (hosted: SweptReplica) => void;
  readonly feedOf: (identity: ReplicaIdentity, partition: Partition) => PartitionFeed;
}
