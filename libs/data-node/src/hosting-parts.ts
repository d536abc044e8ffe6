import type { LogClock } from '@levee/follow';
import type { ClusterView } from '@levee/journal';
import { MoveReports } from './copy/move-reports';
import type { DataNodeConfig, NodeWorld } from './data-node-config';
import { DigestOrderTail } from './digests/digest-order-tail';
import { DigestQueue } from './digests/digest-work';
import { Scrub } from './digests/scrub';
import { IoScheduler } from './io/io-scheduler';
import { snapshotReader } from './io/snapshot-reader';
import { NodeFormat } from './membership/node-format';
import type { OpenedDisk } from './membership/open-disk';
import { isSelf, type Registration } from './membership/registration';
import { UnitReclaims } from './membership/unit-reclaims';
import type { NodeIdentity } from './node-identity';
import { LeftUnits } from './replica/left-units';
import type { RecordOutbox } from './replica/record-outbox';
import { ReplicaHost } from './replica/replica-host';

/** What hosts replicas on a disk, and keeps its units. */
export interface HostingParts {
  readonly digests: DigestQueue;
  readonly host: ReplicaHost;
  readonly orders: DigestOrderTail;
  readonly scrub: Scrub;
  readonly reclaims: UnitReclaims;
  readonly moves: MoveReports;
  readonly left: LeftUnits;
  readonly format: NodeFormat;
}

export interface HostingOptions {
  readonly config: DataNodeConfig;
  readonly view: ClusterView;
  readonly identity: NodeIdentity;
  readonly clusterId: string;
  readonly logClock: LogClock;
  readonly quarantine: RecordOutbox;
  readonly digestsOut: RecordOutbox;
  /** Once the node's doors are known. */
  readonly registration: () => Registration | undefined;
}

/** Of a node that knows its cluster, and the log's time; nothing is hosted yet. */
export function hostingParts(
  { disk, memory }: OpenedDisk,
  { log, clock, timers, logger, newId, network, random, applies, writeTurns, readerThread, clusterKey }: NodeWorld,
  { config, view, identity, clusterId, logClock, quarantine, digestsOut, registration }: HostingOptions,
): HostingParts {
  const { topics, copyBytesPerSecond, digestBytesPerSecond } = config;
  const { nodeId } = identity;
  const io = new IoScheduler({ clock, timers, digestBytesPerSecond });
  const reader = snapshotReader(io, readerThread);
  const digests = new DigestQueue(identity, digestsOut, { clock, timers, logger, reader });
  const host = new ReplicaHost({
    ...{ log, clock, timers, logger, logClock, identity, clusterId, disk, digests, quarantine, io, reader, applies },
    writeTurns: writeTurns.ofDisk(),
    ...{ network, random, clusterKey, copyBytesPerSecond, budget: memory.engines.largest, values: memory.values },
    buffers: memory.network,
    clearingHeld: () => view.short,
    scrubSoon: (hosted) => scrub.soon(hosted),
  });
  const orderTopic = { topic: topics.digests, clusterId, timers, logger };
  const orders = new DigestOrderTail(log, { ...orderTopic, take: (order, timeMs) => host.digestAt(order, timeMs) });
  const scrub: Scrub = new Scrub({ disk, all: () => host.all, io, clock, timers, logger });
  const work = { disk, host, nodeId, clock: commandClock(clock, logClock), timers, newId, logger };
  const isRegistered = (): boolean => isSelf(view.state.node(nodeId), identity);
  const reclaims = new UnitReclaims(log, topics, view, { ...work, isRegistered });
  const moves = new MoveReports(log, topics, view, { ...work, identity });
  const left = new LeftUnits(view, disk, logger, host.left);
  const format = new NodeFormat(view, disk, {
    ...{ nodeId, host, timers, logger },
    onUnits: () => registration()?.unitsChanged(),
    onLeft: (planId) => registration()?.formatLeft(planId),
    held: () => left.problem,
  });
  return { digests, host, orders, scrub, reclaims, moves, left, format };
}

/** A command from the future is refused: a node whose own clock is days ahead shall be heard all the same. */
export const commandClock = (
  clock: NodeWorld['clock'],
  logClock: Pick<LogClock, 'bestMs'>,
): { readonly nowMs: () => number } => ({ nowMs: () => Math.min(clock.nowMs(), logClock.bestMs()) });
