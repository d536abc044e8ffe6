import type { ClusterKey, JwtVerifier } from '@levee/auth';
import { type NodeDisk, type ReaderThread, UnitDisk, type UnitDiskOptions, WriteTurns } from '@levee/chunk-store';
import { ApplyBudget } from '@levee/follow';
import type { ControlTopics } from '@levee/journal';
import { type Clock, type Logger, type NewId, type Random, silentLogger, type Timers } from '@levee/kernel';
import { type Log, systemClock, systemNewId, systemTimers } from '@levee/log';
import type { Network } from '@levee/wire';
import { type DiskSpace, spaceOf } from './membership/disk-gauge';

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
  /** The RESP door serves users beside processes of the cluster, and asks everybody who he is. */
  readonly authenticates?: boolean | undefined;
  /** How long a node that is cut off from the log believes its users. */
  readonly usersBelievedMs?: number | undefined;
  /** Of one address, but for processes of the cluster, which have proved that they are; `undefined`: no limit. */
  readonly connectionsOfAddressMax?: number | undefined;
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
  /** Whoever does not prove with it that it is of the cluster is served as a user, if at all; without it everybody is. */
  readonly clusterKey?: ClusterKey | undefined;
  /** Or by a certificate with this common name. */
  readonly clusterName?: string | undefined;
  /** Of a provider whose tokens stand for users. */
  readonly jwts?: JwtVerifier | undefined;
  /** Reads for copies and digests, for all nodes of a process; the node's own event loop by default. */
  readonly readerThread?: ReaderThread | undefined;
  /** How often replicas are written, for all nodes of a process; the node's own by default. */
  readonly applies?: ApplyBudget | undefined;
  /** Of large writes to replicas, for all nodes of a process; the node's own by default. */
  readonly writeTurns?: WriteTurns | undefined;
  /** Of the file system that holds the folder; asked of the system by default. */
  readonly diskSpace?: (folder: string) => Promise<DiskSpace>;
  readonly openDisk?: (options: UnitDiskOptions) => Promise<NodeDisk>;
}

/** Of the world, what stays as it was given, or absent. */
type Given = 'network' | 'random' | 'readerThread' | 'clusterKey' | 'clusterName' | 'jwts';

/** The world with what is usual where nothing is said. */
export type NodeWorld = Required<Omit<DataNodeWorld, Given>> &
  Pick<DataNodeWorld, Given> & { readonly applies: ApplyBudget; readonly writeTurns: WriteTurns };

export function nodeWorld(world: DataNodeWorld): NodeWorld {
  const { clock = systemClock, timers = systemTimers } = world;
  return {
    ...world,
    clock,
    logger: world.logger ?? silentLogger,
    timers,
    newId: world.newId ?? systemNewId,
    openDisk: world.openDisk ?? UnitDisk.open,
    applies: world.applies ?? new ApplyBudget(clock),
    writeTurns: world.writeTurns ?? new WriteTurns(timers),
    diskSpace: world.diskSpace ?? spaceOf,
  };
}
