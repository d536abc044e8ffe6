import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { clusterHeaders, ClusterKey, hashPassword, newToken } from '@levee/auth';
import { controlTopics, submit } from '@levee/journal';
import { RespClient } from '@levee/wire';
import { portalRoutes } from '../src/routes';
import { eventually } from '../../../test/support/deadline';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

const topics = controlTopics('levee');
const clusterKey = ClusterKey.random();
let cluster: OneNodeCluster;

async function order(kind: string, payload: object): Promise<void> {
  const { view } = cluster.app.portal;
  const id = await submit(cluster.log, topics, { kind, payload, principal: 'test' });
  const { rejectionCode, rejectionMessage } = await view.outcome(id, 10_000);
  if (rejectionCode !== null) throw new Error(`${kind}: ${rejectionCode} ${rejectionMessage}`);
}

const tokens: Record<string, string> = {};
const bearer = (user: string): Record<string, string> => ({ authorization: `Bearer ${tokens[user]}` });
const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

async function user(name: string, grants: readonly object[]): Promise<void> {
  const { token, kept } = newToken(name);
  tokens[name] = token;
  await order('CreateUser', { name, grants, tokens: [kept], passwordHash: await hashPassword(`${name}-secret`) });
}

beforeAll(async () => {
  cluster = await OneNodeCluster.start({ authenticates: true, clusterKey });
  const size = { partitions: 1, chunks: 1, replicas: 1, chunkCapacityBytes: 8 << 20 };
  await order('CreateNamespace', { name: 'default', ...size });
  await order('CreateNamespace', { name: 'other', ...size });
  for (const right of ['read', 'write', 'admin']) await user(right, [{ right, namespaces: 'default' }]);
  for (const right of ['operate', 'audit']) await user(right, [{ right }]);
  await user('nothing', []);
  const namespaces = { state: () => cluster.app.portal.view.state };
  const isActive = () => namespaces.state().namespace('other')?.state === 'active' || undefined;
  await cluster.app.portal.view.until(isActive, 10_000, 'both namespaces being active');
});
afterAll(() => cluster?.close());

/** A path with something for each parameter. */
const pathOf = (route: string, namespace: string): string =>
  (route.split(' ')[1] as string)
    .replace(/:namespace|:name/g, namespace)
    .replace(/:\w+/g, 'x')
    .replace('*', 'x');

describe('I21: every path, whoever calls it', () => {
  it('is registered with a rule, and each rule has its path', () => {
    const unused = Object.keys(portalRoutes).filter((route) => !cluster.app.routes.has(route));
    expect([...cluster.app.routes].length).toBeGreaterThan(40);
    expect(unused).toEqual([]);
  });

  it.each(['', 'nothing', 'read', 'write', 'admin', 'operate', 'audit'])('as %s', async (who) => {
    for (const route of cluster.app.routes) {
      const method = route.split(' ')[0] as string;
      const rule = portalRoutes[route] ?? portalRoutes['GET /docs/*'] ?? 'audit';
      for (const namespace of ['default', 'other']) {
        const path = pathOf(route, namespace);
        const withBody = method === 'POST' || method === 'PATCH' ? JSON.stringify({ name: namespace }) : undefined;
        // A watch has no end.
        const answer = await status(method, path, who === '' ? {} : bearer(who), withBody);
        const isOwn = namespace === 'default' || who === 'operate';
        const may =
          rule === 'open' ||
          (who !== '' &&
            (rule === 'user' ||
              (rule === 'demanded' && who === 'admin' && namespace === 'default') ||
              rule === who ||
              (typeof rule === 'object' &&
                rule.right === 'any' &&
                isOwn &&
                ['read', 'write', 'admin', 'operate'].includes(who)) ||
              (typeof rule === 'object' && rule.right === who && isOwn)));
        const refused = answer === 401 || answer === 403;
        expect([who, route, namespace, refused ? answer : 'answered']).toEqual([
          ...[who, route, namespace],
          may ? 'answered' : who === '' ? 401 : 403,
        ]);
      }
    }
  });

  /** Of the answer, which is not read on; commands that are let through are wrong in themselves. */
  function status(method: string, path: string, headers: Record<string, string>, body?: string): Promise<number> {
    const asked = body === undefined ? headers : { ...headers, 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const outgoing: ClientRequest = request(
        { host: '127.0.0.1', port: cluster.app.port, method, path, headers: asked, agent: false },
        (response: IncomingMessage) => {
          resolve(response.statusCode ?? 0);
          response.on('error', () => undefined);
          outgoing.destroy();
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
});

describe('who somebody is', () => {
  const get = (headers: Record<string, string>) => cluster.ask('GET', '/v1/namespaces', undefined, headers);

  it.each<readonly [what: string, headers: () => Record<string, string>, status: number]>([
    ['nothing', () => ({}), 401],
    ['a token', () => bearer('read'), 200],
    ['a user and its password', () => basic('read', 'read-secret'), 200],
    ['a token as password', () => basic('read', tokens['read'] as string), 200],
    ['a token of somebody else', () => basic('write', tokens['read'] as string), 401],
    ['a wrong password', () => basic('read', 'wrong'), 401],
    ['a wrong token', () => ({ authorization: `Bearer ${tokens['read']?.slice(0, -2)}xx` }), 401],
    ['no token', () => ({ authorization: 'Bearer read' }), 401],
    ['another scheme', () => ({ authorization: `Digest ${tokens['read']}` }), 401],
    ['no user', () => ({ authorization: 'Basic cmVhZA==' }), 401],
    ['a proof of the cluster', () => ({ ...clusterHeaders(clusterKey) }), 200],
    ['a proof of another cluster', () => ({ ...clusterHeaders(ClusterKey.random()) }), 401],
  ])('%s', async (_what, headers, status) => {
    const answer = await get(headers());
    expect(answer.status).toBe(status);
    if (status === 401) {
      expect(answer.json).toMatchObject({ code: 'UNAUTHORIZED' });
      expect(answer.headers['www-authenticate']).toMatch(/^Basic realm="levee"/);
    }
  });

  it('sees the namespaces on which it has a right, and no others', async () => {
    const names = async (who: string): Promise<unknown> =>
      ((await get(bearer(who))).json['namespaces'] as { name: string }[]).map(({ name }) => name);
    expect(await names('read')).toEqual(['default']);
    expect(await names('nothing')).toEqual([]);
    expect(await names('operate')).toEqual(['default', 'other']);
    const status = async (who: string) => (await cluster.ask('GET', '/v1/status', undefined, bearer(who))).json;
    const shown = async (who: string): Promise<unknown> => {
      const { namespaces, nodes } = (await status(who)) as { namespaces: { name: string }[]; nodes: unknown[] };
      return [namespaces.map(({ name }) => name), nodes.length];
    };
    expect([await shown('nothing'), await shown('read')]).toEqual([
      [[], 0],
      [['default'], 0],
    ]);
    expect(await shown('operate')).toEqual([['default', 'other'], 1]);
    const absent = (path: string) => cluster.ask('GET', path, undefined, bearer('read'));
    expect((await absent('/v1/namespaces/other')).json).toMatchObject({ code: 'FORBIDDEN' });
    expect((await absent('/v1/namespaces/nowhere')).json).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('stands in the decision, whatever the request says of itself', async () => {
    const headers = { ...bearer('admin'), 'content-type': 'application/json', 'x-forwarded-for': 'node n1' };
    const body = JSON.stringify({ requestsPerSecond: 77, principal: 'node n1' });
    const refused = await cluster.ask('PATCH', '/v1/namespaces/default', body, headers);
    expect(refused.status).toBe(422);
    const altered = await cluster.ask('PATCH', '/v1/namespaces/default', '{"requestsPerSecond":77}', headers);
    expect(altered.status).toBe(200);
    const lines = await cluster.ask('GET', '/v1/log/levee.journal/0?from=0', undefined, bearer('audit'));
    const told = lines.body.toString();
    expect(told).toMatch(/AlterNamespace[^\n]*"principal":"user admin"/);
    expect(told).not.toMatch(/"principal":"node n1"[^\n]*AlterNamespace/);
    for (const token of Object.values(tokens)) expect(told).not.toContain(token);
    expect(told).not.toContain('-secret');
  });
});

it('who flushes a namespace is in the trail, by RESP as over HTTP', async () => {
  const size = { partitions: 1, chunks: 1, replicas: 1, chunkCapacityBytes: 8 << 20 };
  await order('CreateNamespace', { name: 'swept', ...size, flush: 'sweep' });
  await user('flusher', [{ right: 'admin', namespaces: 'swept' }]);
  const { portal } = cluster.app;
  await portal.view.until(() => portal.view.state.namespace('swept')?.state === 'active' || undefined, 10_000, 'swept');
  const client = new RespClient({ host: '127.0.0.1', port: portal.respPort });
  try {
    expect(await client.request(['AUTH', 'flusher@swept', tokens['flusher'] as string], 5_000)).toBe('OK');
    for (let i = 0; i < 2; i++) expect(await client.request(['FLUSHDB'], 20_000)).toBe('OK');
  } finally {
    client.close();
  }
  // The second as well, though it came right behind the first.
  const lines = await recorded('FLUSHDB swept', 2);
  for (const line of lines) expect(line).toMatch(/RecordAccess.*"principal":"user flusher"/);
  expect(lines).toHaveLength(2);
});

/** Lines of the journal with the text, once there are so many; in the log they are before anything is told. */
async function recorded(text: string, count: number): Promise<readonly string[]> {
  const endMs = Date.now() + 10_000;
  for (;;) {
    const { body } = await cluster.ask('GET', '/v1/log/levee.journal/0?from=0', undefined, bearer('audit'));
    const lines = body.toString().split('\n');
    const found = lines.filter((line) => line.includes(text));
    if (found.length >= count || Date.now() > endMs) return found;
    await new Promise((next) => setTimeout(next, 20));
  }
}

it('what somebody asks of the past is in the trail with its query, and reading on is one question', async () => {
  const get = (path: string) => cluster.ask('GET', path, undefined, bearer('audit'));
  for (const subject of ['n1', 'default%231/c00001']) await get(`/v1/past/explain?subject=${subject}`);
  for (const from of [0, 1, 2]) expect((await get(`/v1/log/levee.commands/0?from=${from}`)).status).toBe(200);
  expect(await recorded('/v1/past/explain?subject=n1', 1)).toHaveLength(1);
  expect(await recorded('/v1/past/explain?subject=default%231/c00001', 1)).toHaveLength(1);
  expect(await recorded('/v1/log/levee.commands/0?from=', 1)).toHaveLength(1);
});

it('a fork shows what its source held, so it needs the right to read there', async () => {
  const on = (right: string, namespaces: string) => ({ right, namespaces });
  await user('blind', [on('admin', 'default'), on('admin', 'forked'), on('read', 'forked')]);
  await user('seeing', [on('admin', 'default'), on('admin', 'forked'), on('read', 'default')]);
  const fork = (who: string) =>
    cluster.ask('POST', '/v1/namespaces/forked/fork', JSON.stringify({ from: 'default', atMs: 7 }), {
      ...bearer(who),
      'content-type': 'application/json',
    });
  const refused = await fork('blind');
  expect([refused.status, refused.json['message']]).toEqual([
    403,
    "user blind has not the right read in namespace 'default'",
  ]);
  expect((await fork('seeing')).lines.at(-1)).toMatchObject({ code: 'NOT_PROVABLE' });
});

it('I21: a watch ends when its right is taken away', async () => {
  await user('watcher', [{ right: 'read', namespaces: 'default' }]);
  const socket = connect(cluster.app.port, '127.0.0.1');
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const begun = new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.write(
    `GET /v1/watch/default HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${tokens['watcher']}\r\n\r\n`,
  );
  await begun;
  const beganMs = performance.now();
  await order('RevokeRights', { name: 'watcher', grants: [{ right: 'read', namespaces: 'default' }] });
  await closed;
  expect(performance.now() - beganMs).toBeLessThan(5_000);
});

describe('I21: a node serves processes of its cluster, and nobody who does not say who he is', () => {
  const node = () => cluster.app.portal.view.state.node('n1')!;
  const ask = async (args: readonly string[], ...more: readonly (readonly string[])[]): Promise<unknown[]> => {
    const [host, port] = node().respAddress.split(':');
    const client = new RespClient({ host: host as string, port: Number(port) });
    try {
      const replies: string[] = [];
      for (const each of [args, ...more])
        replies.push(
          await client.request(each, 5_000).then(
            () => 'answered',
            (error: Error) => error.message,
          ),
        );
      return replies;
    } finally {
      client.close();
    }
  };
  const proof = (key: ClusterKey, of: { nodeId: string; storeId: string } = node()): string =>
    key.proofFor(`node ${of.nodeId} ${of.storeId}`);
  const noAuth = expect.stringMatching(/^NOAUTH this node serves processes of its cluster/) as unknown;

  it('to others it says nothing', async () => {
    const commands = ['PING', 'INFO', 'HELLO 3', 'COMMAND', 'CONFIG', 'CLIENT', 'SELECT 0', 'ECHO x', 'LV.STAT'];
    const own = [
      'LV.WITNESS',
      'LV.GET default a',
      'LV.READ x',
      'LV.RANGE x',
      'LV.AWAIT x',
      'LV.COPY x',
      'LV.LETGO u 1',
    ];
    for (const line of [...commands, ...own]) expect([line, ...(await ask(line.split(' ')))]).toEqual([line, noAuth]);
  });

  it('asks for a proof by the key of the cluster, made for this disk', async () => {
    const { nodeId, storeId } = node();
    const hello = (...more: string[]): string[] => ['LV.HELLO', '', nodeId, storeId, ...more];
    const stat = ['LV.STAT'];
    expect(await ask(hello(proof(clusterKey)), stat)).toEqual(['answered', 'answered']);
    expect(await ask(hello(), stat)).toEqual([noAuth, noAuth]);
    expect(await ask(hello(proof(ClusterKey.random())), stat)).toEqual([noAuth, noAuth]);
    expect(await ask(hello(proof(clusterKey, { nodeId: 'n2', storeId })), stat)).toEqual([noAuth, noAuth]);
    expect(await ask(hello(proof(clusterKey)), hello('wrong'), stat)).toEqual(['answered', noAuth, noAuth]);
  });

  it('lets them in, and as many as there are, however many strangers hold its port', async () => {
    const { nodeId, storeId, respAddress } = node();
    const [host, port] = respAddress.split(':');
    const strangers = Array.from({ length: 30 }, () => connect(Number(port), host));
    const open = (): number => strangers.filter(({ destroyed }) => !destroyed).length;
    for (const one of strangers) one.on('error', () => undefined).resume();
    const processes = Array.from({ length: 20 }, () => new RespClient({ host: host as string, port: Number(port) }));
    try {
      await eventually('most of the strangers are gone', () => open() <= 8);
      const hello = ['LV.HELLO', '', nodeId, storeId, proof(clusterKey)];
      for (const one of processes) expect(await one.request(hello, 5_000)).toBeDefined();
      for (const one of processes) expect(await one.request(['LV.STAT'], 5_000)).toBeDefined();
      // Nobody of them took the place of a stranger for longer than it took to say who it is.
      const late = connect(Number(port), host);
      strangers.push(late.on('error', () => undefined).resume());
      await eventually('there is room for one more', () => late.readyState === 'open' && open() <= 8);
    } finally {
      for (const one of processes) one.close();
      for (const one of strangers) one.destroy();
    }
  });

  it('and the portal is one of them', async () => {
    const put = await cluster.ask('PUT', '/v1/kv/default/k', 'v', bearer('write'));
    expect(put.status).toBe(204);
    const session = { 'levee-session': String(put.headers['levee-session']) };
    const got = await cluster.ask('GET', '/v1/kv/default/k', undefined, { ...bearer('read'), ...session });
    expect(got.body.toString()).toBe('v');
  });
});
