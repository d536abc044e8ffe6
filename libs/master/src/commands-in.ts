import { decodeAs } from '@levee/codec';
import { messageOf, type Logger } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import type { PendingCommand } from './decision-batch';

/**
 * The commands among records of `levee.commands`. What is none is logged and left out: it blocks nobody (I17), and
 * whoever wrote it has no id to ask for.
 */
export function commandsIn(records: readonly StoredRecord[], logger: Logger): PendingCommand[] {
  return records.flatMap(({ offset, value }): PendingCommand[] => {
    try {
      if (value === null) throw new Error('a tombstone');
      return [{ offset, command: decodeAs('Command', value) }];
    } catch (error) {
      logger.warn({ offset, reason: messageOf(error) }, 'a record among the commands is no command');
      return [];
    }
  });
}
