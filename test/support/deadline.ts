/** A look costs two processes some milliseconds: who has waited for long looks less often, down to once in so many ms. */
const seldom = { factor: 1.1, everyMs: 80 } as const;

/**
 * Waits until `condition` gives a value that is not false or undefined; fails with `what` after `deadlineMs`. It looks
 * again after `everyMs`, and less often later.
 */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = 15_000,
  everyMs = 20,
): Promise<NonNullable<T>> {
  const until = Date.now() + deadlineMs;
  let last: unknown;
  const seldomMs = Math.max(everyMs, seldom.everyMs);
  for (let pauseMs = everyMs; ; pauseMs = Math.min(pauseMs * seldom.factor, seldomMs)) {
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
      last = value;
    } catch (error) {
      last = error instanceof Error ? error.message : error;
    }
    if (Date.now() > until) throw new Error(`not within ${deadlineMs} ms: ${what}; last: ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Fails with `what` when `work` takes longer than `deadlineMs`. */
export async function within<T>(what: string, deadlineMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
