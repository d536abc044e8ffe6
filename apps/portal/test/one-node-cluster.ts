import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryLevel } from 'memory-level';
import { DataNode } from '@levee/data-node';
import { controlTopics } from '@levee/journal';
import { asOffset, asPartition, silentLogger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers, type Log } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { commandsIn, defaultCandidacyLimits, Master } from '@levee/master';
import { tlsNetwork, type Security } from '@levee/service-kit';
import type { PortalAppConfig } from '../src/config';
import { PortalModule } from '../src/portal.module';

const topics = controlTopics('levee');
const world = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger };

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as JSON. */
  readonly json: Record<string, unknown>;
  /** The body as JSON lines. */
  readonly lines: Record<string, unknown>[];
}

/** None comes by itself between two records whose offsets a test counts. */
const barrierMs = 3_600_000;

/** A master, one data node and the portal's app on an embedded log in memory. */
export class OneNodeCluster {
  private constructor(
    readonly log: Log,
    readonly app: Awaited<ReturnType<typeof PortalModule.start>>,
    readonly master: Master,
    readonly node: DataNode,
    private readonly undo: readonly (() => unknown)[],
  ) {}

  static async start(
    security: Security = { authenticates: false },
    own: Pick<PortalAppConfig, 'schemaRegistry'> = {},
  ): Promise<OneNodeCluster> {
    const network = tlsNetwork(security, silentLogger);
    const folder = await mkdtemp(join(tmpdir(), 'levee-portal-'));
    const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
    const log = await EmbeddedLog.open({ db });
    const limits = { ...defaultCandidacyLimits, heartbeatMs: 50, silenceMs: 300 };
    const who = { instance: 'm1', address: () => 'x:1', claimAtOnce: true };
    const master = new Master(log, { ...world, ...who, topics, limits, barrierMs });
    await master.start();
    const stop = new AbortController();
    const commands = decideCommands(log, master, stop.signal);
    const door = { host: '127.0.0.1', advertisedHost: '127.0.0.1', respPort: 0 };
    const disk = { nodeId: 'n1', folder, units: '24x8MiB:memory', domain: 'n1', memoryBudgetBytes: 16 << 20 };
    const node = new DataNode(
      { ...disk, ...door, heartbeatMs: 100, topics, authenticates: security.authenticates, connectionsOfAddressMax: 8 },
      {
        ...{ log, clusterKey: security.clusterKey, clusterName: security.tls?.plan.clusterName },
        ...(network && { network }),
      },
    );
    await node.start();
    node.announce('127.0.0.1:1');
    const names = { instance: 'p1', topicPrefix: 'levee', defaultNamespace: 'default' };
    const http = {
      httpPort: 0,
      httpNames: [],
      networkBudgetBytes: 64 << 20,
      operatorTokenFile: join(folder, 'operator.token'),
      noticeMs: 0,
    };
    const config = { ...door, ...names, ...http, ...own, heartbeatMs: 100 };
    const app = await PortalModule.start({ config, log, logger: silentLogger, security });
    await app.portal.ready();
    await app.portal.view.until(() => app.portal.view.state.node('n1'), 10_000, 'the node being registered');
    const undo = [
      () => app.close(),
      () => node.close(),
      () => stop.abort(),
      () => commands,
      () => master.close(),
      () => log.close(),
      () => rm(folder, { recursive: true, force: true }),
    ];
    return new OneNodeCluster(log, app, master, node, undo);
  }

  /** A request whose path is sent as it is. */
  ask(method: string, path: string, body?: Buffer | string, but: Record<string, string> = {}): Promise<Answer> {
    const headers = method === 'POST' || method === 'PATCH' ? { 'content-type': 'application/json', ...but } : but;
    return new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port: this.app.port, method, path, headers, agent: false });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: bytes,
            get json() {
              return parse(bytes.toString());
            },
            get lines() {
              return bytes.toString().trim().split('\n').map(parse);
            },
          });
        });
      });
      outgoing.end(body);
    });
  }

  async close(): Promise<void> {
    for (const step of this.undo) await step();
  }
}

async function decideCommands(log: Log, master: Master, signal: AbortSignal): Promise<void> {
  const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
  await master.ready;
  for await (const batch of log.tail(topics.commands, asPartition(0), from, { signal }))
    if (batch.records.length > 0) await master.decide(commandsIn(batch.records, silentLogger));
}
