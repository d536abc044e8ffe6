const causesMax = 8;

/** An error and what caused it, the outermost first. */
export function* causesOf(error: unknown): Generator<Error> {
  let at = error;
  // By its shape: errors of the file system may be of another realm.
  for (let depth = 0; depth < causesMax && isError(at); depth++) {
    yield at;
    at = at.cause;
  }
}

function isError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'message' in value;
}
