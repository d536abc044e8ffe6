import { join } from 'node:path';

const root = join(__dirname, '..', '..');

/** A process of the last build takes the code that the build kept, as tools let it. */
export const withCodeCache = ['--require', join(root, 'tools/code-cache/use.cjs')] as const;

/** What `node` is given to run an app of the last build. */
export const builtApp = (app: string): readonly string[] => [
  ...withCodeCache,
  join(root, 'dist/apps', app, 'src/main.js'),
];
