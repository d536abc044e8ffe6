import { Store, type StoreLimits, type WriteStop } from '@levee/client';
import { featureLevel, type Heartbeat } from '@levee/events';
import { ClusterView, type ControlTopics, HeartbeatLoop, HeartbeatView, type JournalSeen } from '@levee/journal';
import {
  addressText,
  silentLogger,
  type Clock,
  type Logger,
  type NewId,
  type Random,
  type Timers,
} from '@levee/kernel';
import { systemClock, systemNewId, systemRandom, systemTimers, type Log } from '@levee/log';
import type { Network, NetworkBudget, RespServerLimits } from '@levee/wire';
import { portalFacts } from './door/portal-facts';
import { RespDoor } from './door/resp-door';
import { ScanCursors } from './scan-cursors';
import { RouteWatches } from './watch/route-watches';

export interface PortalConfig {
  /** Name of this portal among those alive: in fence records, heartbeats and commands. */
  readonly instance: string;
  readonly host: string;
  /** What others reach the portal by. */
  readonly advertisedHost: string;
  /** 0 = any free port. */
  readonly respPort: number;
  readonly defaultNamespace: string;
  readonly heartbeatMs: number;
  readonly topics: ControlTopics;
  readonly storeLimits?: Partial<StoreLimits>;
  readonly respLimits?: Partial<RespServerLimits>;
}

export interface PortalWorld {
  readonly log: Log;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly random?: Random;
  readonly newId?: NewId;
  readonly network?: Network;
  /** What the connections of all doors of this process hold; the RESP door has one of its own without it. */
  readonly budget?: NetworkBudget;
}

const drainMs = 3_000;
/** The doors stay closed so long while the cluster is read for the first time. */
const readFirstMs = 3_000;
/** A master that is alive is heard every 300 ms, and another one claims within a few seconds. */
const masterSilentMs = 5_000;

/** A portal without Nest: the cluster as the journal tells it, the smart client on it, and the RESP door. */
export class Portal {
  readonly incarnation: string;
  readonly view: ClusterView;
  readonly store: Store;
  readonly door: RespDoor;
  readonly watches: RouteWatches;
  /** What every process said last. */
  readonly heard: HeartbeatView;
  private readonly heartbeats: HeartbeatLoop;
  private readonly logger: Logger;
  readonly clock: Clock;
  private readonly timers: Timers;
  private starting: Promise<void> | undefined;
  private listening = false;
  private booted = false;
  private closed = false;
  private respPortTaken = 0;

  constructor(
    readonly config: PortalConfig,
    world: PortalWorld,
  ) {
    const { log, logger = silentLogger, clock = systemClock, timers = systemTimers, random = systemRandom } = world;
    const network = world.network && { network: world.network };
    this.incarnation = (world.newId ?? systemNewId)();
    this.logger = logger;
    this.clock = clock;
    this.timers = timers;
    this.view = new ClusterView(log, config.topics, { logger, clock, timers });
    const { instance: producer, storeLimits: limits = {} } = config;
    this.store = new Store(log, this.view, { producer, logger, clock, timers, random, limits, ...network });
    this.watches = new RouteWatches(this.view, { clock, timers });
    this.heard = new HeartbeatView(log, config.topics, { logger, clock, timers });
    this.heard.onHeartbeat((beat) => this.hear(beat));
    const context = {
      store: this.store,
      cursors: new ScanCursors(clock, random, this.store.limits),
      clock,
      random,
      defaultNamespace: config.defaultNamespace,
      state: () => this.view.state,
      info: portalFacts(this),
      settings: () => this.settings(),
    };
    this.door = new RespDoor(context, {
      logger,
      clock,
      timers,
      ...network,
      ...(world.budget && { budget: world.budget }),
      ...(config.respLimits && { limits: config.respLimits }),
    });
    const { heartbeatMs: everyMs, topics } = config;
    const seen = (): JournalSeen => this.view.journal.position;
    const beat = { log, topic: topics.heartbeats, everyMs, clock, timers, logger, seen };
    this.heartbeats = new HeartbeatLoop(beat, () => this.heartbeat());
  }

  get respPort(): number {
    return this.respPortTaken;
  }

  get respAddress(): string {
    return addressText({ host: this.config.advertisedHost, port: this.respPortTaken });
  }

  /** Why no work should be sent here, in words. */
  readyProblem(): string | undefined {
    if (this.closed) return 'stopping';
    if (!this.listening) return 'the RESP door is not open yet';
    if (!this.booted) return this.view.problem ?? 'reading the control topics';
    if (!this.hasRoutes) return `namespace ${this.config.defaultNamespace} has no routes yet`;
    return this.view.problem;
  }

  /** Requests can be answered, also where it is not ready because of what people must mend in the control plane. */
  get serves(): boolean {
    return this.booted && this.hasRoutes && !this.closed;
  }

  /** Partitions that stand still for writes. */
  get stops(): readonly (WriteStop & { readonly binlog: string })[] {
    return [...this.store.stops.current].flatMap(([binlog, of]) =>
      [...of.values()].map((stop) => ({ binlog, ...stop })),
    );
  }

  /** Why the log takes no writes, in words. No problem of this portal: replicas are read on. */
  get writeProblem(): string | undefined {
    return this.heartbeats.problem;
  }

  /**
   * Opens the RESP door, fails if that is not possible: once the cluster was read, so that whoever gets PONG finds the
   * namespaces. Where that takes long the door opens all the same, and reading goes on in the background.
   */
  async start(): Promise<void> {
    this.starting = this.view.start().then(
      () => {
        this.booted = true;
        this.store.refreshNow();
        if (!this.closed) this.store.followWitnesses();
        if (!this.closed) this.heard.start();
      },
      (error: unknown) => {
        if (!this.closed) this.logger.error({ error }, 'this portal cannot read the cluster');
      },
    );
    await firstOf(this.starting, this.timers, readFirstMs);
    if (this.closed) return;
    this.respPortTaken = await this.door.server.listen(this.config.respPort, this.config.host);
    this.listening = true;
    // They tell the door's address.
    void this.starting.then(() => this.booted && !this.closed && this.heartbeats.start());
  }

  /** Resolves when the cluster was read once. */
  async ready(): Promise<void> {
    await this.starting;
  }

  stats(): { readonly [name: string]: number | { readonly [name: string]: number } } {
    return {
      ...this.store.stats(),
      resp: { ...this.door.server.stats() },
      watch: this.watches.stats(),
      view: this.view.stats(),
      heartbeats: { ...this.heartbeats.counts },
    };
  }

  /** Stops intake, finishes what is under way, hangs up. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.watches.close();
    await this.door.server.close(drainMs);
    await this.heartbeats.stop();
    await this.heard.close();
    await this.store.close(drainMs);
    await this.view.close();
    await this.starting;
  }

  /** What CONFIG GET shows: facts that clients of Redis ask for. */
  private settings(): Readonly<Record<string, string>> {
    const { limits } = this.door.server;
    return {
      appendonly: 'yes',
      'client-query-buffer-limit': `${limits.inputAheadBytes}`,
      databases: '1',
      maxclients: `${limits.connectionsMax}`,
      maxmemory: '0',
      port: `${this.respPortTaken}`,
      'proto-max-bulk-len': `${limits.bulkBytesMax}`,
      save: '',
      timeout: `${Math.round(limits.idleMs / 1000)}`,
    };
  }

  private get hasRoutes(): boolean {
    return this.store.namespace(this.config.defaultNamespace)?.table !== undefined;
  }

  private hear(beat: Heartbeat): void {
    this.store.loads.take(beat);
    if (beat.kind === 'node') this.store.links.heard(beat.id, beat.address, this.masterless);
  }

  /** No master decides anything, so none decides that a node moved. */
  private get masterless(): boolean {
    return this.view.short !== undefined || (this.heard.kindSilentMs('master') ?? 0) >= masterSilentMs;
  }

  private heartbeat(): Heartbeat {
    const errors = [...this.store.links.all()]
      .map((link) => ({ nodeId: link.address.nodeId, code: 'UNREACHABLE', count: link.newFailures() }))
      .filter(({ count }) => count > 0);
    return {
      kind: 'portal',
      id: this.config.instance,
      incarnation: this.incarnation,
      address: this.respAddress,
      sentAtMs: this.clock.nowMs(),
      featureLevel,
      positions: [],
      loads: [],
      moves: [],
      freeDiskBytes: -1,
      errors,
    };
  }
}

/** Resolves with `work`, or after `ms` without it. */
async function firstOf(work: Promise<void>, timers: Timers, ms: number): Promise<void> {
  let cancel = (): void => undefined;
  const late = new Promise<void>((resolve) => (cancel = timers.after(ms, resolve)));
  await Promise.race([work, late]);
  cancel();
}
