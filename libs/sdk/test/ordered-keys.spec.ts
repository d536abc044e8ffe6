import { dice, seed } from '../../../test/support/seed';
import { KeyCursor, MergedKeys, OrderedKeys } from '../src/local/ordered-keys';

function all(keys: OrderedKeys, from = ''): string[] {
  const found: string[] = [];
  for (const cursor = new KeyCursor(keys, from); cursor.key !== undefined; cursor.next()) found.push(cursor.key);
  return found;
}

describe('keys in order', () => {
  it.each([
    ['drawn', (random: () => number) => Math.floor(random() * 60_000)],
    ['many of them removed again', (random: () => number) => Math.floor(random() * 3_000)],
  ])('%s: they are what an oracle says, from wherever they are walked', (_, draw) => {
    const random = dice();
    const keys = new OrderedKeys();
    const oracle = new Set<string>();
    let wrong = 0;
    for (let i = 0; i < 40_000; i++) {
      // Bytes above those of ASCII, and keys that begin others.
      const key = `k\xff${String(draw(random))}`.slice(0, 2 + Math.floor(random() * 7));
      const isThere = oracle.has(key);
      if (random() < (i % 10_000 < 5_000 ? 0.2 : 0.7)) {
        if (keys.remove(key) !== oracle.delete(key)) wrong++;
      } else {
        if (keys.add(key) === isThere) wrong++;
        oracle.add(key);
      }
      if (i % 1_000 !== 0) continue;
      const sorted = [...oracle].sort();
      const from = i % 2_000 === 0 ? '' : key;
      expect({ seed, keys: all(keys, from) }).toEqual({ seed, keys: sorted.filter((one) => one >= from) });
      expect({ seed, wrong, size: keys.size }).toEqual({ seed, wrong: 0, size: oracle.size });
    }
  });

  it.each([
    ['ascending', (i: number) => i],
    ['descending', (i: number) => 20_000 - i],
  ])('%s, and removed in the same order: none is lost', (_, of) => {
    const names = Array.from({ length: 20_000 }, (__, i) => String(of(i)).padStart(6, '0'));
    const keys = new OrderedKeys();
    expect(names.filter((name) => !keys.add(name))).toEqual([]);
    expect(all(keys)).toEqual([...names].sort());
    const missed = names.filter((name, i) => {
      const isRemoved = keys.remove(name);
      if (i % 4_000 === 0) expect(all(keys)).toEqual(names.slice(i + 1).sort());
      return !isRemoved;
    });
    expect(missed).toEqual([]);
    expect([keys.size, all(keys)]).toEqual([0, []]);
  });

  it.each([1, 2, 7, 64])('%d of them walked as one give each key once, in order', (count) => {
    const random = dice();
    const parts = Array.from({ length: count }, () => new OrderedKeys());
    const names = new Set(Array.from({ length: 5_000 }, () => String(Math.floor(random() * 1e9))));
    for (const name of names) parts[Math.floor(random() * count)]?.add(name);
    for (const from of ['', '5', '99999999999']) {
      const merged = new MergedKeys(parts.map((part) => new KeyCursor(part, from)));
      const found: string[] = [];
      for (; merged.first !== undefined; merged.next()) found.push(merged.first.key as string);
      expect({ seed, found }).toEqual({ seed, found: [...names].filter((name) => name >= from).sort() });
    }
  });
});
