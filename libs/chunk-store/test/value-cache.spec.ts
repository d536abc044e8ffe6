import { asOffset } from '@levee/kernel';
import { type LiveValue, ValueBudget, ValueCache } from '@levee/chunk-store';

const value = (bytes: number): LiveValue => ({
  readable: true,
  offset: asOffset(1),
  expiresAtMs: 0,
  value: Buffer.alloc(bytes),
});

describe('a cache of hot values', () => {
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
    expect(largest * 380).toBeLessThanOrEqual(110_000);
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

  it('forgets a deleted key in whatever generation it is, and does not take huge values', () => {
    const budget = new ValueBudget(10_000);
    const cache = new ValueCache(budget);
    cache.set('a', value(100));
    budget.add(6_000);
    expect(cache.get('a')).toBeDefined();
    cache.delete('a');
    expect(cache.get('a')).toBeUndefined();
    cache.set('huge', value(65 * 1024));
    expect(cache.get('huge')).toBeUndefined();
  });
});
