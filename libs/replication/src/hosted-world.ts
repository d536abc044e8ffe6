import type { EngineBudget, ReplicaIdentity, NodeDisk, ValueBudget } from '@levee/chunk-store';
import type { Clock, Logger, Partition, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { DigestWork } from './digest-work';
import type { LogClock } from './log-clock';
import type { PartitionFeed } from './partition-feed';
import type { WaitBudget } from './position-waits';
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
  readonly waits: WaitBudget;
  readonly rebuilds: Turnstile;
  readonly digests: { add(work: DigestWork): void };
  readonly feedOf: (identity: ReplicaIdentity, partition: Partition) => PartitionFeed;
}
