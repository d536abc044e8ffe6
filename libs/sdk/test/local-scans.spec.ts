import { encodePut } from '@levee/codec';
import type { ScanOptions } from '@levee/sdk';
import { eventually } from '../../../test/support/deadline';
import { dice, seed } from '../../../test/support/seed';
import { localLimits } from '../src/local/local-limits';
import { LocalWorld } from './local-world';

jest.setTimeout(60_000);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const numbered = (i: number): string => `k${String(i).padStart(5, '0')}`;

describe('scans of a replica in an application', () => {
  let world: LocalWorld;
  beforeEach(() => {
    world = new LocalWorld();
    world.log.put('k', 'v');
  });
  afterEach(() => world.close());

  const keysOf = (options: ScanOptions = {}): Promise<string[]> => all(world.keys.keys(options));

  /** Scans are answered here. */
  async function ordered(): Promise<void> {
    await world.near();
    await eventually('a scan is answered here', async () => {
      const asked = world.pagesAsked.length;
      await keysOf({ limit: 1 });
      return world.pagesAsked.length === asked;
    });
    world.pagesAsked.length = 0;
  }

  it('give what an oracle says, in order, whatever was overwritten, deleted and is over, from and to wherever', async () => {
    const random = dice();
    const oracle = new Map<string, string>();
    const draw = (): string => `k${'\xffä'[Math.floor(random() * 2)]}${Math.floor(random() * 900)}`;
    const write = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const key = draw();
        const bytes = Buffer.from(key);
        const roll = random();
        if (roll < 0.2) world.log.delete(key);
        else world.log.add(bytes, encodePut(bytes, Buffer.from(`${i}`), roll < 0.3 ? 1_000 : null));
        if (roll < 0.3) oracle.delete(key);
        else oracle.set(key, `${i}`);
      }
    };
    write(4_000);
    oracle.set('k', 'v');
    await world.open();
    await ordered();
    for (let round = 0; round < 6; round++) {
      const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
      const expected = [...oracle.keys()].sort(order);
      expect({ seed, keys: await keysOf({ pageKeys: 1 + Math.floor(random() * 300) }) }).toEqual({
        seed,
        keys: expected,
      });
      for (let i = 0; i < 10; i++) {
        const [a, b] = [draw(), draw()].sort(order) as [string, string];
        const limit = 1 + Math.floor(random() * 200);
        const within = expected.filter((key) => order(key, a) >= 0 && order(key, b) < 0);
        const found = await all(world.keys.scan({ from: a, to: b, limit, pageKeys: 1 + Math.floor(random() * 90) }));
        expect({ seed, found: found.map(({ key, value }) => [key, value]) }).toEqual({
          seed,
          found: within.slice(0, limit).map((key) => [key, oracle.get(key)]),
        });
        const prefix = a.slice(0, 3);
        expect(await keysOf({ prefix })).toEqual(expected.filter((key) => key.startsWith(prefix)));
      }
      write(300);
      await eventually('it has all', () => world.kept.partitions[0]?.nextOffset === world.log.end);
    }
    expect(world.pagesAsked).toEqual([]);
  });

  it('give each key that is there all the time exactly once, and none twice, while others come and go', async () => {
    const random = dice();
    const stays = (i: number): boolean => i % 3 === 0;
    for (let i = 0; i < 3_000; i++) world.log.put(numbered(i), 'first');
    await world.open();
    await ordered();
    for (let round = 0; round < 5; round++) {
      const found: string[] = [];
      for await (const key of world.keys.keys({ prefix: 'k0', pageKeys: 40 })) {
        found.push(key);
        if (found.length % 40 !== 1) continue;
        for (let i = 0; i < 60; i++) {
          const at = Math.floor(random() * 3_000);
          if (stays(at) || random() < 0.5) world.log.put(numbered(at), `${round}`);
          else world.log.delete(numbered(at));
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect({ seed, found: [...new Set(found)].sort() }).toEqual({ seed, found });
      const kept = Array.from({ length: 1_000 }, (_, i) => numbered(3 * i));
      expect(found.filter((key) => stays(Number(key.slice(1))))).toEqual(kept);
    }
    expect(world.pagesAsked).toEqual([]);
  });

  it('have the value, position and expiry of each, and what cannot be read ends them as through portals', async () => {
    const expiresAtMs = Date.now() + 3_600_000;
    const key = Buffer.from('a');
    world.log.add(key, encodePut(key, Buffer.from('w'), expiresAtMs));
    await world.open();
    await ordered();
    expect(await all(world.keys.scan())).toEqual([
      { key: 'a', keyBytes: key, value: 'w', position: '0:3', expiresAt: new Date(expiresAtMs) },
      { key: 'k', keyBytes: Buffer.from('k'), value: 'v', position: '0:2', expiresAt: undefined },
    ]);
    world.log.add(Buffer.from('b'), Buffer.from('no put'));
    await eventually('it is there', () => world.kept.partitions[0]?.keys === 3);
    await expect(all(world.keys.scan())).rejects.toMatchObject({ code: 'LVUNREADABLE', position: '0:3' });
    expect(await keysOf()).toEqual(['a', 'b', 'k']);
    expect(world.pagesAsked).toEqual([]);
  });

  it('leave a record of an unknown schema to a portal, and begin there with it', async () => {
    world.log.put('a', 'x');
    world.log.add(Buffer.from('b'), Buffer.from('c301ffffffffffffffff00', 'hex'));
    await world.open();
    await ordered();
    world.page = [['b', 'of the portal']];
    expect((await all(world.keys.scan())).map(({ value }) => value)).toEqual(['x', 'of the portal']);
    expect(world.pagesAsked).toMatchObject([{ from: 'b' }]);
  });

  it('come from portals until the keys are in order, which nobody pays for who does not scan', async () => {
    for (let i = 0; i < 3_000; i++) world.log.put(numbered(i), 'v');
    await world.open();
    await world.near();
    const { memoryBytes } = world.status;
    expect(await keysOf()).toEqual(['of the portal']);
    expect(world.status.throughPortals.unordered).toBe(1);
    await ordered();
    expect(world.status.memoryBytes - memoryBytes).toBe(3_001 * localLimits.orderedKeyBytes);
    world.log.delete(numbered(5));
    await eventually('it is deleted', () => world.kept.partitions[0]?.keys === 3_000);
    expect((await keysOf()).length).toBe(3_000);
  });

  it.each<[string, ScanOptions, string]>([
    ['strong ones', { consistency: 'strong' }, 'always'],
    ['pages that are too large for portals too', { pageKeys: 20_000 }, 'always'],
  ])('%s go to a portal', async (_, options, why) => {
    await world.open();
    await ordered();
    expect(await keysOf(options)).toEqual(['of the portal']);
    expect(world.status.throughPortals).toMatchObject({ [why]: 1 });
  });

  it('of a part of the slots go to a portal', async () => {
    await world.open({ slots: { slotStart: 0, slotEnd: 999_999 } });
    await world.near();
    expect(await keysOf()).toEqual(['of the portal']);
    expect(world.status.throughPortals.notHeld).toBe(1);
  });

  it('are not younger than what this client wrote: they wait a moment for it, then a portal answers', async () => {
    await world.open();
    await ordered();
    world.written = `0:${world.log.end + 1}`;
    await world.keys.put('l', 'w');
    expect(await keysOf()).toEqual(['of the portal']);
    expect(world.status.throughPortals.behind).toBe(1);
    expect(await keysOf({ consistency: 'eventual' })).toEqual(['k']);
    world.log.put('l', 'w');
    await eventually('it has come', async () => `${await keysOf()}` === 'k,l');
  });

  it('that are too old, or of a partition that stands still, go to a portal', async () => {
    await world.open({ stalenessMs: 600 });
    await ordered();
    world.facts['stopped'] = [0];
    await eventually('it stands still', async () => `${await keysOf()}` === 'of the portal');
    world.facts['stopped'] = [];
    await eventually('it is answered here again', async () => `${await keysOf()}` === 'k');
    world.log.idleMs = 1_000_000;
    await eventually('it is too old', async () => `${await keysOf()}` === 'of the portal');
  });

  it('go on at a portal, behind the last key, when the log is cut in the middle of one, and nothing of that is here', async () => {
    for (let i = 0; i < 500; i++) world.log.put(numbered(i), 'before');
    await world.open({ cutMs: 1_000 });
    await ordered();
    world.page = [['k9', 'of the portal']];
    const found: string[] = [];
    for await (const key of world.keys.keys({ prefix: 'k', pageKeys: 100 })) {
      found.push(key);
      if (found.length !== 200) continue;
      world.log.cut(300);
      // More than was seen before: sessions never go back.
      for (let i = 0; i < 250; i++) world.log.put(numbered(i + 600), 'after');
      await eventually('it is told', () => /LOG_TRUNCATED/.test(world.kept.problem ?? ''));
    }
    // What was fetched before is given: the page that it was in the middle of, which may be a short one.
    const before = found.length - 2;
    expect(before).toBeGreaterThanOrEqual(199);
    expect(before).toBeLessThan(300);
    expect(found).toEqual(['k', ...Array.from({ length: before }, (_, i) => numbered(i)), 'k9']);
    expect(world.pagesAsked).toEqual([{ from: numbered(before), to: 'l', count: 100 }]);
    await eventually('it is read again', () => world.kept.isComplete);
    await eventually('a scan is answered here', async () => (await keysOf()).length === 1 + 298 + 250);
    expect((await all(world.keys.scan({ from: numbered(299) }))).map(({ value }) => value)).toEqual(
      Array(250).fill('after'),
    );
  });

  it('of another creation of the namespace give what that one holds', async () => {
    await world.open();
    await ordered();
    world.log.delete('k');
    world.log.put('l', 'w');
    world.facts = { ...world.facts, version: 6, follow: { ...world.follow, creation: 'shop.orders#2' } };
    await eventually('it is read from the beginning', () => world.log.begun.length > 2 && world.kept.isComplete);
    await eventually('a scan is answered here', async () => `${await keysOf()}` === 'l');
    expect(world.status.memoryBytes).toBeLessThan(400);
  });

  it('show nothing that is over by the time of portals, and what was over stays so', async () => {
    const key = Buffer.from('soon');
    world.log.add(key, encodePut(key, Buffer.from('w'), Date.now() + 3_600_000));
    await world.open();
    await ordered();
    expect(await keysOf()).toEqual(['k', 'soon']);
    world.aheadMs = 2 * 3_600_000;
    await eventually('it is over', async () => `${await keysOf()}` === 'k');
    world.aheadMs = 0;
    const joins = world.portal.joins.length;
    expect(await world.keys.get('soon', { consistency: 'strong' })).toBe('of the portal');
    // The portal is told by which time it was judged.
    expect(world.portal.joins.length).toBeGreaterThan(joins);
    expect(await keysOf()).toEqual(['k']);
  });

  it('are left to portals where there is no room for an order, and the order gives way to what is held', async () => {
    const value = 'x'.repeat(700);
    for (let i = 0; i < 100; i++) world.log.put(numbered(i), value);
    const memoryBytesMax = 101 * (700 + localLimits.keyOverheadBytes + 100);
    await world.open({ memoryBytesMax });
    await ordered();
    // Too much for both.
    const held = world.status.memoryBytes - 101 * localLimits.orderedKeyBytes;
    const more = Math.floor((memoryBytesMax - held) / (held / 100));
    for (let i = 0; i < more; i++) world.log.put(numbered(100 + i), value);
    await eventually('it has all', () => world.kept.partitions[0]?.nextOffset === world.log.end);
    await world.near();
    expect(await keysOf()).toEqual(['of the portal']);
    expect(world.kept).toMatchObject({
      isComplete: true,
      problem: undefined,
      orderProblem: expect.stringMatching(/no room/) as string,
    });
    expect(await world.keys.get(numbered(100 + more - 1))).toBe(value);
    expect(world.status.memoryBytes).toBeLessThanOrEqual(memoryBytesMax);
  });

  it('of many keys let others have their turn between, while they are brought in order and while they are walked', async () => {
    for (let i = 0; i < 20_000; i++) world.log.put(numbered(i), 'v');
    await world.open();
    await world.near();
    let turns = 0;
    let stopped = false;
    const turn = (): void => {
      turns++;
      if (!stopped) setImmediate(turn);
    };
    turn();
    await ordered();
    // 512 keys at most between two.
    expect(turns).toBeGreaterThan(20_000 / 512);
    turns = 0;
    expect((await keysOf({ pageKeys: 10_000 })).length).toBe(20_001);
    expect(turns).toBeGreaterThanOrEqual(3);
    turns = 0;
    expect((await keysOf({ pageKeys: 100 })).length).toBe(20_001);
    expect(turns).toBeGreaterThanOrEqual(201);
    stopped = true;
    expect(world.pagesAsked).toEqual([]);
  });
});
