import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestAuthority, writeCertificates, type CertificateFiles } from '../support/certificates';
import { httpsAnswer } from '../support/https-answer';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';
import { itWhereInstalled } from '../support/where-installed';
import { clients, said, secureFacts, type SecureDoor } from './clients';

/** The clients people already have, against `npm start` with TLS and authentication on. */
describe('Redis clients with user, password and TLS', () => {
  const dir = scratchFolder('interop-secure');
  const authority = new TestAuthority();
  const password = 'secret-of-ann-1';
  let files: CertificateFiles;
  let levee: StandaloneProcess;
  let operator: Record<string, string>;
  const door = (): SecureDoor => ({ port: String(levee.respPort), ca: files.ca, user: 'ann', password });

  beforeAll(async () => {
    const server = authority.issue({ name: 'levee', hosts: ['localhost', '127.0.0.1'] });
    files = writeCertificates(dir, 'server', server, authority.cert);
    const tls = { LEVEE_TLS_CERT: files.cert, LEVEE_TLS_KEY: files.key, LEVEE_TLS_CA: files.ca };
    levee = await StandaloneProcess.start(join(dir, 'data'), { LEVEE_AUTH: 'on', ...tls });
    const token = readFileSync(join(dir, 'data', 'operator.token'), 'utf8').trim();
    operator = { authorization: `Bearer ${token}` };
    const namespaces = { namespaces: 'default' };
    const ann = { name: 'ann', password, grants: ['read', 'write'].map((right) => ({ right, ...namespaces })) };
    const made = await httpsAnswer(`${levee.url}/v1/users`, {
      ca: authority.cert,
      method: 'POST',
      headers: { ...operator, 'content-type': 'application/json' },
      body: JSON.stringify(ann),
    });
    expect([made.status, made.text]).toEqual([201, expect.any(String)]);
  }, 60_000);

  // Each tries a wrong password, and so many of one address are slowed down: a token that is right forgives it.
  beforeEach(async () => {
    const who = await httpsAnswer(`${levee.url}/v1/whoami`, { ca: authority.cert, headers: operator });
    expect(who.status).toBe(200);
  });

  afterAll(async () => {
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 40_000);

  for (const { name, version, needs, prepare, secure } of clients)
    if (secure !== undefined)
      (needs === undefined ? it : itWhereInstalled(...needs))(
        `${name} ${version}`,
        async () => {
          await prepare?.();
          const [program, ...args] = secure(door());
          const lines = (await said(program, args)).trim().split('\n');
          expect(lines).toEqual(secureFacts.map(([line]) => line));
        },
        300_000,
      );

  itWhereInstalled('redis-cli', '--version', 'the package redis-tools')(
    'redis-cli',
    async () => {
      const { port, ca, user } = door();
      const cli = (secret: string | undefined, ...command: string[]): Promise<string> => {
        const who = secret === undefined ? [] : ['--user', user];
        const env = secret === undefined ? {} : { REDISCLI_AUTH: secret };
        return said('redis-cli', ['-h', 'localhost', '-p', port, '--tls', '--cacert', ca, ...who, ...command], { env });
      };
      expect((await cli(password, 'SET', 'secure:cli', 'value')).trim()).toBe('OK');
      expect((await cli(password, '-3', 'GET', 'secure:cli')).trim()).toBe('value');
      expect((await cli(password, 'ACL', 'WHOAMI')).trim()).toBe('ann');
      expect(await cli(undefined, 'GET', 'secure:cli')).toMatch(/^NOAUTH/);
      expect(await cli('wrong', 'GET', 'secure:cli').catch((error: Error) => error.message)).toMatch(
        /WRONGPASS|NOAUTH/,
      );
    },
    60_000,
  );
});
