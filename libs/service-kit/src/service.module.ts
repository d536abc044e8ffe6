import { Module, type DynamicModule } from '@nestjs/common';
import { HealthController } from './health.controller';
import { HealthRegistry } from './health';
import { Metrics } from './metrics/metrics';
import { MetricsController } from './metrics/metrics.controller';
import type { Security } from './security';

/** `/health/live`, `/health/ready` and `/metrics` of one part of the process. */
@Module({})
export class ServiceModule {
  static register(options: {
    readonly health: HealthRegistry;
    readonly metrics: Metrics;
    readonly security?: Security | undefined;
  }): DynamicModule {
    const { health, metrics, security } = options;
    const tls = security?.tls;
    if (tls !== undefined) {
      health.watch('certificates', () => tls.troubles);
      metrics.numbersFrom('tls', () => tls.stats());
    }
    return {
      module: ServiceModule,
      controllers: [HealthController, MetricsController],
      providers: [
        { provide: HealthRegistry, useValue: health },
        { provide: Metrics, useValue: metrics },
      ],
      exports: [HealthRegistry, Metrics],
    };
  }
}
