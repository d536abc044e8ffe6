import { asOffset, asPartition } from '@levee/kernel';
import fc from 'fast-check';
import { fromBase64Url, toBase64Url } from './base64url';
import { Session } from './session';
import { decodeSessionToken, encodeSessionToken, sessionTokenLengthMax, type SessionToken } from './session-token';

const scope = { namespace: 'shop.orders', binlog: 'levee.binlog.shop.orders', partitions: 8 };
const at = (partition: number, nextOffset: number): [ReturnType<typeof asPartition>, ReturnType<typeof asOffset>] => [
  asPartition(partition),
  asOffset(nextOffset),
];
const decoded = (text: string): SessionToken => {
  const token = decodeSessionToken(text);
  if ('problem' in token) throw new Error(token.problem);
  return token;
};

describe('a session', () => {
  it('asks of each partition the highest position it wrote or saw', () => {
    const session = new Session(scope);
    session.observe(...at(3, 10));
    session.observe(...at(3, 7));
    session.observe(...at(5, 1));
    expect([0, 3, 5].map((partition) => session.nextOffset(asPartition(partition)))).toEqual([0, 10, 1]);
  });

  it('that merges the token of another asks what both ask', () => {
    const position = fc.tuple(fc.nat(7), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
    fc.assert(
      fc.property(fc.array(position), fc.array(position), (left, right) => {
        const [one, other, both] = [new Session(scope), new Session(scope), new Session(scope)];
        for (const [p, n] of left) one.observe(...at(p, n));
        for (const [p, n] of right) other.observe(...at(p, n));
        for (const [p, n] of [...left, ...right]) both.observe(...at(p, n));
        expect(one.merge(decoded(other.encode()))).toBeUndefined();
        expect(one.toToken()).toEqual(both.toToken());
      }),
    );
  });

  it('judges expiry by the latest time it was judged by, also at another portal, within reason', () => {
    const session = new Session(scope);
    session.observeClock(5_000);
    session.observeClock(4_000);
    expect(session.clockMs).toBe(5_000);
    const other = new Session(scope);
    other.observeClock(3_000);
    expect(other.merge(decoded(session.encode()), 5_000)).toBeUndefined();
    expect(other.clockMs).toBe(5_000);
    const later = new Session(scope);
    later.observeClock(Date.UTC(2030, 0, 1));
    expect(other.merge(decoded(later.encode()), Date.UTC(2026, 0, 1))?.problem).toMatch(
      /has seen 2030-01-01.*later than 2026-01-01.*set the clocks/,
    );
    expect(other.clockMs).toBe(5_000);
  });

  it.each([8.64e15, 8.64e15 + 1, Number.MAX_SAFE_INTEGER])(
    'refuses a token whose clock stands at %d ms, which may be beyond dates, and does not throw',
    (clockMs) => {
      const session = new Session(scope);
      const token = decoded(encodeSessionToken({ ...scope, clockMs, positions: [] }));
      expect(session.merge(token, Date.UTC(2026, 0, 1))?.problem).toMatch(
        clockMs > 8.64e15 ? new RegExp(`has seen ${clockMs} ms since 1970`) : /has seen \+275760-09-13/,
      );
      expect(session.clockMs).toBe(0);
    },
  );

  it('never throws at a token that a stranger has made, and takes nothing of one that it refuses', () => {
    const number = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 8.64e15 + 1, Number.MAX_SAFE_INTEGER));
    fc.assert(
      fc.property(number, number, number, (clockMs, clockMsMax, nextOffset) => {
        const session = new Session(scope);
        const positions = nextOffset === 0 ? [] : [{ partition: asPartition(1), nextOffset: asOffset(nextOffset) }];
        const refused = session.merge(decoded(encodeSessionToken({ ...scope, clockMs, positions })), clockMsMax);
        expect(refused === undefined).toBe(clockMs <= clockMsMax);
        expect(session.nextOffset(asPartition(1))).toBe(refused ? 0 : nextOffset);
      }),
    );
  });

  it.each([
    ['another namespace', { ...scope, namespace: 'shop.carts' }, 'shop.carts'],
    ['an earlier log of the namespace', { ...scope, binlog: 'levee.binlog.shop.orders_2' }, 'start a new session'],
    ['another partition count', { ...scope, partitions: 16 }, '16 partitions'],
  ])('refuses the token of %s', (_what, other, problem) => {
    const session = new Session(scope);
    expect(session.merge({ ...other, clockMs: 0, positions: [] })?.problem).toContain(problem);
  });
});

describe('a session token', () => {
  it('stays below its longest length when every partition is at the end of numbers', () => {
    const session = new Session({ namespace: 'n'.repeat(180), binlog: 'b'.repeat(249), partitions: 1_000 });
    for (let p = 0; p < 1_000; p++) session.observe(...at(p, Number.MAX_SAFE_INTEGER));
    session.observeClock(Number.MAX_SAFE_INTEGER);
    const text = session.encode();
    expect(text.length).toBeLessThan(sessionTokenLengthMax);
    expect(decoded(text)).toEqual(session.toToken());
  });

  it('is refused when any character is changed, cut or added, and never throws', () => {
    const session = new Session(scope);
    for (let p = 0; p < 8; p++) session.observe(...at(p, 1_000_000 + p));
    const text = session.encode();
    for (let i = 0; i < text.length; i++) {
      const other = text[i] === 'A' ? 'B' : 'A';
      for (const damaged of [text.slice(0, i) + other + text.slice(i + 1), text.slice(0, i), text.slice(i + 1)])
        expect(decodeSessionToken(damaged)).toHaveProperty('problem');
    }
    expect(decodeSessionToken(`${text}A`)).toHaveProperty('problem');
  });

  it.each([
    ['too short', ''],
    ['not base64url', '$$$$'],
    ['the longest has', 'A'.repeat(sessionTokenLengthMax + 1)],
    ['version is 9', toBase64Url(Uint8Array.of(9, 0, 0, 0, 0, 0))],
  ])('that is wrong says so (%s) and what to do', (reason, text) => {
    expect(decodeSessionToken(text)).toEqual({
      problem: expect.stringMatching(new RegExp(`${reason}.*Levee-Session`)) as string,
    });
  });

  it('never throws on bytes of strangers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeSessionToken(toBase64Url(Uint8Array.of(1, ...bytes)));
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void decodeSessionToken(text)));
  });

  it('is not written with names that are not ASCII', () => {
    expect(() => encodeSessionToken({ ...scope, namespace: 'ü', clockMs: 0, positions: [] })).toThrow(RangeError);
  });
});

describe('base64url', () => {
  it('is what Node writes, and comes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
      }),
    );
  });
});
