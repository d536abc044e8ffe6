import { Controller, Get, HttpCode, HttpException } from '@nestjs/common';
import { HealthRegistry, type HealthReport } from './health';

@Controller('health')
export class HealthController {
  constructor(private readonly registry: HealthRegistry) {}

  /** The process runs and its event loop turns. */
  @Get('live')
  @HttpCode(200)
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** 200 when work may be sent here, `degraded` with what is wrong elsewhere; else 503 with the reasons. */
  @Get('ready')
  async ready(): Promise<HealthReport> {
    const report = await this.registry.readiness();
    if (report.status === 'not ready') throw new HttpException(report, 503);
    return report;
  }
}
