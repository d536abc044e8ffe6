import { Body, Controller, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { CommandOutcome } from '@levee/events';
import { Failure } from '@levee/kernel';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CommandDoor, shownOutcome } from './command-door';
import { principalOf } from './http-access';
import { jsonBody } from './json-body';

const commandBody = z.strictObject({
  kind: z.string().min(1).max(80),
  payload: z.record(z.string(), z.unknown()).default({}),
  id: z.uuid().optional(),
});

/** Commands to the control plane, at every process that takes them: from here they go into the log. */
@ApiTags('commands')
@Controller('v1/commands')
export class CommandsController {
  constructor(private readonly door: CommandDoor) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Submits a command; answers once it is decided. The same id again is the same command' })
  @ApiBody({
    schema: {
      type: 'object',
      required: ['kind'],
      properties: { kind: { type: 'string' }, payload: { type: 'object' }, id: { type: 'string', format: 'uuid' } },
    },
  })
  async submit(@Body() body: unknown, @Req() request: FastifyRequest): Promise<CommandOutcome> {
    const parsed = commandBody.safeParse(jsonBody(body));
    if (!parsed.success) throw new Failure('BAD_REQUEST', `the command is malformed: ${z.prettifyError(parsed.error)}`);
    const { id, kind, payload } = parsed.data;
    return this.door.run({ kind, payload, principal: principalOf(request).name, ...(id === undefined ? {} : { id }) });
  }

  @Get(':id')
  @ApiOperation({ summary: 'What became of a command of the last 24 h' })
  outcome(@Param('id') id: string): CommandOutcome {
    const outcome = this.door.outcome(id);
    if (outcome !== undefined) return shownOutcome(outcome);
    throw new Failure('NOT_FOUND', `command ${id.slice(0, 80)} was not decided in the last 24 h, or not yet`);
  }
}
