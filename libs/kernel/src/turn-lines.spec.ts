import { TurnLine, TurnLines } from './turn-lines';

class Asker extends TurnLine {
  /** False: nothing of it may go on now. */
  may = true;

  constructor(
    readonly name: string,
    public size: number,
  ) {
    super();
  }
}

const build = () => {
  const lines = new TurnLines<Asker>();
  const asker = (name: string, size = 1): Asker => {
    const line = new Asker(name, size);
    lines.join(line);
    return line;
  };
  /** One of each line at a time, at most so many. */
  const serve = (room: number): string => {
    let order = '';
    let left = room;
    lines.round(
      () => left > 0,
      (line) => {
        if (!line.may) return 0;
        line.size--;
        left--;
        order += line.name;
        return 1;
      },
    );
    return order;
  };
  return { lines, asker, serve };
};

describe('turns of lines', () => {
  it('of those who did not wait before, who came first goes first', () => {
    const { asker, serve, lines } = build();
    for (const name of 'abcdef') asker(name);
    expect(serve(100)).toBe('abcdef');
    expect(lines.count).toBe(0);
  });

  it('of those who have waited longer likewise, and a line that was served is behind the others', () => {
    const { asker, serve } = build();
    for (const name of 'abc') asker(name, 9);
    serve(9);
    const round = serve(3);
    expect([...round].sort().join('')).toBe('abc');
    expect(serve(6)).toBe(round + round);
  });

  it('every other turn is of a newcomer, however many wait: nobody waits for more than twice the others', () => {
    const { asker, serve } = build();
    for (const name of 'abc') asker(name, 100);
    serve(9);
    for (const name of 'xyz') asker(name);
    const order = serve(12);
    expect(order.replace(/[abc]/g, '')).toBe('xyz');
    expect(order.indexOf('z')).toBeLessThanOrEqual(5);
    for (const old of 'abc') expect(order.split(old).length - 1).toBe(3);
  });

  it('one that comes again and again as a newcomer does not keep others from their turns', () => {
    const { asker, serve, lines } = build();
    asker('a', 10);
    serve(2);
    const pushy = asker('p');
    let order = '';
    for (let i = 0; i < 12; i++) {
      order += serve(1);
      if (pushy.size > 0) continue;
      pushy.size = 1;
      lines.join(pushy);
    }
    expect(order).toMatch(/^(ap|pa){6}$/);
  });

  it('a line of which nothing may go on is passed over once a round, hides nobody, and keeps its place', () => {
    const { asker, serve, lines } = build();
    const stuck = [...'abcde'].map((name) => asker(name));
    for (const each of stuck) each.may = false;
    let asked = 0;
    lines.round(
      () => true,
      () => ((asked += 1), 0),
    );
    expect(asked).toBe(5);
    asker('x');
    expect(serve(100)).toBe('x');
    for (const each of stuck) each.may = true;
    asker('y');
    expect(serve(100)).toMatch(/^y?ay?bcde$/);
  });

  it('whoever may go has its turn though more than half of the lines may not', () => {
    const { asker, serve } = build();
    const old = asker('o', 2);
    serve(1);
    old.may = false;
    for (const name of 'abcd') asker(name).may = false;
    asker('z');
    expect(serve(100)).toBe('z');
  });

  it('costs the same for each of many', () => {
    const { lines, asker } = build();
    for (let i = 0; i < 50_000; i++) asker('', 2);
    let asked = 0;
    lines.round(
      () => true,
      (line) => ((asked += 1), line.size--, 1),
    );
    expect([asked, lines.count]).toEqual([100_000, 0]);
  });

  it('each is visited once, and who then waits no more may join anew', () => {
    const { lines, asker, serve } = build();
    const all = [...'abcd'].map((name) => asker(name, 2));
    serve(2);
    const visited: string[] = [];
    lines.each((line) => {
      visited.push(line.name);
      if (line.name === 'c') line.size = 0;
    });
    expect([visited.sort().join(''), lines.count]).toEqual(['bcd', 2]);
    all[2]!.size = 1;
    lines.join(all[2]!);
    lines.join(all[2]!);
    expect([...serve(100)].sort().join('')).toBe('bbcdd');
  });
});
