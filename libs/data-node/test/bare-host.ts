import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  engineBudgetDefault,
  LoopReader,
  parseUnitSpecs,
  scanReplica,
  UnitDisk,
  ValueBudget,
  WriteTurns,
} from '@levee/chunk-store';
import {
  type Assignment,
  DigestQueue,
  type HostedReplica,
  type MoveOrder,
  type PieceOrder,
  RecordOutbox,
  ReplicaHost,
  type SourceReplica,
} from '@levee/data-node';
import type { ChunkReplica, ChunkState } from '@levee/events';
import { ApplyBudget, LogClock } from '@levee/follow';
import { type Logger, silentLogger, type Timers } from '@levee/kernel';
import { type Log, systemClock, systemTimers } from '@levee/log';
import type { Network } from '@levee/wire';
import { IoScheduler } from '../src/io/io-scheduler';
import { type SmallCluster, topics } from './small-cluster';

export interface BareHostOptions {
  readonly units?: string;
  readonly log?: Log;
  readonly logger?: Logger;
  readonly network?: Network;
  readonly timers?: Timers;
  readonly copyBytesPerSecond?: number;
  /** Of its disk; real by default. */
  readonly freeBytes?: () => number;
  /** Another clock for the log's time, in ms since 1970. */
  readonly logTimeAheadMs?: () => number;
}

/** The replicas of one disk without a node around them: a test says what is assigned. Sources are real nodes. */
export class BareHost {
  private constructor(
    readonly cluster: SmallCluster,
    readonly nodeId: string,
    readonly disk: UnitDisk,
    readonly host: ReplicaHost,
  ) {}

  static async open(cluster: SmallCluster, nodeId: string, options: BareHostOptions = {}): Promise<BareHost> {
    const { log = cluster.log, logger = silentLogger, logTimeAheadMs = () => 0, freeBytes, ...rest } = options;
    const { timers = systemTimers } = options;
    const disk = await UnitDisk.open({
      folder: join(cluster.folder, nodeId),
      specs: parseUnitSpecs(options.units ?? '8x8MiB:leveldb', nodeId),
      newStoreId: randomUUID,
      ...(freeBytes === undefined ? {} : { freeBytes: () => Promise.resolve(freeBytes()) }),
    });
    const shared = { clock: systemClock, timers, logger };
    const identity = { nodeId, storeId: disk.storeId, incarnation: randomUUID() };
    class AheadLogClock extends LogClock {
      override nowMs(): number | undefined {
        const nowMs = super.nowMs();
        return nowMs === undefined ? undefined : nowMs + logTimeAheadMs();
      }
      override at(monotonicMs: number): number | undefined {
        const atMs = super.at(monotonicMs);
        return atMs === undefined ? undefined : atMs + logTimeAheadMs();
      }
    }
    const logClock = new AheadLogClock(systemClock);
    logClock.observe(systemClock.nowMs());
    const reader = new LoopReader({ copy: systemClock, digest: systemClock });
    const digests = new DigestQueue(identity, new RecordOutbox(log, topics.digests, shared), { ...shared, reader });
    const host = new ReplicaHost({
      ...shared,
      ...rest,
      io: new IoScheduler(shared),
      reader,
      applies: new ApplyBudget(systemClock),
      writeTurns: new WriteTurns(systemTimers).ofDisk(),
      clearingHeld: () => undefined,
      scrubSoon: () => undefined,
      clusterId: cluster.view.clusterId!,
      identity,
      disk,
      log,
      logClock,
      budget: engineBudgetDefault,
      values: new ValueBudget(1 << 20),
      digests,
      quarantine: new RecordOutbox(log, topics.quarantine, shared),
    });
    return new BareHost(cluster, nodeId, disk, host);
  }

  /** Unit `number` in generation 1 as a replica of `chunk`. */
  assignment(number: number, chunk: ChunkState, role: ChunkReplica['role'], move?: MoveOrder): Assignment {
    const unitId = this.unitId(number);
    const { capacityBytes } = this.disk.spec(unitId);
    const namespace = this.cluster.view.state.namespace(chunk.namespace)!;
    const place = { key: `${unitId}@1`, chunk, namespace, unitId, generation: 1, capacityBytes, role };
    return move === undefined ? place : { ...place, move };
  }

  unitId(number: number): string {
    return this.disk.units[number]!.unitId;
  }

  /** This very disk as a source. */
  source(number: number): SourceReplica {
    const { nodeId, disk } = this;
    return { nodeId, storeId: disk.storeId, unitId: this.unitId(number), generation: 1, respAddress: '127.0.0.1:1' };
  }

  hosted(number: number): HostedReplica | undefined {
    return [...this.host.all].find((each) => each.assignment.unitId === this.unitId(number));
  }

  async close(): Promise<void> {
    await this.host.close();
    await this.disk.close();
  }
}

export function orderOf(pieces: readonly PieceOrder[]): MoveOrder {
  return { planId: 'p7', attempt: 1, step: 'copy', maxLagRecords: 10, pieces };
}

/** All slots of a chunk, or some, from its replicas on these nodes, in this order. */
export function pieceOf(
  cluster: SmallCluster,
  chunk: ChunkState,
  nodeIds: readonly string[],
  { slotStart, slotEnd }: { slotStart: number; slotEnd: number } = chunk,
): PieceOrder {
  const sources = nodeIds.map((nodeId) => {
    const { storeId, unitId, generation } = chunk.replicas.find((each) => each.nodeId === nodeId)!;
    return { nodeId, storeId, unitId, generation, respAddress: cluster.view.state.node(nodeId)!.respAddress };
  });
  return { chunkId: chunk.chunkId, slotStart, slotEnd, sources };
}

/** Every key with its value as text, in key order. */
export async function contentsOf(hosted: HostedReplica): Promise<string[]> {
  const limits = { limit: 10_000, bytesMax: 1 << 30, visitsMax: 1 << 20 };
  const { entries } = await scanReplica(hosted.replica, {}, limits, systemClock.nowMs());
  return entries.map(({ key, state }) => `${key.toString()}=${state.readable ? state.value.toString() : state.reason}`);
}
