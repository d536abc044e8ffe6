import { MemoryLevel } from 'memory-level';
import { KeyValue } from '@levee/client';
import { healingPolicy, livenessLimits } from '@levee/cluster';
import { DataNode } from '@levee/data-node';
import { Dispatcher } from '@levee/dispatch';
import type { CommandOutcome } from '@levee/events';
import { ClusterView, controlTopics, ensureNamespace, submit } from '@levee/journal';
import { asOffset, asPartition } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { type CandidacyLimits, commandsIn, defaultCandidacyLimits, Master } from '@levee/master';
import { Portal } from '@levee/portal';
import { dice } from '../support/seed';
import type { Absence } from './absences';
import { CutLog } from './cut-log';
import { buggyLog, type PlantedBug } from './planted-bug';
import { ProcessLog } from './process-log';
import { SimulatedNetwork } from './simulated-network';
import { SimulatedProcess } from './simulated-process';
import { StaleLog } from './stale-log';
import { SurvivingDisk } from './surviving-disk';
import { Trace } from './trace';
import { VirtualTime } from './virtual-time';
import { WorldLog } from './world-log';

export const topics = controlTopics('levee');
export const namespace = 'default';

export interface ClusterShape {
  readonly seed: number;
  readonly masters: number;
  readonly nodes: number;
  readonly portals: number;
  readonly dispatchers: number;
  readonly partitions: number;
  readonly chunks: number;
  readonly replicas: number;
  /** As LEVEE_UNITS. */
  readonly units: string;
  /** Silence after which a node is given up. */
  readonly lostAfterMs: number;
}

export const shapeDefault: Omit<ClusterShape, 'seed'> = {
  masters: 2,
  nodes: 4,
  portals: 2,
  dispatchers: 0,
  partitions: 2,
  chunks: 2,
  replicas: 2,
  units: '6x8MiB:leveldb',
  lostAfterMs: 8_000,
};

const heartbeatMs = 300;
const diskBytes = 64 * 2 ** 30;
const masterLimits: CandidacyLimits = { ...defaultCandidacyLimits, heartbeatMs };

/** A process and what runs in it. */
interface Running<T> {
  readonly process: SimulatedProcess;
  readonly part: T;
}

/**
 * The whole system in one process and under virtual time: real masters, data nodes and portals on the embedded log in
 * memory. Nothing of it knows that time, dice, disks, network and log are not the world's.
 */
export class SimulatedCluster {
  readonly time = new VirtualTime();
  readonly trace = new Trace(() => this.time.nowMs);
  readonly world = new WorldLog(() => this.time.nowMs);
  readonly network: SimulatedNetwork;
  readonly disks = new Map<string, SurvivingDisk>();
  readonly masters = new Map<string, Running<Master>>();
  readonly nodes = new Map<string, Running<DataNode>>();
  readonly portals = new Map<string, Running<Portal>>();
  readonly dispatchers = new Map<string, Running<Dispatcher>>();
  readonly absences: Absence[] = [];
  private readonly staleLogs = new Map<string, StaleLog>();
  /** Where the clients, the judge and people sit: nothing ever befalls it. */
  readonly outside: SimulatedProcess;
  /** Where the log is. */
  readonly broker: SimulatedProcess;
  private readonly starts = new Map<string, number>();
  /** As every process has the log; a test may take its end from it. */
  get cutLog(): CutLog {
    return (this.cuttable ??= new CutLog(this.log));
  }

  private cuttable: CutLog | undefined;
  private started: { readonly log: EmbeddedLog; readonly view: ClusterView } | undefined;

  constructor(
    readonly shape: ClusterShape,
    readonly bug: PlantedBug = {},
  ) {
    this.network = new SimulatedNetwork(this.dice('network'));
    this.outside = this.newProcess('outside');
    this.broker = this.newProcess('broker');
  }

  /** Every decision in force, as somebody sees it who is never cut off. */
  get view(): ClusterView {
    return this.parts.view;
  }

  /** The log itself, without latency. */
  get log(): EmbeddedLog {
    return this.parts.log;
  }

  /** Starts every process and waits until the namespace is served by all its replicas. */
  async start(): Promise<void> {
    const { clock, timers, logger } = this.broker;
    const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
    const log = await EmbeddedLog.open({ db, clock, timers, logger, cleanEveryMs: 0 });
    const view = new ClusterView(log, topics, this.outside);
    this.started = { log, view };
    const { shape } = this;
    for (let n = 1; n <= shape.masters; n++) this.startMaster(`m${n}`);
    for (let n = 1; n <= shape.nodes; n++) this.startNode(`n${n}`);
    for (let n = 1; n <= shape.portals; n++) this.startPortal(`p${n}`);
    for (let n = 1; n <= shape.dispatchers; n++) this.startDispatcher(`d${n}`);
    await view.start();
    const { partitions, chunks, replicas } = shape;
    const { newId, logger: ownLogger } = this.outside;
    await ensureNamespace(view, (command) => submit(log, topics, command, this.outside.clock, newId), {
      knobs: { name: namespace, partitions, chunks, replicas, chunkCapacityBytes: 8 << 20 },
      nodes: shape.nodes,
      principal: 'outside',
      deadlineMs: 30_000,
      logger: ownLogger,
      newId,
    });
    await this.ready();
  }

  /** Waits until every process that runs is ready. */
  async ready(deadlineMs = 60_000): Promise<void> {
    const problems = (): string[] =>
      [
        ...[...this.nodes].map(([name, { part }]) => [name, part.readyProblem()] as const),
        ...[...this.portals].map(([name, { part }]) => [name, part.readyProblem()] as const),
      ].flatMap(([name, problem]) => (problem === undefined ? [] : `${name}: ${problem}`));
    try {
      await this.time.until('every process being ready', () => problems().length === 0, deadlineMs, 20);
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${problems().join('; ')}`, { cause: error });
    }
  }

  /** The one that decides now, if any. */
  activeMaster(): string | undefined {
    for (const [name, { process, part }] of this.masters)
      if (process.running && part.candidacy.role === 'active') return name;
    return undefined;
  }

  /** Every process that runs, or stands still. */
  get names(): readonly string[] {
    return this.parties.flatMap((running) => [...running.keys()]);
  }

  processOf(name: string): SimulatedProcess | undefined {
    return this.parties.map((running) => running.get(name)?.process).find((process) => process !== undefined);
  }

  /** SIGKILL now; with `powerLoss` its machine goes too, and writes that were not synced may be gone. */
  kill(name: string, options: { readonly powerLoss?: boolean } = {}): void {
    this.world.say(`-- ${name} is killed${options.powerLoss === true ? ', its machine loses power' : ''}`);
    this.processOf(name)?.kill();
    if (options.powerLoss === true) this.disks.get(name)?.losePower(this.dice(`power ${name}`));
    for (const running of this.parties) running.delete(name);
    this.absences.push({ process: name, fromMs: this.time.nowMs, untilMs: Infinity });
  }

  pause(name: string): void {
    this.world.say(`-- ${name} is paused`);
    this.processOf(name)?.pause();
    this.absences.push({ process: name, fromMs: this.time.nowMs, untilMs: Infinity });
  }

  resume(name: string): void {
    this.world.say(`-- ${name} goes on`);
    this.processOf(name)?.resume();
    this.returns(name);
  }

  /**
   * The broker that `name` reads binlogs from, and appends to, is deposed and does not know: until `heal` it tells the
   * ends that it had. What is missing from there may be missing in an answer as if the process were away.
   */
  async depose(name: string): Promise<void> {
    this.world.say(`-- ${name} has a deposed broker`);
    const binlogs = [...this.view.state.namespaces()].map(({ binlog }) => binlog);
    await this.staleLogs.get(name)?.depose(binlogs);
    this.absences.push({ process: name, fromMs: this.time.nowMs, untilMs: Infinity });
  }

  heal(name: string): void {
    this.world.say(`-- ${name} has found the leader`);
    this.staleLogs.get(name)?.heal();
    this.returns(name);
  }

  /**
   * Starts a process: one that was killed on what its disk holds, a new one on an empty disk. Nothing while it runs: a
   * fault's end and a scenario may both start the same process again.
   */
  restart(name: string): void {
    if (this.processOf(name) !== undefined) return;
    if (name.startsWith('m')) this.startMaster(name);
    else if (name.startsWith('n')) this.startNode(name);
    else if (name.startsWith('d')) this.startDispatcher(name);
    else this.startPortal(name);
    this.returns(name);
  }

  /** Submits a command as a person does, and waits for its outcome. */
  async command(kind: string, payload: object): Promise<CommandOutcome> {
    const { clock, newId } = this.outside;
    const id = await submit(this.log, topics, { kind, payload, principal: 'outside' }, clock, newId);
    return this.view.outcome(id, 120_000);
  }

  keyValue(portal: string): KeyValue {
    const running = this.portals.get(portal);
    if (running === undefined) throw new Error(`${portal} does not run`);
    return new KeyValue(running.part.store);
  }

  /** Ends the world: nothing of it acts any more. */
  async end(): Promise<void> {
    for (const running of this.parties) for (const { process } of running.values()) process.kill();
    if (this.started === undefined) return;
    await this.started.view.close();
    await this.started.log.close();
  }

  private get parties(): readonly Map<string, Running<object>>[] {
    return [this.masters, this.nodes, this.portals, this.dispatchers];
  }

  private get parts(): { readonly log: EmbeddedLog; readonly view: ClusterView } {
    if (this.started === undefined) throw new Error('the cluster was not started');
    return this.started;
  }

  private startMaster(name: string): void {
    const process = this.newProcess(name);
    const log = this.logOf(process);
    const { clock, timers, random, newId, logger } = process;
    const master = new Master(log, {
      topics,
      clock,
      timers,
      random,
      newId,
      logger,
      instance: name,
      address: () => `${name}:7381`,
      claimAtOnce: false,
      ...(this.bug.decide === undefined ? {} : { decide: this.bug.decide }),
      limits: masterLimits,
      liveness: livenessLimits({ heartbeatMs, lostAfterMs: this.shape.lostAfterMs }),
    });
    this.masters.set(name, { process, part: master });
    this.background(name, async () => {
      await master.start();
      await decideCommands(log, master, process);
    });
  }

  private startNode(name: string): void {
    const process = this.newProcess(name);
    const disk = this.disks.get(name) ?? new SurvivingDisk(this.bug);
    this.disks.set(name, disk);
    const { clock, timers, random, newId, logger } = process;
    const node = new DataNode(
      {
        nodeId: name,
        folder: name,
        units: this.shape.units,
        domain: name,
        host: name,
        advertisedHost: name,
        respPort: 0,
        memoryBudgetBytes: 16 << 20,
        heartbeatMs,
        topics,
      },
      {
        log: this.logOf(process),
        clock,
        timers,
        random,
        newId,
        logger,
        network: this.network.of(process),
        diskSpace: () => Promise.resolve({ freeBytes: diskBytes, totalBytes: 2 * diskBytes }),
        openDisk: (options) => disk.open(process, options, this.dice(`disk ${name}`)),
      },
    );
    this.nodes.set(name, { process, part: node });
    this.background(name, async () => {
      await node.start();
      node.announce(`${name}:7500`);
    });
  }

  private startPortal(name: string): void {
    const process = this.newProcess(name);
    const { clock, timers, random, newId, logger } = process;
    const portal = new Portal(
      {
        instance: name,
        host: name,
        advertisedHost: name,
        respPort: 0,
        defaultNamespace: namespace,
        heartbeatMs,
        topics,
      },
      { log: this.logOf(process), clock, timers, random, newId, logger, network: this.network.of(process) },
    );
    this.portals.set(name, { process, part: portal });
    this.background(name, () => portal.start());
  }

  private startDispatcher(name: string): void {
    const process = this.newProcess(name);
    const { clock, timers, newId, logger } = process;
    const config = { instance: name, topics, heartbeatMs, intervalMs: 1_000, policy: healingPolicy() };
    const dispatcher = new Dispatcher(config, { log: this.logOf(process), clock, timers, newId, logger });
    dispatcher.announce(`${name}:7382`);
    this.dispatchers.set(name, { process, part: dispatcher });
    dispatcher.start();
  }

  private returns(name: string): void {
    for (const absence of this.absences)
      if (absence.process === name) absence.untilMs = Math.min(absence.untilMs, this.time.nowMs);
  }

  private background(name: string, work: () => Promise<void>): void {
    work().catch((error: unknown) => this.world.say(`${name} ended: ${String((error as Error).stack)}`));
  }

  private newProcess(name: string): SimulatedProcess {
    const start = (this.starts.get(name) ?? 0) + 1;
    this.starts.set(name, start);
    return new SimulatedProcess(name, this.time, this.trace, this.dice(`${name} ${start}`), this.world.of(name));
  }

  private logOf(process: SimulatedProcess): ProcessLog {
    const { name } = process;
    const log = new StaleLog(buggyLog(this.cutLog.door, name, this.bug), this.time);
    this.staleLogs.set(name, log);
    return new ProcessLog(log.door, process, this.dice(`log ${name} ${this.starts.get(name)}`));
  }

  /** Dice of their own for everything that has a name: a throw more here changes nothing there. */
  private dice(name: string): () => number {
    let sum = this.shape.seed | 0;
    for (const letter of name) sum = Math.imul(sum ^ letter.charCodeAt(0), 0x01000193);
    return dice(sum);
  }
}

/** What the Nest transport does for a master: hands it the commands in their order. */
async function decideCommands(log: ProcessLog, master: Master, process: SimulatedProcess): Promise<void> {
  await master.ready;
  const from = { nextOffset: asOffset(master.view.journal.position.commandsOffset + 1), leaderEpoch: -1 };
  for await (const { records } of log.tail(topics.commands, asPartition(0), from)) {
    if (records.length === 0) continue;
    await master.decide(commandsIn(records, process.logger));
  }
}
