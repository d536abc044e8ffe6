import type { PutOptions } from '../api';

/** Ms since 1970; undefined = never. */
export function expiryOf({ ttlMs, expiresAt }: PutOptions, nowMs: number): number | undefined {
  if (ttlMs === undefined && expiresAt === undefined) return undefined;
  if (ttlMs !== undefined && expiresAt !== undefined) throw new RangeError('give ttlMs or expiresAt, not both');
  if (ttlMs !== undefined && !(ttlMs > 0)) throw new RangeError(`ttlMs is ${ttlMs}: it must be above 0`);
  const at = ttlMs !== undefined ? nowMs + ttlMs : Number(expiresAt);
  const ms = Math.ceil(at);
  if (!Number.isSafeInteger(ms) || ms <= 0)
    throw new RangeError(`${ttlMs === undefined ? 'expiresAt' : 'ttlMs'} gives ${at} ms since 1970, which is no time`);
  return ms;
}
