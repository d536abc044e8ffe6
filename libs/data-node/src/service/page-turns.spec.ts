import { PageTurns } from './page-turns';

/** Timers that ring when the test says so. */
class ManualTimers {
  at = 0;
  private readonly timers = new Set<{ atMs: number; action: () => void }>();
  readonly after = (delayMs: number, action: () => void): (() => void) => {
    const timer = { atMs: this.at + delayMs, action };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  };

  pass(ms: number): void {
    this.at += ms;
    for (const timer of [...this.timers]) if (timer.atMs <= this.at && this.timers.delete(timer)) timer.action();
  }

  get armed(): number {
    return this.timers.size;
  }
}

const setUp = () => {
  const timers = new ManualTimers();
  const turns = new PageTurns(timers, { pagesOfOneMax: 2, pagesWaitingOfOneMax: 3, pageWaitMs: 1_000 });
  const begun: string[] = [];
  const refused: string[] = [];
  const overs = new Map<string, () => void>();
  const ask = (connection: object, name: string): void =>
    turns.enter(connection, {
      begin: (over) => {
        begun.push(name);
        overs.set(name, over);
      },
      refuse: (why) => refused.push(`${name} ${why}`),
    });
  return { timers, begun, refused, ask, over: (name: string) => overs.get(name)!() };
};

describe('pages of a connection', () => {
  it('are made some at a time, the others in their order', () => {
    const { ask, begun, over, timers, refused } = setUp();
    const a = {};
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) ask(a, name);
    expect(begun).toEqual(['a1', 'a2']);
    over('a2');
    over('a1');
    over('a3');
    expect([begun, timers.armed, refused]).toEqual([['a1', 'a2', 'a3', 'a4', 'a5'], 0, []]);
  });

  it('I16: more than may wait are refused, and those of others are made at once', () => {
    const { ask, begun, refused, over } = setUp();
    const [greedy, other] = [{}, {}];
    for (let i = 1; i <= 8; i++) ask(greedy, `g${i}`);
    ask(other, 'o1');
    ask(other, 'o2');
    expect([begun, refused]).toEqual([
      ['g1', 'g2', 'o1', 'o2'],
      ['g6 limit', 'g7 limit', 'g8 limit'],
    ]);
    over('g1');
    ask(greedy, 'g9');
    expect(refused).toHaveLength(3);
  });

  it('I16: one whose turn does not come is refused in time, and does not count any more', () => {
    const { ask, begun, refused, timers, over } = setUp();
    const a = {};
    for (const name of ['a1', 'a2', 'a3']) ask(a, name);
    timers.pass(600);
    ask(a, 'a4');
    timers.pass(400);
    expect(refused).toEqual(['a3 late']);
    over('a1');
    expect(begun).toEqual(['a1', 'a2', 'a4']);
    timers.pass(5_000);
    expect([refused, timers.armed]).toEqual([['a3 late'], 0]);
  });

  it('that are refused as soon as they begin let the next ones begin', () => {
    const { timers } = setUp();
    const turns = new PageTurns(timers, { pagesOfOneMax: 1, pagesWaitingOfOneMax: 256, pageWaitMs: 1_000 });
    const a = {};
    let begun = 0;
    let first = (): void => undefined;
    turns.enter(a, { begin: (over) => (first = over), refuse: () => undefined });
    for (let i = 0; i < 256; i++)
      turns.enter(a, {
        begin: (over) => {
          begun++;
          over();
        },
        refuse: () => undefined,
      });
    first();
    expect([begun, timers.armed]).toEqual([256, 0]);
  });
});
