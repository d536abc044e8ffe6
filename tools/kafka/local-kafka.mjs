// A Kafka of 1 or 3 nodes on this machine, on free ports, gone when its starter is gone.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimPorts } from '../ports.cjs';
import { formatFolder, javaMend, kafkaJars, kafkaUuid } from './artifacts.mjs';
import { archiveOptions } from './class-archive.mjs';
import { log4jProperties, propertiesText, serverProperties } from './broker-settings.mjs';
import { secureListener } from './secure-listener.mjs';

const startDeadlineMsDefault = 60_000;
const stopDeadlineMs = 15_000;

/**
 * Starts `nodes` (1 or 3) combined brokers and controllers and resolves when all of them serve.
 *
 * `dir`: where data and logs go (default: a temporary folder, removed by `stop`; a given one is kept unless
 * `keep: false`). `host`: the address that clients reach it by (127.0.0.1). `port`: of the first broker, where nobody listens there; the others follow. `settings`: broker properties over the defaults. `heapMb`: per node (512, or 384 of three).
 * `c2: true`: the optimising compiler, for benches. `advertised`: by node id, `host:port` told to clients, for tests
 * with a proxy in between. `behind`: further listeners by name, each with the `host:port` of every node that its
 * clients are told: a proxy's, so that one process can be cut off and no other. `between`: what brokers and controllers
 * tell each other, `{brokers, controllers}` with one `host:port` each, of proxies again; `prepared` is called with
 * `{brokers, controllers}`, the ports behind those, before anything starts. `apart: true`: the controller is a process of
 * its own, the last node, and outlives all brokers. `secure`: clients
 * speak TLS and SCRAM, see `secureListener`; `certificates` then names the PEM files. `detached: true`: the brokers outlive
 * this process (the CLI's `start`).
 *
 * Throws with what is missing (Java, Maven) or with the last lines of the broker's log.
 */
export async function startKafka(options = {}) {
  const { nodes: count = 1, env = process.env, detached = false, startDeadlineMs = startDeadlineMsDefault } = options;
  if (count !== 1 && count !== 3) throw new Error(`local Kafka: 1 or 3 nodes, not ${count}`);
  const jars = await kafkaJars({ env });
  const startOnce = async (jvmOptions) => {
    const once = await started(jars, { env, jvmOptions }, { count: 1, detached: false, startDeadlineMs });
    await once.stop({ clean: true, deadlineMs: startDeadlineMs });
  };
  const jvmOptions = [...(await archiveOptions(jars, startOnce)), ...(options.jvmOptions ?? [])];
  return started(jars, { ...options, env, jvmOptions }, { count, detached, startDeadlineMs });
}

async function started(jars, options, { count, detached, startDeadlineMs }) {
  for (let attempt = 1; ; attempt++) {
    const cluster = new LocalKafka(jars, options, detached);
    try {
      await cluster.prepare(count);
      options.prepared?.(cluster.portsBetween);
      await cluster.startAll(startDeadlineMs);
      return cluster;
    } catch (error) {
      await cluster.stop();
      // Between finding a free port and the broker's bind somebody else may take it.
      if (attempt < 3 && /Address already in use|BindException/.test(String(error.message))) continue;
      throw error;
    }
  }
}

class LocalKafka {
  #jars;
  #options;
  #detached;
  #env;
  #nodes = [];
  #removeDir = false;
  dir = '';
  /** Paths of PEM files for clients: `ca`, and `cert` and `key` where brokers ask for them; with `secure` only. */
  certificates;

  constructor(jars, options, detached) {
    this.#jars = jars;
    this.#options = options;
    this.#detached = detached;
    this.#env = options.env;
  }

  /** `host:port` of every node, joined by commas, as KAFKA_BROKERS takes it. */
  get brokers() {
    const host = this.#host.includes(':') ? `[${this.#host}]` : this.#host;
    return this.#brokers.map((node) => node.advertised ?? `${host}:${node.port}`).join(',');
  }

  get #host() {
    return this.#options.host ?? '127.0.0.1';
  }

  /** Ports by node id - 1. */
  get ports() {
    return this.#brokers.map((node) => node.port);
  }

  /** Ports that brokers and controllers reach each other on. */
  get portsBetween() {
    const controllers = this.#nodes.filter((node) => node.controllerPort !== undefined);
    return {
      brokers: this.#brokers.map((node) => node.between?.port ?? node.port),
      controllers: controllers.map((node) => node.controllerPort),
    };
  }

  /** Ports of the listeners of `behind`, by their name, then by node id - 1. */
  get portsBehind() {
    const names = Object.keys(this.#options.behind ?? {});
    return Object.fromEntries(names.map((name, at) => [name, this.#brokers.map((node) => node.behind[at].port)]));
  }

  /** Process ids of the running brokers, by node id - 1; `undefined` for one that was killed. */
  get pids() {
    return this.#nodes.map((node) => node.process?.pid);
  }

  async prepare(count) {
    const { dir, keep = dir !== undefined, settings = {}, secure } = this.#options;
    if (dir === undefined) this.dir = await mkdtemp(join(tmpdir(), 'levee-kafka-'));
    else await mkdir((this.dir = dir), { recursive: true });
    this.#removeDir = !keep;
    await this.#place(count);
    const clusterId = kafkaUuid();
    const listener = secure === undefined ? undefined : await secureListener(join(this.dir, 'secure'), secure);
    this.certificates = listener?.files;
    const users = listener?.users;
    for (const node of this.#nodes) {
      const data = join(node.folder, 'data');
      if (!existsSync(join(data, 'meta.properties')))
        await formatFolder(data, { clusterId, nodeId: node.id, env: this.#env, users });
      const properties = serverProperties(node, this.#nodes, data, { ...listener?.settings, ...settings });
      await writeFile(join(node.folder, 'server.properties'), propertiesText(properties));
      await writeFile(join(node.folder, 'log4j2.properties'), log4jProperties(node.logFile));
    }
  }

  /** What every node is: its folder, its ports, and what others are told of them. */
  async #place(count) {
    const { advertised = {}, behind = {}, between, apart = false, port: firstPort = 0 } = this.#options;
    const listeners = Object.entries(behind);
    const nodes = apart ? count + 1 : count;
    const wishes = firstPort === 0 ? [] : Array.from({ length: count }, (_, at) => firstPort + at);
    const others = Array.from({ length: nodes * (3 + listeners.length) }, () => 0);
    const ports = await claimPorts([...wishes, ...others]);
    const doors = ports.splice(0, wishes.length);
    for (let id = 1; id <= nodes; id++) {
      const isBroker = id <= count;
      const controllerAt = apart ? id - count - 1 : id - 1;
      const folder = join(this.dir, `node-${id}`);
      this.#nodes.push({
        id,
        host: this.#host,
        ...(isBroker ? { port: doors[id - 1] ?? ports.pop(), advertised: advertised[id] } : {}),
        ...(isBroker && between ? { between: { port: ports.pop(), advertised: between.brokers[id - 1] } } : {}),
        ...(controllerAt >= 0
          ? { controllerPort: ports.pop(), controllerTold: between?.controllers[controllerAt] }
          : {}),
        behind: isBroker ? listeners.map(([, told]) => ({ port: ports.pop(), advertised: told[id - 1] })) : [],
        folder,
        logFile: join(folder, 'broker.log'),
        process: undefined,
        watchdog: undefined,
      });
    }
  }

  async startAll(deadlineMs = startDeadlineMsDefault) {
    await Promise.all(this.#nodes.map((node) => this.#start(node, deadlineMs)));
  }

  /** Starts a node again after `kill`, on its old port and data. */
  async restart(nodeId, deadlineMs = startDeadlineMsDefault) {
    await this.#start(this.#node(nodeId), deadlineMs);
  }

  /** kill -9, and wait until the process is gone. */
  async kill(nodeId) {
    const node = this.#node(nodeId);
    const broker = node.process;
    if (broker === undefined) return;
    broker.kill('SIGKILL');
    await ended(broker, stopDeadlineMs);
  }

  /** SIGSTOP: the process keeps its connections and answers nothing. */
  pause(nodeId) {
    this.#node(nodeId).process?.kill('SIGSTOP');
  }

  resume(nodeId) {
    this.#node(nodeId).process?.kill('SIGCONT');
  }

  /** Ends every node and removes the data, unless it is to be kept. `clean`: let brokers hand over and flush. */
  async stop({ clean = !this.#removeDir, deadlineMs = stopDeadlineMs } = {}) {
    await Promise.all(
      this.#nodes.map(async (node) => {
        const broker = node.process;
        if (broker === undefined) return;
        broker.kill('SIGCONT');
        broker.kill(clean ? 'SIGTERM' : 'SIGKILL');
        if (await ended(broker, deadlineMs)) return;
        broker.kill('SIGKILL');
        await ended(broker, stopDeadlineMs);
      }),
    );
    if (this.#removeDir) await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  get #brokers() {
    return this.#nodes.filter((node) => node.port !== undefined);
  }

  #node(nodeId) {
    const node = this.#nodes[nodeId - 1];
    if (node === undefined) throw new Error(`local Kafka: no node ${nodeId}; there are 1 to ${this.#nodes.length}`);
    return node;
  }

  async #start(node, deadlineMs) {
    if (node.process !== undefined) throw new Error(`local Kafka: node ${node.id} is running`);
    const {
      heapMb = node.port === undefined ? 256 : this.#nodes.length > 1 ? 384 : 512,
      c2 = false,
      jvmOptions = [],
    } = this.#options;
    const outFile = join(node.folder, 'stdout.log');
    await writeFile(node.logFile, '');
    const out = openSync(outFile, 'w');
    const jvm = [`-Xmx${heapMb}m`, `-Xms${Math.min(heapMb, 256)}m`, '-XX:+UseSerialGC', '-XX:+ExitOnOutOfMemoryError'];
    if (!c2) jvm.push('-XX:TieredStopAtLevel=1');
    jvm.push(`-Dlog4j2.configurationFile=${join(node.folder, 'log4j2.properties')}`, ...jvmOptions);
    const args = [...jvm, '-cp', join(this.#jars, '*'), 'kafka.Kafka', join(node.folder, 'server.properties')];
    const broker = spawn('java', args, { stdio: ['ignore', out, out], detached: true });
    closeSync(out);
    node.process = broker;
    let failure;
    broker.on('error', (error) => {
      failure = error.code === 'ENOENT' ? `'java' is not on the PATH: ${javaMend}` : error.message;
    });
    broker.on('exit', (code, signal) => {
      failure ??= `the broker ended with ${signal ?? code}`;
      if (node.process === broker) node.process = undefined;
      node.watchdog?.kill('SIGKILL');
      node.watchdog = undefined;
    });
    if (this.#detached) broker.unref();
    else if (broker.pid !== undefined) node.watchdog = watchdog(broker.pid, this.#removeDir ? this.dir : '');
    const until = performance.now() + deadlineMs;
    while (!(await readText(node.logFile)).includes('Kafka Server started')) {
      if (performance.now() > until) failure ??= `not serving within ${deadlineMs} ms`;
      if (failure !== undefined) {
        const log = `${await lastLines(node.logFile)}\n${await lastLines(outFile)}`.trim();
        throw new Error(`local Kafka: node ${node.id}: ${failure}\n${log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/**
 * A shell that waits for this process to end, however it ends (its end of the pipe closes, also after kill -9), and
 * then kills the broker and removes the data. In a session of its own, so that Ctrl+C does not end it first.
 */
function watchdog(pid, removeDir) {
  const script = 'cat >/dev/null; kill -9 "$1" 2>/dev/null; if [ -n "$2" ]; then sleep 0.2; rm -rf "$2"; fi';
  const options = { stdio: ['pipe', 'ignore', 'ignore'], detached: true };
  const child = spawn('sh', ['-c', script, 'levee-kafka-watchdog', String(pid), removeDir], options);
  child.stdin.on('error', () => undefined);
  child.stdin.unref();
  child.unref();
  return child;
}

function ended(child, deadlineMs) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), deadlineMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

async function readText(file) {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return '';
  }
}

async function lastLines(file) {
  return (await readText(file)).trimEnd().split('\n').slice(-25).join('\n');
}
