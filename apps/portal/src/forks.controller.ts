import { Body, Controller, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '@levee/kernel';
import { type FillRequest, Forks } from '@levee/portal';
import { demandRight, jsonBody, principalOf } from '@levee/service-kit';
import { sendJsonLines } from './json-lines';
import { missing, natural, workLines } from './work-lines';

/** A namespace from the past of another one. */
@ApiTags('namespaces')
@Controller('v1/namespaces')
export class ForksController {
  constructor(private readonly forks: Forks) {}

  @Post(':name/fork')
  @HttpCode(200)
  @ApiOperation({
    summary:
      'Makes the namespace from what another one held at a time, if that is provable for every key; one JSON object a line, a failure is the last. Given again, it goes on',
  })
  @ApiBody({
    schema: {
      type: 'object',
      required: ['from', 'atMs'],
      properties: {
        from: { type: 'string', description: 'the namespace whose past it is' },
        atMs: { type: 'integer', description: 'the time, in milliseconds since 1970' },
        clockMarginMs: { type: 'integer', description: 'by how much clocks of brokers may differ; default 300,000' },
        rate: { type: 'integer', description: 'most bytes that are read and written in a second' },
      },
    },
  })
  @ApiResponse({ status: 200, content: { 'application/x-ndjson': {} } })
  @ApiResponse({ status: 409, description: 'NAMESPACE_EXISTS: another namespace has that name' })
  async fork(
    @Param('name') name: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { from, ...numbers } = jsonBody(body);
    if (typeof from !== 'string' || from === '')
      throw new Failure('BAD_REQUEST', 'from is missing: name the namespace');
    demandRight(request, 'admin', from);
    // Whoever makes the new namespace may give himself the right to read it, and it holds what the source held.
    demandRight(request, 'read', from);
    const asked: FillRequest = {
      ...{ source: from, name, principal: principalOf(request).name },
      atMs: natural(numbers, 'atMs') ?? missing('atMs'),
      clockMarginMs: natural(numbers, 'clockMarginMs'),
      rate: natural(numbers, 'rate'),
    };
    await sendJsonLines(reply, (signal) => workLines(this.forks.run(asked, signal)));
  }
}
