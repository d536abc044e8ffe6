import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ReaderThread, WriteTurns } from '@levee/chunk-store';
import { chunkProblem, type DataNode, diskWitnesses } from '@levee/data-node';
import { ApplyBudget } from '@levee/follow';
import { controlTopics, ensureNamespace, submit, type OutsideWitness } from '@levee/journal';
import { Failure, failureCode, type Logger, messageOf } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import {
  checkPorts,
  FolderLock,
  loadSecurity,
  ofPart,
  watchCertificates,
  type Lifecycle,
  type Security,
  type WantedPort,
} from '@levee/service-kit';
import { openLog, type Environment } from '@levee/settings';
import { dataNodeConfig } from '../../data-node/src/config';
import { DataNodeModule } from '../../data-node/src/data-node.module';
import { dispatcherConfig } from '../../dispatcher/src/config';
import { DispatcherModule } from '../../dispatcher/src/dispatcher.module';
import { masterConfig } from '../../master/src/config';
import { MasterModule } from '../../master/src/master.module';
import { portalConfig } from '../../portal/src/config';
import { PortalModule } from '../../portal/src/portal.module';
import {
  advertisedPortOf,
  loadStandaloneSettings,
  portOf,
  standaloneDefaults,
  type StandaloneSettings,
} from './config';
import { welcome, type Doors } from './welcome';

const limits = {
  namespaceDeadlineMs: 60_000,
  readyDeadlineMs: 120_000,
  readyPollMs: 10,
  /** Once each chunk has a readable replica the others are waited for so long: after a clean stop that is enough. */
  othersMs: 1_000,
} as const;

/** Composition root of `npm start`: a master, data nodes, a dispatcher and a portal in one process, on one log. */
export async function startStandalone(
  env: Environment,
  { lifecycle, logger, greet }: { lifecycle: Lifecycle; logger: Logger; greet: (text: string) => void },
): Promise<void> {
  const settings = loadStandaloneSettings(env);
  const dataDir = resolve(settings.LEVEE_DATA_DIR);
  const security = loadSecurity(settings, { isAlone: true });
  watchCertificates(security, lifecycle, logger);

  const folder = await FolderLock.take(dataDir, { logFolder: join(dataDir, 'log'), logger });
  lifecycle.onDrain('data folder', () => folder.release());
  await checkPorts(wantedPorts(settings));
  const readerThread = new ReaderThread({ clock: systemClock, timers: systemTimers, logger });
  lifecycle.onDrain('reader thread', () => readerThread.close());
  // What nodes hold is checked before it is served.
  if (existsSync(join(dataDir, 'nodes'))) readerThread.begin();

  const { log, isEmbedded } = await openLog(
    { ...settings, LEVEE_DATA_DIR: dataDir },
    { logger, clientId: 'standalone' },
  );
  lifecycle.onDrain('log', () => log.close());

  // [safety] Before anybody claims: where the log was put back from an older copy, these disks alone have seen more.
  const known = await diskWitnesses(join(dataDir, 'nodes'), (error) =>
    logger.error({ error }, 'what a disk has seen of the journal cannot be read; the others know it'),
  );
  const shared = (part: string) => ({ log, known, security, logger: ofPart(logger, part) });
  const master = await MasterModule.start({ config: masterConfig(settings), isEmbedded, ...shared('master') });
  lifecycle.onDrain('master', () => master.close());

  const { nodes, damaged } = await startNodes(
    settings,
    dataDir,
    { log, known, logger, readerThread, security },
    lifecycle,
  );

  const dispatcher = await DispatcherModule.start({ config: dispatcherConfig(settings), ...shared('dispatcher') });
  lifecycle.onDrain('dispatcher', () => dispatcher.close());

  const { view } = master.master;
  const isShort = (): boolean => view.short !== undefined;
  await view.until(() => view.boot, limits.namespaceDeadlineMs, 'the first look at the journal');
  if (!isShort()) await createDefaultNamespace(settings, log, view, logger);

  // Last: who reaches the doors finds the namespace.
  const portal = await PortalModule.start({ config: portalConfig(settings), ...shared('portal') });
  lifecycle.onDrain('portal', () => portal.close());
  // The folder of an embedded log is locked: whoever wrote there before has ended.
  if (isEmbedded) master.master.onlyWriters = [portal.portal.incarnation];
  portal.portal.isOnlyWriter = isEmbedded;

  const parts = nodes.map(({ node }) => ({
    readyProblem: () => (isShort() && node.serving() !== undefined ? undefined : node.joinProblem()),
  }));
  const others = [dispatcher.dispatcher, portal.portal].map((part) => ({
    readyProblem: () => (isShort() ? undefined : part.readyProblem()),
  }));
  await everythingReady([...parts, ...others], lifecycle);
  const members = nodes.map(({ node }) => node);
  await everyChunkServed(members, lifecycle, logger);

  const doors: Doors = {
    resp: portal.portal.respAddress,
    http: portal.url,
    master: master.url,
    dispatcher: dispatcher.url,
    nodes: nodes.map(({ node, url }) => ({ nodeId: node.identity.nodeId, resp: node.respAddress, http: url })),
  };
  const problem = folder.note({ ...doors });
  if (problem !== undefined) logger.warn({ problem }, 'the note of the doors, doors.json, could not be written');
  const namespace = settings.LEVEE_DEFAULT_NAMESPACE;
  const mend = [...(view.short === undefined ? [] : [view.short]), ...damaged].join('\n') || undefined;
  const operatorTokenFile = await firstOperatorOf(portal, security, settings);
  greet(welcome({ doors, dataDir, log: log.description, namespace, problem: mend, operatorTokenFile }));
}

/** Where the first user's token is; `undefined` while nobody has to say who he is. */
async function firstOperatorOf(
  { firstOperator }: Awaited<ReturnType<typeof PortalModule.start>>,
  { authenticates }: Security,
  settings: StandaloneSettings,
): Promise<string | undefined> {
  if (!authenticates) return undefined;
  await firstOperator;
  return portalConfig(settings).operatorTokenFile;
}

/** What is wrong with one node's disk and needs people: the others can serve meanwhile. */
const diskTroubles: ReadonlySet<string> = new Set(['DISK_DAMAGED', 'DISK_REFUSES', 'DISK_FULL']);

interface StartedNodes {
  readonly nodes: readonly Awaited<ReturnType<typeof DataNodeModule.start>>[];
  /** Who is missing, and why, in words. */
  readonly damaged: readonly string[];
}

async function startNodes(
  settings: StandaloneSettings,
  dataDir: string,
  shared: {
    readonly log: Log;
    readonly logger: Logger;
    readonly known: readonly OutsideWitness[];
    readonly readerThread: ReaderThread;
    readonly security: Security;
  },
  lifecycle: Lifecycle,
): Promise<StartedNodes> {
  const { logger } = shared;
  const applies = new ApplyBudget(systemClock);
  const writeTurns = new WriteTurns(systemTimers);
  const nodes: Awaited<ReturnType<typeof DataNodeModule.start>>[] = [];
  const damaged: string[] = [];
  let code = 'DISK_DAMAGED';
  // Together: each may have to wait for clients of its own.
  lifecycle.onDrain('nodes', async () => void (await Promise.all(nodes.map((node) => node.close()))));
  for (let index = 0; index < settings.LEVEE_NODES; index++) {
    const nodeId = `n${index + 1}`;
    const config = {
      ...dataNodeConfig({ ...settings, LEVEE_NODE_ID: nodeId, LEVEE_DOMAIN: undefined }),
      folder: join(dataDir, 'nodes', nodeId),
      respPort: portOf(settings.LEVEE_NODE_RESP_PORT, index),
      httpPort: portOf(settings.LEVEE_NODE_HTTP_PORT, index),
      advertisedRespPort: advertisedPortOf(settings, index),
    };
    const own = { ...shared, logger: ofPart(logger, nodeId) };
    const app = await DataNodeModule.start({ config, ...own, applies, writeTurns }).catch((error: unknown) => {
      if (!diskTroubles.has(failureCode(error) ?? '')) throw error;
      code = failureCode(error) ?? code;
      damaged.push(`node ${nodeId} is not started: ${messageOf(error)}`);
      logger.error({ nodeId, error }, 'this node is not started; the others are');
      return undefined;
    });
    if (app === undefined) continue;
    nodes.push(app);
  }
  if (nodes.length === 0) throw new Failure(code, damaged.join('\n'));
  return { nodes, damaged };
}

/** Waits until every part says that it is ready, so that the greeting is true; fails with what the last one lacks. */
async function everythingReady(
  parts: readonly { readyProblem(): string | undefined }[],
  lifecycle: Lifecycle,
): Promise<void> {
  const giveUpAt = systemClock.monotonicMs() + limits.readyDeadlineMs;
  for (const part of parts) {
    for (let problem = part.readyProblem(); problem !== undefined; problem = part.readyProblem()) {
      if (lifecycle.isDraining) return;
      if (systemClock.monotonicMs() > giveUpAt)
        throw new Failure('NOT_READY', `not ready within ${limits.readyDeadlineMs} ms: ${problem}`);
      await new Promise<void>((resolve) => systemTimers.after(limits.readyPollMs, resolve));
    }
  }
}

/**
 * Waits until each chunk has a replica that can be read; the others heal while it serves. What cannot heal by itself is
 * said and not waited for: all else can be used.
 */
async function everyChunkServed(nodes: readonly DataNode[], lifecycle: Lifecycle, logger: Logger): Promise<void> {
  const startedMs = systemClock.monotonicMs();
  let servedMs: number | undefined;
  while (!lifecycle.isDraining) {
    const nowMs = systemClock.monotonicMs();
    const problem = chunkProblem(nodes.flatMap(({ hosted }) => hosted));
    if (problem !== undefined && (problem.lasting || nowMs - startedMs > limits.readyDeadlineMs))
      return logger.error({ problem: problem.reason }, 'a chunk cannot be read; everything else is served');
    servedMs = problem === undefined ? (servedMs ?? nowMs) : undefined;
    if (servedMs !== undefined) {
      const waiting = nodes.map((node) => node.readyProblem()).find((reason) => reason !== undefined);
      if (waiting === undefined) return;
      if (nowMs - servedMs > limits.othersMs)
        return logger.warn({ problem: waiting }, 'each chunk can be read; not every replica of it yet');
    }
    await new Promise<void>((resolve) => systemTimers.after(limits.readyPollMs, resolve));
  }
}

async function createDefaultNamespace(
  settings: StandaloneSettings,
  log: Log,
  view: Parameters<typeof ensureNamespace>[0],
  logger: Logger,
): Promise<void> {
  const topics = controlTopics(settings.LEVEE_TOPIC_PREFIX);
  const knobs = {
    name: settings.LEVEE_DEFAULT_NAMESPACE,
    partitions: settings.LEVEE_PARTITIONS ?? standaloneDefaults.partitions,
    chunks: settings.LEVEE_CHUNKS ?? standaloneDefaults.chunks,
    replicas: settings.LEVEE_REPLICAS ?? Math.min(standaloneDefaults.replicasMax, settings.LEVEE_NODES),
    historyWindowMs: settings.LEVEE_HISTORY_WINDOW,
  };
  await ensureNamespace(view, (command) => submit(log, topics, command), {
    knobs,
    nodes: settings.LEVEE_NODES,
    principal: 'standalone',
    deadlineMs: limits.namespaceDeadlineMs,
    logger,
  });
}

function wantedPorts(settings: StandaloneSettings): WantedPort[] {
  const host = settings.LEVEE_HOST;
  const wanted: WantedPort[] = [
    { door: 'RESP', setting: 'LEVEE_RESP_PORT', host, port: settings.LEVEE_RESP_PORT },
    { door: 'HTTP', setting: 'LEVEE_HTTP_PORT', host, port: settings.LEVEE_HTTP_PORT },
    { door: 'master', setting: 'LEVEE_MASTER_PORT', host, port: settings.LEVEE_MASTER_PORT },
    { door: 'dispatcher', setting: 'LEVEE_DISPATCHER_PORT', host, port: settings.LEVEE_DISPATCHER_PORT },
  ];
  for (let index = 0; index < settings.LEVEE_NODES; index++) {
    const node = `node n${index + 1}`;
    const [resp, http] = [settings.LEVEE_NODE_RESP_PORT, settings.LEVEE_NODE_HTTP_PORT];
    wanted.push({ door: `${node} RESP`, setting: 'LEVEE_NODE_RESP_PORT', host, port: portOf(resp, index) });
    wanted.push({ door: `${node} HTTP`, setting: 'LEVEE_NODE_HTTP_PORT', host, port: portOf(http, index) });
  }
  return wanted;
}
