import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Dispatcher } from '@levee/dispatch';
import { controlTopics, type OutsideWitness } from '@levee/journal';
import { addressText, type Logger } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import { HealthRegistry, Metrics, ServiceModule, startHttpApp, type HttpApp } from '@levee/service-kit';
import type { DispatcherAppConfig } from './config';
import { ExplainController } from './explain.controller';

export interface DispatcherParts {
  readonly config: DispatcherAppConfig;
  /** Belongs to the caller, who closes it after the app. */
  readonly log: Log;
  readonly logger: Logger;
  /** What disks have kept of the journal; see `ClusterView.know`. */
  readonly known?: readonly OutsideWitness[];
}

/** Composition root of a dispatcher. */
@Module({})
export class DispatcherModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(private readonly dispatcher: Dispatcher) {}

  /** Opens the door; the dispatcher itself starts behind it, since it may have to wait for the log. */
  static async start(parts: DispatcherParts): Promise<HttpApp & { readonly dispatcher: Dispatcher }> {
    const { config, logger } = parts;
    const http = await startHttpApp({
      module: DispatcherModule.register(parts),
      host: config.host,
      port: config.port,
      portSetting: 'LEVEE_DISPATCHER_PORT',
      logger,
    });
    const dispatcher = http.app.get(Dispatcher);
    dispatcher.announce(addressText({ host: config.advertisedHost, port: http.port }));
    return { ...http, dispatcher };
  }

  static register(parts: DispatcherParts): DynamicModule {
    const { config, log, logger } = parts;
    const { topicPrefix, instance, heartbeatMs, intervalMs, policy } = config;
    const dispatcher = new Dispatcher(
      { instance, topics: controlTopics(topicPrefix), heartbeatMs, intervalMs, policy },
      { log, logger, clock: systemClock, timers: systemTimers, newId: () => randomUUID() },
    );
    dispatcher.view.know(parts.known ?? []);
    const health = new HealthRegistry();
    health.add('dispatcher', () => dispatcher.readyProblem());
    const metrics = new Metrics({ part: 'dispatcher', instance });
    metrics.gaugesFrom('dispatcher', () => dispatcher.stats());
    return {
      module: DispatcherModule,
      imports: [ServiceModule.register({ health, metrics })],
      controllers: [ExplainController],
      providers: [{ provide: Dispatcher, useValue: dispatcher }],
      exports: [Dispatcher],
    };
  }

  onApplicationBootstrap(): void {
    this.dispatcher.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.dispatcher.close();
  }
}
