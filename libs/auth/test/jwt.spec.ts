import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { ClusterState } from '@levee/cluster';
import type { UserState } from '@levee/events';
import { Failure, silentLogger } from '@levee/kernel';
import { Authenticator, JwtVerifier, KeySet, newToken, verifyingKeys } from '../src';

const nowMs = 1_800_000_000_000;
const time = { ms: 0 };
const clock = { nowMs: () => nowMs + time.ms, monotonicMs: () => time.ms };
const timers = { after: (_ms: number, run: () => void) => (setImmediate(run), () => undefined) };
const seconds = nowMs / 1000;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

const jwk = (key: KeyObject, more: object = {}): object => ({ ...key.export({ format: 'jwk' }), ...more });
const set = (...keys: object[]): string => JSON.stringify({ keys });
const keys = set(
  jwk(rsa.publicKey, { kid: 'rsa', use: 'sig' }),
  jwk(ec.publicKey, { kid: 'ec', alg: 'ES256' }),
  jwk(ed.publicKey, { kid: 'ed' }),
  { kty: 'oct', kid: 'secret', k: 'c2VjcmV0' },
);

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const good = { iss: 'https://id.example', aud: 'levee', sub: 'ann', exp: seconds + 60, iat: seconds - 1 };

function jwt(
  claims: object = good,
  header: object = { alg: 'RS256', kid: 'rsa' },
  signer: (text: Buffer) => Buffer = (text) => sign('sha256', text, rsa.privateKey),
): string {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${signer(Buffer.from(text)).toString('base64url')}`;
}

const verifier = (read = (): Promise<string> => Promise.resolve(keys)): JwtVerifier =>
  new JwtVerifier(
    { issuer: 'https://id.example', audience: 'levee', userClaim: 'sub' },
    new KeySet('https://id.example/keys', clock, read),
    clock,
  );
const of = async (text: string): Promise<string | undefined> => (await verifier().verify(text))?.user;

beforeEach(() => (time.ms = 0));

test.each<readonly [what: string, token: () => string]>([
  ['RS256', () => jwt()],
  ['without kid, where one key fits', () => jwt(good, { alg: 'RS256' })],
  [
    'ES256',
    () =>
      jwt(good, { alg: 'ES256', kid: 'ec' }, (text) =>
        sign('sha256', text, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
      ),
  ],
  [
    'PS256',
    () =>
      jwt(good, { alg: 'PS256', kid: 'rsa' }, (text) =>
        sign('sha256', text, { key: rsa.privateKey, padding: 6, saltLength: 32 }),
      ),
  ],
  ['EdDSA', () => jwt(good, { alg: 'EdDSA', kid: 'ed' }, (text) => sign(null, text, ed.privateKey))],
  ['several audiences', () => jwt({ ...good, aud: ['other', 'levee'] })],
  ['a clock that is 20 s behind', () => jwt({ ...good, exp: seconds - 20 })],
])('%s is believed', async (_what, token) => {
  expect(await of(token())).toBe('ann');
});

const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const hs256 = (secret: string | Buffer) => (text: Buffer) => createHmac('sha256', secret).update(text).digest();

test.each<readonly [what: string, token: () => string]>([
  ['nothing', () => ''],
  ['no JWT', () => 'a.b'],
  ['no JSON', () => `${Buffer.from('x').toString('base64url')}.${encode(good)}.eA`],
  ['alg none', () => `${encode({ alg: 'none' })}.${encode(good)}.`],
  ['alg none with a signature', () => jwt(good, { alg: 'none', kid: 'rsa' })],
  ['HS256 by the public key', () => jwt(good, { alg: 'HS256', kid: 'rsa' }, hs256(rsaPem))],
  ['HS256 by a secret of the set', () => jwt(good, { alg: 'HS256', kid: 'secret' }, hs256('secret'))],
  ['RS256 by a key for ES256', () => jwt(good, { alg: 'RS256', kid: 'ec' })],
  ['RS512 said, RS256 signed', () => jwt(good, { alg: 'RS512', kid: 'rsa' })],
  ['another key', () => jwt(good, undefined, (text) => sign('sha256', text, stranger.privateKey))],
  [
    'a key that it brings along',
    () =>
      jwt(good, { alg: 'RS256', jwk: jwk(stranger.publicKey) }, (text) => sign('sha256', text, stranger.privateKey)),
  ],
  ['a kid that is not there', () => jwt(good, { alg: 'RS256', kid: 'other' })],
  ['a kid that is no text', () => jwt(good, { alg: 'RS256', kid: 1 })],
  ['critical headers', () => jwt(good, { alg: 'RS256', kid: 'rsa', crit: ['exp'] })],
  [
    'other claims than those signed',
    () => {
      const [head, , signature] = jwt().split('.');
      return `${head}.${encode({ ...good, sub: 'operator' })}.${signature}`;
    },
  ],
  ['another issuer', () => jwt({ ...good, iss: 'https://id.example/' })],
  ['another audience', () => jwt({ ...good, aud: 'other' })],
  ['no audience', () => jwt({ ...good, aud: undefined })],
  ['an end in the past', () => jwt({ ...good, exp: seconds - 31 })],
  ['no end', () => jwt({ ...good, exp: undefined })],
  ['an end that is text', () => jwt({ ...good, exp: '9999999999' })],
  ['a begin in the future', () => jwt({ ...good, nbf: seconds + 60 })],
  ['made in the future', () => jwt({ ...good, iat: seconds + 60 })],
  ['no user', () => jwt({ ...good, sub: undefined })],
  ['a user that is no text', () => jwt({ ...good, sub: ['ann'] })],
  [
    'an ECDSA signature in DER',
    () => jwt(good, { alg: 'ES256', kid: 'ec' }, (text) => sign('sha256', text, ec.privateKey)),
  ],
  ['an empty signature', () => jwt(good, { alg: 'ES256', kid: 'ec' }, () => Buffer.alloc(64))],
  ['too long', () => jwt({ ...good, more: 'x'.repeat(9_000) })],
])('%s is not', async (_what, token) => {
  expect(await of(token())).toBeUndefined();
});

test.each<readonly [what: string, text: string, refusal: RegExp | undefined]>([
  ['keys', keys, undefined],
  ['no JSON', 'hello', /JSON/],
  ['no set', '{}', /no array "keys"/],
  ['none that checks signatures', set({ kty: 'oct', k: 'x' }, jwk(rsa.publicKey, { use: 'enc' })), /none of its keys/],
  ['a short one', set(jwk(small.publicKey)), /none of its keys/],
  ['too many', set(...Array.from({ length: 101 }, () => ({}))), /101 keys, at most 100/],
])('a set with %s', (_what, text, refusal) => {
  if (refusal === undefined) expect(verifyingKeys(text).map(({ kid }) => kid)).toEqual(['rsa', 'ec', 'ed']);
  else expect(() => verifyingKeys(text)).toThrow(refusal);
});

test('keys are asked for when one is missing, not more often than strangers should be able to make us, and kept', async () => {
  const answers = [set(jwk(rsa.publicKey, { kid: 'old' })), keys, new Error('down')];
  let asked = 0;
  const read = (): Promise<string> => {
    const answer = answers[Math.min(asked++, answers.length - 1)] as string | Error;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const own = verifier(read);
  const both = await Promise.all([own.verify(jwt()), own.verify(jwt())]);
  expect([both, asked]).toEqual([[undefined, undefined], 1]);
  time.ms += 29_000;
  expect([await own.verify(jwt()), asked]).toEqual([undefined, 1]);
  time.ms += 2_000;
  expect([(await own.verify(jwt()))?.user, asked]).toEqual(['ann', 2]);
  time.ms += 11 * 60_000;
  const later = jwt({ ...good, exp: seconds + 3_600 });
  expect([(await own.verify(later))?.user, asked, own.keys.problem]).toEqual([
    'ann',
    3,
    expect.stringMatching(/keys: down/),
  ]);
  const never = verifier(() => Promise.reject(new Error('down')));
  await expect(never.verify(later)).rejects.toThrow(Failure);
  // What is wrong in itself costs nobody a question.
  const counted = asked;
  await own.verify(jwt({ ...good, iss: 'x', exp: seconds + 3_600 }));
  expect(asked).toBe(counted);
});

describe('a user of a provider', () => {
  const user = (name: string, state: UserState['state'] = 'active'): UserState =>
    ({ name, number: 1, state, passwordHash: null, defaultNamespace: null, grants: [], tokens: [] }) as never;
  const users = new Map<string, UserState>([
    ['ann', user('ann')],
    ['bob', user('bob', 'disabled')],
  ]);
  const state = () => ({ user: (name: string) => users.get(name) }) as unknown as ClusterState;
  const authenticator = (jwts?: JwtVerifier) => new Authenticator({ state, clock, timers, logger: silentLogger, jwts });

  test('is one of the cluster, for as long as the token says and the cluster has it', async () => {
    const own = authenticator(verifier());
    const ann = await own.byToken(jwt(), 'a');
    expect([ann?.name, ann?.problem]).toEqual(['user ann', undefined]);
    expect((await own.byPassword('ann', jwt(), 'a'))?.name).toBe('user ann');
    expect(await own.byPassword('bob', jwt(), 'a')).toBeUndefined();
    expect(await own.byToken(jwt({ ...good, sub: 'bob' }), 'b')).toBeUndefined();
    expect(await own.byToken(jwt({ ...good, sub: 'nobody' }), 'c')).toBeUndefined();
    time.ms = 95_000;
    expect(ann?.problem).toMatch(/does not hold any more/);
    time.ms = 0;
    users.set('ann', user('ann', 'disabled'));
    expect(ann?.problem).toMatch(/does not hold any more/);
    users.set('ann', user('ann'));
  });

  test('is nobody where no provider is set, and no token of ours is taken for one of its', async () => {
    expect(await authenticator().byToken(jwt(), 'a')).toBeUndefined();
    expect(verifier().takes(newToken('ann').token)).toBe(false);
    expect(await authenticator(verifier()).byToken(newToken('ann').token, 'b')).toBeUndefined();
  });
});
