import type { Portal } from '@levee/client';
import type { CommandOutcome } from '@levee/events';
import type { SubmittedCommand } from '@levee/journal';
import { Failure, failureCode, messageOf } from '@levee/kernel';
import type { CommandDoor } from '@levee/service-kit';

const activeMs = 20_000;
const deletedMs = 10_000;

/** Sends commands through the log and waits for what the master decides. */
export class Commands {
  constructor(
    private readonly door: CommandDoor,
    private readonly portal: Portal,
  ) {}

  /** A rejection is thrown as a Failure with its code. */
  run(command: SubmittedCommand): Promise<CommandOutcome> {
    return this.door.run(command).catch(undecided);
  }

  outcome(id: string): CommandOutcome | undefined {
    return this.portal.view.state.outcome(id);
  }

  /** Resolves when the deletion is finished, or with what is left to do when that takes long. */
  async untilDeleted(name: string): Promise<{ name: string; state: 'deleted' | 'deleting' }> {
    const gone = (): true | undefined => {
      const state = this.portal.view.state.namespace(name)?.state;
      return state === 'deleting' ? undefined : true;
    };
    try {
      await this.portal.view.until(gone, deletedMs, `namespace ${name} being deleted`);
      return { name, state: 'deleted' };
    } catch (error) {
      if (failureCode(error) !== 'DEADLINE') throw error;
      return { name, state: 'deleting' };
    }
  }

  async untilActive(name: string): Promise<void> {
    const { view, store } = this.portal;
    const look = (): true | undefined => {
      const state = view.state.namespace(name)?.state;
      return state !== undefined && state !== 'creating' ? true : undefined;
    };
    await view.until(look, activeMs, `namespace ${name} becoming active`);
    store.refreshNow();
  }
}

/** It is in the log: a master that comes later decides it, which an operator has to know before giving it again. */
function undecided(error: unknown): never {
  if (failureCode(error) !== 'DEADLINE') throw error;
  const more = 'it may still be taken, ask GET /v1/commands/<id>; levee doctor says whether a master serves';
  throw new Failure('DEADLINE', `${messageOf(error)}: ${more}`, { cause: error });
}
