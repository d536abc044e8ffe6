#!/usr/bin/env node
/**
 * `node tools/start.cjs <app> [arguments]`: builds when a source is newer than the last build, then runs the app in
 * this very process (so that signals reach it). CommonJS on purpose: nothing has touched libuv's thread pool yet, so
 * its size can still be set. Two threads a core: more of them fight the event loop for the same cores.
 */
const { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } = require('node:fs');
const { spawnSync } = require('node:child_process');
const { availableParallelism } = require('node:os');
const { join } = require('node:path');

const root = join(__dirname, '..');
const stamp = join(root, 'dist', '.built');
const sources = ['apps', 'libs', 'schemas', 'tsconfig.json', 'nest-cli.json', 'package.json'];

function newestMs(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  let newest = found.mtimeMs;
  for (const entry of readdirSync(path)) newest = Math.max(newest, newestMs(join(path, entry)));
  return newest;
}

function buildWhenStale() {
  const builtMs = existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  if (sources.every((source) => newestMs(join(root, source)) <= builtMs)) return;
  process.stderr.write('building…\n');
  const startedAt = new Date();
  const { compile } = require('./build/compile.cjs');
  const problem = compile();
  if (problem !== undefined) {
    process.stderr.write(`${problem}\nthe build failed; the messages above say where\n`);
    process.exit(1);
  }
  // Without it everything runs too, only later.
  spawnSync(process.execPath, [join(__dirname, 'code-cache', 'make.cjs')], { stdio: ['ignore', 'ignore', 'inherit'] });
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(stamp, startedAt.toISOString());
}

const [app, ...args] = process.argv.slice(2);
buildWhenStale();
if (app !== undefined) {
  process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, 2 * availableParallelism()));
  const main = join(root, 'dist', 'apps', app, 'src', 'main.js');
  if (!existsSync(main)) {
    process.stderr.write(`there is no app '${app}': the folders below apps/ name them\n`);
    process.exit(2);
  }
  process.argv = [process.argv[0], main, ...args];
  require('./code-cache/use.cjs');
  require(main);
}
