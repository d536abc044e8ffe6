import { systemTimers } from '@levee/log';

/** Whatever does not end by itself when it is interrupted, such as a write that nobody reads, ends with the process. */
const graceMs = 2_000;

/** Aborted by the first SIGINT or SIGTERM; the second ends the process at once. */
export function interruption(): AbortSignal {
  const interrupted = new AbortController();
  const interrupt = (): void => {
    if (interrupted.signal.aborted) process.exit(1);
    interrupted.abort();
    systemTimers.after(graceMs, () => process.exit(1));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return interrupted.signal;
}
