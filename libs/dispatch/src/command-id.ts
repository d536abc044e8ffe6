import { createHash } from 'node:crypto';

/** For so long the same proposal is the same command; afterwards it may be tried again, things may have changed. */
export const proposalRetryMs = 60_000;

/**
 * A UUID (version 8: from a hash) that every dispatcher gives the same proposal within the same minute, so that the
 * master decides it once.
 */
export function proposalId(key: string, nowMs: number): string {
  const hash = createHash('sha256')
    .update(`${key}/${Math.floor(nowMs / proposalRetryMs)}`)
    .digest('hex');
  const variant = ((parseInt(hash[16] as string, 16) & 0x3) | 0x8).toString(16);
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    variant + hash.slice(17, 20),
    hash.slice(20, 32),
  ].join('-');
}
