const causesMax = 8;

/** An error and what caused it, the outermost first. */
export function* causesOf(error: unknown): Generator<Error> {
  let at = error;
  for (let depth = 0; depth < causesMax && at instanceof Error; depth++) {
    yield at;
    at = at.cause;
  }
}
