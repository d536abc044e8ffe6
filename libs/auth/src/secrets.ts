import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { UserToken } from '@levee/events';
import { ScryptThread } from './scrypt-thread';

export const secretLimits = {
  /** Of what a client sends, its name included; nothing longer is hashed. */
  secretBytesMax: 1_024,
  /** Of a new password, in characters. */
  passwordMin: 8,
  /** 2^15 rounds: 32 MiB and about a tenth of a second of one core. */
  costLog2: 15,
} as const;

/** One for all doors of the process. */
const thread = new ScryptThread();

/** Costs a tenth of a second of a core, in a thread of its own. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await thread.hash({ password, salt, costLog2: secretLimits.costLog2 });
  return `scrypt$${secretLimits.costLog2}$8$1$${salt.toString('base64')}$${hash.toString('base64')}`;
}

/** Whether `password` is the one that `passwordHash` was made of; costs as much as making it. */
export async function isPasswordOf(passwordHash: string, password: string): Promise<boolean> {
  const [, cost, , , salt, hash] = passwordHash.split('$');
  if (cost === undefined || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, 'base64');
  const given = await thread.hash({ password, salt: Buffer.from(salt, 'base64'), costLog2: Number(cost) });
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** A token in its parts. The secret is never kept: `sha256` of the whole is. */
export interface ParsedToken {
  readonly user: string;
  readonly tokenId: string;
  readonly sha256: string;
}

const tokenMark = 'lvt1.';

/** A new token of `user`: 256 random bits. What is shown once, and what is kept of it. */
export function newToken(user: string): {
  readonly token: string;
  readonly kept: Pick<UserToken, 'tokenId' | 'sha256'>;
} {
  const tokenId = randomBytes(6).toString('base64url');
  const token = `${tokenMark}${user}.${tokenId}.${randomBytes(32).toString('base64url')}`;
  return { token, kept: { tokenId, sha256: sha256Of(token) } };
}

/** What is kept of a token that `user` has already; `undefined`: it is no token of that user. */
export function tokenOf(user: string, text: string): Pick<UserToken, 'tokenId' | 'sha256'> | undefined {
  const parsed = parseToken(text);
  return parsed?.user === user ? { tokenId: parsed.tokenId, sha256: parsed.sha256 } : undefined;
}

/** `undefined`: it has not the form of a token. Whether somebody has it is another question. */
export function parseToken(text: string): ParsedToken | undefined {
  const match = /^lvt1\.([A-Za-z0-9][A-Za-z0-9._-]{0,62})\.([A-Za-z0-9_-]{8})\.[A-Za-z0-9_-]{43}$/.exec(text);
  if (match === null) return undefined;
  return { user: match[1] as string, tokenId: match[2] as string, sha256: sha256Of(text) };
}

export function isSameHash(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
