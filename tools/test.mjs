#!/usr/bin/env node
/**
 * `npm test`: everything, including a real Kafka that it starts itself. Ends with `N passed, N failed`.
 *   --full      the repetition counts that the issues name, instead of a few (LEVEE_TEST_FULL=1 for the suites); the
 *               table of counts that ends the run is written to docs/test-full.md
 *   --interop   the clients of other languages instead, of Redis and of Kafka; a language that is not installed is said and
 *               counted as skipped
 *   anything else is handed to jest, e.g. `npm test -- libs/log`; what is named so is run on all its grounds. A whole run
 *   draws some with the seed, and says at its end what was not drawn (test/support/drawn.ts, tools/turns.cjs)
 * LEVEE_TEST_SEED repeats a run's random choices; the seed in use is printed first. LEVEE_TEST_WORKERS: so many system
 * suites at once, instead of three.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startKafka } from './kafka/local-kafka.mjs';
import { leftToOthers } from './turns.cjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const args = process.argv.slice(2);
const full = args.includes('--full');
const interop = args.includes('--interop');
const rest = args.filter((arg) => arg !== '--full' && arg !== '--interop');
const scratch = mkdtempSync(join(tmpdir(), 'levee-test-'));
const seed = process.env.LEVEE_TEST_SEED ?? String(Math.floor(Math.random() * 2 ** 31));
const totals = { passed: 0, failed: 0, skipped: 0 };

const env = { ...process.env, LEVEE_TEST_SEED: seed, LEVEE_TEST_SCRATCH: scratch };
if (full) env.LEVEE_TEST_FULL = '1';
// Of a whole run. Who names a suite gets all of it.
const draws = !full && !interop && rest.length === 0;
if (draws) env.LEVEE_TEST_DRAWS = '1';
const left = draws ? leftToOthers(seed) : [];

/** Resolves with the exit code. `report`: a file that the command writes last; once it is there, the end has a deadline. */
function run(command, commandArgs, { extraEnv = {}, report } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, commandArgs, { cwd: root, stdio: 'inherit', env: { ...env, ...extraEnv } });
    let ending;
    const looks = setInterval(() => {
      if (report === undefined || !existsSync(report)) return;
      clearInterval(looks);
      ending = setTimeout(() => {
        console.error(`process ${child.pid} had reported and did not end within ${endingMs / 1000} s: it is killed`);
        child.kill('SIGKILL');
        resolve(0);
      }, endingMs);
    }, 1_000);
    const ended = (code) => {
      clearInterval(looks);
      clearTimeout(ending);
      resolve(code ?? 1);
    };
    child.on('exit', ended);
    child.on('error', () => ended(1));
  });
}

/** Node was seen to turn for ever while it freed what a suite had left open; every test had ended, and was counted. */
const endingMs = 30_000;

async function jest(project, jestArgs, extraEnv) {
  const report = join(scratch, `${project}.json`);
  const code = await run(
    process.execPath,
    [
      '--expose-gc',
      'node_modules/jest/bin/jest.js',
      '--selectProjects',
      project,
      '--json',
      '--outputFile',
      report,
      '--passWithNoTests',
      ...jestArgs,
      ...rest,
    ],
    { extraEnv, report },
  );
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    totals.passed += result.numPassedTests;
    totals.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
    totals.skipped += result.numPendingTests;
    if (code !== 0 && result.numFailedTests + result.numRuntimeErrorTestSuites === 0) totals.failed += 1;
  } catch (error) {
    console.error(`no report from the ${project} tests: ${error.message}`);
    totals.failed += 1;
  }
}

/** What the fault tests told of themselves (test/support/counts.ts), as a page; `undefined` when they told nothing. */
function countsTable() {
  let lines;
  try {
    lines = readFileSync(join(scratch, 'counts.ndjson'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  } catch {
    return undefined;
  }
  const rounded = (value) => (value === undefined ? '' : String(Math.round(value)));
  const rows = lines.map(
    ({ scenario, repetitions, failures, figure = '', p50, p99, max }) =>
      `| ${scenario} | ${repetitions} | ${failures} | ${figure} | ${rounded(p50)} | ${rounded(p99)} | ${rounded(max)} |`,
  );
  return [
    '# Faults, counted',
    '',
    `\`npm run test:full\` writes this page. Seed ${seed}${full ? ', full counts' : ', few repetitions'}. A failure is an operation that failed without excuse, or`,
    'a contradiction that a history checker or the ledger found.',
    '',
    '| scenario | repetitions | failures | figure | p50 | p99 | max |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** What the seed did not draw, a line each. */
function notDrawn() {
  const file = join(scratch, 'not-drawn.txt');
  const variants = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const suites = [...new Set(left.map(({ shows }) => shows))].map((shows) => {
    const names = left.filter((one) => one.shows === shows).map(({ suite }) => basename(suite, '.ts'));
    return `${shows}: ${names.map((name) => name.replace(/\.(test|spec)$/, '')).join(', ')}`;
  });
  return [...new Set([...variants, ...suites])].filter((line) => line !== '').sort();
}

async function withKafka(work) {
  if (process.env.KAFKA_BROKERS) return work(process.env.KAFKA_BROKERS);
  let kafka;
  try {
    kafka = await startKafka({ nodes: 1, dir: join(scratch, 'kafka') });
  } catch (error) {
    console.error(`no Kafka to test against: ${error.message}`);
    totals.failed += 1;
    return undefined;
  }
  const stop = () => void kafka.stop();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await work(kafka.brokers);
  } finally {
    await kafka.stop();
  }
}

/** Without Java and Maven, which start a Kafka, suites that need one say so and are skipped. */
async function whereKafkaRuns(work) {
  if (process.env.KAFKA_BROKERS || spawnSync('mvn', ['--version']).status === 0)
    await withKafka((brokers) => work({ KAFKA_BROKERS: brokers }));
  else await work({});
}

console.log(`seed ${seed} (LEVEE_TEST_SEED repeats it)${full ? ', full counts' : ''}`);
const started = Date.now();
/** Jest then forgets the patterns of its configuration: a suite that needs a Kafka is none of the unit project's. */
const passedOver =
  left.length === 0
    ? []
    : ['/node_modules/', ...left.map(({ suite }) => `/${suite.replaceAll('.', '\\.')}$`)].map(
        (pattern) => `--testPathIgnorePatterns=${pattern}`,
      );
const needsKafka = passedOver.length === 0 ? [] : ['--testPathIgnorePatterns=\\.kafka\\.(spec|test)\\.ts$'];
// Unit suites wait for timers, disks and deadlines too: two of them at a time leave two cores idle for half of the time.
const unit = () => jest('unit', [...passedOver, ...needsKafka, `--maxWorkers=${full ? 3 : 4}`]);
/** Only processes need what is built. */
async function built(work) {
  if ((await run(process.execPath, ['tools/start.cjs'])) === 0) await work();
  else totals.failed += 1;
}
const system = (workers) => {
  // Jest takes what follows a pattern for another one: the number of workers stands between these and what is named.
  return withKafka((brokers) => jest('system', [...passedOver, `--maxWorkers=${workers}`], { KAFKA_BROKERS: brokers }));
};
if (interop) await built(() => whereKafkaRuns((extraEnv) => jest('interop', ['--runInBand'], extraEnv)));
else {
  const atOnce = Number(process.env.LEVEE_TEST_WORKERS ?? 3);
  await unit();
  // A system suite takes two thirds of one core: it waits for timeouts, and starts whole clusters at other times. Three at
  // once fill two cores; each suite stands two processes beside it that burn both. Full counts come with figures, so there
  // nothing runs beside anything.
  await built(() => system(full || rest.length > 0 ? 1 : atOnce));
}
const counts = countsTable();
if (counts !== undefined) {
  console.log(`\n${counts}`);
  if (full && rest.length === 0) writeFileSync(join(root, 'docs', 'test-full.md'), counts);
}
const others = notDrawn();
if (others.length > 0)
  console.log(
    `not drawn by this seed, and shown by others, by the suite alone and by test:full:\n  ${others.join('\n  ')}`,
  );
rmSync(scratch, { recursive: true, force: true });
console.log(`took ${Math.round((Date.now() - started) / 1000)} s`);
console.log(
  `${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`,
);
// Where no other language is installed, there is nothing for --interop to fail at; each was named above.
process.exit(totals.failed === 0 && (totals.passed > 0 || interop) ? 0 : 1);
