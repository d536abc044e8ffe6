/**
 * The parts of a cluster in one process on an embedded log, as many as a test wants, composed as the standalone composes
 * its own (apps/standalone/src/standalone.ts). Each can be stopped and started alone. Whoever forked it says what to do.
 */
const { join } = require('node:path');

const dist = join(__dirname, '..', '..', 'dist');
const app = (file) => require(join(dist, 'apps', `${file}.js`));
const lib = (name) => require(join(dist, 'libs', name, 'src'));
const { loadStandaloneSettings } = app('standalone/src/config');
const { MasterModule } = app('master/src/master.module');
const { masterConfig } = app('master/src/config');
const { DataNodeModule } = app('data-node/src/data-node.module');
const { dataNodeConfig } = app('data-node/src/config');
const { DispatcherModule } = app('dispatcher/src/dispatcher.module');
const { dispatcherConfig } = app('dispatcher/src/config');
const { PortalModule } = app('portal/src/portal.module');
const { portalConfig } = app('portal/src/config');
const { ReaderThread } = lib('chunk-store');
const { diskWitnesses } = lib('data-node');
const { controlTopics, ensureNamespace, submit } = lib('journal');
const { systemClock, systemTimers } = lib('log');
const { createLogger, ofPart } = lib('service-kit');
const { openLog } = lib('settings');

const readyMs = 60_000;
const logger = createLogger({ level: process.env.LEVEE_LOG_LEVEL ?? 'warn', part: 'levee' });
/** What is shared by all parts. */
let shared;
let settings;
/** By name: `m1`, `d1`, `n1`, `p1`. What runs has `close`; what is stopped keeps its doors, to come back to them. */
const parts = new Map();

process.on('message', ({ word, ...about }) => {
  const work = { begin, start, stop, end }[word](about);
  work.then(
    () => process.send({ doors: doors() }, () => word === 'end' && process.exit(0)),
    (error) => process.send({ message: `${word} ${about.name ?? ''}: ${error.stack ?? error}` }),
  );
});
process.on('disconnect', () => process.exit(0));

async function begin({ env, names, namespace }) {
  settings = loadStandaloneSettings(env);
  const { log } = await openLog(settings, { logger, clientId: 'parts' });
  const folder = join(settings.LEVEE_DATA_DIR, 'nodes');
  const known = await diskWitnesses(folder, (error) => logger.error({ error }, 'a disk does not say what it has seen'));
  const security = { authenticates: false };
  const readerThread = new ReaderThread({ clock: systemClock, timers: systemTimers, logger });
  shared = { log, known, security, readerThread };
  const [master, ...others] = names;
  await start({ name: master });
  const { view } = parts.get(master).part;
  await Promise.all(others.filter((name) => name.startsWith('n')).map((name) => start({ name, waits: false })));
  const topics = controlTopics(settings.LEVEE_TOPIC_PREFIX);
  await ensureNamespace(view, (command) => submit(log, topics, command), {
    knobs: { name: settings.LEVEE_DEFAULT_NAMESPACE, ...namespace },
    nodes: others.filter((name) => name.startsWith('n')).length,
    principal: 'test',
    deadlineMs: readyMs,
    logger,
  });
  await Promise.all(others.filter((name) => !name.startsWith('n')).map((name) => start({ name })));
  await Promise.all(others.map((name) => ready(name)));
}

/** `waits` false: it may never be ready. `folder`: of a node, instead of its own. */
async function start({ name, waits = true, folder, of = name }) {
  const before = parts.get(name) ?? {};
  if (before.close !== undefined) throw new Error(`${name} runs`);
  const own = { ...shared, logger: ofPart(logger, name) };
  const named = { ...settings, LEVEE_INSTANCE: name };
  const ports = { respPort: before.respPort ?? 0, httpPort: before.httpPort ?? 0 };
  const make = {
    m: async () => {
      const config = { ...masterConfig(named), port: ports.httpPort };
      const http = await MasterModule.start({ config, isEmbedded: true, ...own });
      return [http, http.master];
    },
    d: async () => {
      const http = await DispatcherModule.start({
        config: { ...dispatcherConfig(named), port: ports.httpPort },
        ...own,
      });
      return [http, http.dispatcher];
    },
    n: async () => {
      const node = dataNodeConfig({ ...settings, LEVEE_NODE_ID: of, LEVEE_DOMAIN: undefined });
      const config = { ...node, folder: folder ?? folderOf(of), ...ports };
      const http = await DataNodeModule.start({ config, ...own });
      return [http, http.node];
    },
    p: async () => {
      const http = await PortalModule.start({ config: { ...portalConfig(named), ...ports }, ...own });
      return [http, http.portal];
    },
  };
  const [http, part] = await make[name[0]]();
  const resp = part.respAddress;
  parts.set(name, {
    part,
    url: http.url,
    resp,
    httpPort: http.port,
    respPort: resp === undefined ? undefined : Number(resp.split(':').pop()),
    dir: name.startsWith('n') ? (folder ?? folderOf(of)) : '',
    close: () => http.close(),
  });
  if (waits) await ready(name);
}

async function ready(name) {
  const { part } = parts.get(name);
  const untilMs = performance.now() + readyMs;
  const problem = () => (part.readyProblem === undefined ? undefined : part.readyProblem());
  while (problem() !== undefined) {
    if (performance.now() > untilMs) throw new Error(`${name} is not ready: ${problem()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function stop({ name }) {
  const { close, ...rest } = parts.get(name);
  parts.set(name, rest);
  await close();
}

async function end() {
  const order = ['p', 'd', 'n', 'm'];
  for (const kind of order)
    for (const [name, { close }] of parts) if (name.startsWith(kind) && close !== undefined) await stop({ name });
  await shared?.readerThread.close();
  await shared?.log.close();
}

const folderOf = (nodeId) => join(settings.LEVEE_DATA_DIR, 'nodes', nodeId);

function doors() {
  const of = (kind) =>
    [...parts]
      .filter(([name]) => name.startsWith(kind))
      .map(([name, { url, resp, dir, close }]) => ({
        name,
        http: url,
        ...(resp === undefined ? {} : { resp }),
        ...(close === undefined ? {} : { pid: process.pid }),
        dir,
        log: '',
      }));
  return { portals: of('p'), nodes: of('n'), masters: of('m'), dispatchers: of('d') };
}
