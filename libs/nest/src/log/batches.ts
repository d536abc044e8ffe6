import type { Change, Watch } from '@levee/sdk';

/** A change, and the token behind it. */
export interface Taken {
  readonly change: Change<Buffer>;
  readonly token: string;
}

/** What is there at once, in the order in which it came, at most so many; waits for the first one. Ends as the watch does. */
export async function* batchesOf(
  watch: Watch<Buffer>,
  most: number,
): AsyncGenerator<readonly Taken[], void, undefined> {
  let next = asked(watch);
  for (;;) {
    const first = await next;
    if (first.done === true) return;
    const batch: Taken[] = [{ change: first.value, token: watch.token }];
    // The token is taken before the next change is asked for: it moves with what is given.
    next = asked(watch);
    while (batch.length < most) {
      const more = await Promise.race([next, nothingAtOnce()]);
      if (more === undefined || more.done === true) break;
      batch.push({ change: more.value, token: watch.token });
      next = asked(watch);
    }
    yield batch;
  }
}

/** It may fail while a batch is handled, before anybody waits for it. */
function asked(watch: Watch<Buffer>): Promise<IteratorResult<Change<Buffer>, unknown>> {
  const next = watch.next();
  next.catch(() => undefined);
  return next;
}

const nothingAtOnce = (): Promise<undefined> => new Promise((resolve) => setImmediate(() => resolve(undefined)));
