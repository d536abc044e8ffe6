/**
 * What a failure says of a write: `definite`: it did not happen and never will; `indefinite`: nobody knows, and it may
 * still appear; `pending`: it is in the log, and not yet applied everywhere where its ack asks for. Reads are definite.
 */
export type FailureKind = 'definite' | 'indefinite' | 'pending';

/** `code`: as in docs/errors.md, or one of this client: CLIENT_CLOSED, CLIENT_LIMIT, DEADLINE, ABORTED, NO_PORTAL. */
export abstract class LeveeError extends Error {
  abstract readonly kind: FailureKind;

  constructor(
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Nothing happened. It may be tried again. */
export class DefiniteError extends LeveeError {
  readonly kind = 'definite';
}

/** A limit of the client, the portal or the namespace; the message names the value, the limit and the mend. */
export class LimitError extends DefiniteError {}

/** Nobody who could answer did so in time. Later it may be otherwise. */
export class UnavailableError extends DefiniteError {}

/** Who this is, or what it may do, is not enough. */
export class DeniedError extends DefiniteError {}

/** There is no such namespace, or it cannot be used so. */
export class NamespaceError extends DefiniteError {}

/** A value cannot be turned into bytes, or bytes are no such value. */
export class CodecError extends DefiniteError {}

/** The last record of the key, behind which `position` is, cannot be interpreted. The next write heals it. */
export class UnreadableError extends DefiniteError {
  constructor(
    code: string,
    message: string,
    readonly position: string | undefined,
  ) {
    super(code, message);
  }
}

/** A session token, or what this client has seen, is of another log than the namespace has now. */
export class SessionError extends DefiniteError {}

/** Not every change since a watch's position can be told any more: read the keys anew, and watch from now on. */
export class HistoryError extends DefiniteError {}

/** The write may have happened, or may still happen. Read before you repeat it. */
export class IndefiniteError extends LeveeError {
  readonly kind = 'indefinite';
}

/** The write is in the log and will be applied: do not repeat it. */
export class PendingError extends LeveeError {
  readonly kind = 'pending';

  constructor(
    code: string,
    message: string,
    readonly position: string | undefined,
  ) {
    super(code, message);
  }
}

/** Some of many writes failed, each in its way. */
export class PartialError extends LeveeError {
  /** The worst one: indefinite, then pending, then definite. */
  readonly kind: FailureKind;

  constructor(
    /** By the place in what was given. */
    readonly failures: ReadonlyMap<number, LeveeError>,
    /** Writes that happened. */
    readonly written: number,
  ) {
    const [first] = failures.values();
    super('LVPARTIAL', `${failures.size} of ${failures.size + written} writes failed; the first: ${first?.message}`, {
      cause: first,
    });
    const kinds = new Set([...failures.values()].map(({ kind }) => kind));
    this.kind = (['indefinite', 'pending'] as const).find((kind) => kinds.has(kind)) ?? 'definite';
  }
}
