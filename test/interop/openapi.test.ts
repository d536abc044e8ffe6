import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { portalRoutes } from '../../apps/portal/src/routes';
import { full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';
import { itWhereInstalled } from '../support/where-installed';
import { pythonWithVenv, said, venvWith } from './clients';

const version = '4.32.5';
/** Cases that it makes up for each operation, beside those that it goes through in any case. */
const examples = full ? 100 : 3;

/** An answer that has no end. */
const endless = ['^/v1/watch/', '^/v1/plans/[^/]+/watch$'];

interface Call {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly text: string;
}

interface Har {
  readonly log: {
    readonly entries: readonly {
      readonly request: { readonly method: string; readonly url: string };
      readonly response: { readonly status: number; readonly content: { readonly text?: string } };
    }[];
  };
}

/** Requests that Schemathesis makes up from the OpenAPI document of a door, and whether each answer is as the document says. */
describe(`Schemathesis ${version}, from the OpenAPI document, seed ${seed}`, () => {
  const dir = scratchFolder('openapi');
  const doors: StandaloneProcess[] = [];
  let python: string;

  async function started(name: string, env: Record<string, string>): Promise<StandaloneProcess> {
    const door = await StandaloneProcess.start(join(dir, name), { LEVEE_NODES: '1', LEVEE_REPLICAS: '1', ...env });
    doors.push(door);
    return door;
  }

  /** Fails with its report when a check does; answers with what was called. */
  async function explored(door: StandaloneProcess, token: string | undefined): Promise<Call[]> {
    python ??= await venvWith(`schemathesis-${version}`, `schemathesis==${version}`);
    const har = join(dir, `${doors.length}-${token === undefined ? 'open' : token.slice(-6)}.har`);
    const config = join(dir, 'schemathesis.toml');
    // What is not there now, or not for this namespace, is no mistake; a 500 is.
    writeFileSync(
      config,
      `[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 501, 502, 503, 504, 507]\n`,
    );
    const checks = [
      'not_a_server_error',
      'status_code_conformance',
      'content_type_conformance',
      'response_headers_conformance',
      'response_schema_conformance',
      // Not `ignored_auth`: wrong secrets of one address are slowed down. What they open is asked of every route by its right.
    ];
    const args = [
      ...['-m', 'schemathesis.cli', '--config-file', config, 'run', `${door.url}/docs-json`],
      ...[
        '--checks',
        checks.join(','),
        '--phases',
        'examples,coverage,fuzzing',
        '--continue-on-failure',
        '--no-shrink',
      ],
      ...['-n', String(examples), '--seed', String(seed), '--workers', '1', '--request-timeout', '15', '--no-color'],
      ...['--warnings', 'off', '--suppress-health-check', 'all', '--generation-database', 'none'],
      ...['--report', 'har', '--report-har-path', har],
      ...endless.flatMap((path) => ['--exclude-path-regex', path.replace(/\[\^\/\]\+/, '.+')]),
      ...(token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]),
    ];
    await said(python, args, { timeoutMs: 600_000, cwd: dir }).catch((error: Error & { stdout?: string }) => {
      throw new Error(`${error.stdout?.slice(-12_000) ?? ''}\n${error.message.slice(-2_000)}`);
    });
    const { log } = JSON.parse(readFileSync(har, 'utf8')) as Har;
    const calls = log.entries.map(({ request, response }) => ({
      method: request.method,
      path: new URL(request.url).pathname,
      status: response.status,
      text: response.content.text ?? '',
    }));
    expect(calls.length).toBeGreaterThan(200);
    expect((await fetch(`${door.url}/health/live`)).status).toBe(200);
    return calls;
  }

  afterAll(async () => {
    for (const door of doors) {
      expect(await door.end()).toBe(0);
      door.remove();
    }
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  itWhereInstalled(...pythonWithVenv)(
    'with authentication off: each answer is one that the document declares, and none is a mistake of the store',
    async () => {
      const calls = await explored(await started('open', { LEVEE_AUTH: 'off' }), undefined);
      expect(new Set(calls.map(({ status }) => status)).size).toBeGreaterThan(5);
    },
    900_000,
  );

  itWhereInstalled(...pythonWithVenv)(
    'with authentication on: who has no right gets nothing, and who has all of them what is declared',
    async () => {
      const door = await started('locked', { LEVEE_AUTH: 'on' });
      const operator = readFileSync(join(door.dataDir, 'operator.token'), 'utf8').trim();
      const headers = { authorization: `Bearer ${operator}`, 'content-type': 'application/json' };
      const nobody = { name: 'nobody', grants: [] };
      const post = (path: string, body: object): Promise<Response> =>
        fetch(`${door.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      expect((await post('/v1/users', nobody)).status).toBe(201);
      const { token } = (await (await post('/v1/users/nobody/tokens', {})).json()) as { token: string };
      const before = await (await fetch(`${door.url}/v1/namespaces`, { headers })).text();

      const given = (await explored(door, token)).filter(({ status }) => status < 400);
      const forUsers = Object.entries(portalRoutes)
        .filter(([, rule]) => rule === 'open' || rule === 'user')
        .map(([route]) => new RegExp(`^${route.replace(/:\w+/g, '[^/]+').replace('*', '.*')}$`));
      const bypassed = given.filter(
        ({ method, path }) => !forUsers.some((route) => route.test(`${method === 'HEAD' ? 'GET' : method} ${path}`)),
      );
      expect({ seed, bypassed }).toEqual({ seed, bypassed: [] });
      expect(await (await fetch(`${door.url}/v1/namespaces`, { headers })).text()).toBe(before);

      const calls = await explored(door, operator);
      expect(calls.some(({ status }) => status < 300)).toBe(true);
    },
    900_000,
  );
});
