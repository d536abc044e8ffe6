/**
 * `node --require tools/code-cache/use.cjs <main>`: a start that takes V8's code of 1,700 modules, and where each
 * `require` leads, from `dist/.code-cache`. It needs half the time. A module whose text is another one by now is compiled
 * as ever; so are all of them where the cache is missing, damaged, of another Node, or of other packages.
 */
const { existsSync, readFileSync } = require('node:fs');
const Module = require('node:module');
const { join, sep } = require('node:path');
const { file, hashOf, keyOf, read, root, run, scriptOf } = require('./cache-file.cjs');

const dist = join(root, 'dist') + sep;
const standard = { resolve: Module._resolveFilename, js: Module._extensions['.js'] };

function use({ modules, paths, code }) {
  Module._resolveFilename = function (request, parent, isMain, options) {
    const known = parent?.filename && options === undefined ? paths[keyOf(request, parent)] : undefined;
    // Packages are as they were when the cache was made; the build may have been done by hand since.
    if (known !== undefined && (!known.startsWith(dist) || existsSync(known))) return known;
    return standard.resolve.call(this, request, parent, isMain, options);
  };
  Module._extensions['.js'] = function (module, filename) {
    const entry = modules[filename];
    if (entry === undefined) return standard.js(module, filename);
    const text = readFileSync(filename, 'utf8');
    const cached = code.subarray(entry.from, entry.to);
    if (hashOf(text, cached) !== entry.hash) return standard.js(module, filename);
    return run(module, scriptOf(text, filename, cached), filename);
  };
}

try {
  const cache = existsSync(file) ? read() : undefined;
  if (cache !== undefined) use(cache);
} catch {
  // Nothing but time is lost; the next build makes another one.
}
