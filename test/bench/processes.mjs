/** Whole processes for benchmarks: Levee's apps from dist/, redis-server as the peer, redis-benchmark as the load. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimPorts } from '../../tools/ports.cjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export const scratch = (name) => mkdtempSync(join(tmpdir(), `levee-bench-${name}-`));

const freePort = async () => (await claimPorts([0]))[0];

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Starts a program, keeps its output for error messages. */
function start(command, args, env = {}) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  running.add(child);
  child.printed = '';
  const keep = (chunk) => (child.printed = (child.printed + chunk).slice(-20_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.once('exit', () => running.delete(child));
  return child;
}

export async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exited;
  clearTimeout(timer);
}

const app = (name, env) =>
  start(process.execPath, ['--max-semi-space-size=32', join(root, `dist/apps/${name}/src/main.js`)], {
    UV_THREADPOOL_SIZE: '4',
    LEVEE_LOG_LEVEL: 'warn',
    ...env,
  });

export async function eventually(what, condition, deadlineMs = 60_000, everyMs = 20) {
  const until = Date.now() + deadlineMs;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
    } catch {
      // Not yet.
    }
    if (Date.now() > until) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** One RESP request on a fresh connection; resolves with the raw reply. */
export function ask(port, ...args) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    let reply = '';
    socket.on('data', (chunk) => {
      reply += chunk.toString('latin1');
      const length = /^\$(\d+)\r\n/.exec(reply);
      if (length ? reply.length >= length[0].length + Number(length[1]) + 2 : reply.endsWith('\r\n')) {
        socket.destroy();
        resolve(reply);
      }
    });
    socket.write(
      `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`).join('')}`,
    );
  });
}

/** Resident memory of a process in MB. */
export function residentMb(child) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;
}

export async function redisServer(extra = []) {
  if (spawnSync('redis-server', ['--version']).status !== 0)
    throw new Error('the peer is missing: install redis-server and redis-benchmark (Debian: apt-get install redis)');
  const port = await freePort();
  const dir = scratch('redis');
  const child = start('redis-server', ['--port', String(port), '--dir', dir, '--save', '', ...extra]);
  await eventually('redis-server answers', async () => (await ask(port, 'PING')) === '+PONG\r\n');
  return { port, stop: () => stop(child).then(() => rmSync(dir, { recursive: true, force: true })) };
}

/** Median requests per second over `runs` runs of redis-benchmark, with the p50 and p99 of the median run in ms. */
export function redisBenchmark(
  port,
  test,
  { clients = 50, pipeline = 1, requests = 200_000, keys = 200_000, bytes = 100, runs = 3 } = {},
) {
  const results = [];
  for (let run = 0; run < runs; run++) {
    const result = spawnSync(
      'redis-benchmark',
      [
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '-t',
        test,
        '-c',
        String(clients),
        '-P',
        String(pipeline),
        '-n',
        String(requests),
        '-r',
        String(keys),
        '-d',
        String(bytes),
        '--csv',
      ],
      { encoding: 'utf8', timeout: 300_000 },
    );
    const row = result.stdout
      ?.trim()
      .split('\n')
      .pop()
      ?.split(',')
      .map((cell) => cell.replaceAll('"', ''));
    if (result.status !== 0 || row === undefined || !(Number(row[1]) > 0))
      throw new Error(`redis-benchmark ${test}: ${result.stdout} ${result.stderr}`);
    results.push({ perSecond: Number(row[1]), p50: Number(row[4]), p99: Number(row[6]) });
  }
  return results.sort((a, b) => a.perSecond - b.perSecond)[results.length >> 1];
}

/** Writes every key that redis-benchmark -r may ask for, so that misses are faults and not chance. */
export function loadKeys(port, keys = 200_000, bytes = 100) {
  return new Promise((resolve, reject) => {
    const value = 'x'.repeat(bytes);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', reject);
    let sent = 0;
    let answered = 0;
    const send = () => {
      let out = '';
      for (let i = 0; i < 500 && sent < keys; i++, sent++) {
        const key = `key:${String(sent).padStart(12, '0')}`;
        out += `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${bytes}\r\n${value}\r\n`;
      }
      if (out) socket.write(out);
    };
    let left = '';
    socket.on('data', (chunk) => {
      const text = left + chunk.toString('latin1');
      const lines = text.split('\r\n');
      left = lines.pop();
      for (const line of lines) {
        if (line !== '+OK') return reject(new Error(`loading: ${line}`));
        answered += 1;
      }
      if (answered === keys) {
        socket.end();
        resolve();
      } else if (sent - answered < 2000) send();
    });
    send();
    send();
  });
}

/** keyspace_misses of INFO. */
export async function misses(port) {
  return Number(/keyspace_misses:(\d+)/.exec(await ask(port, 'INFO', 'stats'))?.[1] ?? NaN);
}

/** By the portal at `url`; one that is there already is as good. Resolves with true, rejects with what the portal says. */
export async function createNamespace(url, of) {
  const answer = await fetch(`${url}/v1/namespaces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(of),
  });
  if (!answer.ok && answer.status !== 409) throw new Error(await answer.text());
  return true;
}

/**
 * Master, data nodes and one portal as processes of their own on a Kafka.
 * @returns ports, the processes, and stop()
 */
export async function cluster(
  brokers,
  { nodes = 1, prefix = `bench${Date.now()}`, units = '32x256MiB:leveldb', env = {} } = {},
) {
  const dir = scratch('cluster');
  const common = { KAFKA_BROKERS: brokers, LEVEE_TOPIC_PREFIX: prefix, ...env };
  const masterPort = await freePort();
  const master = app('master', { ...common, LEVEE_MASTER_PORT: String(masterPort) });
  const dataNodes = [];
  for (let i = 1; i <= nodes; i++)
    dataNodes.push(
      app('data-node', {
        ...common,
        LEVEE_NODE_ID: `n${i}`,
        LEVEE_DATA_DIR: join(dir, `n${i}`),
        LEVEE_UNITS: units,
        LEVEE_NODE_RESP_PORT: String(await freePort()),
        LEVEE_NODE_HTTP_PORT: String(await freePort()),
      }),
    );
  const [resp, http] = [await freePort(), await freePort()];
  const portal = app('portal', { ...common, LEVEE_RESP_PORT: String(resp), LEVEE_HTTP_PORT: String(http) });
  const all = [portal, ...dataNodes, master];
  const alive = (child) => {
    if (child.exitCode !== null) throw new Error(`a process ended: ${child.printed}`);
  };
  const url = `http://127.0.0.1:${http}`;
  await eventually(`the nodes are registered`, async () => {
    all.forEach(alive);
    const answer = await fetch(`${url}/v1/nodes`);
    const body = await answer.json();
    return (body.nodes ?? body).length >= nodes;
  });
  await eventually('the namespace exists', () =>
    createNamespace(url, { name: 'default', chunks: 8, partitions: 8, replicas: Math.min(3, nodes) }),
  );
  await eventually('a write is answered', async () => (await ask(resp, 'SET', 'ready', 'yes')) === '+OK\r\n');
  await eventually('a read is answered', async () => (await ask(resp, 'GET', 'ready')).includes('yes'));
  return {
    resp,
    url,
    portal,
    nodes: dataNodes,
    master,
    nodeFolder: (nodeId) => join(dir, nodeId, nodeId),
    async stop() {
      for (const child of all) await stop(child);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** `npm start` on the embedded log as one process. */
export async function standalone(dir, env = {}, { answers = true } = {}) {
  const resp = await freePort();
  const started = performance.now();
  const child = app('standalone', {
    LEVEE_DATA_DIR: dir,
    LEVEE_RESP_PORT: String(resp),
    LEVEE_HTTP_PORT: '0',
    LEVEE_MASTER_PORT: '0',
    LEVEE_DISPATCHER_PORT: '0',
    LEVEE_NODE_RESP_PORT: '0',
    LEVEE_NODE_HTTP_PORT: '0',
    ...env,
  });
  await eventually('the standalone answers', async () => {
    if (child.exitCode !== null) throw new Error(child.printed);
    // Who is asked who he is is told no more than that.
    return !answers || (await ask(resp, 'GET', 'ready')).startsWith('$');
  });
  return { resp, child, firstGetMs: performance.now() - started, stop: () => stop(child) };
}
