import { HistoryError } from '@levee/sdk';
import { pauseBefore } from './pauses';
import { messageOf } from './put-aside';

export interface RunnerLogger {
  warn(message: string): void;
  error(message: string): void;
}

interface Following {
  readonly name: string;
  /** Follows until the watch ends, or fails; calls `began` once there is one. */
  readonly follow: (began: () => void) => Promise<void>;
  /** What is followed, in words. */
  readonly what: string;
  /** What the kept position belongs to is gone. */
  readonly lost: () => Promise<void> | void;
  readonly pauseMs: number;
  readonly signal: AbortSignal;
  readonly logger: RunnerLogger;
}

/** Follows again after each failure, until the signal is aborted. */
export async function followAgain(of: Following): Promise<void> {
  const { name, what, pauseMs, signal, logger } = of;
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      await of.follow(() => (failures = 0));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof HistoryError) {
        logger.error(
          `${name}: changes are lost that happened while nobody handled them: ${error.message}. ` +
            'It goes on with the newest change of every key',
        );
        await of.lost();
      } else logger.warn(`${name}: ${what} cannot be followed, it is tried again: ${messageOf(error)}`);
      await pauseBefore(failures, pauseMs, signal);
    }
  }
}
