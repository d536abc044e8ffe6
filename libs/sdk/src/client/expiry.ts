import type { PutOptions } from '../api';

/** When a value is over. A time to live is counted by who takes the write, by its clock: the one of this process may be wrong. */
export type Expiry =
  | { readonly ttlMs: number; readonly expiresAtMs?: undefined }
  | { readonly expiresAtMs: number; readonly ttlMs?: undefined };

/** In whole ms; undefined = never. */
export function expiryOf({ ttlMs, expiresAt }: PutOptions): Expiry | undefined {
  if (ttlMs === undefined && expiresAt === undefined) return undefined;
  if (ttlMs !== undefined && expiresAt !== undefined) throw new RangeError('give ttlMs or expiresAt, not both');
  if (ttlMs !== undefined && !(ttlMs > 0)) throw new RangeError(`ttlMs is ${ttlMs}: it must be above 0`);
  const ms = Math.ceil(ttlMs ?? Number(expiresAt));
  if (ttlMs !== undefined && !(ms <= ttlMsMax)) throw new RangeError(`ttlMs is ${ttlMs}: at most ${ttlMsMax}`);
  if (!Number.isSafeInteger(ms) || ms <= 0)
    throw new RangeError(`expiresAt gives ${ms} ms since 1970, which is no time`);
  return ttlMs === undefined ? { expiresAtMs: ms } : { ttlMs: ms };
}

/** Added to any time of this age it is still a time: some 140,000 years. */
const ttlMsMax = 2 ** 52;
