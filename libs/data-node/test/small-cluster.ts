import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryLevel } from 'memory-level';
import { openLevelDb } from '@levee/chunk-store';
import { encodePut } from '@levee/codec';
import { DataNode, type DataNodeConfig, type DataNodeWorld } from '@levee/data-node';
import { ClusterView, controlTopics, submit } from '@levee/journal';
import { asOffset, asPartition, type Logger, type Offset, silentLogger } from '@levee/kernel';
import { hashOf, partitionOf, slotOf } from '@levee/keyspace';
import { type Log, systemClock, systemRandom, systemTimers } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { commandsIn, defaultCandidacyLimits, Master } from '@levee/master';
import {
  nodeCommands,
  readCommand,
  ReadEntriesWriter,
  ReadReply,
  readTags,
  RespClient,
  RespError,
  sealOfCommand,
  type RespReply,
} from '@levee/wire';

export const topics = controlTopics('levee');
const world = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger };

/** Resolves when `look` holds; fails after `deadlineMs`, saying what was waited for. */
export async function until(what: string, look: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + deadlineMs;
  while (!(await look())) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`${what} did not happen within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A node that is asked for much in the same process, on a busy machine, is silent for long. */
const patient = { limits: { stallMs: 60_000 } };

/** Suites count the offsets of what they write: no barrier comes between them that nobody asked for. */
const barrierMs = 3_600_000;

/** A real master and real nodes on an embedded log in memory, in one process. */
export class SmallCluster {
  readonly nodes = new Map<string, DataNode>();
  readonly clients = new Map<string, RespClient>();
  private readonly stop = new AbortController();
  private commands: Promise<void> = Promise.resolve();

  private constructor(
    readonly folder: string,
    readonly log: Log,
    readonly master: Master,
    readonly view: ClusterView,
  ) {}

  /** `onDisk`: its log too; else that is in memory, where a large one makes for long garbage collections. */
  static async start({ onDisk = false } = {}): Promise<SmallCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'levee-node-'));
    const log = await EmbeddedLog.open(
      onDisk
        ? { location: join(folder, 'log') }
        : { db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }) },
    );
    const limits = { ...defaultCandidacyLimits, heartbeatMs: 50, silenceMs: 300 };
    const master = new Master(log, {
      ...world,
      topics,
      instance: 'm1',
      address: () => 'x:1',
      claimAtOnce: true,
      limits,
      barrierMs,
    });
    const cluster = new SmallCluster(folder, log, master, new ClusterView(log, topics, world));
    await master.start();
    await cluster.view.start();
    cluster.commands = cluster.decideCommands();
    return cluster;
  }

  async node(
    nodeId: string,
    options: Partial<DataNodeConfig> &
      Pick<Partial<DataNodeWorld>, 'log' | 'clock' | 'openDisk' | 'clusterKey' | 'clusterName' | 'network'> = {},
    logger: Logger = silentLogger,
  ): Promise<DataNode> {
    const { log = this.log, clock = systemClock, openDisk, clusterKey, clusterName, network, ...config } = options;
    const doors = { clusterKey, clusterName, ...(network && { network }) };
    const world = { log, logger, clock, ...doors, ...(openDisk === undefined ? {} : { openDisk }) };
    const node = new DataNode({ ...this.config(nodeId), ...config }, world);
    await node.start();
    node.announce('127.0.0.1:1');
    this.nodes.set(nodeId, node);
    return node;
  }

  config(nodeId: string): DataNodeConfig {
    return {
      nodeId,
      folder: join(this.folder, nodeId),
      units: '16x8MiB:leveldb',
      domain: nodeId,
      host: '127.0.0.1',
      advertisedHost: '127.0.0.1',
      respPort: 0,
      memoryBudgetBytes: 16 << 20,
      heartbeatMs: 100,
      topics,
    };
  }

  async stopNode(nodeId: string): Promise<void> {
    this.clients.get(nodeId)?.close();
    this.clients.delete(nodeId);
    await this.nodes.get(nodeId)?.close();
    this.nodes.delete(nodeId);
  }

  async ready(): Promise<void> {
    for (const [nodeId, node] of this.nodes)
      await until(`${nodeId} being ready`, () => node.readyProblem() === undefined).catch((error: Error) => {
        throw new Error(`${error.message}: ${node.readyProblem()}`);
      });
  }

  async command(kind: string, payload: object): Promise<void> {
    const id = await submit(this.log, topics, { kind, payload, principal: 'test' });
    const outcome = await this.view.outcome(id, 10_000);
    if (outcome.rejectionCode !== null) throw new Error(`${outcome.rejectionCode}: ${outcome.rejectionMessage}`);
  }

  /** A namespace that is active, with every replica of it readable. */
  async namespace(name: string, knobs: object = {}): Promise<void> {
    const size = { partitions: 4, chunks: 4, chunkCapacityBytes: 8 << 20 };
    await this.command('CreateNamespace', { name, ...size, replicas: this.nodes.size, ...knobs });
    await this.view.until(() => (this.view.state.namespace(name)?.state === 'active' ? true : undefined), 10_000, name);
    const chunks = (): number => [...this.view.state.chunksOf(name)].length;
    await until('every chunk being routed', () => [...this.view.state.routesOf(name)].length === chunks());
    await until('all replicas being open', () =>
      [...this.nodes.values()].every((node) => node.stats()['replicas'] !== 0),
    );
    await this.ready();
  }

  place(namespace: string, key: string): { partition: number; slot: number; binlog: string } {
    const { partitions, hashAlgorithm, binlog } = this.view.state.namespace(namespace)!;
    const h = hashOf(Buffer.from(key), hashAlgorithm);
    return { partition: partitionOf(h, partitions), slot: slotOf(h, partitions), binlog };
  }

  /** Appends a record as any producer may; answers its offset. */
  async append(
    namespace: string,
    key: string | Buffer,
    value: string | Buffer | null,
    options: { partition?: number; expiresAtMs?: number } = {},
  ): Promise<{ partition: number; offset: Offset }> {
    const at = this.place(namespace, key.toString());
    const partition = options.partition ?? at.partition;
    const bytes = Buffer.from(key);
    const raw = typeof value === 'string' ? encodePut(bytes, Buffer.from(value), options.expiresAtMs ?? null) : value;
    const { baseOffset } = await this.log.append(at.binlog, asPartition(partition), [{ key: bytes, value: raw }]);
    return { partition, offset: baseOffset };
  }

  async send(nodeId: string, args: readonly (string | Buffer)[], deadlineMs = 10_000): Promise<RespReply> {
    const node = this.nodes.get(nodeId);
    if (node === undefined) throw new Error(`${nodeId} does not run`);
    let client = this.clients.get(nodeId);
    if (client === undefined)
      this.clients.set(nodeId, (client = new RespClient({ host: '127.0.0.1', port: node.respPort }, patient)));
    const connected = client;
    return new Promise((resolve, reject) =>
      connected.send(args, deadlineMs, (failure, reply) => (failure === undefined ? resolve(reply) : reject(failure))),
    );
  }

  /** LV.READ of some keys: values as text, `nil`, or the error. */
  async read(
    nodeId: string,
    namespace: string,
    keys: readonly string[],
    options: { minOffset?: number; deadlineMs?: number; maxAgeMs?: number; nowMs?: number; slot?: number } = {},
  ): Promise<string[]> {
    const entries = new ReadEntriesWriter();
    for (const key of keys)
      entries.add(options.slot ?? this.place(namespace, key).slot, options.minOffset ?? 0, Buffer.from(key));
    const { maxAgeMs = -1, nowMs = systemClock.nowMs(), deadlineMs = 2_000 } = options;
    const request = { namespace, tableVersion: 0, maxAgeMs, nowMs, deadlineMs };
    const command = readCommand(request, entries);
    const reply = await this.send(nodeId, command);
    if (reply instanceof RespError) return [reply.text];
    const found = new ReadReply(reply as Buffer, sealOfCommand(command));
    const texts: string[] = [];
    const again: number[] = [];
    while (found.next()) {
      if (found.tag === readTags.again) again.push(texts.push('') - 1);
      else if (found.tag === readTags.value) texts.push(found.value().toString());
      else texts.push(found.tag === readTags.nil ? 'nil' : found.errorText());
    }
    if (again.length === 0 || again.length === keys.length) return texts;
    // One reply takes so many bytes of values and no more.
    const rest = again.map((at) => keys[at] as string);
    const answered = await this.read(nodeId, namespace, rest, options);
    for (const [i, at] of again.entries()) texts[at] = answered[i] as string;
    return texts;
  }

  async stat(nodeId: string): Promise<Record<string, unknown>> {
    return JSON.parse(((await this.send(nodeId, [nodeCommands.stat])) as Buffer).toString()) as Record<string, unknown>;
  }

  /** Records of a control topic from its start to its end. */
  async records(topic: string): Promise<Buffer[]> {
    const end = (await this.log.offsets(topic))[0]!.endOffset;
    const found: Buffer[] = [];
    const stop = new AbortController();
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    if (end > 0)
      for await (const batch of this.log.tail(topic, asPartition(0), from, { signal: stop.signal })) {
        for (const { value } of batch.records) if (value !== null) found.push(value);
        if (batch.nextOffset >= end) break;
      }
    stop.abort();
    return found;
  }

  /** Flips a bit in the stored value of a database key, on the disk of a stopped node. */
  async damage(nodeId: string, databaseKey: string): Promise<void> {
    const units = join(this.folder, nodeId, 'units');
    for (const unit of await readdir(units))
      for (const generation of await readdir(join(units, unit))) {
        if (!/^g\d+$/.test(generation)) continue;
        const db = await openLevelDb(join(units, unit, generation));
        const key = Buffer.from(databaseKey);
        const value = await db.get(key);
        if (value !== undefined) {
          value[value.length - 6] = (value[value.length - 6] as number) ^ 4;
          await db.put(key, value);
        }
        await db.close();
      }
  }

  async close(): Promise<void> {
    for (const nodeId of [...this.nodes.keys()]) await this.stopNode(nodeId);
    this.stop.abort();
    await this.commands;
    await this.view.close();
    await this.master.close();
    await this.log.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async decideCommands(): Promise<void> {
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    for await (const batch of this.log.tail(topics.commands, asPartition(0), from, { signal: this.stop.signal }))
      if (batch.records.length > 0) await this.master.decide(commandsIn(batch.records, silentLogger));
  }
}
