import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(__dirname, 'bench');
const taken = readdirSync(folder)
  .filter((name) => name.endsWith('.mjs'))
  .flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/const \{([^}]*)\} = require\('(@levee\/[^']+)'\)/g)].map(
      ([, names, lib]) => ({
        name,
        lib: lib as string,
        names: (names as string).split(',').map((each) => each.trim()),
      }),
    ),
  );

/** Benches are no TypeScript and run rarely: a name that has moved to another lib would be missed on the day of a measurement. */
it('what benches take from libs is there', () => {
  expect(taken.length).toBeGreaterThan(15);
  const missing = taken.flatMap(({ name, lib, names }) => {
    const face = require(lib) as Readonly<Record<string, unknown>>;
    return names.filter((each) => face[each] === undefined).map((each) => `${name}: ${lib} has no ${each}`);
  });
  expect(missing).toEqual([]);
});
