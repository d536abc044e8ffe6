import { turnMsMax, WriteTurns } from './write-turns';

/** Writes to two disks that end when they are told to; `pass` lets the time of those that are under way go by. */
function scene() {
  const times = new Set<() => void>();
  const after = (delayMs: number, action: () => void): (() => void) => {
    expect(delayMs).toBe(turnMsMax);
    times.add(action);
    return () => void times.delete(action);
  };
  const pass = (): void => {
    for (const action of [...times]) {
      times.delete(action);
      action();
    }
  };
  const turns = new WriteTurns({ after });
  const [disk, other] = [turns.ofDisk(), turns.ofDisk()];
  const begun: string[] = [];
  const ends = new Map<string, { readonly end: () => void; readonly fail: (error: Error) => void }>();
  const write = (name: string, bytes: number, to = disk): Promise<string> =>
    to
      .run(bytes, () => {
        begun.push(name);
        return new Promise((end, fail) => ends.set(name, { end, fail }));
      })
      .then(
        () => `${name} is over`,
        (error: Error) => error.message,
      );
  return { begun, write, other, pass, times, of: (name: string) => ends.get(name)! };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const large = 1_000_000;

describe('turns of large writes', () => {
  it('two are under way at a time, the others follow in their order, one that fails gives its turn on', async () => {
    const { begun, write, other, of, times } = scene();
    const all = ['a', 'b', 'c', 'd'].map((name, i) => write(name, large, i % 2 === 0 ? undefined : other));
    await tick();
    expect(begun).toEqual(['a', 'b']);
    of('b').fail(new Error('no room'));
    await tick();
    expect(begun).toEqual(['a', 'b', 'c']);
    of('a').end();
    await tick();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    of('c').end();
    of('d').end();
    expect(await Promise.all(all)).toEqual(['a is over', 'no room', 'c is over', 'd is over']);
    expect(times.size).toBe(0);
    for (const name of ['e', 'f', 'g']) void write(name, large);
    await tick();
    expect(begun.slice(4)).toEqual(['e', 'f']);
  });

  it('small ones wait for nobody', async () => {
    const { begun, write } = scene();
    for (const name of ['a', 'b', 'c']) void write(name, large);
    for (const name of ['x', 'y', 'z']) void write(name, 1_000);
    await tick();
    expect(begun).toEqual(['a', 'b', 'x', 'y', 'z']);
  });

  it('a disk that hangs keeps its own turns, and those of others no longer than one may last', async () => {
    const { begun, write, other, pass, of } = scene();
    const hung = ['a', 'b', 'c'].map((name) => write(name, large));
    const others = ['p', 'q', 'r'].map((name) => write(name, large, other));
    await tick();
    expect(begun).toEqual(['a', 'b']);
    pass();
    await tick();
    expect(begun).toEqual(['a', 'b', 'p', 'q']);
    of('p').end();
    await tick();
    expect(begun.slice(4)).toEqual(['r']);
    of('q').end();
    of('r').end();
    expect(await Promise.all(others)).toEqual(['p is over', 'q is over', 'r is over']);
    expect(begun).not.toContain('c');
    // It works again: what waited is written, and as many as ever are under way.
    of('a').end();
    await tick();
    expect(begun.slice(5)).toEqual(['c']);
    of('b').fail(new Error('gone'));
    of('c').end();
    expect(await Promise.all(hung)).toEqual(['a is over', 'gone', 'c is over']);
    for (const name of ['e', 'f', 'g']) void write(name, large, other);
    await tick();
    expect(begun.slice(6)).toEqual(['e', 'f']);
  });
});
