import type { RunnerLogger } from './follow-again';
import { inTime } from './pauses';
import { messageOf } from './put-aside';

/** For so long an application waits at its start until each of its handlers has a first position. */
const beginMsMax = 5_000;

/**
 * Starts them. Resolves once what is written from now on is handled by each, also by another process after this one died;
 * after a while without, as where Levee is away, it says so, and they go on trying.
 */
export async function begun(
  handlers: readonly { start(): Promise<void> }[],
  logger: RunnerLogger,
  withinMs = beginMsMax,
): Promise<void> {
  const all = Promise.all(handlers.map((handler) => handler.start()));
  await inTime('handlers of changes have no first position yet', withinMs, all).catch((error: unknown) =>
    logger.warn(`${messageOf(error)}: what is written before they have one may be handled by nobody`),
  );
}
