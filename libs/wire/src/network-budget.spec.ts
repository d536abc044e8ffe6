import { NetworkBudget } from './network-budget';

/** Timers that fire when the test says so. */
class Alarm {
  private due: (() => void)[] = [];
  after = (_delayMs: number, action: () => void): (() => void) => {
    this.due.push(action);
    return () => void (this.due = this.due.filter((each) => each !== action));
  };
  ring(): void {
    for (const action of this.due.splice(0)) action();
  }
}

describe('the network budget of a process', () => {
  const build = () => {
    const alarm = new Alarm();
    const budget = new NetworkBudget(100, 1_000, alarm);
    const turns: string[] = [];
    const ask = (name: string, bytes: number, asker?: { takesSlowly: boolean }): void => {
      const turn = budget.take(bytes, asker);
      if (turn === undefined) turns.push(name);
      else
        turn.then(
          () => turns.push(name),
          (error: { code: string }) => turns.push(`${name} ${error.code}`),
        );
    };
    return { budget, alarm, turns, ask };
  };
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('lets through what fits, the others in their order as room returns', async () => {
    const { budget, turns, ask } = build();
    ask('a', 60);
    ask('b', 30);
    ask('c', 20);
    ask('d', 15);
    await settled();
    expect([turns, budget.usedBytes]).toEqual([['a', 'b'], 90]);
    budget.giveBack(60);
    await settled();
    expect([turns, budget.usedBytes, budget.peakBytes]).toEqual([['a', 'b', 'c', 'd'], 65, 90]);
  });

  it('lets one at a time through while slow readers keep all the room, but none of theirs', async () => {
    const { budget, turns, ask } = build();
    const slow = { takesSlowly: true };
    budget.count(500);
    ask('slow', 1, slow);
    ask('large', 200);
    ask('next', 1);
    await settled();
    expect([turns, budget.crowded]).toEqual([['large'], true]);
    budget.giveBack(200);
    await settled();
    expect(turns).toEqual(['large', 'next']);
    budget.giveBack(1);
    slow.takesSlowly = false;
    budget.count(-1);
    await settled();
    expect([turns, budget.crowded]).toEqual([['large', 'next', 'slow'], true]);
  });

  it('keeps half of the room from slow readers', async () => {
    const { budget, turns, ask } = build();
    const slow = { takesSlowly: true };
    ask('first', 40, slow);
    ask('second', 20, slow);
    ask('quick', 60);
    await settled();
    expect([turns, budget.usedBytes]).toEqual([['first', 'quick'], 100]);
  });

  it('refuses who waited too long, and forgets them', async () => {
    const { budget, alarm, turns, ask } = build();
    for (const name of ['a', 'b', 'c']) ask(name, 80);
    alarm.ring();
    await settled();
    expect(turns).toEqual(['a', 'b NO_ROOM', 'c NO_ROOM']);
    budget.giveBack(80);
    await settled();
    expect([budget.usedBytes, budget.counts]).toEqual([0, { waited: 2, refused: 2 }]);
  });

  it('refuses at once when too many wait already', async () => {
    const { budget, turns, ask } = build();
    ask('a', 100);
    for (let i = 0; i < 4_096; i++) ask('another', 100);
    await settled();
    ask('one too many', 100);
    await settled();
    expect([turns, budget.counts]).toEqual([['a', 'one too many NO_ROOM'], { waited: 4_096, refused: 1 }]);
  });
});
