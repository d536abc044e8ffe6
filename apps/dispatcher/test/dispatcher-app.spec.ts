import { livenessLimits } from '@levee/cluster';
import { controlTopics, submit } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { MemoryLevel } from 'memory-level';
import { loadMasterConfig } from '../../master/src/config';
import { MasterModule } from '../../master/src/master.module';
import { loadDispatcherConfig, type DispatcherAppConfig } from '../src/config';
import { DispatcherModule } from '../src/dispatcher.module';
import { metricProblems } from '../../../test/support/metric-problems';

type Master = Awaited<ReturnType<typeof MasterModule.start>>;
type App = Awaited<ReturnType<typeof DispatcherModule.start>>;

const fast = {
  LEVEE_DISPATCHER_PORT: '0',
  LEVEE_HEARTBEAT: '50ms',
  LEVEE_DISPATCH_INTERVAL: '30ms',
  LEVEE_SETTLE_TIME: '100ms',
  LEVEE_COOL_DOWN: '60s',
};
const config = (instance: string): DispatcherAppConfig =>
  loadDispatcherConfig({ ...fast, LEVEE_INSTANCE: instance }).config;

let log: EmbeddedLog;
let master: Master;
const apps: App[] = [];

beforeEach(async () => {
  log = await EmbeddedLog.open({
    db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
  });
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  await master?.close();
  await log.close();
});

const dispatcher = async (instance: string): Promise<App> => {
  const app = await DispatcherModule.start({ config: config(instance), log, logger: silentLogger });
  apps.push(app);
  return app;
};

/** A master whose nodes exist on paper: they have registered, and say nothing afterwards. */
const startMaster = async (): Promise<void> => {
  const { config: defaults } = loadMasterConfig({ LEVEE_MASTER_PORT: '0' });
  const liveness = livenessLimits({ heartbeatMs: 60_000, lostAfterMs: 3_600_000 });
  const own = { ...defaults, instance: 'm1', liveness };
  master = await MasterModule.start({ config: own, log, isEmbedded: true, logger: silentLogger });
  await master.master.ready;
};

const command = async (kind: string, payload: unknown): Promise<void> => {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const answer = await fetch(`${master.url}/v1/commands`, { ...init, body: JSON.stringify({ kind, payload }) });
  if (!answer.ok) throw new Error(`${kind}: ${answer.status} ${await answer.text()}`);
};

const register = async (nodeId: string): Promise<void> => {
  const payload = {
    nodeId,
    storeId: `s-${nodeId}`,
    incarnation: 'i1',
    domain: nodeId,
    respAddress: '127.0.0.1:1',
    httpAddress: '127.0.0.1:2',
    featureLevel: 1,
    units: Array.from({ length: 16 }, (_, i) => ({
      unitId: `${nodeId}/u${String(i).padStart(2, '0')}`,
      capacityBytes: 1 << 20,
      engine: 'memory',
      generation: 0,
    })),
  };
  const registration = { kind: 'RegisterNode', payload, principal: `node ${nodeId}` };
  await master.master.view.outcome(await submit(log, controlTopics('levee'), registration), 10_000);
};

const json = async (app: App, path: string): Promise<Record<string, unknown>> =>
  (await (await fetch(`${app.url}${path}`)).json()) as Record<string, unknown>;

test('it opens its door before there is a master, and says what it waits for', async () => {
  const app = await dispatcher('d1');
  expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
  const ready = await fetch(`${app.url}/health/ready`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringMatching(/control topics|not read yet/)]);
  expect(await json(app, '/v1/explain?node=n1')).toMatchObject({ subject: 'n1', dispatcher: 'd1', reasons: [] });
  expect(await (await fetch(`${app.url}/metrics`)).text()).toMatch(/levee_dispatcher_rounds_total\{[^}]*\} 0/);
  expect(await metricProblems(app, 'dispatcher')).toEqual([]);
  for (const path of ['/v1/explain?node=n1&plan=p1', '/v1/explain?chunk='])
    expect((await fetch(`${app.url}${path}`)).status).toBe(400);
});

test('an empty new node is found, its share is proposed once by two dispatchers, and both can say why', async () => {
  await startMaster();
  for (const nodeId of ['n1', 'n2', 'n3']) await register(nodeId);
  await command('CreateNamespace', { name: 'shop', partitions: 8, chunks: 8, replicas: 3 });
  const { view } = master.master;
  await view.until(() => (view.state.namespace('shop')?.state === 'active' ? true : undefined), 20_000, 'activation');
  const [first, second] = [await dispatcher('d1'), await dispatcher('d2')];
  await first.dispatcher.view.until(() => (first.dispatcher.stats()['rounds'] ?? 0) > 3 || undefined, 20_000, 'rounds');
  expect([...view.state.plans()]).toEqual([]);

  await register('n4');
  // 24 replicas on 4 nodes are 6 each: filled to nine tenths it gets 5, at most 4 at once.
  await view.until(() => (view.state.counts.plans >= 4 ? true : undefined), 20_000, 'four plans');
  const rounds = first.dispatcher.stats()['rounds'] ?? 0;
  await first.dispatcher.view.until(
    () => ((first.dispatcher.stats()['rounds'] ?? 0) > rounds + 5 ? true : undefined),
    20_000,
    'further rounds',
  );
  const plans = [...view.state.plans()];
  expect(plans).toHaveLength(4);
  for (const plan of plans) {
    expect(plan).toMatchObject({ kind: 'move', trigger: 'emptyNode', toNodeId: 'n4', policyVersion: 5 });
    expect(plan.proposedBy).toMatch(/^dispatcher d[12]$/);
    expect(JSON.parse(plan.evidence)).toMatchObject({ to: 'n4', toUnitsWanted: 5, toUnits: 16 });
  }
  expect(second.dispatcher.isStandby).toBe(true);
  expect(first.dispatcher.isStandby).toBe(false);

  const plan = await json(first, `/v1/explain?plan=${plans[0]?.planId}`);
  expect(plan['reasons']).toEqual([expect.objectContaining({ code: 'PROPOSED', trigger: 'emptyNode' })]);
  for (const app of [first, second]) {
    const node = await json(app, '/v1/explain?subject=n4');
    expect(JSON.stringify(node['reasons'])).toMatch(
      /4 of 16 units in use, \d\.\d\d times the mean; empty below 0.5 times/,
    );
    // To the one whose own finding was not yet old enough when the plans came, the node is empty no more.
    if (app === first) expect(JSON.stringify(node['reasons'])).toMatch(/emptyNode PLAN_OPEN: 4 plans load n4 already/);
  }
  const chunkId = view.state.chunksOf('shop')[0]?.chunkId ?? '';
  const chunk = await json(first, `/v1/explain?chunk=${encodeURIComponent(chunkId)}`);
  expect(JSON.stringify(chunk['reasons'])).toMatch(/3 of 3 replicas live/);
  expect(await (await fetch(`${first.url}/metrics`)).text()).toMatch(
    /levee_dispatcher_plans_total\{result="accepted",[^}]*\} 4/,
  );
  expect(await metricProblems(first, 'dispatcher')).toEqual([]);
}, 90_000);

test('settings that contradict each other are refused by name', () => {
  expect(() => loadDispatcherConfig({ LEVEE_SETTLE_TIME: '2h' })).toThrow(/make LEVEE_COOL_DOWN the longer one/);
});
