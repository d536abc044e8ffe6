import { join } from 'node:path';

const root = join(__dirname, '..', '..');

/** What `node` is given to run an app of the last build, as tools do it: with the code that the build kept. */
export const builtApp = (app: string): readonly [string, string, string] => [
  '--require',
  join(root, 'tools/code-cache/use.cjs'),
  join(root, 'dist/apps', app, 'src/main.js'),
];
