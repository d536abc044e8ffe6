import { HistoryError, MemoryLevee, utf8 } from '@levee/sdk';
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

  it('what was watched before it forgot all keys is another log: watches and their tokens say so', async () => {
    const levee = new MemoryLevee();
    const store = levee.client().namespace('a').typed(utf8);
    await using watch = await store.watch();
    await store.put('a', 'x');
    await watch.next();
    const waits = expect(watch.next()).rejects.toThrow(HistoryError);
    levee.clear();
    await waits;
    for (const key of ['a', 'b', 'c', 'd', 'e']) await store.put(key, 'y');
    await expect(store.watch({ from: watch.token })).rejects.toThrow(HistoryError);
    const ahead = (await store.watch()).token.replace(/:\d+/, ':99');
    await expect(store.watch({ from: ahead })).rejects.toThrow(HistoryError);
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
