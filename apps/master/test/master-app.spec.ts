import { livenessLimits } from '@levee/cluster';
import { controlTopics, submit } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { MemoryLevel } from 'memory-level';
import { loadMasterConfig, type MasterConfig } from '../src/config';
import { MasterModule } from '../src/master.module';
import { metricProblems } from '../../../test/support/metric-problems';

type App = Awaited<ReturnType<typeof MasterModule.start>>;

const { config: defaults } = loadMasterConfig({ LEVEE_MASTER_PORT: '0' });
// The nodes of these tests say nothing after they have registered.
const liveness = livenessLimits({ heartbeatMs: 60_000, lostAfterMs: 3_600_000 });
const config = (instance: string): MasterConfig => ({ ...defaults, instance, liveness });

test('settings that contradict each other are refused by name', () => {
  expect(() => loadMasterConfig({ LEVEE_LOST_AFTER: '1s' })).toThrow(
    'LEVEE_LOST_AFTER is 1000 ms, it must be longer than the 1500 ms after which a node is suspect',
  );
});

let log: EmbeddedLog;
let app: App;

beforeAll(async () => {
  log = await EmbeddedLog.open({
    db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
  });
  app = await MasterModule.start({ config: config('m1'), log, isEmbedded: true, logger: silentLogger });
  await app.master.ready;
  await app.master.view.until(() => app.master.view.clusterId, 5_000, 'the foundation');
});

afterAll(async () => {
  await app.close();
  await log.close();
});

const call = async (path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> => {
  const init = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' } };
  const response = await fetch(
    `${app.url}${path}`,
    body === undefined ? init : { ...init, body: JSON.stringify(body) },
  );
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

const registration = {
  kind: 'RegisterNode',
  principal: 'node n1',
  payload: {
    nodeId: 'n1',
    storeId: 's1',
    incarnation: 'i1',
    domain: 'd1',
    respAddress: '127.0.0.1:7400',
    httpAddress: '127.0.0.1:7500',
    featureLevel: 2,
    units: [{ unitId: 'n1/u00', capacityBytes: 1 << 20, engine: 'memory', generation: 0 }],
  },
};

test('it becomes ready, active, and says so', async () => {
  await app.master.view.until(() => (app.master.candidacy.role === 'active' ? true : undefined), 5_000, 'serving');
  expect((await call('/health/ready')).status).toBe(200);
  const status = await call('/v1/status');
  expect(status.body).toMatchObject({ role: 'active', term: 1, problems: [] });
  expect(await (await fetch(`${app.url}/metrics`)).text()).toMatch(/levee_master_active\{.*instance="m1".*\} 1/);
  expect(await metricProblems(app, 'master')).toEqual([]);
});

test('a command over HTTP goes through the log and is answered with its outcome', async () => {
  await app.master.view.outcome(await submit(log, controlTopics(defaults.topicPrefix), registration), 5_000);
  const answer = await call('/v1/commands', { kind: 'EndMaintenance', payload: { nodeId: 'n1' } });
  expect(answer).toMatchObject({ status: 200, body: { rejectionCode: null } });
  expect((await call(`/v1/commands/${String(answer.body['commandId'])}`)).body).toEqual(answer.body);
  expect((await call('/v1/nodes')).body).toMatchObject({ nodes: [{ node: { nodeId: 'n1' }, units: { free: 1 } }] });
  expect((await call('/v1/nodes/n1/units')).body).toMatchObject({ units: [{ unitId: 'n1/u00', state: 'free' }] });
});

const nodesCommand = { kind: registration.kind, payload: registration.payload };

test.each([
  ['a malformed command', '/v1/commands', { payload: 1 }, 400, 'BAD_REQUEST'],
  ['an unknown kind', '/v1/commands', { kind: 'Explode' }, 422, 'UNKNOWN_KIND'],
  [
    'a rejected command',
    '/v1/commands',
    { kind: 'CreateNamespace', payload: { name: 'x', replicas: 2 } },
    422,
    'NOT_ENOUGH_DOMAINS',
  ],
  ["a node's own command", '/v1/commands', nodesCommand, 403, 'FORBIDDEN'],
  ["the master's own command", '/v1/commands', { kind: 'ActivateNamespace', payload: {} }, 403, 'FORBIDDEN'],
  ['an unknown namespace', '/v1/namespaces/nobody', undefined, 404, 'LVNAMESPACE'],
  ['an unknown node', '/v1/nodes/n9/units', undefined, 404, 'NODE_UNKNOWN'],
  ['an unknown command', '/v1/commands/none', undefined, 404, 'NOT_FOUND'],
  ['a version that is none', '/v1/routes/default?version=x', undefined, 400, 'BAD_REQUEST'],
])('%s is an error with its own code', async (_name, path, body, status, code) => {
  expect(await call(path, body)).toMatchObject({ status, body: { code } });
});

test('a namespace created over HTTP becomes active with its routes', async () => {
  const knobs = { name: 'shop.orders', partitions: 2, chunks: 1, replicas: 1 };
  expect((await call('/v1/commands', { kind: 'CreateNamespace', payload: knobs })).status).toBe(200);
  const { view } = app.master;
  await view.until(
    () => (view.state.namespace('shop.orders')?.state === 'active' ? true : undefined),
    5_000,
    'activation',
  );
  const routes = await call('/v1/routes/shop.orders');
  expect(routes.body).toMatchObject({ change: 'metaChange', routes: [{ slotStart: 0, slotEnd: 1_000_000 }] });
  const version = String(routes.body['version']);
  expect((await call(`/v1/routes/shop.orders?version=${version}`)).body).toMatchObject({ change: 'notChange' });
  expect(await call('/v1/routes/shop.orders?version=999999')).toMatchObject({ body: { code: 'LVVERSION' } });
});
