import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ContinuousProof } from '@levee/audit';
import { Dispatcher } from '@levee/dispatch';
import { controlTopics, type OutsideWitness, ProofView } from '@levee/journal';
import { addressText, type Logger } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import {
  commonRoutes,
  DoorAccess,
  HealthRegistry,
  Metrics,
  ServiceModule,
  startHttpApp,
  type HttpApp,
  type RouteTable,
  type Security,
} from '@levee/service-kit';
import type { DispatcherAppConfig } from './config';
import { ExplainController } from './explain.controller';

export interface DispatcherParts {
  readonly config: DispatcherAppConfig;
  /** Belongs to the caller, who closes it after the app. */
  readonly log: Log;
  readonly logger: Logger;
  /** What disks have kept of the journal; see `ClusterView.know`. */
  readonly known?: readonly OutsideWitness[];
  readonly security?: Security;
}

/** What was found, and who finds it. */
class Proving {
  constructor(
    private readonly proofs: ProofView,
    private readonly proof: ContinuousProof | undefined,
  ) {}

  start(): void {
    if (this.proof === undefined) return;
    this.proofs.start();
    this.proof.start();
  }

  async stop(): Promise<void> {
    await this.proof?.stop();
    await this.proofs.close();
  }
}

/** What each path asks of who calls it. */
const routes: RouteTable = { ...commonRoutes, 'GET /v1/explain': 'operate' };

/** Composition root of a dispatcher. */
@Module({})
export class DispatcherModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly proving: Proving,
  ) {}

  /** Opens the door; the dispatcher itself starts behind it, since it may have to wait for the log. */
  static async start(parts: DispatcherParts): Promise<HttpApp & { readonly dispatcher: Dispatcher }> {
    const { config, logger } = parts;
    const access = new DoorAccess(routes, parts.security);
    const http = await startHttpApp({
      module: DispatcherModule.register({ ...parts, access }),
      access,
      tls: parts.security?.tls,
      host: config.host,
      port: config.port,
      portSetting: 'LEVEE_DISPATCHER_PORT',
      names: config.httpNames,
      logger,
    });
    const metrics = http.app.get(Metrics);
    metrics.numbersFrom('http', () => http.stats());
    metrics.histogramsFrom('levee_request_duration_seconds', () => http.times.all());
    const dispatcher = http.app.get(Dispatcher);
    dispatcher.announce(addressText({ host: config.advertisedHost, port: http.port }));
    return { ...http, dispatcher };
  }

  static register(parts: DispatcherParts & { readonly access: DoorAccess }): DynamicModule {
    const { config, log, logger, access, security } = parts;
    const { topicPrefix, instance, heartbeatMs, intervalMs, policy } = config;
    const topics = controlTopics(topicPrefix);
    const world = { log, logger, clock: systemClock, timers: systemTimers, newId: () => randomUUID() };
    const dispatcher = new Dispatcher({ instance, topics, heartbeatMs, intervalMs, policy }, world);
    const proofs = new ProofView(log, topics, world);
    const proof =
      config.proof &&
      new ContinuousProof(
        { instance, topics, ...config.proof },
        {
          ...{ ...world, proofs, view: dispatcher.view },
          waits: () => dispatcher.isStandby || dispatcher.readyProblem() !== undefined,
        },
      );
    dispatcher.view.know(parts.known ?? []);
    access.knows(dispatcher.view, logger);
    const health = new HealthRegistry();
    health.add('dispatcher', () => dispatcher.readyProblem());
    const metrics = new Metrics({ part: 'dispatcher', instance });
    metrics.numbersFrom('dispatcher', () => dispatcher.stats());
    metrics.numbersFrom('proof', () => proof?.stats() ?? {});
    return {
      module: DispatcherModule,
      imports: [ServiceModule.register({ health, metrics, security })],
      controllers: [ExplainController],
      providers: [
        { provide: Dispatcher, useValue: dispatcher },
        { provide: Proving, useValue: new Proving(proofs, proof) },
      ],
      exports: [Dispatcher],
    };
  }

  onApplicationBootstrap(): void {
    this.dispatcher.start();
    this.proving.start();
  }

  async onModuleDestroy(): Promise<void> {
    // It may wait for a decision, which ends with the dispatcher's view.
    const proving = this.proving.stop();
    await this.dispatcher.close();
    await proving;
  }
}
