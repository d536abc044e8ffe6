#!/usr/bin/env node
// The local Kafka by hand: `start [--nodes 1|3] [--json]`, `status [--json]`, `stop`. It outlives this command.
// `run` is for tests that break brokers: it lives as long as its standard input, prints one JSON line when the cluster
// serves, and answers each line `kill|restart|pause|resume <node>,...` with a JSON line.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { cacheFolder } from './artifacts.mjs';
import { brokerPort } from './broker-settings.mjs';
import { startKafka } from './local-kafka.mjs';

const folder = join(cacheFolder(), 'kafka', 'running');
const stateFile = join(folder, 'state.json');
const stopDeadlineMs = 15_000;
const usage =
  'usage: kafka.mjs start [--nodes 1|3] [--json] | run [--nodes 1|3] [--host ADDRESS] [--settings JSON] [--behind JSON] [--between JSON] [--apart] [--secure JSON] | status [--json] | stop';

async function main() {
  const { positionals, values } = parse();
  const say = (state, text) => process.stdout.write(values.json ? `${JSON.stringify(state)}\n` : `${text}\n`);
  switch (positionals[0]) {
    case 'start': {
      const running = await state();
      if (running !== undefined) {
        say(running, `a local Kafka is running at ${running.brokers} (stop it with: npm run kafka:stop)`);
        return 0;
      }
      await rm(folder, { recursive: true, force: true });
      const kafka = await startKafka({
        nodes: Number(values.nodes),
        dir: folder,
        port: brokerPort,
        keep: true,
        detached: true,
      });
      const started = { brokers: kafka.brokers, nodes: kafka.pids.length, pids: kafka.pids, dir: kafka.dir };
      await mkdir(folder, { recursive: true });
      await writeFile(stateFile, JSON.stringify(started));
      say(started, `KAFKA_BROKERS=${kafka.brokers}`);
      return 0;
    }
    case 'run':
      return runForeground({
        nodes: Number(values.nodes),
        host: values.host,
        settings: JSON.parse(values.settings),
        behind: JSON.parse(values.behind),
        apart: values.apart,
        ...(values.between === undefined ? {} : { between: JSON.parse(values.between) }),
        ...(values.secure === undefined ? {} : { secure: JSON.parse(values.secure) }),
      });
    case 'status': {
      const running = await state();
      if (running === undefined) say({ brokers: null }, 'no local Kafka is running');
      else say(running, `KAFKA_BROKERS=${running.brokers} (${running.nodes} node(s), pids ${running.pids.join(', ')})`);
      return running === undefined ? 1 : 0;
    }
    case 'stop': {
      const running = await state();
      for (const pid of running?.pids ?? []) if (await isOurs(pid)) process.kill(pid, 'SIGTERM');
      const until = performance.now() + stopDeadlineMs;
      for (const pid of running?.pids ?? []) {
        while (await isOurs(pid)) {
          if (performance.now() > until) process.kill(pid, 'SIGKILL');
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
      await rm(folder, { recursive: true, force: true });
      say({ stopped: running !== undefined }, running === undefined ? 'no local Kafka was running' : 'stopped');
      return 0;
    }
    default:
      process.stderr.write(`${usage}\n`);
      return 2;
  }
}

async function runForeground(options) {
  const answer = (fields) => process.stdout.write(`${JSON.stringify(fields)}\n`);
  let serves = false;
  let busy = false;
  // Whoever started this is gone, or wants the end: nobody waits for what is under way. Watchdogs end the brokers.
  const end = () => {
    if (!serves || busy) process.exit(1);
  };
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.on(signal, () => {
      end();
      process.stdin.destroy();
    });
  process.stdin.on('end', end);
  process.stdout.on('error', () => process.exit(1));
  const lines = createInterface({ input: process.stdin });
  const prepared = (ports) => answer({ prepared: ports });
  const kafka = await startKafka(options.between === undefined ? options : { ...options, prepared });
  serves = true;
  const { brokers, ports, portsBehind, dir, certificates } = kafka;
  answer({ brokers, ports, portsBehind, dir, certificates });
  try {
    for await (const line of lines) {
      busy = true;
      const [verb, nodes = ''] = line.trim().split(' ');
      try {
        if (!['kill', 'restart', 'pause', 'resume'].includes(verb)) throw new Error(`unknown: ${line}`);
        await Promise.all(nodes.split(',').map((node) => kafka[verb](Number(node))));
        answer({ done: line });
      } catch (error) {
        answer({ failed: line, reason: error.message });
      }
      busy = false;
    }
  } catch {
    // standard input was destroyed by a signal
  }
  await kafka.stop();
  return 0;
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        nodes: { type: 'string', default: '1' },
        host: { type: 'string', default: '127.0.0.1' },
        settings: { type: 'string', default: '{}' },
        secure: { type: 'string' },
        behind: { type: 'string', default: '{}' },
        between: { type: 'string' },
        apart: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return { positionals: [], values: { json: false } };
  }
}

/** What `start` wrote, as long as one of its brokers lives. */
async function state() {
  let written;
  try {
    written = JSON.parse(await readFile(stateFile, 'utf8'));
  } catch {
    return undefined;
  }
  for (const pid of written.pids) if (await isOurs(pid)) return written;
  return undefined;
}

/** A pid may belong to somebody else by now: a broker of ours has our folder on its command line. */
async function isOurs(pid) {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(folder);
  } catch {
    return false;
  }
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
