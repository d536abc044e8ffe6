import { Authenticator } from '@levee/auth';
import type { ClusterState } from '@levee/cluster';
import { featureLevel, type Heartbeat } from '@levee/events';
import { LogClock } from '@levee/follow';
import { ClusterView, HeartbeatLoop } from '@levee/journal';
import { addressText, type Histogram, messageOf } from '@levee/kernel';
import { type NetworkBudget, RespServer } from '@levee/wire';
import { type DataNodeConfig, type DataNodeWorld, type NodeWorld, nodeWorld } from './data-node-config';
import { type HostingParts, commandClock, hostingParts } from './hosting-parts';
import { Adoption } from './membership/adoption';
import { DiskGauge } from './membership/disk-gauge';
import { firstClaim } from './membership/first-claim';
import { JournalMemory } from './membership/journal-memory';
import { LogTime } from './membership/log-time';
import { NodeHeartbeats } from './membership/node-heartbeat';
import { networkBudget, respLimitsOf } from './membership/node-memory';
import { nodeNumbers, type Numbers, replicasAndFiles } from './membership/node-report';
import { openDisk, type OpenedDisk } from './membership/open-disk';
import { readControlTopics } from './membership/read-control-topics';
import { Registration } from './membership/registration';
import { waitForRivals } from './membership/rivals';
import type { NodeIdentity } from './node-identity';
import { nodeLimits } from './node-limits';
import { rebuildBlamed } from './replica/blamed-replicas';
import type { HostedReplica } from './replica/hosted-replica';
import { RecordOutbox } from './replica/record-outbox';
import type { NodeCaller } from './service/node-callers';
import { NodeService } from './service/node-service';
import { type ServingContext, servingContext, type RouteVersions } from './service/serving-context';
import { witnessProblem } from './witness/node-witnesses';

const readingTopics = 'reading the control topics';

/**
 * A data node without Nest: a disk, the replicas that decisions in force put on it, and a RESP door. Nothing it holds
 * is truth: everything is a fold of the binlogs and can be thrown away.
 */
export class DataNode {
  readonly incarnation: string;
  readonly view: ClusterView;
  /** `undefined`: authentication is off. */
  readonly authenticator: Authenticator | undefined;
  private readonly world: NodeWorld;
  private readonly logClock: LogClock;
  private readonly logTime: LogTime;
  private readonly journalMemory: JournalMemory;
  private readonly quarantine: RecordOutbox;
  private readonly digestsOut: RecordOutbox;
  private readonly beats: NodeHeartbeats;
  private readonly heartbeats: HeartbeatLoop;
  private readonly diskGauge: DiskGauge;
  private readonly buffers: NetworkBudget;
  private readonly server: RespServer<NodeCaller>;
  private readonly versions: RouteVersions = new Map();
  /** Until then there is nothing of what follows. */
  private opened: OpenedDisk | undefined;
  /** Once the cluster is known. */
  private hosting: HostingParts | undefined;
  /** Once the control topics are read to their end. */
  private context: ServingContext | undefined;
  private adoption: Adoption | undefined;
  /** Once the HTTP door listens. */
  private registration: Registration | undefined;
  private announced: (httpAddress: string) => void = () => undefined;
  private readonly httpAddress = new Promise<string>((resolve) => (this.announced = resolve));
  private respPortTaken = 0;
  private problem: string | undefined = 'starting';
  private joining: Promise<void> | undefined;
  private endDecisions: () => void = () => undefined;
  private closed = false;

  constructor(
    private readonly config: DataNodeConfig,
    world: DataNodeWorld,
  ) {
    this.world = nodeWorld(world);
    const { log, logger, clock, timers, newId, network, diskSpace, clusterKey, clusterName, jwts } = this.world;
    const { topics, folder, heartbeatMs: everyMs, memoryBudgetBytes, usersBelievedMs: believedMs } = config;
    const shared = { log, clock, timers, logger };
    this.incarnation = newId();
    this.logClock = new LogClock(clock);
    this.view = new ClusterView(log, topics, shared);
    this.quarantine = new RecordOutbox(log, topics.quarantine, shared);
    this.digestsOut = new RecordOutbox(log, topics.digests, shared);
    this.journalMemory = new JournalMemory(this.view, shared);
    this.beats = new NodeHeartbeats(clock);
    const beat = { ...shared, topic: topics.heartbeats, everyMs, seen: () => this.journalMemory.seen() };
    this.heartbeats = new HeartbeatLoop(beat, () => this.heartbeat());
    this.logTime = new LogTime(this.logClock, { ...shared, topic: topics.heartbeats, heartbeats: this.heartbeats });
    this.diskGauge = new DiskGauge(folder, { timers, logger, diskSpace });
    this.buffers = networkBudget(memoryBudgetBytes, timers);
    const limits = respLimitsOf(this.buffers, config.connectionsOfAddressMax);
    const door = { clock, timers, logger, ...(network && { network }), limits, budget: this.buffers };
    const state = (): ClusterState => this.view.state;
    const users = { state, unheardMs: () => this.view.unheardMs, believedMs, jwts };
    this.authenticator = config.authenticates ? new Authenticator({ clock, timers, logger, ...users }) : undefined;
    const proofs = { clusterKey, clusterName, authenticator: this.authenticator, clock };
    this.server = new RespServer<NodeCaller>(new NodeService(this, proofs), door);
  }

  get identity(): NodeIdentity {
    return { nodeId: this.config.nodeId, storeId: this.opened?.disk.storeId ?? '', incarnation: this.incarnation };
  }

  get respPort(): number {
    return this.respPortTaken;
  }

  get respAddress(): string {
    const { advertisedHost: host, advertisedRespPort: port = this.respPortTaken } = this.config;
    return addressText({ host, port });
  }

  get hosted(): readonly HostedReplica[] {
    return [...(this.hosting?.host.all ?? [])];
  }

  /** Opens the disk and the RESP door, fails if that is not possible; everything else goes on in the background. */
  async start(): Promise<void> {
    const { respPort, host } = this.config;
    const opened = await openDisk(this.config, this.world, this.buffers);
    this.opened = opened;
    try {
      this.respPortTaken = await this.server.listen(respPort, host);
    } catch (error) {
      await opened.disk.close();
      throw error;
    }
    this.diskGauge.start();
    this.joining = this.join(opened).catch((error: unknown) => {
      if (this.closed) return;
      this.problem = messageOf(error);
      this.world.logger.error({ error }, 'this node cannot join its cluster');
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
    return this.begins ?? lost ?? waiting?.reason ?? standing ?? this.joinProblem();
  }

  /** Why it is no part of its cluster, whatever its replicas lack. */
  joinProblem(): string | undefined {
    return this.begins ?? this.registration?.problem ?? this.view.problem;
  }

  /** Why it has not begun to serve, or has ended: while it reads the control topics its view knows more. */
  private get begins(): string | undefined {
    return this.problem === readingTopics ? (this.view.problem ?? readingTopics) : this.problem;
  }

  // NodeDoor

  serving(): ServingContext | undefined {
    return this.context;
  }

  reason(): string {
    return this.begins ?? 'the control topics are not read yet';
  }

  /** LV.STAT. */
  describe(): object {
    const { hosting } = this;
    const problem = this.readyProblem();
    return {
      ...this.identity,
      clusterId: this.context?.clusterId ?? null,
      ready: problem === undefined,
      problem: problem ?? hosting?.format.problem ?? null,
      waitsForMaster: this.problem === undefined && this.registration?.problem !== undefined,
      seq: this.view.seq,
      unheardMs: Math.round(this.view.unheardMs),
      disk: this.diskGauge.latest ?? null,
      leftUnits: hosting?.left.describe() ?? [],
      ...replicasAndFiles(this.hosted, this.opened?.disk, this.world.clock.monotonicMs()),
    };
  }

  /** How long records took until they were in a unit; nothing before it has joined. */
  get applyTimes(): Histogram | undefined {
    return this.hosting?.host.feeds.applyTimes;
  }

  /** Numbers for metrics. */
  stats(): { readonly [name: string]: number | Numbers } {
    return {
      ...nodeNumbers(this.opened, this.hosting, this.world.clock.monotonicMs()),
      diskFreeBytes: this.diskGauge.latest?.freeBytes ?? NaN,
      diskBytes: this.diskGauge.latest?.totalBytes ?? NaN,
      seq: this.view.seq,
      quarantine: { ...this.quarantine.stats },
      readerThread: { ...this.world.readerThread?.counts },
      heartbeats: { ...this.heartbeats.counts },
      resp: { ...this.server.stats() },
      ...(this.authenticator && { auth: this.authenticator.stats() }),
    };
  }

  /** Stops intake, answers what was asked, writes positions, lets go of the disk. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.problem = 'stopping';
    this.opened?.disk.stopChecks();
    this.diskGauge.stop();
    this.endDecisions();
    this.logTime.stop();
    this.hosting?.reclaims.stop();
    this.hosting?.moves.stop();
    this.hosting?.format.stop();
    this.announced('');
    this.registration?.stop();
    await this.server.close(nodeLimits.respDrainMs).catch(() => undefined);
    await this.heartbeats.stop();
    await this.view.close();
    await this.joining;
    await this.journalMemory.stop();
    await this.hosting?.orders.stop();
    this.hosting?.digests.close();
    await this.hosting?.scrub.stop();
    this.quarantine.close();
    this.digestsOut.close();
    await this.hosting?.host.close();
    await this.opened?.disk.close();
  }

  private async join(opened: OpenedDisk): Promise<void> {
    const { config, view, logClock, quarantine, digestsOut, buffers } = this;
    const { log, clock, timers, newId, logger } = this.world;
    const { topics, nodeId, domain } = config;
    const registration = (): Registration | undefined => this.registration;
    const { disk } = opened;

    this.problem = readingTopics;
    const { journalSeen, clusterId: ofCluster } = disk;
    const who = `the disk of node ${nodeId}`;
    if (journalSeen !== undefined) view.know([{ ...journalSeen, clusterId: ofCluster, who }]);
    await view.start();
    this.problem = 'waiting for a master to claim the cluster';
    const clusterId = await firstClaim(view, logger);
    await disk.joinCluster(clusterId);
    this.problem = 'asking the log for its time';
    await this.logTime.known();
    if (this.closed) return;

    const { identity } = this;
    const known = { config, view, identity, clusterId, logClock, quarantine, digestsOut, registration };
    const hosting = hostingParts(opened, this.world, known);
    this.hosting = hosting;
    const alone = { log, clock, timers, logger, identity, topics, at: this.respAddress };
    await waitForRivals(view, alone, (problem) => (this.problem = problem) !== '' && !this.closed);
    // [safety] Only what the control topics, read to their end, give to this disk is served.
    await readControlTopics(view, logger);
    if (this.closed) return;

    const { host, scrub, digests } = hosting;
    const served = { clock, timers, logger, identity, clusterId, host, buffers };
    this.context = servingContext(served, view, this.versions);
    const adoption = new Adoption(view, { ...identity, hosting, versions: this.versions, registration });
    this.adoption = adoption;
    adoption.adopt();
    this.endDecisions = view.onDecision((adopted) => {
      adoption.adopt();
      rebuildBlamed(adopted, { identity, digests, logger, hostedIn: (key) => host.in(key) });
    });
    this.problem = undefined;
    this.journalMemory.start(disk);
    this.heartbeats.start();
    scrub.start();
    void this.logTime.watch();

    const httpAddress = await this.httpAddress;
    if (this.closed) return;
    const facts = { identity, domain, respAddress: this.respAddress, httpAddress, featureLevel };
    const commands = { clock: commandClock(clock, logClock), timers, newId, logger };
    this.registration = new Registration(log, topics, view, disk, { facts, ...commands });
    this.registration.check();
  }

  private heartbeat(): Heartbeat {
    this.registration?.check();
    if (this.registration?.problem === undefined) void this.hosting?.left.look();
    this.adoption?.goOn();
    const { nodeId, incarnation } = this.identity;
    const { host, moves } = this.hosting ?? {};
    const freeDiskBytes = this.diskGauge.latest?.freeBytes ?? -1;
    return this.beats.next({ nodeId, incarnation, respAddress: this.respAddress, host, moves, freeDiskBytes });
  }
}
