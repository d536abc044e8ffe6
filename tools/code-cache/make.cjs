/**
 * After a build: writes `dist/.code-cache`. V8 compiles a function when it is called first, so a standalone is started for
 * a moment, on a folder of its own; then what the other apps load is loaded too.
 */
const { existsSync, mkdtempSync, readdirSync, rmSync } = require('node:fs');
const Module = require('node:module');
const { tmpdir } = require('node:os');
const { join, sep } = require('node:path');
const { keyOf, mayImport, root, run, scriptOf, write } = require('./cache-file.cjs');

const deadlineMs = 120_000;
const apps = join(root, 'dist', 'apps');
const standard = { resolve: Module._resolveFilename, compile: Module.prototype._compile };
/** What a main file loads that is not a main file itself. */
const begins = /\.module\.js$|^program\.js$/;

const loaded = new Map();
const paths = {};
const isOurs = (filename) => filename.startsWith(root + sep);

function record() {
  Module._resolveFilename = function (request, parent, isMain, options) {
    const filename = standard.resolve.call(this, request, parent, isMain, options);
    if (parent?.filename && options === undefined && isOurs(filename)) paths[keyOf(request, parent)] = filename;
    return filename;
  };
  Module.prototype._compile = function (text, filename) {
    if (!isOurs(filename) || text.startsWith('#!') || mayImport(text))
      return standard.compile.call(this, text, filename);
    const script = scriptOf(text, filename);
    loaded.set(filename, { text, script });
    return run(this, script, filename);
  };
}

async function serve(main) {
  const folder = mkdtempSync(join(tmpdir(), 'levee-code-cache-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  for (const name of Object.keys(process.env)) if (/^(LEVEE|KAFKA)_/.test(name)) delete process.env[name];
  for (const door of ['RESP', 'HTTP', 'MASTER', 'DISPATCHER', 'NODE_RESP', 'NODE_HTTP'])
    process.env[`LEVEE_${door}_PORT`] = '0';
  Object.assign(process.env, { LEVEE_DATA_DIR: folder, LEVEE_LOG_LEVEL: 'error' });
  require(main);
  while (!existsSync(join(folder, 'doors.json'))) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function make() {
  record();
  await serve(join(apps, 'standalone', 'src', 'main.js'));
  for (const app of readdirSync(apps))
    for (const name of readdirSync(join(apps, app, 'src')))
      if (begins.test(name)) require(join(apps, app, 'src', name));
  const modules = new Map();
  for (const [filename, { text, script }] of loaded) modules.set(filename, { text, code: script.createCachedData() });
  write({ modules, paths });
}

const ended = (problem) => {
  if (problem !== undefined) process.stderr.write(`no code cache, so processes start slower: ${problem}\n`);
  process.exit(problem === undefined ? 0 : 1);
};
setTimeout(() => ended(`not made within ${deadlineMs} ms`), deadlineMs);
make().then(
  () => ended(),
  (error) => ended(error.stack),
);
