import { MemoryLevee, utf8 } from '@levee/sdk';
import { clientContract, memoryOpened } from './client-contract';

clientContract('Levee in memory', memoryOpened());

describe('Levee in memory', () => {
  it('has every namespace when none is named, and forgets all of them', async () => {
    const levee = new MemoryLevee();
    const store = levee.client().namespace('any.name').typed(utf8);
    await store.put('a', 'x');
    expect(await store.status()).toEqual({ name: 'any.name', keys: 1 });
    levee.clear();
    expect(await store.status()).toEqual({ name: 'any.name', keys: 0 });
  });

  it('goes by the clock it is given', async () => {
    let nowMs = 1_000_000;
    const levee = new MemoryLevee({ now: () => nowMs });
    const store = levee.client().namespace('a').typed(utf8);
    await store.put('a', 'x', { ttlMs: 100 });
    expect((await store.entry('a'))?.expiresAt).toEqual(new Date(1_000_100));
    nowMs += 60;
    levee.advance(39);
    expect(await store.get('a')).toBe('x');
    levee.advance(1);
    expect(await store.get('a')).toBeUndefined();
    expect(() => levee.advance(-1)).toThrow('time cannot go on by -1 ms');
  });
});
