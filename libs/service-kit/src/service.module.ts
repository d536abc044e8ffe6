import { Module, type DynamicModule } from '@nestjs/common';
import { HealthController } from './health.controller';
import { HealthRegistry } from './health';
import { Metrics } from './metrics';
import { MetricsController } from './metrics.controller';

/** `/health/live`, `/health/ready` and `/metrics` of one part of the process. */
@Module({})
export class ServiceModule {
  static register(options: { readonly health: HealthRegistry; readonly metrics: Metrics }): DynamicModule {
    return {
      module: ServiceModule,
      controllers: [HealthController, MetricsController],
      providers: [
        { provide: HealthRegistry, useValue: options.health },
        { provide: Metrics, useValue: options.metrics },
      ],
      exports: [HealthRegistry, Metrics],
    };
  }
}
