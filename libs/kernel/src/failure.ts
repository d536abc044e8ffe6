/**
 * The world went wrong (disk, network, broker, another process): thrown, with a stable `code`.
 * Codes are API; messages are for people: they name the value, the limit and the mend.
 * A rejection (a value the caller can act upon) and an InvariantViolation (our own mistake) are other kinds.
 */
export class Failure<Code extends string = string> extends Error {
  override readonly name: string = 'Failure';

  constructor(
    readonly code: Code,
    message: string,
    options: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.details = options.details ?? {};
  }

  readonly details: Readonly<Record<string, unknown>>;
}

/** The code of a {@link Failure}, else `undefined`. */
export function failureCode(error: unknown): string | undefined {
  return error instanceof Failure ? error.code : undefined;
}

/** A short text for logs and for `cause` lines shown to people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
