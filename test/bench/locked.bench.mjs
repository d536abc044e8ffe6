/**
 * What authentication and TLS cost: GET and SET through `npm start`, open, asking, and over TLS, in turns of one run. And,
 * as a part of its own, what readers feel of somebody who guesses passwords.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadTs } from './load-ts.mjs';
import { eventually, scratch, standalone } from './processes.mjs';
import { perSecond } from './report.mjs';

export const rounds = 7;
const reach = { auth: 0.97, tls: 0.6 };
const requests = { get: 60_000, set: 20_000 };
/** Times the p99 of reads that it may be while passwords are guessed. */
const floodReach = 1.5;
const floodReads = 40_000;

/** Processes of each kind, one after another: how a process is compiled makes more difference than what is measured. */
const lives = 7;
const roundsOfLife = 3;

export async function locked(report) {
  const dir = scratch('locked');
  const { TestAuthority, writeCertificates } = loadTs()(join(import.meta.dirname, '../support/certificates.ts'));
  const authority = new TestAuthority();
  const server = authority.issue({ name: 'levee', hosts: ['127.0.0.1', 'localhost'] });
  const files = writeCertificates(join(dir, 'tls'), 'server', server, authority.cert);
  const tls = { LEVEE_TLS_CERT: files.cert, LEVEE_TLS_KEY: files.key };
  const kinds = { open: {}, auth: { LEVEE_AUTH: 'on' }, tls: { LEVEE_AUTH: 'on', ...tls } };
  const tests = ['get', 'set'];
  const took = Object.fromEntries(tests.map((test) => [test, { open: [], auth: [], tls: [] }]));
  try {
    for (let life = 0; life < lives; life++) {
      const doors = {};
      try {
        for (const [kind, env] of Object.entries(kinds))
          doors[kind] = await started(join(dir, `${kind}-${life}`), kind, env, files);
        for (const test of tests) measureLife(doors, test, took[test]);
      } finally {
        for (const { stop } of Object.values(doors)) await stop();
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  for (const test of tests) {
    const { open } = took[test];
    for (const kind of ['auth', 'tls']) {
      const ratioOf = (what) => median(took[test][kind].map(what)) / median(open.map(what));
      const [ratio, elapsed] = [ratioOf((each) => each.perCpuMs), ratioOf((each) => each.perSecond)];
      const rates = (some) => some.map((each) => perSecond(each.perSecond)).join(', ');
      report.add({
        work: `${test.toUpperCase()}, -c 50, npm start, ${kind === 'auth' ? 'LEVEE_AUTH=on' : 'LEVEE_AUTH=on and TLS'}`,
        measured: `${elapsed.toFixed(3)} of open by the clock; its ${lives} processes: ${rates(took[test][kind])}`,
        peer: `open ${rates(open)}`,
        ratio: `${ratio.toFixed(3)} by processor time`,
        reach: String(reach[kind]),
        ok: Math.max(ratio, elapsed) >= reach[kind],
      });
    }
  }
}

/** One process of each kind, in turns: what each did in the middle of its rounds. */
function measureLife(doors, test, took) {
  const rounds = Object.keys(doors).map((kind) => ({ kind, all: [] }));
  for (const { kind } of rounds) once(doors[kind], test);
  for (let round = 0; round < roundsOfLife; round++)
    for (const { kind, all } of rounds) all.push(once(doors[kind], test));
  for (const { kind, all } of rounds)
    took[kind].push({
      perSecond: median(all.map((each) => each.perSecond)),
      perCpuMs: median(all.map((each) => each.perCpuMs)),
    });
}

/** Reads with and without guesses, in turns. */
export async function guesses(report) {
  const dir = scratch('guesses');
  const { PasswordFlood } = loadTs()(join(import.meta.dirname, '../support/password-flood.ts'));
  const took = { calm: [], flood: [] };
  let [answers, floodMs] = [0, 0];
  const door = await started(dir, 'auth', { LEVEE_AUTH: 'on' }, {});
  try {
    await p99(door);
    for (let round = 0; round < rounds; round++) {
      took.calm.push(await p99(door));
      const beganMs = performance.now();
      const flood = PasswordFlood.begin(door.resp, 'operator');
      took.flood.push(await p99(door));
      flood.stop();
      answers += flood.answers;
      floodMs += performance.now() - beganMs;
    }
  } finally {
    await door.stop();
    rmSync(dir, { recursive: true, force: true });
  }
  const ratio = median(took.flood.map((each, i) => each / took.calm[i]));
  report.add({
    work: `p99 of GET, -c 8, npm start, LEVEE_AUTH=on, while 128 connections of 16 addresses guess passwords`,
    measured: `${median(took.flood).toFixed(2)} ms; ${Math.round((answers * 1000) / floodMs)} guesses/s are answered`,
    peer: `nobody guesses ${median(took.calm).toFixed(2)} ms`,
    ratio: ratio.toFixed(2),
    reach: `at most ${floodReach}`,
    ok: ratio <= floodReach,
  });
}

/** Of reads, in ms. */
export async function p99({ options }) {
  const args = [...options, '-t', 'get', '-c', '8', '-n', String(floodReads), '-r', '10000', '-d', '100', '--csv'];
  const { stdout } = await promisify(execFile)('redis-benchmark', args, { timeout: 300_000 });
  const ms = Number(stdout.trim().split('\n').pop()?.split(',')[6]?.replaceAll('"', ''));
  if (!(ms > 0)) throw new Error(`redis-benchmark get: ${stdout}`);
  return ms;
}

export async function started(dir, kind, env, { ca }) {
  const levee = await standalone(dir, { ...env, LEVEE_NODES: '1', LEVEE_REPLICAS: '1' }, { answers: false });
  await eventually('its doors', () => JSON.parse(readFileSync(join(dir, 'doors.json'), 'utf8')).http);
  const token = kind === 'open' ? undefined : readFileSync(join(dir, 'operator.token'), 'utf8').trim();
  const who = token === undefined ? [] : ['--user', 'operator', '-a', token];
  const wire = kind === 'tls' ? ['--tls', '--cacert', ca] : [];
  return { ...levee, options: ['-h', '127.0.0.1', '-p', String(levee.resp), ...who, ...wire] };
}

/** Requests a second, and for each millisecond that the process worked. */
export function once({ options, child }, test) {
  const before = workedMs(child.pid);
  const args = [...options, '-t', test, '-c', '50', '-n', String(requests[test]), '-r', '10000', '-d', '100', '--csv'];
  const result = spawnSync('redis-benchmark', args, { encoding: 'utf8', timeout: 300_000 });
  const row = result.stdout?.trim().split('\n').pop()?.split(',');
  const rate = Number(row?.[1]?.replaceAll('"', ''));
  if (result.status !== 0 || !(rate > 0)) throw new Error(`redis-benchmark ${test}: ${result.stdout} ${result.stderr}`);
  return { perSecond: rate, perCpuMs: requests[test] / (workedMs(child.pid) - before) };
}

/** User and system time of a process; a tick of the kernel is 10 ms. */
function workedMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
