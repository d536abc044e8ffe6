import { asStranger, Authenticator, ClusterHttp, type ClusterKey, type JwtVerifier } from '@levee/auth';
import { KeyValue, Store, type StoreLimits, type WriteStop, type WrittenAt } from '@levee/client';
import type { ClusterState } from '@levee/cluster';
import { featureLevel, type Heartbeat } from '@levee/events';
import {
  ClusterView,
  type ControlTopics,
  HeartbeatLoop,
  HeartbeatView,
  type ComposedAt,
  type JournalSeen,
  submit,
  type SubmittedCommand,
  writerHeader,
} from '@levee/journal';
import {
  addressText,
  RequestTimes,
  silentLogger,
  type Clock,
  type Logger,
  type NewId,
  type Random,
  type Timers,
} from '@levee/kernel';
import { systemClock, systemNewId, systemRandom, systemTimers, type Log, type LogHeader } from '@levee/log';
import type { Network, NetworkBudget, RespServerLimits, TlsIdentity } from '@levee/wire';
import { AccessTrail } from './access-trail';
import { portalFacts } from './door/portal-facts';
import { RespDoor } from './door/resp-door';
import { RepeatedWrites } from './repeated-writes';
import { ScanCursors } from './scan-cursors';
import { Shares } from './shares';
import { RouteWatches } from './watch/route-watches';
import { WriteLease } from './write-lease';

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
  /** Doors ask who somebody is, and do what it may do; else everybody may do everything. */
  readonly authenticates?: boolean;
  /** How long a portal that is cut off from the log believes its users. */
  readonly usersBelievedMs?: number;
  /** Default: it does. */
  readonly timesRequests?: boolean;
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
  /** Proves to other processes that this one is of their cluster. */
  readonly clusterKey?: ClusterKey | undefined;
  /** HTTP doors of other processes are called with it. */
  readonly tls?: TlsIdentity | undefined;
  /** Of a provider whose tokens stand for users. */
  readonly jwts?: JwtVerifier | undefined;
  /** Common name of the certificates of processes of the cluster. */
  readonly clusterName?: string | undefined;
  /** What the connections of all doors of this process hold; the RESP door has one of its own without it. */
  readonly budget?: NetworkBudget;
}

const drainMs = 3_000;
/** Of it, how long clients that ask without a rest are served on. */
const patienceMs = 1_500;
/** The doors stay closed so long while the cluster is read for the first time. */
const readFirstMs = 3_000;
/** How long it tries to read the journal after its heartbeat, and to say that it has ended. */
const leaseReadMs = 10_000;
const farewellMs = 1_000;
/** A master that is alive is heard every 300 ms, and another one claims within a few seconds. */
const masterSilentMs = 5_000;

/** A portal without Nest: the cluster as the journal tells it, the smart client on it, and the RESP door. */
export class Portal {
  readonly incarnation: string;
  readonly clusterKey: ClusterKey | undefined;
  readonly network: Network | undefined;
  /** Other processes of the cluster. */
  readonly http: ClusterHttp;
  /** The same doors, asked by somebody who does not say who he is. */
  readonly strangerHttp: ClusterHttp;
  readonly view: ClusterView;
  readonly store: Store;
  readonly keyValue: KeyValue;
  readonly door: RespDoor;
  readonly watches: RouteWatches;
  /** `undefined`: authentication is off. */
  readonly authenticator: Authenticator | undefined;
  /** Who read evidence or destroyed something; `undefined`: authentication is off, and there is nobody to name. */
  readonly trail: AccessTrail | undefined;
  /** What every process said last. */
  readonly heard: HeartbeatView;
  /** Those of RESP; of HTTP there are others. */
  private readonly repeated: RepeatedWrites<WrittenAt>;
  private readonly heartbeats: HeartbeatLoop;
  private readonly lease: WriteLease;
  /** Namespaces to whose binlogs something beside the store writes: it does not say of them that all is settled. */
  readonly writtenBeside = new Set<string>();
  /** Nobody outside this process can write. */
  isOnlyWriter = false;
  private ended = false;
  private readonly logger: Logger;
  readonly clock: Clock;
  private readonly timers: Timers;
  private starting: Promise<void> | undefined;
  private listening = false;
  private booted = false;
  private leaving = false;
  private closed = false;
  private doorClosing: Promise<void> | undefined;
  private closing: Promise<void> | undefined;
  private respPortTaken = 0;

  constructor(
    readonly config: PortalConfig,
    world: PortalWorld,
  ) {
    const { log, logger = silentLogger, clock = systemClock, timers = systemTimers, random = systemRandom } = world;
    const network = world.network && { network: world.network };
    this.incarnation = (world.newId ?? systemNewId)();
    this.clusterKey = world.clusterKey;
    this.network = world.network;
    this.http = new ClusterHttp(world);
    this.strangerHttp = new ClusterHttp({ tls: world.tls && asStranger(world.tls) });
    this.logger = logger;
    this.clock = clock;
    this.timers = timers;
    this.view = new ClusterView(log, config.topics, { logger, clock, timers });
    this.lease = new WriteLease(clock, logger, () => this.readJournal());
    const { instance: producer, storeLimits: limits = {} } = config;
    this.store = new Store(log, this.view, {
      ...{ producer, logger, clock, timers, random, limits },
      clusterKey: world.clusterKey,
      mayNotWrite: () => this.lease.problem,
      ...network,
    });
    this.keyValue = new KeyValue(this.store);
    this.repeated = new RepeatedWrites(clock, { rememberMs: 60_000, idsMax: 200_000 });
    this.watches = new RouteWatches(this.view, { clock, timers });
    this.heard = new HeartbeatView(log, config.topics, { logger, clock, timers });
    this.heard.onHeartbeat((beat) => this.hear(beat));
    const state = (): ClusterState => this.view.state;
    const users = { unheardMs: () => this.view.unheardMs, believedMs: config.usersBelievedMs };
    const asks = { state, clock, timers, logger, ...users, jwts: world.jwts };
    this.authenticator = config.authenticates ? new Authenticator(asks) : undefined;
    const append = (command: SubmittedCommand): Promise<string> => submit(log, config.topics, command, clock);
    this.trail = config.authenticates ? new AccessTrail(append, clock) : undefined;
    const context = {
      store: this.store,
      keyValue: this.keyValue,
      cursors: new ScanCursors(clock, random, this.store.limits),
      clock,
      random,
      defaultNamespace: config.defaultNamespace,
      state,
      unheardMs: users.unheardMs,
      authenticator: this.authenticator,
      trail: this.trail,
      clusterKey: world.clusterKey,
      clusterName: world.clusterName,
      info: portalFacts(this),
      log,
      timers,
      watchers: new Shares('connections watch keys', { max: 512, ofOneMax: 256 }),
      incarnation: this.incarnation,
      repeated: this.repeated,
      settings: () => this.settings(),
    };
    const options = {
      ...{ logger, clock, timers, ...network },
      ...(world.budget && { budget: world.budget }),
      ...(config.respLimits && { limits: config.respLimits }),
    };
    const times = config.timesRequests === false ? undefined : new RequestTimes('resp', clock);
    this.door = new RespDoor(context, options, times);
    const { heartbeatMs: everyMs, topics } = config;
    const seen = (): JournalSeen => this.view.journal.position;
    const beat = { log, topic: topics.heartbeats, everyMs, clock, timers, logger, seen };
    const word = (): LogHeader => writerHeader({ ended: this.ended, obeys: this.obeyed() });
    const onLogged = (composedAt: ComposedAt): void => this.lease.logged(composedAt);
    this.heartbeats = new HeartbeatLoop({ ...beat, word, onLogged }, () => this.heartbeat());
  }

  get respPort(): number {
    return this.respPortTaken;
  }

  get respAddress(): string {
    return addressText({ host: this.config.advertisedHost, port: this.respPortTaken || this.config.respPort });
  }

  /** Why no work should be sent here, in words. */
  readyProblem(): string | undefined {
    if (this.leaving) return 'stopping';
    if (!this.listening) return 'the RESP door is not open yet';
    if (!this.booted) return this.view.problem ?? 'reading the control topics';
    if (!this.hasRoutes) return `namespace ${this.config.defaultNamespace} has no routes yet`;
    return this.view.problem;
  }

  /** Requests can be answered, also where it is not ready because of what people must mend in the control plane. */
  get serves(): boolean {
    return this.booted && this.hasRoutes && this.closing === undefined;
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
    // Told before the door opens, so that the first write is taken.
    const told = this.starting.then(() => this.tellFirst());
    await firstOf(told, this.timers, readFirstMs);
    if (this.closed) return;
    this.respPortTaken = await this.door.server.listen(this.config.respPort, this.config.host);
    this.listening = true;
    // They tell the door's address.
    void this.starting.then(() => this.booted && !this.closed && this.heartbeats.start());
  }

  /** Why it writes nothing for now, in words; reads go on. */
  get leaseProblem(): string | undefined {
    return this.lease.problem;
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
      repeated: this.repeated.stats(),
      view: this.view.stats(),
      heartbeats: { ...this.heartbeats.counts },
      ...(this.authenticator && { auth: this.authenticator.stats() }),
    };
  }

  /** Says that it is not ready, and serves on: whoever sends clients here sees it before the doors close. */
  leave(closesInMs = 0): void {
    if (this.leaving) return;
    this.leaving = true;
    this.door.tellOfEnd(closesInMs);
  }

  /** Stops intake: nobody new comes to its doors, and who is there has an answer to whatever he asked. */
  closeDoor(): Promise<void> {
    this.leave();
    this.closed = true;
    this.watches.close();
    return (this.doorClosing ??= this.door.server.close(drainMs, patienceMs));
  }

  /** Closes the door, if it is not closed yet, and then what it served from. */
  close(): Promise<void> {
    return (this.closing ??= this.closeAll());
  }

  private async closeAll(): Promise<void> {
    await this.closeDoor();
    await this.heartbeats.stop();
    await this.heard.close();
    await this.store.close(drainMs);
    await this.tellEnd();
    await this.view.close();
    await this.starting;
  }

  /** Of a journal that lost its end there is no more to be read, and nobody decides anything: data goes on by what is known. */
  private async readJournal(): Promise<void> {
    try {
      if (this.view.short === undefined) await this.view.readToEnd(leaseReadMs);
    } catch (error) {
      if (this.view.short === undefined) throw error;
    }
    // [safety] What was read counts before anything is written: a turn later is too late for a freeze.
    this.store.refreshNow();
  }

  private async tellFirst(): Promise<void> {
    if (!this.booted || this.closed) return;
    await this.heartbeats.send();
    await this.lease.opening;
  }

  /** Nobody has to wait for its word any more. */
  private async tellEnd(): Promise<void> {
    if (!this.booted || !this.store.writing.settled || this.writtenBeside.size > 0) return;
    this.ended = true;
    await firstOf(this.heartbeats.send(), this.timers, farewellMs);
  }

  /** Freezes of writes that it obeys with nothing on its way. */
  private obeyed(): string[] {
    return this.store.writing.freezesSettled.filter(
      (freeze) => !this.writtenBeside.has(freeze.split('#')[0] as string),
    );
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
