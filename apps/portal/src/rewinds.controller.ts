import { Body, Controller, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '@levee/kernel';
import { Freezes, type RewindRequest, Rewinds } from '@levee/portal';
import { jsonBody, principalOf } from '@levee/service-kit';
import { endedPortals, endedProperty } from './ended-portals';
import { sendJsonLines } from './json-lines';
import { missing, natural, workLines } from './work-lines';

/** Back to what a namespace held at a time, and forth again. */
@ApiTags('namespaces')
@Controller('v1/namespaces')
export class RewindsController {
  constructor(
    private readonly rewinds: Rewinds,
    private readonly freezes: Freezes,
  ) {}

  @Post(':name/rewind')
  @HttpCode(200)
  @ApiOperation({
    summary:
      'Takes the namespace back to what it held at a time, if that is provable for every key, and keeps what it was under another name; undo takes that back; one JSON object a line, a failure is the last. Given again, it goes on',
  })
  @ApiBody({
    schema: {
      type: 'object',
      properties: {
        atMs: { type: 'integer', description: 'the time, in milliseconds since 1970' },
        undo: { type: 'boolean', description: 'instead: what it was before it was rewound' },
        cancel: { type: 'boolean', description: 'instead: let go of a rewind that was begun' },
        ended: endedProperty,
        clockMarginMs: { type: 'integer', description: 'by how much clocks of brokers may differ; default 300,000' },
        rate: { type: 'integer', description: 'most bytes that are read and written in a second' },
      },
    },
  })
  @ApiResponse({ status: 200, content: { 'application/x-ndjson': {} } })
  @ApiResponse({ status: 409, description: 'NAMESPACE_FROZEN: by somebody else; PLAN_CONFLICT: it has open plans' })
  async rewind(
    @Param('name') name: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const fields = jsonBody(body);
    const ended = endedPortals(fields);
    const what = (['undo', 'cancel'] as const).filter((word) => fields[word] === true);
    if (what.length + Number(fields['atMs'] !== undefined) !== 1)
      throw new Failure('BAD_REQUEST', 'one of atMs, undo and cancel says what is to be done');
    const asked = {
      ...{ name, principal: principalOf(request).name },
      without: await this.freezes.endedOf(ended),
    };
    const wanted: RewindRequest =
      what[0] === undefined
        ? {
            ...{ ...asked, what: 'rewind', atMs: natural(fields, 'atMs') ?? missing('atMs') },
            ...{ clockMarginMs: natural(fields, 'clockMarginMs'), rate: natural(fields, 'rate') },
          }
        : { ...asked, what: what[0] };
    await sendJsonLines(reply, (signal) => workLines(this.rewinds.run(wanted, signal)));
  }
}
