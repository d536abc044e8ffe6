/** Below the limit of operations of a client, so that it does not fail by itself. */
export const atOnceMax = 1_000;

/** Begins each of many, so many at a time; results in their order. Rejects with the first failure, and begins no more. */
export async function inWindows<T, R>(all: readonly T[], begin: (one: T, i: number) => Promise<R>): Promise<R[]> {
  if (all.length <= atOnceMax) return Promise.all(all.map(begin));
  const results = new Array<R>(all.length);
  let next = 0;
  let failed = false;
  const line = async (): Promise<void> => {
    while (next < all.length && !failed) {
      const i = next++;
      try {
        results[i] = await begin(all[i] as T, i);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnceMax }, line));
  return results;
}
