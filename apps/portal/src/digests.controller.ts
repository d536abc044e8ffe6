import { Controller, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { principalOf } from '@levee/service-kit';
import type { DigestReport } from '@levee/audit';
import { Digests, digestsWithinMs } from '@levee/portal';
import { wholeNumber } from './request-choices';

/** Proof that replicas agree. */
@ApiTags('audit')
@Controller('v1/namespaces')
export class DigestsController {
  constructor(private readonly digests: Digests) {}

  @Post(':name/digests')
  @HttpCode(200)
  @ApiOperation({ summary: 'Digests every replica at one barrier per partition and says whether all agree' })
  @ApiQuery({ name: 'withinMs', required: false, description: 'longest wait for the slowest replica; default 25,000' })
  collect(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Query('withinMs') withinMs?: string,
  ): Promise<DigestReport> {
    const deadlineMs = wholeNumber(withinMs, 'withinMs', digestsWithinMs);
    return this.digests.collect(name, { principal: principalOf(request).name, deadlineMs });
  }
}
