import { WriteTurns } from './write-turns';

/** Writes that end when they are told to. */
function scene() {
  const turns = new WriteTurns();
  const begun: string[] = [];
  const ends = new Map<string, { readonly end: () => void; readonly fail: (error: Error) => void }>();
  const write = (name: string, bytes: number): Promise<string> =>
    turns
      .run(bytes, () => {
        begun.push(name);
        return new Promise((end, fail) => ends.set(name, { end, fail }));
      })
      .then(
        () => `${name} is over`,
        (error: Error) => error.message,
      );
  return { begun, write, of: (name: string) => ends.get(name)! };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const large = 1_000_000;

describe('turns of large writes', () => {
  it('two are under way at a time, the others follow in their order, one that fails gives its turn on', async () => {
    const { begun, write, of } = scene();
    const all = ['a', 'b', 'c', 'd'].map((name) => write(name, large));
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
});
