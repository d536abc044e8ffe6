import { failureCode, type Logger, type Partition, type Pause } from '@levee/kernel';
import type { Appended, FencedWriter, Log, LogRecord } from '@levee/log';

const appendRetryMs = 100;

/**
 * Appends again after LOG_UNAVAILABLE, which says that nothing was written, until `pause` is stopped. Every other
 * failure is thrown: after OUTCOME_UNKNOWN or FENCED the caller has to give up its claim.
 */
export async function appendPatiently(
  writer: Pick<FencedWriter, 'append'> | Pick<Log, 'append'>,
  target: { readonly topic: string; readonly partition: Partition },
  options: { readonly records: readonly LogRecord[]; readonly pause: Pause; readonly logger: Logger },
): Promise<Appended> {
  for (;;) {
    try {
      return await writer.append(target.topic, target.partition, options.records);
    } catch (error) {
      if (failureCode(error) !== 'LOG_UNAVAILABLE' || options.pause.signal.aborted) throw error;
      options.logger.warn({ error, topic: target.topic }, 'the log cannot be written now; trying again');
      await options.pause.for(appendRetryMs);
    }
  }
}
