import { Controller, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { DigestReport } from '@levee/journal';
import type { FastifyRequest } from 'fastify';
import { Digests } from './digests';

/** Proof that replicas agree. */
@ApiTags('audit')
@Controller('v1/namespaces')
export class DigestsController {
  constructor(private readonly digests: Digests) {}

  @Post(':name/digests')
  @HttpCode(200)
  @ApiOperation({ summary: 'Digests every replica at one barrier per partition and says whether all agree' })
  collect(@Param('name') name: string, @Req() request: FastifyRequest): Promise<DigestReport> {
    return this.digests.collect(name, `http ${request.ip}`);
  }
}
