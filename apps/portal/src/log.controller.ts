import { Readable } from 'node:stream';
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '@levee/kernel';
import { LogReader } from '@levee/portal';
import { goneOf } from './json-lines';
import { switchOf, wholeNumber } from './request-choices';

/** The log itself, decoded. */
@ApiTags('log')
@Controller('v1/log')
export class LogController {
  constructor(private readonly reader: LogReader) {}

  @Get('topics')
  @ApiOperation({ summary: 'All topics with their offsets' })
  async topics() {
    return { topics: await this.reader.topics() };
  }

  @Get(':topic/:partition')
  @ApiOperation({ summary: 'Records as JSON, one a line, up to the end as it is now, or for ever' })
  @ApiQuery({ name: 'from', required: false, description: 'first offset; default: the first there is' })
  @ApiQuery({ name: 'follow', required: false, description: '1: goes on' })
  async records(
    @Param('topic') topic: string,
    @Param('partition') partitionText: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Query('from') fromText?: string,
    @Query('follow') followText?: string,
  ): Promise<void> {
    const partition = wholeNumber(partitionText, 'the partition', { min: 0, max: 1_000_000 });
    const from = wholeNumber(fromText, 'from', { min: 0, max: Number.MAX_SAFE_INTEGER });
    if (partition === undefined) throw new Failure('BAD_REQUEST', 'name a partition: /v1/log/<topic>/<partition>');
    const follow = switchOf(followText, 'follow');
    const lines = await this.reader.open({ topic, partition, from, follow, signal: goneOf(reply), reader: request.ip });
    await reply.status(200).type('application/x-ndjson').send(Readable.from(lines));
  }
}
