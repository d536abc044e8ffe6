import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { LeveeHealthIndicator } from '@levee/nest';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly levee: LeveeHealthIndicator,
  ) {}

  /** Whether the process should be started anew. What ails Levee is no reason for that. */
  @Get('live')
  live(): { readonly status: 'ok' } {
    return { status: 'ok' };
  }

  /** Whether requests should come here. From SIGTERM on it says 503, and a balancer turns to another process. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.levee.isHealthy('levee', { namespace: 'shop.orders' })]);
  }
}
