import { asOffset } from '@levee/kernel';
import { dice, seed } from '../../../test/support/seed';
import { type LiveValue, ValueBudget, ValueCache } from '@levee/chunk-store';

const value = (bytes: number): LiveValue => ({
  readable: true,
  offset: asOffset(1),
  expiresAtMs: 0,
  value: Buffer.alloc(bytes),
});

describe('a cache of hot values', () => {
  it('gives back what was kept, whatever its bytes are', () => {
    const cache = new ValueCache(new ValueBudget(100_000));
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    cache.set('all', { readable: true, offset: asOffset(2 ** 40), expiresAtMs: 1_700_000_000_000, value: bytes });
    const found = cache.get('all');
    expect(found?.value).toEqual(bytes);
    expect(found).toMatchObject({ readable: true, offset: 2 ** 40, expiresAtMs: 1_700_000_000_000 });
  });

  it('keeps what is asked for, lets go of the rest, and never holds more than its budget', () => {
    const cache = new ValueCache(new ValueBudget(100_000));
    cache.set('hot', value(100));
    let largest = 0;
    for (let i = 0; i < 5_000; i++) {
      cache.set(`cold-${i}`, value(100));
      expect(cache.get('hot')).toBeDefined();
      largest = Math.max(largest, cache.size);
    }
    expect(cache.get('cold-0')).toBeUndefined();
    expect(largest * 300).toBeLessThanOrEqual(100_000);
  });

  it('has room for all of its budget: as many as fit stay, however often each is asked for', () => {
    const cache = new ValueCache(new ValueBudget(100_000));
    for (let i = 0; i < 300; i++) cache.set(`${100 + i}`, value(100));
    for (let round = 0; round < 3; round++) for (let i = 0; i < 300; i++) expect(cache.get(`${100 + i}`)).toBeDefined();
    expect(cache.counts).toEqual({ hits: 900, misses: 0 });
  });

  it('takes one in when all others were asked for', () => {
    const cache = new ValueCache(new ValueBudget(100_000));
    for (let i = 0; i < 1_000; i++) {
      cache.set(`${1_000 + i}`, value(100));
      for (let j = 0; j <= i; j++) cache.get(`${1_000 + j}`);
    }
    expect(cache.get('1999')).toBeDefined();
    expect(cache.size).toBeGreaterThan(300);
  });

  it('shares its budget: a busy replica takes the room of an idle one', () => {
    const budget = new ValueBudget(100_000);
    const [idle, busy] = [new ValueCache(budget), new ValueCache(budget)];
    idle.set('a', value(100));
    for (let i = 0; i < 1_000; i++) busy.set(`b${i}`, value(100));
    // Without being asked anything: what nobody reads any more must not be held for ever.
    expect(idle.size).toBe(0);
    expect(idle.get('a')).toBeUndefined();
    expect(busy.get('b999')).toBeDefined();
  });

  it('holds no more than the budget in all caches together, to the byte', () => {
    const budget = new ValueBudget(100_000);
    const caches = Array.from({ length: 5 }, () => new ValueCache(budget));
    for (let i = 0; i < 3_000; i++) {
      caches[i % 5]?.set(`${10_000 + i}`, value(1 + ((i * 37) % 3_000)));
      expect(budget.usedBytes).toBeLessThanOrEqual(100_000);
    }
    expect(caches.reduce((sum, cache) => sum + cache.size, 0)).toBeGreaterThan(10);
  });

  it('gives its room back when its replica is closed', () => {
    const budget = new ValueBudget(100_000);
    const [closed, other] = [new ValueCache(budget), new ValueCache(budget)];
    for (let i = 0; i < 100; i++) closed.set(`a${i}`, value(100));
    other.set('b', value(100));
    closed.clear();
    expect(closed.size).toBe(0);
    expect(budget.usedBytes).toBe(1 + 100 + 200);
    for (let i = 0; i < 200; i++) other.set(`c${i}`, value(100));
    expect(other.size).toBe(201);
  });

  it('forgets a deleted key, and does not take huge values, or any in a budget that is smaller', () => {
    const cache = new ValueCache(new ValueBudget(1_000));
    cache.set('a', value(100));
    expect(cache.get('a')).toBeDefined();
    cache.delete('a');
    expect(cache.get('a')).toBeUndefined();
    cache.set('large', value(900));
    expect(cache.get('large')).toBeUndefined();
    const roomy = new ValueCache(new ValueBudget(1_000_000));
    roomy.set('huge', value(65 * 1024));
    expect(roomy.get('huge')).toBeUndefined();
  });

  it('gives what was put last and nothing else, whatever is asked, deleted and closed, and all room comes back', () => {
    const random = dice();
    const budget = new ValueBudget(50_000);
    const caches = Array.from({ length: 4 }, () => new ValueCache(budget));
    const put = new Map<string, number>();
    for (let i = 0; i < 20_000; i++) {
      const at = Math.floor(random() * caches.length);
      const name = `k${Math.floor(random() * 300)}`;
      const cache = caches[at] as ValueCache;
      const found = cache.get(name);
      if (found) expect({ seed, offset: found.offset }).toEqual({ seed, offset: put.get(`${at} ${name}`) });
      if (random() < 0.001) cache.clear();
      else if (random() < 0.1) cache.delete(name);
      else if (!found) {
        cache.set(name, { ...value(Math.floor(random() ** 4 * 60_000)), offset: asOffset(i) });
        put.set(`${at} ${name}`, i);
      }
      expect(budget.usedBytes).toBeLessThanOrEqual(50_000);
    }
    expect(budget.usedBytes).toBeGreaterThan(10_000);
    for (const cache of caches) cache.clear();
    expect(budget.usedBytes).toBe(0);
  });
});
