import Keyv from 'keyv';
import { LeveeKeyvStore } from '@levee/nest';
import { MemoryLevee } from '@levee/sdk';

/** The cases of @keyv/test-suite 2, without its test runner. */
describe('Keyv on Levee', () => {
  const levee = new MemoryLevee();
  const store = (): LeveeKeyvStore => new LeveeKeyvStore(levee.client().namespace('cache'));
  const keyv = (namespace?: string): Keyv =>
    new Keyv({ store: store(), throwOnErrors: true, ...(namespace !== undefined && { namespace }) });

  beforeEach(() => levee.clear());

  it.each([
    false,
    null,
    0,
    'bar',
    '"',
    "''",
    { fizz: 'buzz' },
    { buff: Buffer.from('buzz') },
    Buffer.from('bar'),
    ['a', 1],
    '',
  ])('gives %p back', async (value) => {
    const cache = keyv();
    expect(await cache.set("'foo'", value)).toBe(true);
    expect(await cache.get("'foo'")).toEqual(value);
    expect(await cache.has("'foo'")).toBe(true);
  });

  it('gives undefined for what is not there, or was set so', async () => {
    const cache = keyv();
    await cache.set('foo', undefined);
    expect(await cache.get(['foo', 'foo1'])).toEqual([undefined, undefined]);
    expect(await cache.has('fizz')).toBe(false);
    expect(await cache.hasMany(['fizz'])).toEqual([false]);
  });

  it('takes no symbols, and tells what Levee refuses', async () => {
    const cache = keyv();
    await expect(cache.set('foo', Symbol('value'))).rejects.toThrow('symbol cannot be serialized');
    await expect(cache.set('foo', 'x'.repeat(1024 * 1024 + 1))).rejects.toMatchObject({ code: 'LVLIMIT' });
  });

  it('a value is gone after its time, in Levee too', async () => {
    const cache = keyv();
    await cache.set('foo', 'bar', 1_000);
    expect(await cache.get('foo')).toBe('bar');
    levee.advance(1_001);
    expect(await store().get('keyv:foo')).toBeUndefined();
    expect(await cache.get('foo')).toBeUndefined();
  });

  it('deletes one or many, and says whether they were there', async () => {
    const cache = keyv();
    await cache.setMany(['foo', 'foo1', 'foo2'].map((key) => ({ key, value: key })));
    expect(await cache.get(['foo', 'foo1', 'foo2'])).toEqual(['foo', 'foo1', 'foo2']);
    expect(await cache.delete('foo')).toBe(true);
    expect(await cache.delete('foo')).toBe(false);
    expect(await cache.delete(['foo1', 'foo2'])).toBe(true);
    expect(await cache.delete(['foo1', 'foo2'])).toBe(false);
    expect(await cache.get(['foo', 'foo1', 'foo2'])).toEqual([undefined, undefined, undefined]);
  });

  it('names keep Keyvs apart, one the beginning of another too', async () => {
    const [one, two] = [keyv('a'), keyv('ab')];
    await one.setMany(Array.from({ length: 1_100 }, (_, i) => ({ key: `k${i}`, value: i })));
    await two.set('k1', 'two');
    expect(await one.get('k1')).toBe(1);
    await one.clear();
    expect(await one.get('k1')).toBeUndefined();
    expect(await two.get('k1')).toBe('two');
    await one.delete('k1');
    expect(await two.get('k1')).toBe('two');
    await new Keyv({ store: store(), useKeyPrefix: false }).clear();
  });

  it('iterates over the keys of its name that are not over', async () => {
    const cache = keyv('a');
    await cache.setMany([
      { key: '1', value: 'x' },
      { key: '2', value: 'y', ttl: 100 },
    ]);
    await keyv('ab').set('3', 'z');
    levee.advance(101);
    const found: unknown[] = [];
    for await (const entry of cache.iterator?.(undefined) as AsyncIterable<unknown>) found.push(entry);
    expect(found).toEqual([['1', 'x']]);
  });
});
