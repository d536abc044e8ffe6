import type { ControlTopics } from '@levee/journal';
import { asPartition, Failure, type Logger } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';

const commandsEndLimits = {
  /** More lost commands than this are not for a master to fill up by itself. */
  fillMax: 1_000_000,
  appendRecordsMax: 1_000,
} as const;

/**
 * Sees to it that the next command gets an offset behind the last one decided: a topic of commands that lost its end
 * would give offsets twice, and what is submitted under an old one is taken for decided. What fills the gap is no
 * command. Fails with COMMANDS_SHORT when too much is gone, and as `Log.append` does.
 */
export async function fillCommands(
  log: Log,
  topics: Pick<ControlTopics, 'commands'>,
  options: { readonly commandsOffset: number; readonly logger: Logger },
): Promise<void> {
  const { commandsOffset, logger } = options;
  const partition = asPartition(0);
  const { endOffset = 0 } = (await log.offsets(topics.commands))[0] ?? {};
  let missing = commandsOffset + 1 - endOffset;
  if (missing <= 0) return;
  if (missing > commandsEndLimits.fillMax)
    throw new Failure(
      'COMMANDS_SHORT',
      `${topics.commands} ends at offset ${endOffset} and the command at ${commandsOffset} was decided: ${missing} records ` +
        `are gone, more than the ${commandsEndLimits.fillMax} that are filled up. Restore it from a backup`,
    );
  logger.error(
    { endOffset, commandsOffset },
    'the topic of commands has lost its end: it is filled up to the last one decided',
  );
  const nothing: LogRecord = { key: Buffer.from('lost'), value: null };
  while (missing > 0) {
    const count = Math.min(missing, commandsEndLimits.appendRecordsMax);
    await log.append(topics.commands, partition, Array<LogRecord>(count).fill(nothing));
    missing -= count;
  }
}
