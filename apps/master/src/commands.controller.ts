import { Body, Controller, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { CommandOutcome } from '@levee/events';
import { Failure, type Logger } from '@levee/kernel';
import { commandsIn, Master } from '@levee/journal';
import type { StoredRecord } from '@levee/log';
import { CommandDoor, commandsPattern, LogContext } from '@levee/service-kit';

const commandBody = z.strictObject({
  kind: z.string().min(1).max(80),
  payload: z.record(z.string(), z.unknown()).default({}),
  id: z.uuid().optional(),
});

/** The logger as something that can be injected by type. */
export class CommandsLogger {
  constructor(readonly logger: Logger) {}
}

/** Commands come in at the log, and for people at HTTP, from where they go into the log. */
@Controller('v1/commands')
export class CommandsController {
  constructor(
    private readonly master: Master,
    private readonly door: CommandDoor,
    private readonly logger: CommandsLogger,
  ) {}

  /** A batch of `levee.commands`; done when each of them is decided, by this master or another. */
  @EventPattern(commandsPattern)
  async decide(@Payload() records: readonly StoredRecord[], @Ctx() _context: LogContext): Promise<void> {
    await this.master.decide(commandsIn(records, this.logger.logger));
  }

  /** Answers once the command is decided; a rejection is an error with its code. */
  @Post()
  @HttpCode(200)
  async submit(@Body() body: unknown, @Req() request: FastifyRequest): Promise<CommandOutcome> {
    const parsed = commandBody.safeParse(body ?? {});
    if (!parsed.success) throw new Failure('BAD_REQUEST', `the command is malformed: ${z.prettifyError(parsed.error)}`);
    const { id, kind, payload } = parsed.data;
    return this.door.run({ kind, payload, principal: `http ${request.ip}`, ...(id === undefined ? {} : { id }) });
  }

  @Get(':id')
  outcome(@Param('id') id: string): CommandOutcome {
    const outcome = this.master.view.state.outcome(id);
    if (outcome !== undefined) return outcome;
    throw new Failure('NOT_FOUND', `command ${id.slice(0, 80)} was not decided in the last 24 h, or not yet`);
  }
}
