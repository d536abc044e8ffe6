import {
  checkIn,
  type NodeDisk,
  parseUnitSpecs,
  type ReaderThread,
  UnitDisk,
  type UnitDiskOptions,
} from '@levee/chunk-store';
import { featureLevel, type Heartbeat } from '@levee/events';
import { type ApplyBudget, LogClock } from '@levee/follow';
import { ClusterView, HeartbeatLoop } from '@levee/journal';
import {
  addressText,
  type Clock,
  failureCode,
  type Logger,
  messageOf,
  type NewId,
  type Random,
  silentLogger,
  type Timers,
} from '@levee/kernel';
import { type Log, systemClock, systemNewId, systemTimers } from '@levee/log';
import { type Network, type NetworkBudget, RespServer } from '@levee/wire';
import { MoveReports } from './copy/move-reports';
import type { DataNodeConfig, DataNodeWorld } from './data-node-config';
import { DigestQueue, type NodeIdentity } from './digests/digest-work';
import { Scrub } from './digests/scrub';
import { IoScheduler } from './io/io-scheduler';
import { snapshotReader } from './io/snapshot-reader';
import { DiskGauge, spaceOf } from './membership/disk-gauge';
import { positionsOf } from './membership/heartbeat-positions';
import { JournalMemory } from './membership/journal-memory';
import { LogTime } from './membership/log-time';
import { NodeFormat } from './membership/node-format';
import { networkBudget, NodeMemory, respLimitsOf } from './membership/node-memory';
import { replicaNumbers, replicasAndFiles, scrubNumbers } from './membership/node-report';
import { readControlTopics } from './membership/read-control-topics';
import { isSelf, Registration } from './membership/registration';
import { untilAlone } from './membership/rivals';
import { UnitReclaims } from './membership/unit-reclaims';
import { nodeLimits } from './node-limits';
import { assignmentsOf } from './replica/assignment';
import type { HostedReplica } from './replica/hosted-replica';
import { LeftUnits } from './replica/left-units';
import { RecordOutbox } from './replica/record-outbox';
import { ReplicaHost } from './replica/replica-host';
import { loadOf } from './replica/replica-load';
import { NodeService } from './service/node-service';
import { type ServingContext, servingContext } from './service/serving-context';
import { witnessProblem } from './witness/node-witnesses';

/**
 * A data node without Nest: a disk, the replicas that decisions in force put on it, and a RESP door. Nothing it holds
 * is truth: everything is a fold of the binlogs and can be thrown away.
 */
export class DataNode {
  readonly incarnation: string;
  private readonly logger: Logger;
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly newId: NewId;
  private readonly openDisk: (options: UnitDiskOptions) => Promise<NodeDisk>;
  private readonly network: Network | undefined;
  private readonly random: Random | undefined;
  private readonly thread: ReaderThread | undefined;
  private readonly applies: ApplyBudget | undefined;
  private readonly log: Log;
  readonly view: ClusterView;
  private readonly logClock: LogClock;
  private readonly logTime: LogTime;
  private readonly quarantine: RecordOutbox;
  private readonly digestsOut: RecordOutbox;
  private readonly heartbeats: HeartbeatLoop;
  private readonly diskGauge: DiskGauge;
  private readonly server: RespServer<undefined>;
  private readonly versions = new Map<string, number>();
  private readonly journalMemory: JournalMemory;
  /** Units may have to be cleared once the journal is whole. */
  private clearingWaits = false;
  private reclaims: UnitReclaims | undefined;
  private readonly buffers: NetworkBudget;
  private memory: NodeMemory | undefined;
  private moves: MoveReports | undefined;
  private format: NodeFormat | undefined;
  private left: LeftUnits | undefined;
  private disk: NodeDisk | undefined;
  private digests: DigestQueue | undefined;
  private host: ReplicaHost | undefined;
  private scrub: Scrub | undefined;
  private registration: Registration | undefined;
  private context: ServingContext | undefined;
  private problem: string | undefined = 'starting';
  private joining: Promise<void> | undefined;
  private announced: (httpAddress: string) => void = () => undefined;
  private readonly httpAddress = new Promise<string>((resolve) => (this.announced = resolve));
  private respPortTaken = 0;
  private beats = 0;
  private closed = false;
  private endDecisions: () => void = () => undefined;

  constructor(
    private readonly config: DataNodeConfig,
    world: DataNodeWorld,
  ) {
    this.log = world.log;
    this.logger = world.logger ?? silentLogger;
    this.clock = world.clock ?? systemClock;
    this.timers = world.timers ?? systemTimers;
    this.newId = world.newId ?? systemNewId;
    this.openDisk = world.openDisk ?? UnitDisk.open;
    this.network = world.network;
    this.random = world.random;
    this.thread = world.readerThread;
    this.applies = world.applies;
    this.incarnation = this.newId();
    const shared = { clock: this.clock, timers: this.timers, logger: this.logger };
    this.logClock = new LogClock(this.clock);
    this.view = new ClusterView(this.log, config.topics, shared);
    this.quarantine = new RecordOutbox(this.log, config.topics.quarantine, shared);
    this.digestsOut = new RecordOutbox(this.log, config.topics.digests, shared);
    this.journalMemory = new JournalMemory(this.view, shared);
    const seen = () => this.journalMemory.seen();
    const beat = { log: this.log, topic: config.topics.heartbeats, everyMs: config.heartbeatMs, ...shared, seen };
    this.heartbeats = new HeartbeatLoop(beat, () => this.heartbeat());
    const { heartbeats } = this;
    this.logTime = new LogTime(this.logClock, { ...shared, log: this.log, topic: beat.topic, heartbeats });
    const doors = world.network === undefined ? shared : { ...shared, network: world.network };
    this.diskGauge = new DiskGauge(config.folder, { ...shared, diskSpace: world.diskSpace ?? spaceOf });
    const budget = networkBudget(config.memoryBudgetBytes, this.timers);
    this.buffers = budget;
    this.server = new RespServer<undefined>(new NodeService(this), { ...doors, limits: respLimitsOf(budget), budget });
  }

  get identity(): NodeIdentity {
    return { nodeId: this.config.nodeId, storeId: this.disk?.storeId ?? '', incarnation: this.incarnation };
  }

  get respPort(): number {
    return this.respPortTaken;
  }

  get respAddress(): string {
    const { advertisedHost: host, advertisedRespPort: port = this.respPortTaken } = this.config;
    return addressText({ host, port });
  }

  /** Opens the disk and the RESP door, fails if that is not possible; everything else goes on in the background. */
  async start(): Promise<void> {
    const { folder, units, nodeId, respPort, host } = this.config;
    const specs = parseUnitSpecs(units, nodeId);
    this.memory = new NodeMemory(this.config.memoryBudgetBytes, specs, this.buffers);
    const memory = this.memory.engines;
    const checkFiles = checkIn(this.thread);
    this.disk = await this.openDisk({ folder, specs, newStoreId: this.newId, memory, checkFiles, clock: this.clock });
    const { format } = this.disk;
    if (format !== undefined && JSON.stringify(format.units) !== JSON.stringify(specs))
      this.logger.warn(
        { planId: format.planId, units: format.units.length, LEVEE_UNITS: units },
        'this disk was formatted by a plan: its units are those of the plan, not those of LEVEE_UNITS',
      );
    if (this.disk.unitsRefused > 0)
      this.logger.warn(
        { offered: this.disk.units.length, refused: this.disk.unitsRefused, folder },
        'not all units fit into the free space; the others are not offered (LEVEE_UNITS)',
      );
    try {
      this.respPortTaken = await this.server.listen(respPort, host);
    } catch (error) {
      await this.disk.close();
      throw error;
    }
    this.diskGauge.start();
    this.joining = this.join(this.disk, this.memory).catch((error: unknown) => {
      if (this.closed) return;
      this.problem = messageOf(error);
      this.logger.error({ error }, 'this node cannot join its cluster');
    });
  }

  /** The HTTP door listens: from now on the node may register. */
  announce(httpAddress: string): void {
    this.announced(httpAddress);
  }

  /** Why no work should be sent here, in words; `undefined` when everything assigned is readable. */
  readyProblem(): string | undefined {
    const lost = witnessProblem(this.hosted);
    const waiting = this.hosted.find(({ readable, assignment }) => !readable && assignment.role !== 'learner');
    // It serves what it has, and stands still: no node is ready that does not follow.
    const full = this.hosted.find((replica) => replica.full);
    const standing = full && (full.problem ?? `${full.chunkId} is full`);
    return this.problem ?? lost ?? waiting?.reason ?? standing ?? this.joinProblem();
  }

  /** Why it is no part of its cluster, whatever its replicas lack. */
  joinProblem(): string | undefined {
    return this.problem ?? this.registration?.problem ?? this.view.problem;
  }

  get hosted(): readonly HostedReplica[] {
    return [...(this.host?.all ?? [])];
  }

  serving(): ServingContext | undefined {
    return this.context;
  }

  reason(): string {
    return this.problem ?? 'the control topics are not read yet';
  }

  /** LV.STAT. */
  describe(): object {
    return {
      ...this.identity,
      clusterId: this.context?.clusterId ?? null,
      ready: this.readyProblem() === undefined,
      problem: this.readyProblem() ?? this.format?.problem ?? null,
      waitsForMaster: this.problem === undefined && this.registration?.problem !== undefined,
      seq: this.view.seq,
      disk: this.diskGauge.latest ?? null,
      leftUnits: this.left?.describe() ?? [],
      ...replicasAndFiles(this.hosted, this.disk, this.clock.monotonicMs()),
    };
  }

  /** Numbers for metrics. */
  stats(): { readonly [name: string]: number | { readonly [name: string]: number } } {
    const replicas = this.hosted;
    return {
      ...replicaNumbers(this.host),
      unitsOffered: this.disk?.units.length ?? 0,
      diskFreeBytes: this.diskGauge.latest?.freeBytes ?? -1,
      diskBytes: this.diskGauge.latest?.totalBytes ?? -1,
      seq: this.view.seq,
      waits: this.host?.waiting ?? 0,
      feeds: { ...this.host?.feedCounts() },
      quarantine: { ...this.quarantine.stats },
      digests: { ...this.digests?.counts },
      memory: { ...this.memory?.stats(replicas, this.disk?.units ?? []) },
      io: { ...this.host?.io.stats() },
      scrub: scrubNumbers(this.scrub, this.disk),
      readerThread: { ...this.thread?.counts },
      heartbeats: { ...this.heartbeats.counts },
      copies: { open: this.host?.copies.open ?? 0, ...this.host?.copies.counts },
      resp: { ...this.server.stats() },
    };
  }

  /** Stops intake, answers what was asked, writes positions, lets go of the disk. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.problem = 'stopping';
    this.disk?.stopChecks();
    this.diskGauge.stop();
    this.endDecisions();
    this.logTime.stop();
    this.reclaims?.stop();
    this.moves?.stop();
    this.format?.stop();
    this.announced('');
    this.registration?.stop();
    await this.server.close(nodeLimits.respDrainMs).catch(() => undefined);
    await this.heartbeats.stop();
    await this.view.close();
    await this.joining;
    await this.journalMemory.stop();
    this.digests?.close();
    await this.scrub?.stop();
    this.quarantine.close();
    this.digestsOut.close();
    await this.host?.close();
    await this.disk?.close();
  }

  private async join(disk: NodeDisk, memory: NodeMemory): Promise<void> {
    this.problem = 'reading the control topics';
    const { journalSeen, clusterId: ofCluster } = disk;
    const who = `the disk of node ${this.config.nodeId}`;
    if (journalSeen !== undefined) this.view.know([{ ...journalSeen, clusterId: ofCluster, who }]);
    await this.view.start();
    this.problem = 'waiting for a master to claim the cluster';
    const clusterId = await this.clusterId();
    await disk.joinCluster(clusterId);
    this.problem = 'asking the log for its time';
    await this.logTime.known();
    if (this.closed) return;
    const { clock, timers, logger, log, logClock, identity, quarantine } = this;
    const { copyBytesPerSecond, digestBytesPerSecond } = this.config;
    const io = new IoScheduler({ clock, timers, digestBytesPerSecond });
    const reader = snapshotReader(io, this.thread);
    this.digests = new DigestQueue(identity, this.digestsOut, { clock, timers, logger, reader });
    const { digests } = this;
    const { values, engines, network: buffers } = memory;
    const budget = engines.largest;
    const shared = { clock, timers, logger, log, logClock, identity };
    const { network, random, applies } = this;
    const clearingHeld = (): string | undefined => this.view.short;
    const copying = { network, random, copyBytesPerSecond, io, reader, buffers, clearingHeld, applies };
    const host = new ReplicaHost({ ...shared, ...copying, clusterId, disk, budget, values, digests, quarantine });
    this.host = host;
    this.scrub = new Scrub({ disk, all: () => host.all, io, clock, timers, logger });
    const { nodeId } = identity;
    // A command from the future is refused: a node whose own clock is days ahead shall be heard all the same.
    const { newId } = this;
    const commandTime = { nowMs: () => Math.min(clock.nowMs(), logClock.bestMs()) };
    const work = { disk, host, nodeId, clock: commandTime, timers, newId, logger };
    const isRegistered = (): boolean => isSelf(this.view.state.node(nodeId), identity);
    this.reclaims = new UnitReclaims(log, this.config.topics, this.view, { ...work, isRegistered });
    this.moves = new MoveReports(log, this.config.topics, this.view, { ...work, identity });
    const onUnits = (): void => this.registration?.unitsChanged();
    const onLeft = (planId: string): void => this.registration?.formatLeft(planId);
    const left = new LeftUnits(this.view, disk, logger, host.left);
    this.left = left;
    this.format = new NodeFormat(this.view, disk, {
      nodeId,
      host,
      timers,
      logger,
      onUnits,
      onLeft,
      held: () => left.problem,
    });
    const alone = { ...shared, topics: this.config.topics, at: this.respAddress };
    await untilAlone(this.view, alone, (problem) => (this.problem = problem) !== '' && !this.closed);
    // [safety] Only what the control topics, read to their end, give to this disk is served.
    await readControlTopics(this.view, this.logger);
    if (this.closed) return;
    this.context = servingContext({ ...shared, clusterId, host, buffers: this.buffers }, this.view, this.versions);
    this.adopt(disk, host);
    this.endDecisions = this.view.onDecision(() => this.adopt(disk, host));
    this.problem = undefined;
    this.journalMemory.start(disk);
    this.heartbeats.start();
    this.scrub.start();
    void this.logTime.watch();
    const httpAddress = await this.httpAddress;
    if (this.closed) return;
    const facts = { identity, domain: this.config.domain, respAddress: this.respAddress, httpAddress, featureLevel };
    this.registration = new Registration(log, this.config.topics, this.view, disk, {
      facts,
      clock: commandTime,
      timers,
      newId,
      logger,
    });
    this.registration.check();
  }

  private async clusterId(): Promise<string> {
    for (;;) {
      try {
        return await this.view.until(() => this.view.clusterId, nodeLimits.waitMsMax, 'the first claim of a master');
      } catch (error) {
        if (failureCode(error) !== 'DEADLINE') throw error;
        this.logger.warn({}, 'no master has claimed this cluster yet; waiting');
      }
    }
  }

  private adopt(disk: NodeDisk, host: ReplicaHost): void {
    this.versions.clear();
    const { nodeId } = this.config;
    this.registration?.check();
    host.adopt(this.registration?.deposed === true ? [] : assignmentsOf(this.view.state, nodeId, disk.storeId));
    this.moves?.check();
    // [safety] What a journal that lost its end says may be older than what is on this disk: nothing is cleared by it.
    this.clearingWaits = this.view.short !== undefined;
    if (this.clearingWaits) return;
    this.reclaims?.check();
    this.format?.check();
  }

  private heartbeat(): Heartbeat {
    this.registration?.check();
    if (this.registration?.problem === undefined) void this.left?.look();
    if (this.clearingWaits && this.view.short === undefined && this.disk !== undefined && this.host !== undefined)
      this.adopt(this.disk, this.host);
    const withPositions = this.beats++ % nodeLimits.positionsEveryHeartbeats === 0;
    return {
      kind: 'node',
      id: this.config.nodeId,
      incarnation: this.incarnation,
      address: this.respAddress,
      sentAtMs: this.clock.nowMs(),
      featureLevel,
      positions: withPositions && this.host !== undefined ? positionsOf(this.host, this.clock) : [],
      loads: withPositions ? this.hosted.map(loadOf) : [],
      moves: this.moves?.moves() ?? [],
      freeDiskBytes: this.diskGauge.latest?.freeBytes ?? -1,
      errors: [],
    };
  }
}
