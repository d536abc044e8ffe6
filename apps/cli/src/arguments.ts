import { InvalidArgumentError } from 'commander';

/** Turns arguments into values; commander prints the message and the program ends with the usage code. */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError('a whole number is needed.');
  return number;
}

export function positiveNumber(text: string): number {
  const number = wholeNumber(text);
  if (number === 0) throw new InvalidArgumentError('a number from 1 is needed.');
  return number;
}

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `300ms`, `1.5s`, `20m`, `12h`, `7d` as milliseconds. */
export function durationMs(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text);
  const ms = match ? Math.round(Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs]) : 0;
  if (ms <= 0 || !Number.isSafeInteger(ms))
    throw new InvalidArgumentError('a duration such as 300ms, 1.5s, 20m, 12h or 7d is needed.');
  return ms;
}

/** Node takes a longer wait for none. */
const waitMsMax = 24 * unitsMs.d;

/** A duration that is waited for. */
export function waitMs(text: string): number {
  const ms = durationMs(text);
  if (ms > waitMsMax) throw new InvalidArgumentError('at most 24d can be waited for.');
  return ms;
}

const sizes = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

/** `64KiB`, `256MiB`, `2GiB` as bytes. */
export function byteSize(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)(B|KiB|MiB|GiB|TiB)$/.exec(text);
  const bytes = match ? Math.round(Number(match[1]) * sizes[match[2] as keyof typeof sizes]) : 0;
  if (bytes <= 0 || !Number.isSafeInteger(bytes))
    throw new InvalidArgumentError('a size such as 64KiB, 256MiB or 2GiB is needed.');
  return bytes;
}

export type KeyEncoding = 'utf8' | 'hex' | 'base64';
export const keyEncodings: readonly KeyEncoding[] = ['utf8', 'hex', 'base64'];

/** The bytes of a key argument; `undefined` when it is not of that encoding. */
export function keyBytes(text: string, encoding: KeyEncoding): Buffer | undefined {
  const bytes = Buffer.from(text, encoding);
  if (encoding === 'hex' && bytes.length * 2 !== text.length) return undefined;
  if (encoding === 'base64' && bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    return undefined;
  return bytes;
}

/** Percent-encodes every byte that could mean anything in a path; a `.` too, so that `..` stays a key. */
export function percentEncode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    text += /[A-Za-z0-9_~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/** A time such as `2026-03-01T12:00:00Z`, in ms since 1970; `undefined` = it is none, or has no zone. */
export function timeWithZone(text: string): number | undefined {
  const zoned = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$/.test(text);
  const timeMs = zoned ? Date.parse(text) : NaN;
  return Number.isFinite(timeMs) ? timeMs : undefined;
}

export function zonedTimeMs(text: string): number {
  const timeMs = timeWithZone(text);
  if (timeMs === undefined)
    throw new InvalidArgumentError('a time with its zone such as 2026-03-01T12:00:00Z is needed.');
  return timeMs;
}

/** A time, the number of a decision, or `now`: what the journal ends with. */
export type MomentArgument = { readonly timeMs: number } | { readonly seq: number } | { readonly newest: true };

export function momentArgument(text: string): MomentArgument {
  if (text === 'now') return { newest: true };
  if (/^[0-9]{1,15}$/.test(text)) return { seq: positiveNumber(text) };
  const timeMs = timeWithZone(text);
  if (timeMs === undefined)
    throw new InvalidArgumentError(
      'a time with its zone such as 2026-03-01T12:00:00Z, the number of a decision such as 17, or now is needed.',
    );
  return { timeMs };
}
