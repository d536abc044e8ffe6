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

/** Rejects with `<what> within <ms> ms` when the work is not over by then, which goes on all the same. */
export async function inTime<T>(what: string, ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

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
