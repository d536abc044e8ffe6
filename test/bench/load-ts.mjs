import { createRequire, Module } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A `require` that knows our TypeScript and `@levee/*`: a bench of one lib needs no build. */
export function loadTs() {
  const require = createRequire(join(root, 'package.json'));
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    const lib = /^@levee\/([^/]+)$/.exec(request);
    return resolve.call(this, lib === null ? request : join(root, 'libs', lib[1], 'src', 'index.ts'), ...rest);
  };
  require.extensions['.ts'] = (module, path) => {
    const { code } = transformSync(readFileSync(path, 'utf8'), {
      filename: path,
      sourceMaps: 'inline',
      jsc: { parser: { syntax: 'typescript', decorators: true }, target: 'es2023', keepClassNames: true },
      module: { type: 'commonjs' },
    });
    module._compile(code, path);
  };
  return require;
}
