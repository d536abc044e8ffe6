import { randomInt } from 'node:crypto';

const pauseMsMost = 10_000;

/** Before attempt `attempt + 1`: drawn from 0 to `pauseMs`, doubled with each attempt. Ends at once when the signal is aborted. */
export function pauseBefore(attempt: number, pauseMs: number, signal: AbortSignal): Promise<void> {
  const ms = randomInt(1 + Math.min(pauseMsMost, pauseMs * 2 ** Math.min(attempt, 16)));
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

export const endOf = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

/** Again and again until it succeeds. False: the signal was aborted before. */
export async function untilDone(
  work: () => Promise<void>,
  of: { readonly failed: (error: unknown) => void; readonly pauseMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  for (let attempt = 0; !of.signal.aborted; attempt++) {
    try {
      await work();
      return true;
    } catch (error) {
      of.failed(error);
      await pauseBefore(attempt, of.pauseMs, of.signal);
    }
  }
  return false;
}
