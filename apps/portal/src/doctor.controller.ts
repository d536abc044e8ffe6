import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { DoctorReport } from '@levee/audit';
import { Doctor } from '@levee/portal';

/** What is wrong, what follows from it, and what to type. */
@ApiTags('cluster')
@Controller('v1/doctor')
export class DoctorController {
  constructor(private readonly doctor: Doctor) {}

  @Get()
  @ApiOperation({ summary: 'Looks at log, topics, master, nodes and replicas; findings each with impact and command' })
  examine(): Promise<DoctorReport> {
    return this.doctor.examine();
  }
}
