import { unitBudget } from '@levee/cluster';
import { Metrics } from '@levee/service-kit';
import { RespClient } from '@levee/wire';
import { metricProblems } from '../../../test/support/metric-problems';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

let cluster: OneNodeCluster;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
  const size = { partitions: 4, chunks: 4, replicas: 1, chunkCapacityBytes: 8 << 20 };
  const created = await ask('POST', '/v1/namespaces', JSON.stringify({ name: 'default', ...size }), {
    'content-type': 'application/json',
  });
  expect([created.status, created.body.toString()]).toEqual([201, expect.stringContaining('"state":"active"')]);
});
afterAll(() => cluster?.close());

describe('the cluster', () => {
  it('describes itself', async () => {
    const status = (await ask('GET', '/v1/status')).json;
    expect(status).toMatchObject({ portal: { instance: 'p1' }, counts: { namespaces: 1, nodes: 1 } });
    expect((await ask('GET', '/v1/namespaces')).json).toMatchObject({
      namespaces: [{ name: 'default', state: 'active' }],
    });
    expect((await ask('GET', '/v1/namespaces/default')).json).toMatchObject({
      name: 'default',
      placement: { length: 4 },
    });
    expect((await ask('GET', '/v1/nodes')).json).toMatchObject({ nodes: [{ nodeId: 'n1', state: 'up' }] });
    expect((await ask('GET', '/v1/nodes/n1/units')).json).toMatchObject({ units: { length: 24 } });
    const where = (await ask('GET', '/v1/where/default/a%2Fb')).json;
    expect(where).toMatchObject({ namespace: 'default', replicas: [{ nodeId: 'n1', role: 'primary' }] });
  });

  it('syncs routes by version', async () => {
    const all = (await ask('GET', '/v1/routes/default')).json;
    expect(all).toMatchObject({ change: 'metaChange', routes: { length: 4 } });
    const version = String(all['version']);
    expect((await ask('GET', `/v1/routes/default?version=${version}`)).json).toMatchObject({ change: 'notChange' });
    expect((await ask('GET', '/v1/routes/default?version=1')).json).toMatchObject({ change: 'metaChange' });
  });

  it('takes a command once per id', async () => {
    const id = 'a6b8cbb5-6bc3-4b5e-9a6d-9f5d3b8b5c11';
    const body = JSON.stringify({
      id,
      kind: 'CreateNamespace',
      payload: { name: 'twice', partitions: 1, chunks: 1, replicas: 1 },
    });
    const first = await ask('POST', '/v1/commands', body);
    const second = await ask('POST', '/v1/commands', body);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.json).toEqual(first.json);
    expect((await ask('GET', `/v1/commands/${id}`)).json).toEqual(first.json);
  });

  it('says what a creation would take, and what it took', async () => {
    const { free } = unitBudget(cluster.app.portal.view.state);
    const create = (query: string) => ask('POST', `/v1/namespaces${query}`, JSON.stringify({ name: 'thought' }));
    const thought = await create('?dryRun=1');
    expect(thought).toMatchObject({ status: 200, json: { name: 'thought', units: { taken: 1, free: free - 1 } } });
    expect((await ask('GET', '/v1/namespaces/thought')).status).toBe(404);
    const created = await create('');
    expect(created).toMatchObject({ status: 201, json: { units: thought.json['units'] } });
    expect(await create('?dryRun=2')).toMatchObject({ status: 400, json: { code: 'BAD_REQUEST' } });
  });

  it('alters a namespace, and says why what cannot change does not', async () => {
    const alter = (change: object) => ask('PATCH', '/v1/namespaces/twice', JSON.stringify(change));
    await ask('POST', '/v1/namespaces', JSON.stringify({ name: 'twice' }));
    const altered = await alter({ ack: 'all', requestsPerSecond: 5_000 });
    expect(altered).toMatchObject({ status: 200, json: { name: 'twice', ack: 'all', requestsPerSecond: 5_000 } });
    expect((await alter({ requestsPerSecond: null })).json).toMatchObject({ ack: 'all', requestsPerSecond: null });
    expect(await alter({ partitions: 2 })).toMatchObject({ status: 422, json: { code: 'KNOB_FIXED' } });
    expect(await alter({ colour: 'red' })).toMatchObject({ status: 422, json: { code: 'UNKNOWN_KNOB' } });
  });

  it('deletes a namespace: nobody sees it again, and its name begins anew, empty', async () => {
    const create = JSON.stringify({ name: 'gone', partitions: 1, chunks: 1, replicas: 1 });
    expect((await ask('POST', '/v1/namespaces', create)).status).toBe(201);
    expect((await ask('PUT', '/v1/kv/gone/k', 'v')).status).toBe(204);
    expect(await ask('DELETE', '/v1/namespaces/gone?number=7&confirm=gone')).toMatchObject({ status: 404 });
    for (const [query, headers] of [
      ['', {}],
      ['?confirm=other', {}],
      ['', { 'levee-confirm': 'other' }],
    ] as const) {
      const refused = await ask('DELETE', `/v1/namespaces/gone${query}`, undefined, headers);
      expect(refused).toMatchObject({
        status: 400,
        json: { message: expect.stringMatching(/every key of gone.*confirm/) as unknown },
      });
    }
    expect((await ask('GET', '/v1/kv/gone/k')).status).toBe(200);
    const sure = { 'levee-confirm': 'gone' };
    const deleted = await ask('DELETE', '/v1/namespaces/gone', undefined, sure);
    expect(deleted.json).toEqual({ name: 'gone', state: 'deleted' });
    expect((await ask('DELETE', '/v1/namespaces/gone?confirm=gone')).status).toBe(200);
    expect(await ask('GET', '/v1/kv/gone/k')).toMatchObject({ status: 404, json: { code: 'LVNAMESPACE' } });
    expect(await ask('GET', '/v1/namespaces/gone')).toMatchObject({ status: 404, json: { code: 'LVNAMESPACE' } });
    const { namespaces } = (await ask('GET', '/v1/namespaces')).json as { namespaces: { name: string }[] };
    expect(namespaces.map(({ name }) => name)).not.toContain('gone');
    expect((await ask('POST', '/v1/namespaces', create)).json).toMatchObject({ number: 2 });
    expect(await ask('GET', '/v1/kv/gone/k')).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } });
    expect((await ask('DELETE', '/v1/namespaces/nobody?confirm=nobody')).status).toBe(404);
  });

  it('lets a node be in maintenance, and ends it', async () => {
    const maintain = (body: object) => ask('POST', '/v1/nodes/n1/maintenance', JSON.stringify(body));
    expect(await maintain({})).toMatchObject({ status: 400, json: { code: 'BAD_COMMAND' } });
    expect(await maintain({ forMs: 60_000 })).toMatchObject({
      status: 200,
      json: { nodeId: 'n1', state: 'maintenance' },
    });
    // Suspect, until it is heard again.
    const { json } = await ask('DELETE', '/v1/nodes/n1/maintenance');
    expect(json).toMatchObject({ nodeId: 'n1', state: expect.stringMatching(/^(suspect|up)$/) as string });
    expect((await ask('DELETE', '/v1/nodes/n9/maintenance')).status).toBe(404);
  });

  it('cordons a node, and lets it take replicas again', async () => {
    for (const method of ['POST', 'DELETE'])
      expect(await ask(method, '/v1/nodes/n1/cordon')).toMatchObject({
        status: 200,
        json: { nodeId: 'n1', cordoned: method === 'POST' },
      });
    expect((await ask('POST', '/v1/nodes/n9/cordon')).status).toBe(404);
  });

  it('shows the log, decoded', async () => {
    const { topics } = (await ask('GET', '/v1/log/topics')).json as { topics: { name: string }[] };
    expect(topics.map(({ name }) => name)).toEqual(expect.arrayContaining(['levee.journal', 'levee.binlog.default']));
    const { lines } = await ask('GET', '/v1/log/levee.journal/0');
    expect(lines[0]).toMatchObject({ partition: 0, offset: 0, record: 'Claim' });
    const rest = await ask('GET', `/v1/log/levee.journal/0?from=${lines.length - 1}`);
    expect(rest.lines.length).toBeGreaterThanOrEqual(1);
  });

  it('has health, metrics and OpenAPI', async () => {
    expect((await ask('GET', '/health/live')).status).toBe(200);
    expect([(await ask('GET', '/health/ready')).status]).toEqual([200]);
    expect((await ask('GET', '/metrics')).body.toString()).toMatch(/levee_portal_resp_commands_total/);
    expect(await metricProblems(cluster.app, 'portal')).toEqual([]);
    const ofNode = new Metrics({ part: 'data-node' });
    ofNode.numbersFrom('node', () => cluster.node.stats());
    expect(await ofNode.text()).toMatch(/levee_node_feeds\{[^}]*\} [1-9]/);
    expect([...ofNode.unlisted]).toEqual([]);
    ofNode.close();
  });

  it('times requests by door, kind, outcome and namespace, and what the store does', async () => {
    await ask('PUT', '/v1/kv/default/timed', 'v', { 'levee-ack': 'primary' });
    await ask('GET', '/v1/kv/default/timed', undefined, { 'levee-consistency': 'strong' });
    await ask('GET', '/v1/kv/default/absent');
    await ask('GET', '/v1/kv/made-up/absent');
    const client = new RespClient({ host: '127.0.0.1', port: cluster.app.portal.respPort });
    const send = (...args: string[]): Promise<unknown> =>
      new Promise((resolve) =>
        client.send(
          args.map((arg) => Buffer.from(arg)),
          5_000,
          (_, reply) => resolve(reply),
        ),
      );
    await send('SET', 'timed', 'w');
    await send('GET', 'timed');
    await send('NOSUCH');
    client.close();
    const text = (await ask('GET', '/metrics')).body.toString();
    const found = (door: string, kind: string, namespace: string, outcome: string): number =>
      Number(
        new RegExp(
          `^levee_request_duration_seconds_count\\{door="${door}",kind="${kind}",namespace="${namespace}",outcome="${outcome}",[^}]*\\} (\\d+)$`,
          'm',
        ).exec(text)?.[1] ?? 0,
      );
    expect(found('http', 'write', 'default', 'ok')).toBeGreaterThanOrEqual(1);
    expect(found('http', 'read', 'default', 'ok')).toBeGreaterThanOrEqual(2);
    // A name that somebody made up has no series of its own.
    expect(found('http', 'read', '', 'refused')).toBeGreaterThanOrEqual(1);
    expect(text).not.toContain('made-up');
    expect([found('resp', 'write', 'default', 'ok'), found('resp', 'read', 'default', 'ok')]).toEqual([1, 1]);
    expect(found('resp', 'other', '', 'refused')).toBe(1);
    for (const what of ['append', 'fence', 'ack'])
      expect([
        what,
        new RegExp(`^levee_portal_${what}_duration_seconds_count\\{outcome="ok",[^}]*\\} [1-9]`, 'm').test(text),
      ]).toEqual([what, true]);
    expect(text).toMatch(/^levee_portal_route_change_duration_seconds_count\{[^}]*\} [1-9]/m);
    expect(cluster.node.applyTimes?.count).toBeGreaterThan(0);
    const document = (await ask('GET', '/docs-json')).json as { paths: Record<string, unknown> };
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v1/kv/{namespace}/{key}',
        '/v1/kv/{namespace}',
        '/v1/routes/{namespace}',
        '/v1/status',
      ]),
    );
    expect((await ask('GET', '/docs')).status).toBe(200);
  });
});
