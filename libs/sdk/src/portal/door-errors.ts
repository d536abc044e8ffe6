import {
  DefiniteError,
  DeniedError,
  HistoryError,
  IndefiniteError,
  type LeveeError,
  LimitError,
  NamespaceError,
  PendingError,
  SessionError,
  UnavailableError,
  UnreadableError,
} from '../errors';

type Make = (code: string, message: string) => LeveeError;
const limit: Make = (code, message) => new LimitError(code, message);
const unavailable: Make = (code, message) => new UnavailableError(code, message);
const denied: Make = (code, message) => new DeniedError(code, message);
const namespace: Make = (code, message) => new NamespaceError(code, message);
const definite: Make = (code, message) => new DefiniteError(code, message);

/** What a portal's errors are here; see docs/errors.md. */
const kinds: Readonly<Record<string, Make>> = {
  LVDEFINITE: definite,
  LVINDEFINITE: (code, message) => new IndefiniteError(code, message),
  LVPENDING: (code, message) => new PendingError(code, message, positionIn(message)),
  LVUNREADABLE: (code, message) => new UnreadableError(code, message, positionIn(message)),
  LVLIMIT: limit,
  LVFULL: limit,
  LVUNAVAILABLE: unavailable,
  LVBEHIND: unavailable,
  LVSTALE: unavailable,
  LVNOTREADY: unavailable,
  LVSTOPPING: unavailable,
  LVSTOPPED: unavailable,
  LVFROZEN: unavailable,
  LVSOURCE: unavailable,
  LVNAMESPACE: namespace,
  LVANEW: namespace,
  LVREADONLY: namespace,
  LVUNSUPPORTED: namespace,
  LVHISTORY: (code, message) => new HistoryError(code, message),
  LVRESERVED: definite,
  LVREQUEST: definite,
  LVCURSOR: definite,
  LVVERSION: definite,
  LVSESSION: (code, message) => new SessionError(code, message),
  NOPERM: denied,
  NOAUTH: denied,
  WRONGPASS: denied,
  ERR: definite,
};

/** Nothing happened, and another portal, or the same one a moment later, may do better. */
export const passing: ReadonlySet<string> = new Set([
  'LVDEFINITE',
  'LVUNAVAILABLE',
  'LVBEHIND',
  'LVSTALE',
  'LVNOTREADY',
  'LVSTOPPING',
  'LVANEW',
]);

/**
 * [safety] What a portal says of a write itself. Asked once more for one whose answer was lost, it says anything else before it
 * looks whether it knows the write: that is of the question.
 */
export const outcomes: ReadonlySet<string> = new Set([
  'LVDEFINITE',
  'LVINDEFINITE',
  'LVPENDING',
  'LVUNAVAILABLE',
  'LVSTOPPING',
  'LVFULL',
  'LVSTOPPED',
  'LVFROZEN',
  'LVREADONLY',
  'LVSOURCE',
]);

/** `text` begins with the code. A code that is not known here proves nothing about a write. */
export function doorError(text: string, isWrite: boolean): LeveeError {
  const space = text.indexOf(' ');
  const code = space < 0 ? text : text.slice(0, space);
  const message = space < 0 ? text : text.slice(space + 1);
  const make = kinds[code];
  if (make) return make(code, message);
  return isWrite ? new IndefiniteError(code, message) : new DefiniteError(code, message);
}

const positionIn = (message: string): string | undefined => /(?:^|\s)(\d+:\d+)\b/.exec(message)?.[1];
