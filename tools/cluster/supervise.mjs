// A whole cluster as real processes: Kafka, masters, dispatchers, data nodes, portals, each with its own folder and ports.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { brokerPort } from '../kafka/broker-settings.mjs';
import { startKafka } from '../kafka/local-kafka.mjs';
import { ask, scheme } from './ask.mjs';
import { Member } from './member.mjs';
import { claimPorts } from '../ports.cjs';
import { allocator } from './allocator.cjs';

const startDeadlineMsDefault = 60_000;
const askMs = 10_000;
/** Doors of the first process of a kind; the next one's are this far away, nodes stand side by side. */
const firstPorts = {
  resp: 7379,
  http: 7380,
  master: 7381,
  dispatcher: 7382,
  nodeResp: 7400,
  nodeHttp: 7500,
  kafka: brokerPort,
};
const portStep = 10;

/**
 * Starts a cluster and resolves when every process is ready and the namespace answers.
 *
 * `masters` 2, `dispatchers` 0, `nodes` 3, `portals` 2, `kafkaNodes` 1 or 3 (or `brokers`: an existing Kafka, left alone). `dir`: data,
 * logs and `cluster.json` (default: a temporary folder, removed by `stop`). `anyPorts`: free ports instead of the
 * documented ones. `restart`: processes that die are started again. `env`: settings for all. `envOf(name)`: for one.
 * `namespace`: {name, partitions, chunks, replicas}, or false for none. `kafka`: further options of `startKafka`.
 * `apps`: folder of the built apps, `dist/apps`. `onExit(name, how)` is told of every process that ends.
 */
export async function startCluster(options = {}) {
  const cluster = new Cluster(options);
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop({ clean: false });
    throw error;
  }
}

class Cluster {
  #options;
  #removeDir;
  #members = [];
  #kafka;
  #deadlineMs;
  #marker;
  #tokenFile;
  dir;
  prefix;

  constructor(options) {
    this.#options = { masters: 2, dispatchers: 0, nodes: 3, portals: 2, kafkaNodes: 1, ...options };
    this.#deadlineMs = options.startDeadlineMs ?? startDeadlineMsDefault;
    this.#removeDir = options.dir === undefined;
    this.dir = options.dir === undefined ? mkdtempSync(join(tmpdir(), 'levee-cluster-')) : resolve(options.dir);
    this.prefix = options.env?.LEVEE_TOPIC_PREFIX ?? process.env.LEVEE_TOPIC_PREFIX ?? 'levee';
  }

  get masters() {
    return this.#kind('master').map((m) => ({ name: m.name, pid: m.pid, http: m.url, dir: m.dir, log: m.logFile }));
  }

  get dispatchers() {
    return this.#kind('dispatcher').map((m) => ({ name: m.name, pid: m.pid, http: m.url, dir: m.dir, log: m.logFile }));
  }

  get nodes() {
    return this.#kind('data-node').map((m) => ({ ...doors(m), domain: m.env.LEVEE_DOMAIN ?? m.name }));
  }

  get portals() {
    return this.#kind('portal').map(doors);
  }

  /** Brokers as KAFKA_BROKERS takes them; pids only of a Kafka of our own. */
  get kafka() {
    return this.#kafka === undefined
      ? { brokers: this.#options.brokers, pids: [] }
      : { brokers: this.#kafka.brokers, pids: [...this.#kafka.pids], dir: this.#kafka.dir };
  }

  /** Everything that a client or an operator needs, as plain JSON. */
  describe() {
    const { pid } = process;
    const { dir, prefix, portals, nodes, masters, dispatchers, kafka } = this;
    return { pid, dir, prefix, portals, nodes, masters, dispatchers, kafka };
  }

  async start() {
    mkdirSync(this.dir, { recursive: true });
    this.#refuseSecond();
    const { brokers, kafkaNodes, anyPorts = false, kafka: kafkaOptions = {} } = this.#options;
    const own = { nodes: kafkaNodes, dir: join(this.dir, 'kafka'), port: anyPorts ? 0 : firstPorts.kafka };
    if (brokers === undefined) this.#kafka = await startKafka({ ...own, ...kafkaOptions });
    await this.#makeMembers();
    for (const member of this.#members) member.start();
    await Promise.all(this.#members.filter((m) => m.app !== 'portal').map((m) => m.ready(this.#deadlineMs)));
    if (this.#options.namespace !== false) await this.#ensureNamespace(this.#options.namespace ?? {});
    await Promise.all(this.#members.map((m) => m.ready(this.#deadlineMs)));
    this.#writeMarker();
  }

  /** Sends a signal to `m1`, `n2`, `p1`, or kills the broker `k1`; after SIGKILL resolves when it is gone. */
  async kill(name, signal = 'SIGKILL') {
    const broker = this.#broker(name);
    if (broker === undefined) await this.#member(name).kill(signal);
    else if (signal === 'SIGKILL') await this.#kafka.kill(broker);
    else process.kill(this.#kafka.pids[broker - 1], signal);
  }

  pause(name) {
    const broker = this.#broker(name);
    if (broker === undefined) this.#member(name).pause();
    else this.#kafka.pause(broker);
  }

  resume(name) {
    const broker = this.#broker(name);
    if (broker === undefined) this.#member(name).resume();
    else this.#kafka.resume(broker);
  }

  /** SIGTERM and wait; it stays down until `restart`. */
  async stopOne(name) {
    return this.#member(name).stop();
  }

  /** Starts it on its old folder and ports, after a clean stop when it runs; resolves when it is ready. */
  async restart(name, { deadlineMs = this.#deadlineMs, ready = true } = {}) {
    const broker = this.#broker(name);
    if (broker !== undefined) {
      if (this.#kafka.pids[broker - 1] !== undefined) await this.#kafka.kill(broker);
      await this.#kafka.restart(broker, deadlineMs);
    } else {
      const member = this.#member(name);
      if (member.running) await member.stop();
      member.start();
      if (ready) await member.ready(deadlineMs);
    }
    this.#writeMarker();
  }

  /** Portals, dispatchers, nodes, masters, Kafka, in this order; what does not drain is killed. Resolves with the exits by name. */
  async stop({ clean = true } = {}) {
    const exits = {};
    for (const app of ['portal', 'dispatcher', 'data-node', 'master'])
      await Promise.all(
        this.#kind(app).map(async (member) => {
          exits[member.name] = await member.stop(clean ? undefined : 0);
        }),
      );
    await this.#kafka?.stop();
    if (this.#marker !== undefined) rmSync(this.#marker, { force: true });
    if (this.#removeDir) rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
    return exits;
  }

  async #makeMembers() {
    const { masters, dispatchers, nodes, portals, anyPorts = false, env = {}, envOf } = this.#options;
    const { restart, nodeArguments, onExit, apps } = this.#options;
    const wish = (port) => (anyPorts ? 0 : port);
    const each = (count, work) => Array.from({ length: count }, (_, i) => work(i)).flat();
    const ports = await claimPorts([
      ...each(masters, (i) => wish(firstPorts.master + i * portStep)),
      ...each(dispatchers, (i) => wish(firstPorts.dispatcher + i * portStep)),
      ...each(nodes, (i) => [wish(firstPorts.nodeResp + i), wish(firstPorts.nodeHttp + i)]),
      ...each(portals, (i) => [wish(firstPorts.resp + i * portStep), wish(firstPorts.http + i * portStep)]),
    ]);
    const common = {
      UV_THREADPOOL_SIZE: '4',
      ...allocator,
      ...inherited(),
      ...env,
      LEVEE_TOPIC_PREFIX: this.prefix,
      KAFKA_BROKERS: this.kafka.brokers,
    };
    if (common.LEVEE_AUTH === 'on') {
      if (!common.LEVEE_TLS_CLUSTER_NAME) common.LEVEE_CLUSTER_KEY_FILE ??= this.#keyFile();
      common.LEVEE_OPERATOR_TOKEN_FILE ??= join(this.dir, 'operator.token');
      this.#tokenFile = common.LEVEE_OPERATOR_TOKEN_FILE;
    }
    const add = (name, app, own, url, resp) => {
      const dir = join(this.dir, name);
      const member = { ...common, LEVEE_DATA_DIR: dir, ...own, ...envOf?.(name) };
      const options = {
        keepAlive: restart,
        apps,
        nodeArguments,
        // What dies and is started again has another process id: whoever reads the marker needs that one.
        onStart: () => this.#writeMarker(),
        onExit: (ended, how) => onExit?.(ended.name, how),
      };
      this.#members.push(new Member({ name, app, dir, env: member, url, resp }, options));
    };
    const http = (port) => `${scheme}://127.0.0.1:${port}`;
    for (let i = 1; i <= masters; i++) {
      const port = ports.shift();
      add(`m${i}`, 'master', { LEVEE_INSTANCE: `m${i}`, LEVEE_MASTER_PORT: port }, http(port));
    }
    for (let i = 1; i <= dispatchers; i++) {
      const port = ports.shift();
      add(`d${i}`, 'dispatcher', { LEVEE_INSTANCE: `d${i}`, LEVEE_DISPATCHER_PORT: port }, http(port));
    }
    for (let i = 1; i <= nodes; i++) {
      const [resp, port] = ports.splice(0, 2);
      // A node makes a folder of its name below the data folder.
      const own = {
        LEVEE_DATA_DIR: this.dir,
        LEVEE_NODE_ID: `n${i}`,
        LEVEE_NODE_RESP_PORT: resp,
        LEVEE_NODE_HTTP_PORT: port,
      };
      add(`n${i}`, 'data-node', own, http(port), resp);
    }
    for (let i = 1; i <= portals; i++) {
      const [resp, port] = ports.splice(0, 2);
      const own = { LEVEE_INSTANCE: `p${i}`, LEVEE_RESP_PORT: resp, LEVEE_HTTP_PORT: port };
      add(`p${i}`, 'portal', own, http(port), resp);
    }
  }

  /** What the processes of this cluster know each other by. */
  #keyFile() {
    const file = join(this.dir, 'cluster.key');
    mkdirSync(this.dir, { recursive: true });
    if (!existsSync(file)) writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    return file;
  }

  /** As the first user, once a portal has made it. */
  #authorization() {
    if (this.#tokenFile === undefined || !existsSync(this.#tokenFile)) return {};
    return { authorization: `Bearer ${readFileSync(this.#tokenFile, 'utf8').trim()}` };
  }

  /** Creates the namespace unless it is there. Needs every node registered, or replicas would crowd on the first. */
  async #ensureNamespace({ name = 'default', ...knobs }) {
    const door = this.#kind('portal')[0] ?? this.#kind('master')[0];
    const nodes = this.#kind('data-node').length;
    await this.#until(door, `${nodes} nodes are registered`, async (call) => {
      const { body } = await call('GET', '/v1/nodes');
      const listed = Array.isArray(body) ? body : (body?.nodes ?? []);
      return { done: listed.length >= nodes, found: `${listed.length} nodes` };
    });
    const wanted = { name, replicas: Math.max(1, Math.min(3, nodes)), ...knobs };
    await this.#until(door, `namespace ${name} exists`, async (call) => {
      const { status, body } = await call('POST', '/v1/namespaces', wanted);
      if (status >= 400 && status < 500 && ![401, 404, 409, 429].includes(status))
        throw new Error(`namespace ${name} is refused: ${status} ${JSON.stringify(body)}`);
      return { done: status < 300 || status === 409, found: `${status} ${JSON.stringify(body)}` };
    });
  }

  async #until(door, what, attempt) {
    const until = performance.now() + this.#deadlineMs;
    let found = 'no answer';
    const call = async (method, path, sent) => {
      const request = { method, timeoutMs: askMs, headers: this.#authorization() };
      if (sent !== undefined) {
        request.headers['content-type'] = 'application/json';
        request.body = JSON.stringify(sent);
      }
      const { status, text } = await ask(`${door.url}${path}`, request);
      return { status, body: parsed(text) };
    };
    for (;;) {
      try {
        const result = await attempt(call);
        if (result.done) return;
        found = result.found;
      } catch (error) {
        if (/is refused/.test(error.message)) throw error;
        found = String(error.cause ?? error);
      }
      if (!door.running && this.#options.restart !== true)
        throw new Error(`${door.name} ended with ${door.lastExit}\n${door.lastLines()}`);
      if (performance.now() > until)
        throw new Error(`not within ${this.#deadlineMs} ms: ${what}; last: ${found}\n${door.lastLines()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #refuseSecond() {
    const marker = join(this.dir, 'cluster.json');
    if (existsSync(marker)) {
      const other = parsed(readFileSync(marker, 'utf8'))?.pid;
      if (other !== process.pid && isCluster(other))
        throw new Error(`a cluster runs on ${this.dir} already: process ${other}. Stop it, or choose another --dir.`);
    }
    this.#marker = marker;
    this.#writeMarker();
  }

  #writeMarker() {
    if (this.#marker !== undefined) writeFileSync(this.#marker, `${JSON.stringify(this.describe())}\n`);
  }

  #kind(app) {
    return this.#members.filter((member) => member.app === app);
  }

  #member(name) {
    const member = this.#members.find((m) => m.name === name);
    if (member !== undefined) return member;
    const names = this.#members.map((m) => m.name).join(' ');
    throw new Error(`there is no process ${name}; there are ${names}${this.#kafka ? ' and brokers k1..' : ''}`);
  }

  #broker(name) {
    const id = Number(/^k(\d+)$/.exec(name)?.[1] ?? 0);
    if (id === 0) return undefined;
    if (this.#kafka === undefined) throw new Error(`${name}: this Kafka is not ours to touch`);
    if (id > this.#kafka.pids.length) throw new Error(`there is no broker ${name}`);
    return id;
  }
}

const doors = (m) => ({
  name: m.name,
  pid: m.pid,
  resp: `127.0.0.1:${m.resp}`,
  http: m.url,
  dir: m.dir,
  log: m.logFile,
});

/** Settings of tests and tools are none of a process of the cluster, which refuses what it does not know. */
function inherited() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^LEVEE_(TEST_|CACHE_DIR$)/.test(name)));
}

/** A pid may belong to somebody else by now: a supervisor has its script on its command line. */
function isCluster(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cluster');
  } catch {
    return false;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
