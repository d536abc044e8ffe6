/** Our own mistake, never the caller's and never the world's: the state is not what the code relies on. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** Throws {@link InvariantViolation}; begin the message with the number of the invariant (`I9: …`) where it has one. */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantViolation(typeof message === 'string' ? message : message());
}

/** The `default` of an exhaustive switch: the compiler rejects it while a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`a value outside its type: ${JSON.stringify(value)}`);
}

/** `value` without `undefined`, for an index that the surrounding code has proved. */
export function defined<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new InvariantViolation(`missing: ${what}`);
  return value;
}
