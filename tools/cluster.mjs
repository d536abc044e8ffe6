#!/usr/bin/env node
// `npm run cluster`: a whole cluster as real processes on a local Kafka, until Ctrl+C. `--help` lists the options.
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ask, scheme } from './cluster/ask.mjs';
import { startCluster } from './cluster/supervise.mjs';

export { startCluster };

/** What `npm start` begins with too: a primary of it on every node. */
const firstNamespace = { partitions: 8, chunks: 8 };

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const usage = `usage: npm run cluster -- [options]
  --masters 2 --dispatchers 1 --nodes 3 --portals 2   how many of each
  --kafka-nodes 1|3                   brokers of the local Kafka that is started
  --brokers host:port,...             use this Kafka instead
  --dir <folder>                      data and logs (default .levee/cluster); kept
  --restart                           start again what dies
  --any-ports                         free ports instead of the documented ones
  --namespace default --partitions n --chunks n --replicas n    created when absent (8, 8, 3)
  --env <name>:<SETTING>=<value>      a setting of one process only; may be repeated
  --no-build                          use dist/ as it is
  --apps <folder>                     built apps (default dist/apps)
  --json                              doors and process ids as JSON on one line
  --control                           commands on standard input, one a line, each answered by a line of JSON:
                                      kill <name> [signal] | pause <name> | resume <name> | stop <name> |
                                      start <name> | launch <name> | restart <name> | describe | quit
Names: m1.. masters, d1.. dispatchers, n1.. data nodes, p1.. portals, k1.. brokers; several at once are joined by commas.
`;

function options() {
  const { values } = parseArgs({
    options: {
      masters: { type: 'string', default: '2' },
      dispatchers: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '3' },
      portals: { type: 'string', default: '2' },
      'kafka-nodes': { type: 'string', default: '1' },
      brokers: { type: 'string' },
      dir: { type: 'string', default: join(root, '.levee', 'cluster') },
      restart: { type: 'boolean', default: false },
      'any-ports': { type: 'boolean', default: false },
      namespace: { type: 'string', default: 'default' },
      partitions: { type: 'string' },
      chunks: { type: 'string' },
      replicas: { type: 'string' },
      env: { type: 'string', multiple: true, default: [] },
      apps: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      control: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const count = (name, least, most) => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < least || number > most)
      throw new Error(`--${name} is ${values[name]}: a whole number from ${least} to ${most}`);
    return number;
  };
  const kafkaNodes = count('kafka-nodes', 1, 3);
  if (kafkaNodes === 2) throw new Error('--kafka-nodes is 2: 1 or 3');
  const namespace = { name: values.namespace, ...firstNamespace };
  for (const knob of ['partitions', 'chunks', 'replicas'])
    if (values[knob] !== undefined) namespace[knob] = count(knob, 1, 1_000_000);
  const ownSettings = {};
  for (const given of values.env) {
    const [, member, setting, value] = /^([a-z]\d+):([A-Z_]+)=(.*)$/.exec(given) ?? [];
    if (member === undefined)
      throw new Error(`--env is ${given}: <name>:<SETTING>=<value>, as p1:LEVEE_LOG_LEVEL=debug`);
    (ownSettings[member] ??= {})[setting] = value;
  }
  return {
    ...values,
    cluster: {
      envOf: (member) => ownSettings[member],
      masters: count('masters', 1, 9),
      dispatchers: count('dispatchers', 0, 9),
      nodes: count('nodes', 1, 64),
      portals: count('portals', 1, 16),
      kafkaNodes,
      ...(values.brokers === undefined ? {} : { brokers: values.brokers }),
      dir: values.dir,
      ...(values.apps === undefined ? {} : { apps: resolve(values.apps) }),
      restart: values.restart,
      anyPorts: values['any-ports'],
      namespace,
    },
  };
}

async function main() {
  let chosen;
  try {
    chosen = options();
  } catch (error) {
    process.stderr.write(`${error.message}\n${usage}`);
    return 2;
  }
  if (chosen.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (!chosen['no-build'] && !build()) return 1;

  let stopping = false;
  let askedToStop;
  const stop = new Promise((resolve) => (askedToStop = resolve));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      // Members and brokers notice when this process is gone, so a second Ctrl+C is safe.
      if (stopping) process.exit(130);
      stopping = true;
      askedToStop();
    });
  if (chosen.control) process.stdin.once('end', () => askedToStop());

  const notice = (event) => {
    if (chosen.control) process.stdout.write(`${JSON.stringify(event)}\n`);
    else if (!stopping) {
      const next = chosen.restart ? 'starting it again' : '--restart would start it again; by hand: docs/operating.md';
      process.stderr.write(`${event.name} ended with ${event.how}, ${next}\n`);
    }
  };
  if (!chosen.json) process.stderr.write('starting Kafka and the processes…\n');
  const starting = startCluster({
    ...chosen.cluster,
    onExit: (name, how) => notice({ event: 'exit', name, how }),
  });
  let cluster;
  try {
    cluster = await Promise.race([starting, stop.then(() => undefined)]);
    if (cluster === undefined) {
      await (await starting).stop();
      return 0;
    }
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
  process.stdout.write(
    chosen.json
      ? `${JSON.stringify(cluster.describe())}\n`
      : doorsText(cluster.describe(), await activeMaster(cluster)),
  );
  if (chosen.control) obey(cluster, askedToStop);
  await stop;
  stopping = true;
  const exits = await cluster.stop();
  const unclean = Object.entries(exits).filter(([, how]) => how !== 0 && how !== undefined);
  for (const [name, how] of unclean) process.stderr.write(`${name} did not stop cleanly: ${how}\n`);
  return unclean.length === 0 || chosen.control ? 0 : 1;
}

function build() {
  const built = spawnSync(process.execPath, [join(root, 'tools', 'start.cjs')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return built.status === 0;
}

/** One command after the other; the answer names the command, so that a test can tell them apart. */
function obey(cluster, quit) {
  let before = Promise.resolve();
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [word, names = '', signal] = line.trim().split(/\s+/);
    const each = (work) => Promise.all(names.split(',').map(async (name) => work(name)));
    const commands = {
      kill: () => each((name) => cluster.kill(name, signal)),
      pause: () => each((name) => cluster.pause(name)),
      resume: () => each((name) => cluster.resume(name)),
      stop: () => each((name) => cluster.stopOne(name)),
      start: () => each((name) => cluster.restart(name)),
      launch: () => each((name) => cluster.restart(name, { ready: false })),
      restart: () => each((name) => cluster.restart(name)),
      describe: () => undefined,
      quit: () => quit(),
    };
    before = before.then(async () => {
      const answer = { answer: line.trim() };
      try {
        if (commands[word] === undefined) throw new Error(`no command ${word}`);
        await commands[word]();
        Object.assign(answer, { ok: true, cluster: cluster.describe() });
      } catch (error) {
        Object.assign(answer, { ok: false, message: error.message });
      }
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    });
  });
}

/** The master that reigns, as a portal knows it; `undefined` when it cannot tell. */
async function activeMaster({ portals, masters }) {
  try {
    const { master } = JSON.parse((await ask(`${portals[0].http}/v1/status`, { timeoutMs: 5_000 })).text);
    return masters.find(({ name }) => name === master);
  } catch {
    return undefined;
  }
}

function doorsText({ portals, nodes, masters, dispatchers, kafka, dir }, active) {
  const [portal] = portals;
  const port = portal.resp.split(':').pop();
  const row = (what, name, pid, ...doors) =>
    `  ${what.padEnd(10)} ${name.padEnd(4)} ${String(pid).padEnd(8)} ${doors.join('  ')}`;
  return `${[
    'a cluster of real processes:',
    `  ${'what'.padEnd(10)} ${'name'.padEnd(4)} ${'pid'.padEnd(8)} doors`,
    ...portals.map((p) =>
      row('portal', p.name, p.pid, `${scheme === 'https' ? 'rediss' : 'redis'}://${p.resp}`, p.http),
    ),
    ...nodes.map((n) => row('node', n.name, n.pid, `${scheme === 'https' ? 'rediss' : 'redis'}://${n.resp}`, n.http)),
    ...masters.map((m) => row('master', m.name, m.pid, m.http)),
    ...dispatchers.map((d) => row('dispatcher', d.name, d.pid, d.http)),
    ...(kafka.pids.length === 0
      ? [row('kafka', '-', '-', kafka.brokers)]
      : kafka.pids.map((pid, i) => row('kafka', `k${i + 1}`, pid, kafka.brokers.split(',')[i]))),
    `data and logs: ${dir}`,
    '',
    'try:',
    `  redis-cli -p ${port} set hello world`,
    `  redis-cli -p ${portals.at(-1).resp.split(':').pop()} get hello`,
    ...(active === undefined
      ? []
      : [`  kill -9 ${active.pid}; redis-cli -p ${port} set still there   # the active master`]),
    'Ctrl+C stops portals, dispatchers, nodes, masters and Kafka, in this order.',
  ].join('\n')}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main().then(
    (code) => process.exit(code),
    (error) => {
      process.stderr.write(`${error.stack}\n`);
      process.exit(1);
    },
  );
