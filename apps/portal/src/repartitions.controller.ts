import { Body, Controller, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '@levee/kernel';
import { Freezes, type RepartitionRequest, Repartitions } from '@levee/portal';
import { jsonBody, principalOf } from '@levee/service-kit';
import { endedPortals, endedProperty } from './ended-portals';
import { sendJsonLines } from './json-lines';
import { natural, workLines } from './work-lines';

/** Records in wrong partitions are brought home. */
@ApiTags('namespaces')
@Controller('v1/namespaces')
export class RepartitionsController {
  constructor(
    private readonly repartitions: Repartitions,
    private readonly freezes: Freezes,
  ) {}

  @Post(':name/repartition')
  @HttpCode(200)
  @ApiOperation({
    summary:
      'Brings records home that a producer wrote into wrong partitions, where the right one holds nothing later of their key; dryRun counts them; one JSON object a line, a failure is the last. Given again, it goes on',
  })
  @ApiBody({
    schema: {
      type: 'object',
      properties: {
        dryRun: { type: 'boolean', description: 'count what would be done, by reason, and write nothing' },
        cancel: { type: 'boolean', description: 'instead: let go of one that was begun' },
        producersStopped: {
          type: 'boolean',
          description: 'go on though records were written into wrong partitions in the last five minutes',
        },
        beyondTombstones: {
          type: 'boolean',
          description: 'those too that a deletion may have followed of which nothing is left',
        },
        ended: endedProperty,
        rate: { type: 'integer', description: 'most bytes that are read and written in a second' },
      },
    },
  })
  @ApiResponse({ status: 200, content: { 'application/x-ndjson': {} } })
  @ApiResponse({ status: 409, description: 'NAMESPACE_FROZEN: by somebody else' })
  async repartition(
    @Param('name') name: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const fields = jsonBody(body);
    const ended = endedPortals(fields);
    const what = (['dryRun', 'cancel'] as const).filter((word) => isTrue(fields, word));
    if (what.length > 1)
      throw new Failure('BAD_REQUEST', 'dryRun writes nothing, and cancel does nothing else: say one');
    const asked: RepartitionRequest = {
      ...{ name, principal: principalOf(request).name, what: what[0] ?? 'bringHome' },
      producersStopped: isTrue(fields, 'producersStopped'),
      beyondTombstones: isTrue(fields, 'beyondTombstones'),
      without: await this.freezes.endedOf(ended),
      rate: natural(fields, 'rate'),
    };
    await sendJsonLines(reply, (signal) => workLines(this.repartitions.run(asked, signal)));
  }
}

function isTrue(fields: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === 'boolean') return value;
  throw new Failure('BAD_REQUEST', `${name} is ${JSON.stringify(value)?.slice(0, 80)}, true or false is needed`);
}
