import { readFileSync, writeFileSync } from 'node:fs';
import { connect as plainConnect } from 'node:net';
import { join } from 'node:path';
import Redis from 'ioredis';
import { TestAuthority, writeCertificates, type CertificateFiles, type Certified } from '../support/certificates';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { bytesOf, filesBelow } from '../support/files-below';
import { httpsAnswer } from '../support/https-answer';
import { leveeWith, type CommandResult } from '../support/levee-command';
import { bound } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

/**
 * Two masters, a dispatcher, three nodes and two portals on a Kafka: every door speaks TLS and asks who somebody is,
 * and the processes know each other by certificates alone.
 */
describe('a cluster with authentication and TLS on', () => {
  const dir = scratchFolder('secure-cluster');
  const authority = new TestAuthority();
  const member = (): Certified => authority.issue({ name: 'levee', hosts: ['127.0.0.1', 'localhost'] });
  let files: CertificateFiles;
  let cluster: ClusterProcess;
  let operator: string;
  const secrets: string[] = [];
  const clients: Redis[] = [];

  const portal = (at: 0 | 1) => cluster.doors.portals[at]!;
  const levee = (token: string, ...args: string[]): Promise<CommandResult> =>
    leveeWith({ LEVEE_URL: portal(0).http, LEVEE_TOKEN: token, LEVEE_TLS_CA: files.ca, XDG_CONFIG_HOME: dir }, args);
  const accepted = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await levee(operator, ...args);
    expect([args, code, stderr]).toEqual([args, 0, expect.any(String)]);
    return stdout;
  };
  const connect = (
    port: number,
    tls: Partial<Certified>,
    login: { username?: string; password?: string } = {},
  ): Redis => {
    const quick = { maxRetriesPerRequest: 0, retryStrategy: () => null, enableReadyCheck: false };
    const client = new Redis({ port, host: '127.0.0.1', tls: { ca: authority.cert, ...tls }, ...login, ...quick });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  const ask = (url: string, path: string, headers: Record<string, string> = {}) =>
    httpsAnswer(`${url}${path}`, { ca: authority.cert, headers });
  const bearer = (): Record<string, string> => ({ authorization: `Bearer ${operator}` });

  beforeAll(async () => {
    const own = member();
    files = writeCertificates(dir, 'member', own, authority.cert);
    secrets.push(own.key.split('\n')[1] as string);
    cluster = await ClusterProcess.start(
      ['--dispatchers', '1', '--dir', join(dir, 'cluster'), '--env', 'p2:LEVEE_USERS_BELIEVED=2s'],
      {
        LEVEE_AUTH: 'on',
        LEVEE_TLS_CERT: files.cert,
        LEVEE_TLS_KEY: files.key,
        LEVEE_TLS_CA: files.ca,
        LEVEE_TLS_CLUSTER_NAME: 'levee',
        LEVEE_LOG_LEVEL: 'info',
      },
    );
    operator = readFileSync(join(dir, 'cluster', 'operator.token'), 'utf8').trim();
    secrets.push(operator);
  }, 180_000);
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    expect(await cluster?.end()).not.toMatch(/did not stop cleanly/);
  }, 120_000);

  it('lets in who proves to be somebody: by token, password or certificate, at every portal', async () => {
    expect(await accepted('whoami')).toBe('user operator\n');
    await accepted('user', 'create', 'ann', '--read', 'default', '--write', 'default');
    const token = (await accepted('token', 'create', 'ann', '--expires', '1h')).trim();
    secrets.push(token);
    const { cert, key } = authority.issue({ name: 'ann', usages: ['client'] });
    for (const at of [0, 1] as const) {
      const port = cluster.respPorts[at] as number;
      // Each portal hears by itself of a user, and a moment later of the token: who logs in before that is nobody.
      const ann = (): Redis => connect(port, {}, { username: 'ann', password: token });
      await eventually('the portal knows her token', async () => (await ann().call('ACL', 'WHOAMI')) === 'ann');
      const byToken = ann();
      const byCertificate = connect(port, { cert, key });
      expect(await byCertificate.call('ACL', 'WHOAMI')).toBe('ann');
      expect(await byToken.set(`k${at}`, `v${at}`)).toBe('OK');
      expect(await byCertificate.get(`k${at}`)).toBe(`v${at}`);
      await expect(byCertificate.flushdb()).rejects.toThrow(/NOPERM user ann has not the right admin/);
      expect(await byCertificate.call('RESET')).toBe('RESET');
      expect(await byCertificate.get(`k${at}`)).toBe(`v${at}`);
      await expect(byCertificate.call('AUTH', 'ann', 'wrong')).rejects.toThrow(/WRONGPASS/);
      await expect(byCertificate.get(`k${at}`)).rejects.toThrow(/NOAUTH/);
      const who = await httpsAnswer(`${portal(at).http}/v1/whoami`, { ca: authority.cert, cert, key });
      expect([who.status, who.text]).toEqual([200, expect.stringMatching(/user ann/)]);
    }
  }, 60_000);

  it('answers nobody else, at no door', async () => {
    const { nodes, masters, dispatchers } = cluster.doors;
    for (const { http } of [portal(0), portal(1), ...nodes, ...masters, ...dispatchers]) {
      for (const path of ['/v1/status', '/v1/node', '/v1/explain?subject=n1', '/metrics', '/v1/kv/default/k0'])
        expect([http, path, (await ask(http, path)).status]).toEqual([http, path, 401]);
      expect((await ask(http, '/health/ready')).status).toBe(200);
      await expect(fetch(`${http.replace('https', 'http')}/health/live`)).rejects.toThrow();
    }
    const stranger = authority.issue({ name: 'mallory', usages: ['client'] });
    const forged = new TestAuthority().issue({ name: 'levee' });
    for (const port of [...cluster.respPorts, ...nodes.map(({ resp }) => Number(resp.split(':').pop()))]) {
      for (const tls of [{}, stranger, forged])
        await expect(connect(port, tls).call('LV.STAT')).rejects.toThrow(/NOAUTH|closed|authentication/i);
      expect(await hangsUp(port)).toBe(true);
    }
  }, 60_000);

  it('takes a right away within half a second at every portal and every node, on open connections', async () => {
    const { cert, key } = authority.issue({ name: 'bob', usages: ['client'] });
    await accepted('user', 'create', 'bob', '--read', 'default');
    const nodePorts = cluster.doors.nodes.map(({ resp }) => Number(resp.split(':').pop()));
    // Who is known hears from a node what is wrong with this LV.READ; who is not hears NOAUTH, whatever it is.
    const asksPortal = (one: Redis) => (): Promise<unknown> => one.exists('no');
    const asksNode = (one: Redis) => (): Promise<unknown> =>
      one
        .call('LV.READ', 'no frame')
        .catch((error: Error) => (/^ERR /.test(error.message) ? 0 : Promise.reject(error)));
    const open = await Promise.all(
      [...cluster.respPorts, ...nodePorts].map(async (port) => {
        const asks = nodePorts.includes(port) ? asksNode : asksPortal;
        const known = () => asks(connect(port, { cert, key }))().then((found) => found === 0, no);
        await eventually('bob is known', known);
        const ask = asks(connect(port, { cert, key }));
        expect(await ask()).toBe(0);
        return ask;
      }),
    );
    const tookMs: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      const change = (state: string) =>
        httpsAnswer(`${portal(0).http}/v1/users/bob`, {
          ca: authority.cert,
          method: 'PATCH',
          headers: { ...bearer(), 'content-type': 'application/json' },
          body: JSON.stringify({ state }),
        });
      expect((await change('disabled')).status).toBe(200);
      const decidedMs = performance.now();
      const isRefused = (ask: () => Promise<unknown>) => ask().then(no, (error: Error) => /NOAUTH/.test(error.message));
      await Promise.all(open.map((ask) => eventually('it is refused', () => isRefused(ask), 10_000, 5)));
      tookMs.push(performance.now() - decidedMs);
      expect((await change('active')).status).toBe(200);
      const isLetIn = (ask: () => Promise<unknown>) => ask().then((found) => found === 0, no);
      await Promise.all(open.map((ask) => eventually('it is let in', () => isLetIn(ask))));
    }
    // The machine may be busy; what the slowest of them needs by itself is the least of what they needed together.
    expect(Math.min(...tookMs)).toBeLessThan(bound(500));
  }, 120_000);

  it('does all of its work: plans, digests, explanations, the doctor', async () => {
    const { cert, key } = authority.issue({ name: 'ann', usages: ['client'] });
    const ann = connect(cluster.respPorts[0] as number, { cert, key });
    for (let i = 0; i < 200; i++) await ann.set(`p${i}`, `${i}`);
    await accepted('namespace', 'resize', 'default', '--chunks', '12', '--observe', '1s', '--watch');
    expect(await accepted('namespace', 'digests', 'default')).toMatch(/all replicas agree/);
    expect(await accepted('explain', 'n1')).not.toMatch(/dispatcher .*(UNAVAILABLE|certificate|ECONN)/);
    expect(await accepted('status')).toMatch(/users/);
    await eventually(
      'the doctor finds nothing',
      async () => (await levee(operator, 'doctor')).code === 0,
      60_000,
      1_000,
    );
    const doctor = await accepted('doctor');
    expect(doctor).toMatch(/healthy/);
    expect(doctor).toMatch(/weak {2}token-without-end {2}token \S+ of user operator/);
    expect(doctor).not.toMatch(/no-tls|authentication-off|http:/);
    const values = await ann.mget(Array.from({ length: 200 }, (_, i) => `p${i}`));
    expect(values).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
  }, 180_000);

  it('goes on through deaths: a node, a portal and the master come back and know each other', async () => {
    for (const name of ['n1', 'p1', 'm1']) {
      await cluster.kill(name);
      await cluster.start(name);
    }
    const { cert, key } = authority.issue({ name: 'ann', usages: ['client'] });
    const ann = connect(cluster.respPorts[0] as number, { cert, key });
    await eventually('it reads', async () => (await ann.get('p7')) === '7', 30_000, 100);
    await eventually(
      'the doctor finds nothing',
      async () => (await levee(operator, 'doctor')).code === 0,
      60_000,
      1_000,
    );
  }, 180_000);

  it('says of a certificate that is renewed badly what is wrong, and takes the next one without a restart', async () => {
    const before = (await ask(portal(0).http, '/health/live')).serial;
    const [node] = cluster.doors.nodes;
    const next = member();
    secrets.push(next.key.split('\n')[1] as string);
    writeFileSync(files.cert, next.cert);
    for (const { pid } of [portal(0), node!]) process.kill(pid as number, 'SIGHUP');
    await eventually(
      'the doctor says so',
      async () => {
        const { code, stdout } = await levee(operator, 'doctor');
        return code === 3 && /certificate +this portal/.test(stdout) && /certificate +n1/.test(stdout);
      },
      60_000,
    );
    expect((await ask(portal(0).http, '/health/live')).serial).toBe(before);
    writeFileSync(files.key, next.key);
    process.kill(portal(0).pid as number, 'SIGHUP');
    await eventually('it is taken', async () => (await ask(portal(0).http, '/health/live')).serial !== before);
    // The others look by themselves.
    await eventually('by all', async () => (await levee(operator, 'doctor')).code === 0, 60_000, 1_000);
    const metrics = await ask(portal(0).http, '/metrics', bearer());
    expect(metrics.text).toMatch(/levee_tls_reloads_total\{[^}]*\} 1\b/);
    expect(metrics.text).toMatch(/levee_tls_broken\{[^}]*\} 0\b/);
  }, 90_000);

  it('believes its users for as long as it was told when it is cut off from the log', async () => {
    const { cert, key } = authority.issue({ name: 'ann', usages: ['client'] });
    const [patient, strict] = cluster.respPorts.map((port) => connect(port, { cert, key }));
    for (const each of [patient, strict]) await each!.call('LV.CONSISTENCY', 'eventual');
    await cluster.pause('k1');
    try {
      await eventually(
        'the strict one believes nobody',
        () =>
          strict!
            .get('p7')
            .then(no, (error: Error) => /NOAUTH this process has not heard from the log/.test(error.message)),
        30_000,
        50,
      );
      expect(await patient!.get('p7')).toBe('7');
      const fresh = connect(cluster.respPorts[1] as number, {}, { username: 'ann', password: 'any' });
      await expect(fresh.get('p7')).rejects.toThrow(/LVUNAVAILABLE|NOAUTH|closed/);
      const usersOf = async () =>
        (JSON.parse((await ask(portal(0).http, '/v1/status', bearer())).text) as Status).users;
      // It may have heard something a little later than the strict one.
      await eventually('the patient one tells its age', async () => (await usersOf()).ageMs > 2_000, 30_000, 50);
      expect((await usersOf()).believedMs).toBe(600_000);
      expect((await ask(portal(1).http, '/v1/status', bearer())).status).toBe(503);
      expect((await ask(portal(1).http, '/health/live')).status).toBe(200);
    } finally {
      await cluster.resume('k1');
    }
    await eventually('it believes them again', async () => (await strict!.get('p7')) === '7', 60_000, 50);
  }, 150_000);

  it('writes down who reads the evidence before it is read, and tells it without any process of the cluster', async () => {
    await accepted('user', 'create', 'eve', '--audit');
    const eve = (await accepted('token', 'create', 'eve', '--expires', '1h')).trim();
    secrets.push(eve);
    await eventually('it is known', async () => (await levee(eve, 'log', 'topics')).code === 0, 60_000);
    expect((await levee(eve, 'log', 'dump', 'levee.journal')).code).toBe(0);
    expect((await levee(eve, 'user', 'delete', 'ann')).stderr).toMatch(/FORBIDDEN|has not the right operate/);
    const told = async () => {
      const { stdout } = await leveeWith({}, [
        'audit',
        'access',
        '--brokers',
        cluster.doors.kafka.brokers,
        '-o',
        'json',
        '--quiet',
      ]);
      const rows = JSON.parse(stdout) as { principal: string; kind: string; what: string }[];
      return rows.map(({ principal, kind, what }) => `${principal} ${kind} ${what}`);
    };
    await eventually(
      'a master has put it into the journal',
      async () => (await told()).some((line) => line.startsWith('user eve RecordAccess GET /v1/log/levee.journal/0')),
      60_000,
    );
    const lines = await told();
    expect(lines).toContain('user eve RecordAccess GET /v1/log/topics');
    expect(lines.some((line) => line.startsWith('user operator CreateToken {"name":"eve"'))).toBe(true);
    expect(lines.filter((line) => line.startsWith('user eve DeleteUser'))).toEqual([]);
  }, 180_000);

  it('I22: no secret is in a log, a topic, an answer or a metric', async () => {
    const dumps = await Promise.all(
      ['levee.journal', 'levee.commands', 'levee.metadata'].map((topic) => accepted('log', 'dump', topic)),
    );
    expect(dumps[0]).toMatch(/CreateUser/);
    const { nodes, masters, dispatchers } = cluster.doors;
    const told = [...dumps, await accepted('status'), await accepted('user', 'list'), await accepted('config')];
    for (const { http } of [portal(0), portal(1), ...nodes, ...masters, ...dispatchers])
      told.push((await ask(http, '/metrics', bearer())).text);
    const text = told.join('\n');
    for (const secret of secrets) expect(text.includes(secret)).toBe(false);
    for (const file of filesBelow(join(dir, 'cluster'))) {
      if (file.endsWith('operator.token')) continue;
      const bytes = bytesOf(file);
      for (const secret of secrets) expect([file, bytes.includes(secret)]).toEqual([file, false]);
    }
  }, 60_000);
});

interface Status {
  readonly users: { readonly believedMs: number; readonly ageMs: number };
}

const no = (): boolean => false;

/** On who speaks no TLS. */
function hangsUp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = plainConnect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\nPING\r\n'));
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(!/PONG|NOAUTH/.test(text)));
  });
}
