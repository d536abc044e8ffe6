import { Module, type DynamicModule, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { KeyValue, type WrittenAt } from '@levee/client';
import { controlTopics, type OutsideWitness } from '@levee/journal';
import type { Logger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers, type Log } from '@levee/log';
import {
  Digests,
  Doctor,
  DryRuns,
  Explanations,
  FilesOfNodes,
  FullDisks,
  LogReader,
  LogRepairs,
  NamespaceWaits,
  PlanProgress,
  Plans,
  Portal,
  RepeatedWrites,
  troublesOf,
} from '@levee/portal';
import {
  CommandDoor,
  CommandsController,
  HealthRegistry,
  LogClient,
  Metrics,
  ServiceModule,
  startHttpApp,
  type HttpApp,
} from '@levee/service-kit';
import { NetworkBudget } from '@levee/wire';
import { ClusterController } from './cluster.controller';
import type { PortalAppConfig } from './config';
import { DigestsController } from './digests.controller';
import { DoctorController } from './doctor.controller';
import { FlushController } from './flush.controller';
import { GroupsController } from './groups.controller';
import { httpDoor } from './http-door';
import { statusByCode } from './http-status';
import { KvController } from './kv.controller';
import { LogRepairsController } from './log-repairs.controller';
import { LogController } from './log.controller';
import { PlansController } from './plans.controller';
import { WatchController } from './watch.controller';

export interface PortalParts {
  readonly config: PortalAppConfig;
  /** Belongs to the caller, who closes it after the app. */
  readonly log: Log;
  readonly logger: Logger;
  /** What disks have kept of the journal; see `ClusterView.know`. */
  readonly known?: readonly OutsideWitness[];
}

const limits = { commandDeadlineMs: 10_000, roomWaitMs: 2_000 } as const;

/** Composition root of a portal. */
@Module({})
export class PortalModule implements OnModuleInit, OnModuleDestroy {
  constructor(
    private readonly portal: Portal,
    private readonly doctor: Doctor,
  ) {}

  /** Opens both doors; the cluster is read in the background. */
  static async start(parts: PortalParts): Promise<HttpApp & { readonly portal: Portal }> {
    const { config, logger } = parts;
    const budget = new NetworkBudget(config.networkBudgetBytes, limits.roomWaitMs, systemTimers);
    const http = await startHttpApp({
      module: PortalModule.register({ ...parts, budget }),
      budget,
      host: config.host,
      port: config.httpPort,
      portSetting: 'LEVEE_HTTP_PORT',
      logger,
      statusByCode,
      ...httpDoor,
    });
    http.app.get(Metrics).gaugesFrom('http', () => {
      const { counts, connections, heldBytes } = http.connections;
      return { ...counts, connections, heldBytes };
    });
    return { ...http, portal: http.app.get(Portal) };
  }

  static register(parts: PortalParts & { readonly budget: NetworkBudget }): DynamicModule {
    const { config, log, logger, budget } = parts;
    const { topicPrefix, httpPort: _httpPort, networkBudgetBytes: _networkBudgetBytes, ...own } = config;
    const world = { log, logger, clock: systemClock, timers: systemTimers, random: systemRandom, budget };
    const topics = controlTopics(topicPrefix);
    const portal = new Portal({ ...own, topics }, world);
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
    metrics.gaugesFrom('portal', () => portal.stats());
    metrics.gaugesFrom('network', () => ({
      budgetBytes: budget.bytesMax,
      usedBytes: budget.usedBytes,
      peakBytes: budget.peakBytes,
    }));
    metrics.gaugesFrom('repeated_writes', () => repeated.stats());
    return {
      module: PortalModule,
      imports: [ServiceModule.register({ health, metrics })],
      controllers: [
        KvController,
        FlushController,
        ClusterController,
        CommandsController,
        DigestsController,
        DoctorController,
        GroupsController,
        LogController,
        LogRepairsController,
        PlansController,
        WatchController,
      ],
      providers: [
        { provide: Portal, useValue: portal },
        { provide: RepeatedWrites, useValue: repeated },
        { provide: KeyValue, useValue: new KeyValue(portal.store) },
        { provide: CommandDoor, useValue: commands },
        { provide: NamespaceWaits, useValue: new NamespaceWaits(portal) },
        { provide: Digests, useValue: new Digests(log, portal, topicPrefix, logger) },
        { provide: Doctor, useValue: new Doctor(log, portal, { topics, logger }) },
        { provide: FilesOfNodes, useValue: new FilesOfNodes() },
        { provide: LogReader, useValue: new LogReader(log) },
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
  }

  async onModuleDestroy(): Promise<void> {
    this.doctor.close();
    await this.portal.close();
  }
}
