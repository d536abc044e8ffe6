import { constants, createPublicKey, verify, type JsonWebKey, type KeyObject } from 'node:crypto';

const jwtLimits = {
  /** Of a token; no header of HTTP is longer by much. */
  tokenBytesMax: 8_192,
  /** Of a set of keys. */
  keysMax: 100,
  /** By which clocks may differ. */
  leewayMs: 30_000,
  rsaBitsMin: 2_048,
} as const;

/** A key of the provider, and the one algorithm or the family that it is for. */
export interface VerifyingKey {
  readonly kid: string | undefined;
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

interface Algorithm {
  readonly hash: string | null;
  readonly kty: 'RSA' | 'EC' | 'OKP';
  readonly crv?: string;
  readonly isPss?: boolean;
}

/** RFC 7518, section 3, without those that anybody can make who can check them, and without `none`. */
const algorithms: Readonly<Record<string, Algorithm>> = {
  RS256: { hash: 'sha256', kty: 'RSA' },
  RS384: { hash: 'sha384', kty: 'RSA' },
  RS512: { hash: 'sha512', kty: 'RSA' },
  PS256: { hash: 'sha256', kty: 'RSA', isPss: true },
  PS384: { hash: 'sha384', kty: 'RSA', isPss: true },
  PS512: { hash: 'sha512', kty: 'RSA', isPss: true },
  ES256: { hash: 'sha256', kty: 'EC', crv: 'P-256' },
  ES384: { hash: 'sha384', kty: 'EC', crv: 'P-384' },
  ES512: { hash: 'sha512', kty: 'EC', crv: 'P-521' },
  EdDSA: { hash: null, kty: 'OKP', crv: 'Ed25519' },
};

/**
 * The keys of a JSON Web Key Set (RFC 7517) that can check signatures; those that cannot be read, are for encryption, are
 * secrets, or are too short are left out. Fails where it is no such set, or one without any key that is left.
 */
export function verifyingKeys(text: string): VerifyingKey[] {
  const { keys } = JSON.parse(text) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('it has no array "keys": is it a JSON Web Key Set?');
  if (keys.length > jwtLimits.keysMax) throw new Error(`it has ${keys.length} keys, at most ${jwtLimits.keysMax}`);
  const found = keys.flatMap((key: unknown) => verifyingKey(key) ?? []);
  if (found.length === 0)
    throw new Error('none of its keys can check signatures (RSA of 2048 bits or more, EC, Ed25519)');
  return found;
}

function verifyingKey(jwk: unknown): VerifyingKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const { kty, crv, alg, use, kid } = jwk as Readonly<Record<string, unknown>>;
  if (use !== undefined && use !== 'sig') return undefined;
  // [safety] The algorithm is the key's, never the token's own choice.
  const fitting = Object.entries(algorithms)
    .filter(([name, of]) => of.kty === kty && (of.crv === undefined || of.crv === crv) && (alg ?? name) === name)
    .map(([name]) => name);
  if (fitting.length === 0) return undefined;
  try {
    // The parts of a private key are left where they are.
    const { n, e, x, y } = jwk as JsonWebKey;
    const key = createPublicKey({ key: { kty, crv, n, e, x, y } as JsonWebKey, format: 'jwk' });
    const bits = key.asymmetricKeyDetails?.modulusLength;
    if (bits !== undefined && bits < jwtLimits.rsaBitsMin) return undefined;
    return { kid: typeof kid === 'string' ? kid : undefined, algorithms: fitting, key };
  } catch {
    return undefined;
  }
}

export interface ExpectedClaims {
  readonly issuer: string;
  readonly audience: string;
  /** The claim that has the name of the user. */
  readonly userClaim: string;
}

export interface ParsedJwt {
  readonly kid: string | undefined;
  readonly alg: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/** `undefined`: it has not the form of a signed JWT (RFC 7519, RFC 7515 compact). Nothing of it is believed yet. */
export function parseJwt(text: string): ParsedJwt | undefined {
  if (text.length > jwtLimits.tokenBytesMax || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return undefined;
  const [head, body, signature] = text.split('.') as [string, string, string];
  const header = objectIn(head);
  const claims = objectIn(body);
  const alg = header?.['alg'];
  const kid = header?.['kid'];
  // What is critical and not known here must not be passed over (RFC 7515, section 4.1.11).
  if (header === undefined || claims === undefined || typeof alg !== 'string' || 'crit' in header) return undefined;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  const signed = Buffer.from(`${head}.${body}`);
  return { kid, alg, claims, signed, signature: Buffer.from(signature, 'base64url') };
}

/** The key that it must have been signed with; `undefined`: there is none here, or it does not say which of several. */
export function keyOf({ kid, alg }: ParsedJwt, keys: readonly VerifyingKey[]): VerifyingKey | undefined {
  const fitting = keys.filter((key) => key.algorithms.includes(alg) && (kid === undefined || key.kid === kid));
  return fitting.length === 1 ? fitting[0] : undefined;
}

export function isSignedBy({ alg, signed, signature }: ParsedJwt, { key, algorithms: own }: VerifyingKey): boolean {
  const algorithm = algorithms[alg];
  if (algorithm === undefined || !own.includes(alg)) return false;
  const { hash, kty, isPss } = algorithm;
  const ec = kty === 'EC' ? { dsaEncoding: 'ieee-p1363' as const } : {};
  const pss =
    isPss === true ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {};
  return verify(hash, signed, { key, ...ec, ...pss }, signature);
}

/** Who it is for, and until when; `undefined`: it is not for us, not now, or for nobody. */
export function userOf(
  { claims }: ParsedJwt,
  { issuer, audience, userClaim }: ExpectedClaims,
  nowMs: number,
): { readonly user: string; readonly untilMs: number } | undefined {
  const { iss, aud, exp, nbf, iat } = claims;
  const user = claims[userClaim];
  const { leewayMs } = jwtLimits;
  if (iss !== issuer || ![aud].flat().includes(audience)) return undefined;
  if (typeof exp !== 'number' || !Number.isFinite(exp) || exp * 1000 + leewayMs <= nowMs) return undefined;
  for (const since of [nbf, iat])
    if (since !== undefined && (typeof since !== 'number' || since * 1000 - leewayMs > nowMs)) return undefined;
  if (typeof user !== 'string' || user === '') return undefined;
  return { user, untilMs: exp * 1000 + leewayMs };
}

function objectIn(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
