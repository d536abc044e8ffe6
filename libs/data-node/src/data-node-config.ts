import type { NodeDisk, ReaderThread, UnitDiskOptions } from '@levee/chunk-store';
import type { ApplyBudget } from '@levee/follow';
import type { ControlTopics } from '@levee/journal';
import type { Clock, Logger, NewId, Random, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { Network } from '@levee/wire';
import type { DiskSpace } from './membership/disk-gauge';

export interface DataNodeConfig {
  readonly nodeId: string;
  readonly folder: string;
  /** `32x256MiB:leveldb`. */
  readonly units: string;
  /** Failure domain. */
  readonly domain: string;
  readonly host: string;
  /** What others reach the node by. */
  readonly advertisedHost: string;
  /** 0 = any free port. */
  readonly respPort: number;
  /** Told to portals in place of the port that the RESP door has: something stands in between. */
  readonly advertisedRespPort?: number | undefined;
  readonly memoryBudgetBytes: number;
  readonly heartbeatMs: number;
  readonly topics: ControlTopics;
  /** Most bytes a second that copies put into the units of this node; 0 = no limit (the default). */
  readonly copyBytesPerSecond?: number | undefined;
  /** Most bytes a second that digests and sweeps of this node read; 0 = no limit (the default). */
  readonly digestBytesPerSecond?: number | undefined;
}

export interface DataNodeWorld {
  readonly log: Log;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly random?: Random;
  readonly newId?: NewId;
  readonly network?: Network;
  /** Reads for copies and digests, for all nodes of a process; the node's own event loop by default. */
  readonly readerThread?: ReaderThread | undefined;
  /** How often replicas are written, for all nodes of a process; the node's own by default. */
  readonly applies?: ApplyBudget | undefined;
  /** Of the file system that holds the folder; asked of the system by default. */
  readonly diskSpace?: (folder: string) => Promise<DiskSpace>;
  readonly openDisk?: (options: UnitDiskOptions) => Promise<NodeDisk>;
}
