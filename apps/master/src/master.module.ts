import { Module, type DynamicModule, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { nodeCounts, rejectionCodes } from '@levee/cluster';
import { controlTopics, type OutsideWitness } from '@levee/journal';
import { addressText, asOffset, type Logger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers, type Log } from '@levee/log';
import { Master } from '@levee/master';
import {
  CommandDoor,
  CommandsController,
  commonRoutes,
  DoorAccess,
  HealthRegistry,
  LogClient,
  LogServer,
  Metrics,
  rejectionStatus,
  ServiceModule,
  startHttpApp,
  type HttpApp,
  type RouteTable,
  type Security,
} from '@levee/service-kit';
import { ClusterController } from './cluster.controller';
import type { MasterConfig } from './config';
import { CommandsLogger, DecisionsController } from './decisions.controller';

export interface MasterParts {
  readonly config: MasterConfig;
  /** Belongs to the caller, who closes it after the app. */
  readonly log: Log;
  /** No other process can hold this log: claim without waiting for silence. */
  readonly isEmbedded: boolean;
  readonly logger: Logger;
  /** What disks have kept of the journal; see `ClusterView.know`. */
  readonly known?: readonly OutsideWitness[];
  readonly security?: Security;
}

/** What each path asks of who calls it. */
const routes: RouteTable = {
  ...commonRoutes,
  'GET /v1/status': 'operate',
  'GET /v1/namespaces': 'operate',
  'GET /v1/namespaces/:name': 'operate',
  'GET /v1/routes/:name': 'operate',
  'GET /v1/nodes': 'operate',
  'GET /v1/nodes/:nodeId/units': 'operate',
  'POST /v1/commands': 'operate',
  'GET /v1/commands/:id': 'operate',
};

const limits = { commandDeadlineMs: 10_000 } as const;

const behind = (records: number): string | undefined =>
  records === 0 ? undefined : `reading the journal: ${records} records to its end`;

/** Composition root of the master. */
@Module({})
export class MasterModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    private readonly master: Master,
    private readonly commandsLogger: CommandsLogger,
  ) {}

  /** Creates the app and listens; the master itself starts behind its doors, since it may have to wait for the log. */
  static async start(parts: MasterParts): Promise<HttpApp & { readonly master: Master }> {
    const { config, logger } = parts;
    const door = { port: config.port };
    const access = new DoorAccess(routes, parts.security);
    const module = MasterModule.register({
      ...parts,
      access,
      address: () => addressText({ host: config.advertisedHost, port: door.port }),
    });
    const http = await startHttpApp({
      module,
      access,
      tls: parts.security?.tls,
      host: config.host,
      port: config.port,
      portSetting: 'LEVEE_MASTER_PORT',
      names: config.httpNames,
      logger,
      statusByCode: Object.fromEntries(Object.keys(rejectionCodes).map((code) => [code, rejectionStatus(code)])),
      configure: (app) => void app.connectMicroservice({ strategy: app.get(LogServer) }),
    });
    const metrics = http.app.get(Metrics);
    metrics.numbersFrom('http', () => http.stats());
    metrics.histogramsFrom('levee_request_duration_seconds', () => http.times.all());
    door.port = http.port;
    return { ...http, master: http.app.get(Master) };
  }

  static register(parts: MasterParts & { readonly address: () => string; readonly access: DoorAccess }): DynamicModule {
    const { config, log, isEmbedded, logger, address, access, security } = parts;
    const { instance, limits: timing, policy, liveness, topicCheckMs } = config;
    const { planStallMs, planObserveMs, barrierMs } = config;
    const world = { clock: systemClock, timers: systemTimers, random: systemRandom, logger };
    const topics = controlTopics(config.topicPrefix);
    const master = new Master(log, {
      ...world,
      topics,
      instance,
      address,
      claimAtOnce: isEmbedded,
      policy,
      topicCheckMs,
      limits: timing,
      liveness,
      planStallMs,
      planObserveMs,
      barrierMs,
    });
    const server = new LogServer(log, {
      topicOf: (pattern) => `${config.topicPrefix}.${pattern}`,
      from: async () => {
        await master.ready;
        return { nextOffset: asOffset(master.view.journal.position.commandsOffset + 1), leaderEpoch: -1 };
      },
      logger,
      timers: systemTimers,
    });
    const client = new LogClient(log, topics, { view: master.view, deadlineMs: limits.commandDeadlineMs });
    master.view.know(parts.known ?? []);
    access.knows(master.view, logger);
    const health = new HealthRegistry();
    health.add('journal', () => master.view.problem ?? master.candidacy.problem ?? behind(master.view.recordsBehind));
    health.add('topics', () => master.topicProblem);
    health.add('effects', () => master.effectProblem);
    const metrics = new Metrics({ part: 'master', instance });
    metrics.numbersFrom('journal', () => master.view.stats());
    metrics.numbersFrom('cluster', () => master.view.state.counts);
    metrics.numbersFrom('master', () => ({
      active: master.candidacy.role === 'active' ? 1 : 0,
      ...(master.candidacy.reign?.stats() ?? {}),
    }));
    metrics.numbersFrom('nodes', () => ({
      storm: master.nodesProblem === undefined ? 0 : 1,
      ...nodeCounts(master.view.state),
    }));
    metrics.numbersFrom('topics', () => master.topicStats());
    metrics.numbersFrom('node_watch', () => master.watchStats() ?? {});
    metrics.numbersFrom('plans', () => ({ ...master.planStats() }));
    metrics.histogramsFrom('levee_master_barrier_duration_seconds', () => {
      const histogram = master.barrierTimes;
      return histogram ? [{ labels: {}, histogram }] : [];
    });
    metrics.numbersFrom('barriers', () => ({ ...master.barrierStats() }));
    return {
      module: MasterModule,
      imports: [ServiceModule.register({ health, metrics, security })],
      controllers: [ClusterController, CommandsController, DecisionsController],
      providers: [
        { provide: Master, useValue: master },
        { provide: LogServer, useValue: server },
        { provide: CommandDoor, useValue: new CommandDoor(client, master.view, systemClock, systemTimers) },
        { provide: CommandsLogger, useValue: new CommandsLogger(logger) },
      ],
      exports: [Master],
    };
  }

  onApplicationBootstrap(): void {
    this.master
      .start()
      .catch((error: unknown) => this.commandsLogger.logger.error({ error }, 'the master could not start'));
  }

  async onModuleDestroy(): Promise<void> {
    await this.master.close();
  }
}
