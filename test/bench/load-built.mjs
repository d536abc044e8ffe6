import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './processes.mjs';

/** A `require` whose `@levee/*` is what the build made of the lib, for benches that measure what people run. */
export function loadBuilt() {
  const require = createRequire(join(root, 'package.json'));
  return (name) =>
    require(name.replace(/^@levee\/([^/]+)$/, (_, lib) => join(root, 'dist', 'libs', lib, 'src', 'index.js')));
}
