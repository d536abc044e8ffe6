import { Module, type DynamicModule, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Portal } from '@levee/client';
import { controlTopics } from '@levee/journal';
import type { Logger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers, type Log } from '@levee/log';
import { HealthRegistry, Metrics, ServiceModule, startHttpApp, type HttpApp } from '@levee/service-kit';
import type { PortalAppConfig } from './config';
import { statusByCode } from './http-status';

export interface PortalParts {
  readonly config: PortalAppConfig;
  /** Belongs to the caller, who closes it after the app. */
  readonly log: Log;
  readonly logger: Logger;
}

/** Composition root of a portal. */
@Module({})
export class PortalModule implements OnModuleInit, OnModuleDestroy {
  constructor(private readonly portal: Portal) {}

  /** Opens both doors; the cluster is read in the background. */
  static async start(parts: PortalParts): Promise<HttpApp & { readonly portal: Portal }> {
    const { config, logger } = parts;
    const http = await startHttpApp({
      module: PortalModule.register(parts),
      host: config.host,
      port: config.httpPort,
      portSetting: 'LEVEE_HTTP_PORT',
      logger,
      statusByCode,
    });
    return { ...http, portal: http.app.get(Portal) };
  }

  static register(parts: PortalParts): DynamicModule {
    const { config, log, logger } = parts;
    const { topicPrefix, httpPort: _httpPort, ...own } = config;
    const world = { log, logger, clock: systemClock, timers: systemTimers, random: systemRandom };
    const portal = new Portal({ ...own, topics: controlTopics(topicPrefix) }, world);
    const health = new HealthRegistry();
    health.add('portal', () => portal.readyProblem());
    const metrics = new Metrics({ part: 'portal', instance: config.instance });
    metrics.gaugesFrom('portal', () => portal.stats());
    return {
      module: PortalModule,
      imports: [ServiceModule.register({ health, metrics })],
      controllers: [],
      providers: [{ provide: Portal, useValue: portal }],
      exports: [Portal],
    };
  }

  async onModuleInit(): Promise<void> {
    await this.portal.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.portal.close();
  }
}
