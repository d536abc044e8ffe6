import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { Logger } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { commandsIn, Master } from '@levee/master';
import { commandsPattern, LogContext } from '@levee/service-kit';

/** The logger as something that can be injected by type. */
export class CommandsLogger {
  constructor(readonly logger: Logger) {}
}

/** Commands come in at the log. */
@Controller()
export class DecisionsController {
  constructor(
    private readonly master: Master,
    private readonly logger: CommandsLogger,
  ) {}

  /** A batch of `levee.commands`; done when each of them is decided, by this master or another. */
  @EventPattern(commandsPattern)
  async decide(@Payload() records: readonly StoredRecord[], @Ctx() _context: LogContext): Promise<void> {
    await this.master.decide(commandsIn(records, this.logger.logger));
  }
}
