import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { ClusterHttp } from '@levee/auth';
import { silentLogger } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { TlsNetwork } from '@levee/wire';
import { TestAuthority, writeCertificates } from '../../../test/support/certificates';
import { eventually } from '../../../test/support/deadline';
import {
  commonRoutes,
  HealthRegistry,
  loadSecurity,
  Metrics,
  securitySettingNames,
  ServiceModule,
  startHttpApp,
  type TlsFiles,
  type HttpApp,
} from '../src';
import { loadSettings } from '@levee/settings';

const folder = mkdtempSync(join(tmpdir(), 'levee-tls-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const authority = new TestAuthority();
const own = authority.issue({ name: 'levee', hosts: ['127.0.0.1'] });
const files = writeCertificates(folder, 'own', own, authority.cert);
const other = authority.issue({ name: 'other', hosts: ['127.0.0.1'] });
const otherFiles = writeCertificates(folder, 'other', other, authority.cert);
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const load = (env: Record<string, string>, isAlone = false) =>
  loadSecurity(loadSettings(env, securitySettingNames), { isAlone });
const pair = { LEVEE_TLS_CERT: files.cert, LEVEE_TLS_KEY: files.key };
const whole = { ...pair, LEVEE_TLS_CA: files.ca };

describe('settings', () => {
  test.each<readonly [env: Record<string, string>, clientAuth: string, clusterName: string | undefined]>([
    [pair, 'none', undefined],
    [whole, 'requested', undefined],
    [{ ...whole, LEVEE_TLS_CLIENT_AUTH: 'required' }, 'required', undefined],
    [{ ...whole, LEVEE_TLS_CLIENT_AUTH: 'none' }, 'none', undefined],
    [{ ...whole, LEVEE_TLS_CLUSTER_NAME: 'levee', LEVEE_AUTH: 'on' }, 'requested', 'levee'],
  ])('%j', (env, clientAuth, clusterName) => {
    const { tls, authenticates, clusterKey } = load(env);
    expect(tls?.plan).toMatchObject({ clientAuth, clusterName, minVersion: 'TLSv1.2' });
    expect([authenticates, clusterKey]).toEqual([env['LEVEE_AUTH'] === 'on', undefined]);
  });

  const ended = authority.issue({ name: 'levee', notAfter: new Date(Date.now() - 1_000) });
  const early = authority.issue({ name: 'levee', notBefore: new Date(Date.now() + 86_400_000) });
  const serverOnly = authority.issue({ name: 'levee', usages: ['server'] });
  const set = (name: string, of: { cert: string; key: string }, more: Record<string, string> = {}) => {
    const at = writeCertificates(folder, name, of, authority.cert);
    return { LEVEE_TLS_CERT: at.cert, LEVEE_TLS_KEY: at.key, ...more };
  };
  test.each<readonly [what: string, env: Record<string, string>, refusal: RegExp]>([
    ['a certificate alone', { LEVEE_TLS_CERT: files.cert }, /LEVEE_TLS_CERT is set and LEVEE_TLS_KEY is not/],
    ['a key alone', { LEVEE_TLS_KEY: files.key }, /LEVEE_TLS_KEY is set and LEVEE_TLS_CERT is not/],
    ['an authority alone', { LEVEE_TLS_CA: files.ca }, /LEVEE_TLS_CA is set and LEVEE_TLS_CERT is not/],
    ['no file', { ...pair, LEVEE_TLS_CERT: join(folder, 'none') }, /LEVEE_TLS_CERT is .*none, which cannot be read/],
    ['both swapped', { LEVEE_TLS_CERT: files.key, LEVEE_TLS_KEY: files.cert }, /holds a PEM PRIVATE KEY: it must have/],
    ['no PEM', { ...pair, LEVEE_TLS_KEY: file('text', 'hello') }, /LEVEE_TLS_KEY is .*text, which holds no PEM/],
    [
      'half a PEM',
      { ...pair, LEVEE_TLS_CERT: file('half', own.cert.slice(0, 200)) },
      /holds no certificate that can be/,
    ],
    ['a key of another pair', { ...pair, LEVEE_TLS_KEY: otherFiles.key }, /which is not the key of the certificate in/],
    [
      'an encrypted key',
      { ...pair, LEVEE_TLS_KEY: file('secret', own.key.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE')) },
      /is encrypted: write it decrypted/,
    ],
    ['one that has ended', set('ended', ended), /which is not valid since/],
    ['one that begins later', set('early', early), /which is not valid before/],
    ['an old version', { ...pair, LEVEE_TLS_MIN_VERSION: 'TLSv1.1' }, /must be one of TLSv1.2, TLSv1.3/],
    ['clients without authority', { ...pair, LEVEE_TLS_CLIENT_AUTH: 'required' }, /LEVEE_TLS_CA is not set/],
    ['a cluster without authority', { ...pair, LEVEE_TLS_CLUSTER_NAME: 'levee' }, /LEVEE_TLS_CA is not set/],
    [
      'a cluster that asks for none',
      { ...whole, LEVEE_TLS_CLUSTER_NAME: 'levee', LEVEE_TLS_CLIENT_AUTH: 'none' },
      /have to ask for them/,
    ],
    ['a name that is not its own', { ...whole, LEVEE_TLS_CLUSTER_NAME: 'peers' }, /its common name must be peers/],
    [
      'one for servers in a cluster',
      set('server-only', serverOnly, { LEVEE_TLS_CA: files.ca, LEVEE_TLS_CLUSTER_NAME: 'levee' }),
      /is for servers alone/,
    ],
    ['authentication without proof', { ...whole, LEVEE_AUTH: 'on' }, /neither LEVEE_CLUSTER_KEY_FILE nor LEVEE_TLS/],
  ])('%s is refused, naming it', (_what, env, refusal) => {
    expect(() => load(env)).toThrow(refusal);
    expect(() => load(env)).not.toThrow(/BEGIN (EC )?PRIVATE KEY-----\n/);
  });
});

describe('an HTTP door', () => {
  let app: HttpApp;
  let tls: TlsFiles;
  const door = writeCertificates(folder, 'door', own, authority.cert);

  beforeAll(async () => {
    tls = load({ LEVEE_TLS_CERT: door.cert, LEVEE_TLS_KEY: door.key, LEVEE_TLS_CA: door.ca }).tls as TlsFiles;
    const [health, metrics] = [new HealthRegistry(), new Metrics({ part: 'master' })];
    app = await startHttpApp({
      module: ServiceModule.register({ health, metrics, security: { authenticates: false, tls } }),
      access: { routes: commonRoutes },
      tls,
      host: '127.0.0.1',
      port: 0,
      logger: silentLogger,
    });
  });
  afterAll(() => app.close());

  function answer(
    path: string,
    options: ConnectionOptions = {},
  ): Promise<{ status: number; text: string; serial: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = request(`${app.url}${path}`, { agent: false, ca: authority.cert, ...options });
      outgoing.once('error', reject);
      outgoing.once('response', (response) => {
        let text = '';
        const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
        response.on('data', (piece: Buffer) => (text += piece.toString()));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text, serial }));
      });
      outgoing.end();
    });
  }

  it('speaks TLS and nothing else', async () => {
    expect(app.url).toMatch(/^https:/);
    expect(await answer('/health/ready')).toMatchObject({ status: 200 });
    await expect(fetch(app.url.replace('https', 'http') + '/health/live')).rejects.toThrow();
    await expect(answer('/health/live', { maxVersion: 'TLSv1.1' })).rejects.toThrow();
    await eventually('it is counted', () => (app.stats()['handshakesFailed'] ?? 0) >= 1);
    expect(app.stats()).toMatchObject({ closedSlow: 0, connections: expect.any(Number) as number });
  });

  it('resumes no session, which would stand for a certificate that nobody looked at again', async () => {
    const session = await new Promise<boolean>((resolve, reject) => {
      const socket = connect({ port: app.port, host: '127.0.0.1', ca: authority.cert, maxVersion: 'TLSv1.2' }, () => {
        resolve((socket.getSession()?.length ?? 0) > 0 && socket.getTLSTicket() !== undefined);
        socket.destroy();
      });
      socket.once('error', reject);
    });
    expect(session).toBe(false);
  });

  it('takes a renewed pair, keeps the old one while the new one is broken, and says so', async () => {
    const first = (await answer('/health/live')).serial;
    const next = authority.issue({ name: 'levee', hosts: ['127.0.0.1'] });
    // The certificate comes first, and its key a moment later.
    writeFileSync(door.cert, next.cert);
    tls.look();
    const troubled = await answer('/health/ready');
    expect([troubled.status, troubled.serial]).toEqual([200, first]);
    expect(troubled.text).toMatch(/"status":"degraded".*is not the key of the certificate/);
    expect(tls.stats()).toMatchObject({ broken: 1, reloads: 0, reloadsFailed: 1 });
    writeFileSync(door.key, next.key);
    tls.look();
    expect((await answer('/health/live')).serial).not.toBe(first);
    expect((await answer('/health/ready')).text).not.toMatch(/troubles/);
    expect(tls.stats()).toMatchObject({ broken: 0, reloads: 1 });
    for (const broken of [
      '',
      'hello',
      next.cert.slice(0, 300),
      authority.issue({ name: 'x', notAfter: new Date(1e12) }).cert,
    ]) {
      writeFileSync(door.cert, broken);
      tls.look();
      tls.look();
      expect([(await answer('/health/live')).status, tls.stats()['broken']]).toEqual([200, 1]);
    }
    rmSync(door.cert);
    tls.look();
    expect(tls.troubles[0]?.message).toMatch(/cannot be read/);
    writeFileSync(door.cert, next.cert);
    tls.look();
    expect(tls.troubles).toEqual([]);
    expect(tls.stats()['reloadsFailed']).toBe(5);
    expect((await answer('/metrics')).text).toMatch(/levee_tls_certificate_expires_in_seconds\{[^}]*\} -?\d+/);
  });

  it('tells two weeks ahead that its certificate ends', () => {
    const ends = authority.issue({ name: 'levee', notAfter: new Date(Date.now() + 86_400_000) });
    const at = writeCertificates(folder, 'ends', ends, authority.cert);
    const { tls: soon } = load({ LEVEE_TLS_CERT: at.cert, LEVEE_TLS_KEY: at.key });
    expect(soon?.troubles[0]?.message).toMatch(/^the certificate ends at .*no restart is needed$/);
  });
});

describe('who is called', () => {
  const cases: readonly (readonly [
    what: string,
    mine: object,
    theirs: string,
    name: string,
    hosts: string[],
    isCalled: boolean,
  ])[] = [
    ['the host that it names', {}, 'levee', 'any', ['127.0.0.1'], true],
    ['another host', {}, 'levee', 'any', ['10.0.0.1'], false],
    ['the cluster, at any host', { LEVEE_TLS_CLUSTER_NAME: 'levee' }, 'levee', 'levee', ['10.0.0.1'], true],
    ['the host, but not the cluster', { LEVEE_TLS_CLUSTER_NAME: 'levee' }, 'levee', 'any', ['127.0.0.1'], false],
    [
      'the cluster of another authority',
      { LEVEE_TLS_CLUSTER_NAME: 'levee' },
      'stranger',
      'levee',
      ['127.0.0.1'],
      false,
    ],
  ];
  test.each(cases)('%s', async (_what, mine, theirs, name, hosts, isCalled) => {
    const signs = theirs === 'stranger' ? new TestAuthority() : authority;
    const { cert, key } = writeCertificates(folder, `called-${name}`, signs.issue({ name, hosts }), authority.cert);
    const called = load({ LEVEE_TLS_CERT: cert, LEVEE_TLS_KEY: key }).tls as TlsFiles;
    const caller = load({ ...whole, ...mine }).tls as TlsFiles;
    const world = { logger: silentLogger, clock: systemClock };
    const listener = await new TlsNetwork(called, world).listen({ host: '127.0.0.1', port: 0 }, (socket) =>
      socket.end(),
    );
    try {
      const outcome = await new Promise((resolve) => {
        const socket = new TlsNetwork(caller, world).connect({ host: '127.0.0.1', port: listener.port });
        socket.on('connect', () => resolve(true));
        socket.on('error', () => resolve(false));
        socket.on('close', () => resolve(false));
      });
      expect(outcome).toBe(isCalled);
    } finally {
      await listener.close();
    }
  });

  test('a process that has the same certificate, without an authority', async () => {
    const alone = load(pair, true).tls as TlsFiles;
    const app = await startHttpApp({
      module: ServiceModule.register({ health: new HealthRegistry(), metrics: new Metrics({ part: 'master' }) }),
      access: { routes: commonRoutes },
      tls: alone,
      host: '127.0.0.1',
      port: 0,
      logger: silentLogger,
    });
    try {
      const http = new ClusterHttp({ tls: alone });
      expect(await http.json(`127.0.0.1:${app.port}`, '/health/ready', 5_000)).toMatchObject({ status: 'ok' });
      await expect(http.json(`127.0.0.1:${app.port}`, '/nowhere', 5_000)).rejects.toThrow(/answers 404/);
      const stranger = load(set('lonely', new TestAuthority().issue({ name: 'levee', hosts: ['127.0.0.1'] })), true);
      const asks = new ClusterHttp({ tls: stranger.tls });
      await expect(asks.json(`127.0.0.1:${app.port}`, '/health/ready', 5_000)).rejects.toThrow(/certificate/);
    } finally {
      await app.close();
    }
  });

  const set = (name: string, of: { cert: string; key: string }) => {
    const at = writeCertificates(folder, name, of, authority.cert);
    return { LEVEE_TLS_CERT: at.cert, LEVEE_TLS_KEY: at.key };
  };
});
