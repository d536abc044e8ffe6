import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryLevel } from 'memory-level';
import type { ClusterKey } from '@levee/auth';
import { DataNode } from '@levee/data-node';
import { ClusterView, controlTopics, submit } from '@levee/journal';
import { asOffset, asPartition, silentLogger, type Clock, type Logger } from '@levee/kernel';
import { type Log, systemClock, systemRandom, systemTimers } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { commandsIn, defaultCandidacyLimits, Master } from '@levee/master';
import { Portal, type PortalConfig } from '@levee/portal';
import { RespClient, RespError, RespMap, type Network, type RespReply } from '@levee/wire';

export const topics = controlTopics('levee');
const world = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger };

/** Resolves when `look` holds; fails after `deadlineMs`, saying what was waited for. */
export async function until(what: string, look: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + deadlineMs;
  while (!(await look())) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`${what} did not happen within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A reply as a test writes it down: errors as their text after a minus, maps as objects. */
function shown(reply: RespReply): unknown {
  if (reply instanceof RespError) return `-${reply.text}`;
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  if (Array.isArray(reply)) return reply.map(shown);
  if (!(reply instanceof RespMap)) return reply;
  const pairs: [string, unknown][] = [];
  for (let i = 0; i < reply.entries.length; i += 2)
    pairs.push([String(shown(reply.entries[i] as RespReply)), shown(reply.entries[i + 1] as RespReply)]);
  return Object.fromEntries(pairs);
}

/** None comes by itself between two records whose offsets a test counts. */
const barrierMs = 3_600_000;

/** Of each node. */
interface NodeSizes {
  readonly units: string;
  readonly memoryBudgetBytes: number;
}

const nodeSizes: NodeSizes = { units: '24x8MiB:memory', memoryBudgetBytes: 16 << 20 };

/** A master, real data nodes and portals on an embedded log in memory, in one process, over real sockets. */
export class TestCluster {
  readonly nodes = new Map<string, DataNode>();
  readonly portals: Portal[] = [];
  private readonly clients: RespClient[] = [];
  private readonly stop = new AbortController();
  private commands: Promise<void> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    /** As portals see it; a test may put something in between. */
    public log: Log,
    private readonly ownLog: Log,
    private readonly master: Master,
    readonly view: ClusterView,
    private readonly logOf: (nodeId: string, log: Log) => Log,
    private readonly sizes: NodeSizes,
    /** Nodes ask everybody who he is. */
    private readonly clusterKey: ClusterKey | undefined,
  ) {}

  /** `logOf`: the log as a node sees it. */
  static async start(
    nodes = 2,
    logOf = (_nodeId: string, log: Log): Log => log,
    sizes: NodeSizes = nodeSizes,
    clusterKey?: ClusterKey,
  ): Promise<TestCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'levee-client-'));
    const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
    const log = await EmbeddedLog.open({ db });
    const limits = { ...defaultCandidacyLimits, heartbeatMs: 50, silenceMs: 300 };
    const who = { instance: 'm1', address: () => 'x:1', claimAtOnce: true };
    const master = new Master(log, { ...world, ...who, topics, limits, barrierMs });
    const view = new ClusterView(log, topics, world);
    const cluster = new TestCluster(folder, log, log, master, view, logOf, sizes, clusterKey);
    await master.start();
    await cluster.view.start();
    cluster.commands = cluster.decideCommands();
    for (let i = 1; i <= nodes; i++) await cluster.node(`n${i}`);
    await until('the nodes being registered', () => cluster.view.state.counts.nodes === nodes);
    return cluster;
  }

  async node(nodeId: string): Promise<DataNode> {
    const place = { folder: this.folderOf(nodeId), domain: nodeId };
    const door = { host: '127.0.0.1', advertisedHost: '127.0.0.1', respPort: 0 };
    const { clusterKey } = this;
    const node = new DataNode(
      { nodeId, ...place, ...door, ...this.sizes, heartbeatMs: 100, topics, authenticates: clusterKey !== undefined },
      { log: this.logOf(nodeId, this.ownLog), logger: silentLogger, clusterKey },
    );
    await node.start();
    node.announce('127.0.0.1:1');
    this.nodes.set(nodeId, node);
    return node;
  }

  folderOf(nodeId: string): string {
    return join(this.folder, nodeId);
  }

  /** Creates a namespace and waits until every replica is readable. */
  async namespace(name: string, knobs: object = {}): Promise<void> {
    const size = { partitions: 4, chunks: 4, chunkCapacityBytes: 8 << 20, replicas: this.nodes.size };
    await this.order('CreateNamespace', { name, ...size, ...knobs });
    await until('the namespace being active', () => this.view.state.namespace(name)?.state === 'active');
    await until('the nodes being ready', () =>
      [...this.nodes.values()].every((node) => node.stats()['replicas'] !== 0 && node.readyProblem() === undefined),
    );
  }

  async alter(name: string, knobs: object): Promise<void> {
    await this.order('AlterNamespace', { name, ...knobs });
  }

  async order(kind: string, payload: object): Promise<void> {
    const id = await submit(this.ownLog, topics, { kind, payload, principal: 'test' });
    const outcome = await this.view.outcome(id, 10_000);
    if (outcome.rejectionCode !== null) throw new Error(`${outcome.rejectionCode}: ${outcome.rejectionMessage}`);
  }

  async portal(
    config: Partial<PortalConfig> = {},
    logger: Logger = silentLogger,
    clock: Clock = systemClock,
    network?: Network,
  ): Promise<Portal> {
    const door = { host: '127.0.0.1', advertisedHost: '127.0.0.1', respPort: 0, heartbeatMs: 100 };
    const instance = `p${this.portals.length + 1}`;
    const portal = new Portal(
      { instance, ...door, defaultNamespace: 'default', topics, ...config },
      { log: this.log, logger, clock, clusterKey: this.clusterKey, ...(network && { network }) },
    );
    this.portals.push(portal);
    await portal.start();
    await portal.ready();
    await until('the portal being ready', () => portal.readyProblem() === undefined).catch((error: Error) => {
      throw new Error(`${error.message}: ${portal.readyProblem()}`);
    });
    return portal;
  }

  /** One connection; `send` answers with what {@link shown} shows. */
  connect(
    portal: Portal,
    network?: Network,
  ): { client: RespClient; send: (...args: (string | Buffer)[]) => Promise<unknown> } {
    const limits = { stallMs: 60_000 };
    const client = new RespClient(
      { host: '127.0.0.1', port: portal.respPort },
      { limits, ...(network && { network }) },
    );
    this.clients.push(client);
    const send = (...args: (string | Buffer)[]): Promise<unknown> =>
      new Promise((resolve, reject) =>
        client.send(args, 50_000, (failure, reply) => (failure ? reject(failure) : resolve(shown(reply)))),
      );
    return { client, send };
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close();
    for (const portal of this.portals) await portal.close();
    for (const node of this.nodes.values()) await node.close();
    this.stop.abort();
    await this.commands;
    await this.view.close();
    await this.master.close();
    await this.ownLog.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async decideCommands(): Promise<void> {
    await this.master.ready;
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    for await (const batch of this.ownLog.tail(topics.commands, asPartition(0), from, { signal: this.stop.signal }))
      if (batch.records.length > 0) await this.master.decide(commandsIn(batch.records, silentLogger));
  }
}
