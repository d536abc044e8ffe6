import { avro } from '../src/avro';
import { expiryOf } from '../src/client/expiry';
import { boundsOf, keyBytesOf } from '../src/client/keys';
import { bestFor, seedOf } from '../src/portal/rendezvous';
import { RetryBudget } from '../src/portal/retry-budget';
import { connect, json, utf8 } from '@levee/sdk';

describe('rendezvous hashing', () => {
  const doors = ['a:1', 'b:1', 'c:1', 'd:1'].map((name) => ({ name, seed: seedOf(name) }));
  const homeOf = (key: number, up: readonly string[]): string =>
    bestFor(seedOf(`key${key}`), doors, ({ name }) => up.includes(name))?.name ?? 'none';

  it('spreads keys evenly, and moves only those of a portal that is gone', () => {
    const all = doors.map(({ name }) => name);
    const counts = new Map<string, number>();
    for (let key = 0; key < 8_000; key++) {
      const home = homeOf(key, all);
      counts.set(home, (counts.get(home) ?? 0) + 1);
      if (home !== 'b:1') expect(homeOf(key, ['a:1', 'c:1', 'd:1'])).toBe(home);
    }
    for (const name of all) expect(Math.abs((counts.get(name) ?? 0) - 2_000)).toBeLessThan(200);
    expect(homeOf(1, [])).toBe('none');
  });
});

it('a retry budget lets through a part of all, and some at once', () => {
  const budget = new RetryBudget(0.5, 2);
  const taken = (): number => [budget.take(), budget.take(), budget.take()].filter(Boolean).length;
  expect(taken()).toBe(2);
  for (let i = 0; i < 2; i++) budget.operation();
  expect(taken()).toBe(1);
  expect(budget.counts).toEqual({ taken: 3, refused: 3 });
});

it.each([
  [{}, undefined],
  [{ ttlMs: 1.5 }, { ttlMs: 2 }],
  [{ expiresAt: 5_000 }, { expiresAtMs: 5_000 }],
  [{ expiresAt: new Date(7) }, { expiresAtMs: 7 }],
  [{ ttlMs: Infinity }, /ttlMs is Infinity: at most/],
  [{ ttlMs: 0 }, /ttlMs is 0/],
  [{ ttlMs: NaN }, /ttlMs is NaN/],
  [{ expiresAt: new Date(NaN) }, /no time/],
  [{ ttlMs: 1, expiresAt: 1 }, /not both/],
])('expiry of %j', (options, expected) => {
  if (expected instanceof RegExp) expect(() => expiryOf(options)).toThrow(expected);
  else expect(expiryOf(options)).toEqual(expected);
});

it.each([
  [{}, '', ''],
  [{ prefix: 'ab' }, 'ab', 'ac'],
  [{ prefix: 'ab', from: 'abx' }, 'abx', 'ac'],
  [{ prefix: 'ab', from: 'a', to: 'z' }, 'ab', 'ac'],
  [{ prefix: 'ab', to: 'abc' }, 'ab', 'abc'],
  [{ prefix: Buffer.from([0xff]) }, '\u00ff', ''],
  [{ from: 'b', to: 'd' }, 'b', 'd'],
])('a scan of %j is bounded', (options, from, to) => {
  const bounds = boundsOf(options);
  expect([bounds.from.toString('latin1'), bounds.to.toString('latin1')]).toEqual([from, to]);
});

describe('values', () => {
  const schema = { type: 'record', name: 'Price', fields: [{ name: 'cents', type: 'int', doc: 'not canonical' }] };
  const wider = {
    type: 'record',
    name: 'Price',
    fields: [...schema.fields, { name: 'unit', type: 'string', default: 'EUR' }],
  };

  it('as Avro begin with the fingerprint of the canonical schema', () => {
    // As the tests of Avro itself have it for "int": 7275d51a3f395c8f (schema-tests.txt).
    expect(Buffer.from(avro('"int"').encode(5)).toString('hex')).toBe('c3018f5c393f1ad575720a');
    expect(Buffer.from(avro(schema).encode({ cents: 5 })).toString('hex')).toMatch(/^c301[0-9a-f]{16}0a$/);
    expect(avro(JSON.stringify(schema)).encode({ cents: 5 })).toEqual(avro(schema).encode({ cents: 5 }));
  });

  it('as Avro of an older schema are read when it is named, else refused', () => {
    const old = Buffer.from(avro(schema).encode({ cents: 5 }));
    expect(avro(wider, { older: [schema] }).decode(old)).toEqual({ cents: 5, unit: 'EUR' });
    expect(() => avro(wider).decode(old)).toThrow(/not as any schema known here/);
    expect(() => avro(schema).decode(old.subarray(0, 4))).toThrow(/begins with c301/);
    expect(() => avro(schema).decode(Buffer.concat([old, Buffer.from([0])]))).toThrow();
  });

  it('as schema registries frame them have the id of the schema', () => {
    const prices = avro<{ cents: number; unit?: string }>(wider, { registry: { id: 258, others: { 7: schema } } });
    const written = Buffer.from(prices.encode({ cents: 5, unit: 'x' }));
    expect(written.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 1, 2]));
    expect(prices.decode(written)).toEqual({ cents: 5, unit: 'x' });
    expect(prices.decode(Buffer.from([0, 0, 0, 0, 7, 10]))).toEqual({ cents: 5, unit: 'EUR' });
  });

  it('that are no such values are refused in both directions', () => {
    expect(() => json().encode(undefined)).toThrow(/no JSON/);
    expect(() => json().decode(Buffer.from('{'))).toThrow();
    const checked = json((value) => {
      if (typeof value !== 'number') throw new TypeError('no number');
      return value;
    });
    expect(checked.decode(Buffer.from('5'))).toBe(5);
    expect(() => checked.decode(Buffer.from('"5"'))).toThrow('no number');
    expect(() => utf8.decode(Buffer.from([0xc3]))).toThrow();
    // Half a pair would come back as another text, the same for all halves.
    for (const half of ['\ud800', 'a\udc00', '\ude00\ud83d']) {
      expect(() => utf8.encode(half)).toThrow(/half a pair of surrogates/);
      expect(() => keyBytesOf(half)).toThrow(/half a pair of surrogates/);
    }
    expect(utf8.decode(Buffer.from(utf8.encode('a\u{1f600}\ufffd')))).toBe('a\u{1f600}\ufffd');
    expect(() => avro(schema).encode({ cents: 'five' } as never)).toThrow();
  });
});

it.each([
  [{ portals: [] }, /portals is empty/],
  [{ portals: ['host'] }, /'host' is no portal: write host:port/],
  [{ portals: ['h:1'], password: 'x' }, /give the user too/],
  [{ portals: ['h:1'], user: 'ann' }, /needs a password or a token/],
  [{ portals: ['h:1'], user: 'ann', password: 'x', token: 'y' }, /not both/],
  [{ portals: ['h:1'], deadlineMs: 0 }, /deadlineMs is 0/],
  [{ portals: ['h:1'], limits: { probeMs: -1 } }, /limits.probeMs is -1/],
])('connect(%j) says what is wrong', async (options, problem) => {
  await expect(connect(options)).rejects.toThrow(problem);
});
