import { Module, type DynamicModule, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { KeyValue, type WrittenAt } from '@levee/client';
import { controlTopics, type OutsideWitness } from '@levee/journal';
import { pause, type Logger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers, type Log } from '@levee/log';
import {
  Digests,
  Doctor,
  DryRuns,
  Explanations,
  FilesOfNodes,
  Forks,
  Acknowledgements,
  Freezes,
  Repartitions,
  Rewinds,
  FullDisks,
  LogReader,
  LogRepairs,
  NamespaceWaits,
  PastQuestions,
  PlanProgress,
  Plans,
  Portal,
  Proofs,
  RepeatedWrites,
  SchemaRegistry,
  SourceLooks,
  troublesOf,
  ValueDecoder,
} from '@levee/portal';
import {
  CommandDoor,
  CommandsController,
  DoorAccess,
  HealthRegistry,
  LogClient,
  insistOnFirstOperator,
  Metrics,
  ownDoors,
  ServiceModule,
  startHttpApp,
  tlsNetwork,
  type HttpApp,
  type Security,
} from '@levee/service-kit';
import { NetworkBudget } from '@levee/wire';
import { ClusterController } from './cluster.controller';
import type { PortalAppConfig } from './config';
import { AcknowledgementsController } from './acknowledgements.controller';
import { DigestsController } from './digests.controller';
import { DoctorController } from './doctor.controller';
import { FlushController } from './flush.controller';
import { ForksController } from './forks.controller';
import { FreezesController } from './freezes.controller';
import { RepartitionsController } from './repartitions.controller';
import { RewindsController } from './rewinds.controller';
import { GroupsController } from './groups.controller';
import { httpDoor } from './http-door';
import { statusByCode } from './http-status';
import { KvController } from './kv.controller';
import { LogRepairsController } from './log-repairs.controller';
import { LogController } from './log.controller';
import { PastController } from './past.controller';
import { PlansController } from './plans.controller';
import { ProofsController } from './proofs.controller';
import { RecordedAccess } from './recorded-access';
import { portalRoutes } from './routes';
import { UsersController } from './users.controller';
import { WatchController } from './watch.controller';

export interface PortalParts {
  readonly config: PortalAppConfig;
  /** Belongs to the caller, who closes it after the app. */
  readonly log: Log;
  readonly logger: Logger;
  /** What disks have kept of the journal; see `ClusterView.know`. */
  readonly known?: readonly OutsideWitness[];
  readonly security?: Security;
}

const limits = { commandDeadlineMs: 10_000, roomWaitMs: 2_000 } as const;

/** Of both doors. */
function addressLimit({ connectionsOfAddressMax: most }: PortalAppConfig): { connectionsOfAddressMax?: number } {
  return most === undefined ? {} : { connectionsOfAddressMax: most };
}

/** How long what it does takes. */
function portalTimes({ door, store: { times } }: Portal, metrics: Metrics): void {
  metrics.histogramsFrom('levee_request_duration_seconds', () => door.times?.all() ?? []);
  metrics.histogramsFrom('levee_portal_append_duration_seconds', () => times.append.all());
  metrics.histogramsFrom('levee_portal_fence_duration_seconds', () => times.fence.all());
  metrics.histogramsFrom('levee_portal_ack_duration_seconds', () => times.ack.all());
  metrics.histogramsFrom('levee_portal_route_change_duration_seconds', () => [
    { labels: {}, histogram: times.routeChange },
  ]);
}

/** Composition root of a portal. */
@Module({})
export class PortalModule implements OnModuleInit, OnModuleDestroy {
  constructor(
    private readonly portal: Portal,
    private readonly doctor: Doctor,
    private readonly proofs: Proofs,
    private readonly repartitions: Repartitions,
  ) {}

  /** Opens both doors; the cluster is read in the background. */
  static async start(
    parts: PortalParts,
  ): Promise<HttpApp & { readonly portal: Portal; readonly firstOperator: Promise<void> }> {
    const { config, logger } = parts;
    const budget = new NetworkBudget(config.networkBudgetBytes, limits.roomWaitMs, systemTimers);
    const access = new DoorAccess(portalRoutes, parts.security);
    const http = await startHttpApp({
      module: PortalModule.register({ ...parts, budget, access }),
      access,
      tls: parts.security?.tls,
      budget,
      host: config.host,
      port: config.httpPort,
      portSetting: 'LEVEE_HTTP_PORT',
      names: config.httpNames,
      limits: addressLimit(config),
      logger,
      statusByCode,
      ...httpDoor(parts.security?.authenticates === true),
    });
    const metrics = http.app.get(Metrics);
    metrics.numbersFrom('http', () => http.stats());
    metrics.histogramsFrom('levee_request_duration_seconds', () => http.times.all());
    const portal = http.app.get(Portal);
    const { operatorTokenFile: file } = config;
    const firstOperator = parts.security?.authenticates
      ? portal.ready().then(() => {
          const users = (): number => portal.view.state.counts.users;
          const commands = http.app.get(CommandDoor);
          return insistOnFirstOperator(file, { users, commands, logger, timers: systemTimers });
        })
      : Promise.resolve();
    firstOperator.catch((error: unknown) => logger.error({ error }, 'the first user could not be made'));
    const close = async (): Promise<void> => {
      portal.leave(config.noticeMs);
      http.connections.leave();
      await pause(systemTimers, config.noticeMs);
      await Promise.all([portal.closeDoor(), http.close()]);
    };
    return { ...http, portal, firstOperator, close };
  }

  static register(parts: PortalParts & { readonly budget: NetworkBudget; readonly access: DoorAccess }): DynamicModule {
    const { config, log, logger, budget, security, access } = parts;
    const {
      topicPrefix,
      httpPort: _httpPort,
      networkBudgetBytes: _networkBudgetBytes,
      connectionsOfAddressMax: _connectionsOfAddressMax,
      operatorTokenFile: _file,
      schemaRegistry,
      noticeMs: _noticeMs,
      ...own
    } = config;
    const system = { clock: systemClock, timers: systemTimers, random: systemRandom };
    const { clusterKey, tls, authenticates = false, usersBelievedMs, jwts } = security ?? {};
    const asking = { authenticates, ...(usersBelievedMs !== undefined && { usersBelievedMs }) };
    const network = tlsNetwork(security, logger);
    const proofs = { clusterKey, clusterName: tls?.plan.clusterName, tls, jwts, ...(network && { network }) };
    const world = { log, logger, ...system, budget, ...proofs };
    const topics = controlTopics(topicPrefix);
    const portal = new Portal({ ...own, topics, ...asking, respLimits: addressLimit(config) }, world);
    access.shares(portal.authenticator);
    const client = new LogClient(log, topics, { view: portal.view, deadlineMs: limits.commandDeadlineMs });
    const commands = new CommandDoor(client, portal.view, systemClock, systemTimers);
    const progress = new PlanProgress(portal.heard, systemClock);
    portal.view.know(parts.known ?? []);
    const health = new HealthRegistry();
    health.add('portal', () => portal.readyProblem());
    const fullDisks = new FullDisks(portal.heard, systemClock);
    health.watch('troubles', () => troublesOf(portal, log));
    health.watch('disks', () => fullDisks.troubles);
    const metrics = new Metrics({ part: 'portal', instance: config.instance });
    const repeated = new RepeatedWrites<WrittenAt>(systemClock);
    const decoder = new ValueDecoder(
      schemaRegistry === undefined ? undefined : new SchemaRegistry(schemaRegistry, systemClock),
    );
    metrics.numbersFrom('schema_registry', () => decoder.stats());
    metrics.numbersFrom('portal', () => portal.stats());
    portalTimes(portal, metrics);
    if (network) metrics.numbersFrom('resp_tls', () => network.stats());
    metrics.numbersFrom('network', () => ({
      budgetBytes: budget.bytesMax,
      usedBytes: budget.usedBytes,
      peakBytes: budget.peakBytes,
    }));
    metrics.numbersFrom('repeated_writes', () => repeated.stats());
    const freezes = new Freezes(log, portal);
    const chunkProofs = new Proofs(log, portal, topicPrefix, logger);
    metrics.numbersFrom('proofs', () => chunkProofs.stats());
    return {
      module: PortalModule,
      imports: [ServiceModule.register({ health, metrics, security })],
      controllers: [
        AcknowledgementsController,
        KvController,
        FlushController,
        ForksController,
        FreezesController,
        ClusterController,
        CommandsController,
        DigestsController,
        DoctorController,
        GroupsController,
        LogController,
        LogRepairsController,
        PastController,
        PlansController,
        ProofsController,
        RepartitionsController,
        RewindsController,
        UsersController,
        WatchController,
      ],
      providers: [
        { provide: Portal, useValue: portal },
        { provide: RepeatedWrites, useValue: repeated },
        { provide: KeyValue, useValue: portal.keyValue },
        { provide: ValueDecoder, useValue: decoder },
        { provide: CommandDoor, useValue: commands },
        { provide: NamespaceWaits, useValue: new NamespaceWaits(portal) },
        { provide: Digests, useValue: new Digests(log, portal, topicPrefix, logger) },
        { provide: Forks, useValue: new Forks(log, portal, commands, { topicPrefix, logger }) },
        { provide: Proofs, useValue: chunkProofs },
        {
          provide: Doctor,
          useValue: new Doctor(log, portal, {
            ...{ topics, logger, proofs: chunkProofs },
            security: security && ownDoors(config.host, security),
          }),
        },
        { provide: FilesOfNodes, useValue: new FilesOfNodes(portal.http) },
        { provide: Freezes, useValue: freezes },
        { provide: Acknowledgements, useValue: new Acknowledgements(log, portal, commands) },
        {
          provide: Repartitions,
          useValue: new Repartitions(log, portal, commands, freezes, { topicPrefix, logger }),
        },
        { provide: Rewinds, useValue: new Rewinds(log, portal, commands, freezes, { topicPrefix, logger }) },
        { provide: SourceLooks, useValue: new SourceLooks(log, systemClock) },
        { provide: LogReader, useValue: new LogReader(log) },
        { provide: PastQuestions, useValue: new PastQuestions(log, topics) },
        ...(portal.trail ? [{ provide: APP_GUARD, useValue: new RecordedAccess(portal.trail) }] : []),
        { provide: LogRepairs, useValue: new LogRepairs(log, portal, logger) },
        {
          provide: Plans,
          useValue: new Plans(portal, commands, progress, systemClock, new DryRuns({ timers: systemTimers })),
        },
        { provide: Explanations, useValue: new Explanations(portal) },
      ],
      exports: [Portal],
    };
  }

  async onModuleInit(): Promise<void> {
    await this.portal.start();
    this.doctor.start();
    this.proofs.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.doctor.close();
    this.repartitions.close();
    await this.proofs.close();
    await this.portal.close();
  }
}
