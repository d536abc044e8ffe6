import { z } from 'zod';

/** One environment variable: how it is read, what it means, and who reads it. */
export interface Setting<T> {
  /** Turns the text of the environment into the value; its messages name what is allowed. */
  readonly schema: z.ZodType<T, string>;
  /** As it would be written into the environment; `undefined`: not set, and the value is `undefined`. */
  readonly default: string | undefined;
  /** What is allowed, for `levee config` and for errors. */
  readonly allowed: string;
  readonly meaning: string;
  readonly apps: readonly AppName[];
  /** Its value is never printed. */
  readonly secret?: boolean;
}

export type AppName = 'master' | 'data-node' | 'portal' | 'dispatcher' | 'standalone' | 'cli';

type Described<T> = { readonly schema: z.ZodType<T, string>; readonly allowed: string };

const described = <T>(allowed: string, parse: (text: string) => T | undefined): Described<T> => ({
  allowed,
  schema: z.string().transform((text, context): T => {
    const value = parse(text.trim());
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${allowed}` });
    return z.NEVER;
  }),
});

export const text = (allowed: string, pattern = /^[\s\S]+$/): Described<string> =>
  described(allowed, (value) => (pattern.test(value) ? value : undefined));

export const httpUrl = (allowed: string): Described<string> =>
  described(allowed, (value) => (/^https?:\/\/\S+$/.test(value) && URL.canParse(value) ? value : undefined));

export const oneOf = <const T extends string>(words: readonly T[]): Described<T> =>
  described(`one of ${words.join(', ')}`, (value) => words.find((word) => word === value));

export const flag = (): Described<boolean> =>
  described('true or false', (value) =>
    /^(true|1|yes)$/i.test(value) ? true : /^(false|0|no)$/i.test(value) ? false : undefined,
  );

export const integer = (limits: { readonly min: number; readonly max: number }): Described<number> =>
  described(`a whole number from ${limits.min} to ${limits.max}`, (value) => {
    const number = Number(value);
    if (!/^-?[0-9]+$/.test(value) || !Number.isSafeInteger(number)) return undefined;
    return number >= limits.min && number <= limits.max ? number : undefined;
  });

/** A TCP port; 0 lets the system choose a free one. */
export const port = (): Described<number> => integer({ min: 0, max: 65_535 });

/** Items separated by commas, of which each is taken or not. */
export const list = (allowed: string, isTaken: (item: string) => boolean): Described<readonly string[]> =>
  described(allowed, (value) => {
    const items = value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    return items.length > 0 && items.every(isTaken) ? Object.freeze(items) : undefined;
  });

const durationUnitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `300ms`, `1.5s`, `20m`, `12h`, `7d` as milliseconds. */
const millisecondsOf = (value: string): number | undefined => {
  const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(value);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * durationUnitMs[match[2] as keyof typeof durationUnitMs]);
};

/** A duration; the limits are written as durations too. */
export const duration = (limits: { readonly min: string; readonly max: string }): Described<number> => {
  const [min, max] = [millisecondsOf(limits.min) ?? NaN, millisecondsOf(limits.max) ?? NaN];
  const allowed = `a duration such as 300ms, 1.5s, 20m, 12h or 7d, from ${limits.min} to ${limits.max}`;
  return described(allowed, (value) => {
    const ms = millisecondsOf(value);
    return ms !== undefined && ms >= min && ms <= max ? ms : undefined;
  });
};

const byteUnit = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

const bytesOf = (value: string): number | undefined => {
  const match = /^([0-9]+(?:\.[0-9]+)?)(B|KiB|MiB|GiB|TiB)$/.exec(value);
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * byteUnit[match[2] as keyof typeof byteUnit]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
};

/** `64KiB`, `256MiB`, `2GiB` as bytes; the limits are written as sizes too. */
export const byteSize = (limits?: { readonly min: string; readonly max: string }): Described<number> => {
  const example = 'a size such as 64KiB, 256MiB or 2GiB';
  if (limits === undefined) return described(example, bytesOf);
  const [min, max] = [bytesOf(limits.min) ?? NaN, bytesOf(limits.max) ?? NaN];
  return described(`${example}, from ${limits.min} to ${limits.max}`, (value) => {
    const bytes = bytesOf(value);
    return bytes !== undefined && bytes >= min && bytes <= max ? bytes : undefined;
  });
};
