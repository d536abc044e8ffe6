import fc from 'fast-check';
import { RouteTable, RouteTableSource, type SlotRoute } from './route-table';
import { evenSplit, slotsTotal } from './slot';

interface Route extends SlotRoute {
  readonly name: string;
}

function table(routes: Iterable<Route>, versionAtLeast = 0): RouteTable<Route> {
  const built = RouteTable.build(routes, versionAtLeast);
  if ('problem' in built) throw new Error(built.problem);
  return built;
}

/** `name@seq start..end`, as in a transcript. */
function routes(...lines: string[]): Route[] {
  return lines.map((line) => {
    const [, name, seq, slotStart, slotEnd] = /^(\w+)@(\d+) (\d+)\.\.(\d+)$/.exec(line) ?? [];
    return { name: name as string, seq: Number(seq), slotStart: Number(slotStart), slotEnd: Number(slotEnd) };
  });
}

const anyRoutes = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 1, max: 100 })), { maxLength: 12 })
  .map((pairs) =>
    pairs
      .filter(([start, end]) => start < end)
      .map(([start, end], i): Route => ({
        name: `r${i}`,
        seq: i + 2,
        slotStart: start * 10_000,
        slotEnd: end * 10_000,
      })),
  );
const whole: Route = { name: 'whole', seq: 1, slotStart: 0, slotEnd: slotsTotal };

describe('a route table', () => {
  it('finds what a linear search for the newest route finds', () => {
    fc.assert(
      fc.property(anyRoutes, fc.array(fc.integer({ min: 0, max: slotsTotal - 1 })), (newer, slots) => {
        const all = [whole, ...newer];
        const built = table(all);
        for (const slot of [0, slotsTotal - 1, ...slots]) {
          const covering = all.filter((route) => route.slotStart <= slot && slot < route.slotEnd);
          const newest = covering.reduce((best, route) => (route.seq > best.seq ? route : best));
          expect(built.at(slot)).toBe(newest);
        }
      }),
    );
  });

  it('comes out only if every slot is covered', () => {
    fc.assert(
      fc.property(anyRoutes, (candidates) => {
        const gap = Array.from({ length: 100 }, (_, i) => i * 10_000).find(
          (slot) => !candidates.some((route) => route.slotStart <= slot && slot < route.slotEnd),
        );
        const built = RouteTable.build(candidates);
        if (gap === undefined) expect(built).toBeInstanceOf(RouteTable);
        else expect(built).toEqual({ problem: `I9: no route covers slot ${gap}` });
      }),
    );
  });

  it.each([
    ['a gap at the start', routes('a@1 1..1000000'), 'no route covers slot 0'],
    ['a gap at the end', routes('a@1 0..999999'), 'no route covers slot 999999'],
    ['nothing', [], 'no route covers slot 0'],
    [
      'two routes of one version',
      routes('a@1 0..600000', 'b@1 500000..1000000'),
      'two routes of version 1 claim slot 500000',
    ],
    ['a route beyond the last slot', routes('a@1 0..1000001'), 'lies outside'],
    ['an empty route', routes('a@1 0..1000000', 'b@2 5..5'), 'lies outside'],
  ])('is refused for %s', (_what, candidates, problem) => {
    expect(RouteTable.build(candidates)).toEqual({ problem: expect.stringContaining(problem) as string });
  });

  it('keeps the parent of a split where only one child is known', () => {
    const built = table(routes('parent@5 0..1000000', 'left@9 0..500000'));
    expect(built.all.map((route) => route.name)).toEqual(['left', 'parent']);
    expect(built.version).toBe(9);
    expect(built.at(499_999).name).toBe('left');
    expect(built.at(500_000).name).toBe('parent');
  });

  it('finds the routes that touch a range', () => {
    const built = table(routes('a@1 0..100', 'b@2 100..200', 'c@3 200..1000000'));
    expect(built.overlapping(99, 101).map((route) => route.name)).toEqual(['a', 'b']);
    expect(built.overlapping(100, 200).map((route) => route.name)).toEqual(['b']);
    expect(built.overlapping(0, slotsTotal).map((route) => route.name)).toEqual(['a', 'b', 'c']);
  });

  it('has the version of a node event when that is higher', () => {
    expect(table([whole], 12).version).toBe(12);
  });

  it('finds the first and the last slot of each route, however many there are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30_000 }), (count) => {
        const all = evenSplit(count).map((range, i): Route => ({ ...range, seq: 1, name: `c${i}` }));
        const built = table(all);
        const wrong = all.find((route) => built.at(route.slotStart) !== route || built.at(route.slotEnd - 1) !== route);
        expect(wrong).toBeUndefined();
      }),
      { numRuns: 20 },
    );
  });

  it('holds 100,000 chunks', () => {
    const all = evenSplit(100_000).map((range, i): Route => ({ ...range, seq: 1 + (i % 7), name: `c${i}` }));
    const built = table(all);
    expect(built.size).toBe(100_000);
    for (let slot = 0; slot < slotsTotal; slot += 997) expect(built.at(slot)).toBe(all[Math.floor(slot / 10)]);
  });
});

describe('the table in force', () => {
  it('is one or the other for a reader that takes it while it is swapped', async () => {
    const source = new RouteTableSource<Route>();
    const tableOf = (seq: number): RouteTable<Route> =>
      table(evenSplit(1 + (seq % 5)).map((range) => ({ ...range, seq, name: `v${seq}` })));
    source.publish(tableOf(1));
    let done = false;
    const writer = (async () => {
      for (let seq = 2; seq <= 300; seq++) {
        expect(source.publish(tableOf(seq))).toBeUndefined();
        await Promise.resolve();
      }
      done = true;
    })();
    const reader = (async () => {
      for (let reads = 0; !done; reads++) {
        const held = source.current;
        if (held === undefined) throw new Error('a table was published before');
        const names = new Set<string>();
        for (let slot = 0; slot < slotsTotal; slot += 100_000) {
          names.add(held.at(slot).name);
          await Promise.resolve();
        }
        expect([...names]).toEqual([`v${held.version}`]);
      }
    })();
    await Promise.all([writer, reader]);
    expect(source.current?.version).toBe(300);
  });

  it('I9: never falls, neither as a whole nor at a slot', () => {
    const source = new RouteTableSource<Route>();
    expect(source.current).toBeUndefined();
    const first = table(routes('a@5 0..500000', 'b@9 500000..1000000'));
    expect(source.publish(first)).toBeUndefined();
    expect(source.publish(first)).toBeUndefined();
    expect(source.publish(table(routes('a@8 0..1000000')))?.problem).toContain('version 8 is below version 9');
    expect(source.publish(table(routes('a@10 0..500000', 'b@8 500000..1000000')))?.problem).toContain(
      'at slot 500000 version 8 is below version 9',
    );
    expect(source.current).toBe(first);
    expect(source.publish(table(routes('a@10 0..1000000')))).toBeUndefined();
    expect(source.current?.version).toBe(10);
  });
});
