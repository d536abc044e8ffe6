import { request } from 'node:https';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newToken } from '@levee/auth';
import { controlTopics, submit } from '@levee/journal';
import { loadSecurity, securitySettingNames } from '@levee/service-kit';
import { loadSettings } from '@levee/settings';
import { TestAuthority, writeCertificates, type Certified } from '../../../test/support/certificates';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), 'levee-auth-tls-'));
const authority = new TestAuthority();
const files = writeCertificates(
  folder,
  'portal',
  authority.issue({ name: 'levee', hosts: ['127.0.0.1'] }),
  authority.cert,
);
const topics = controlTopics('levee');
let cluster: OneNodeCluster;
let token: string;

async function order(kind: string, payload: object): Promise<void> {
  const id = await submit(cluster.log, topics, { kind, payload, principal: 'test' });
  const { rejectionCode, rejectionMessage } = await cluster.app.portal.view.outcome(id, 10_000);
  if (rejectionCode !== null) throw new Error(`${kind}: ${rejectionCode} ${rejectionMessage}`);
}

beforeAll(async () => {
  const env = {
    LEVEE_AUTH: 'on',
    LEVEE_TLS_CERT: files.cert,
    LEVEE_TLS_KEY: files.key,
    LEVEE_TLS_CA: files.ca,
    LEVEE_TLS_CLUSTER_NAME: 'levee',
  };
  cluster = await OneNodeCluster.start(loadSecurity(loadSettings(env, securitySettingNames), { isAlone: false }));
  const made = newToken('ann');
  token = made.token;
  const grants = ['read', 'write', 'admin'].map((right) => ({ right, namespaces: '**' }));
  const all = [...grants, { right: 'operate' }, { right: 'audit' }];
  await order('CreateUser', { name: 'ann', grants: all, tokens: [made.kept] });
});
afterAll(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Status of the answer, which is not read on: a watch has no end. */
function status(
  route: string,
  by: { headers?: Record<string, string>; certificate?: Certified } = {},
): Promise<number> {
  const [method, pattern] = route.split(' ') as [string, string];
  const path = pattern.replace(/:\w+/g, 'default').replace('*', 'x');
  const body = method === 'POST' || method === 'PATCH' ? '{}' : undefined;
  const headers = { ...(body && { 'content-type': 'application/json' }), ...by.headers };
  const pair = by.certificate && { cert: by.certificate.cert, key: by.certificate.key };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port: cluster.app.port, method, path, headers, agent: false, ca: authority.cert, ...pair },
      (response) => {
        resolve(response.statusCode ?? 0);
        response.on('error', () => undefined);
        outgoing.destroy();
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const few = ['GET /v1/status', 'PUT /v1/kv/:namespace/:key'];
const open = new Set(['GET /health/live', 'GET /health/ready']);
const client = (name: string | readonly string[]): Certified => authority.issue({ name, usages: ['client'] });
const others = new TestAuthority('others');

describe('I21: every path over TLS', () => {
  it.each<readonly [who: string, by: () => { headers?: Record<string, string>; certificate?: Certified }]>([
    ['without anything', () => ({})],
    ['with a wrong token', () => ({ headers: { authorization: `Bearer ${token.slice(0, -2)}xx` } })],
    ['with a certificate of nobody', () => ({ certificate: client('nobody') })],
    ['with a certificate of another authority', () => ({ certificate: others.issue({ name: 'ann' }) })],
    ['with the name of the cluster from another authority', () => ({ certificate: others.issue({ name: 'levee' }) })],
    ['with two names', () => ({ certificate: client(['ann', 'levee']) })],
    [
      'with the certificate of ann, and a wrong token',
      () => ({ certificate: client('ann'), headers: { authorization: `Bearer ${token.slice(0, -2)}xx` } }),
    ],
    [
      'with the certificate of the cluster, and a wrong proof',
      () => ({ certificate: client('levee'), headers: { authorization: 'Levee-Cluster x' } }),
    ],
  ])('%s is 401', async (_who, by) => {
    const as = by();
    expect(cluster.app.routes.size).toBeGreaterThan(40);
    // Whoever gives wrong secrets is slowed down: a few paths have to do.
    const routes = as.headers === undefined ? cluster.app.routes : few;
    for (const route of routes) {
      const answer = await status(route, as);
      expect([route, answer === 401]).toEqual([route, !open.has(route)]);
    }
  });

  it.each<readonly [who: string, by: () => { headers?: Record<string, string>; certificate?: Certified }]>([
    ['the certificate of ann', () => ({ certificate: client('ann') })],
    ['the token of ann', () => ({ headers: { authorization: `Bearer ${token}` } })],
    ['the certificate of the cluster', () => ({ certificate: client('levee') })],
  ])('%s lets in', async (_who, by) => {
    for (const route of ['GET /v1/status', 'GET /metrics', 'GET /v1/users', 'GET /v1/namespaces'])
      expect([route, await status(route, by())]).toEqual([route, 200]);
  });

  it('a certificate is worth nothing once its user is disabled', async () => {
    await order('CreateUser', { name: 'bob', grants: [{ right: 'operate' }] });
    const by = { certificate: client('bob') };
    expect(await status('GET /metrics', by)).toBe(200);
    await order('AlterUser', { name: 'bob', state: 'disabled' });
    expect(await status('GET /metrics', by)).toBe(401);
  });
});
