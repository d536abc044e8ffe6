import { join } from 'node:path';
import { eventually } from '../support/deadline';
import { levee } from '../support/levee-command';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

/** What the README promises of a cluster that was started with `npm start` alone. */
describe('the defaults of npm start', () => {
  let store: StandaloneProcess;
  const names = Array.from({ length: 10 }, (_, i) => `app${i}.orders`);
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await levee(store.url, args);
    expect([args, code, stderr]).toEqual([args, 0, expect.any(String)]);
    return stdout;
  };

  const says = async (table: readonly (readonly [args: readonly string[], says: RegExp])[]): Promise<void> => {
    for (const [args, expected] of table)
      expect([args, await run(...args)]).toEqual([args, expect.stringMatching(expected)]);
  };

  beforeAll(async () => {
    store = await StandaloneProcess.start(scratchFolder('many-namespaces'));
  }, 90_000);

  afterAll(async () => {
    expect(await store.end('SIGTERM')).toBe(0);
    store.remove();
  }, 60_000);

  it('have room for ten namespaces with defaults, each of which says what it took and what is left', async () => {
    const first = names[0] as string;
    const thought = await run('namespace', 'create', first, '--dry-run');
    expect(thought).toMatch(/^dry run: nothing is changed\n/);
    for (const name of names) {
      const said = await run('namespace', 'create', name);
      expect(said).toMatch(
        new RegExp(`^${name} has \\d+ units for \\d+ chunks? with 3 replicas each; \\d+ are left, 9 of them kept for`),
      );
      if (name !== first) continue;
      const foretold = said.replace(' has ', ' would take ').replace(' are left', ' would be left');
      expect(thought).toContain(foretold.split('\n')[0]);
    }
    for (const name of names) {
      const key = `${store.url}/v1/kv/${name}/who`;
      expect((await fetch(key, { method: 'PUT', body: name })).status).toBe(204);
      await eventually('it is read', async () => (await (await fetch(key)).text()) === name);
    }
  }, 120_000);

  it('leave room for the resize of the README', async () => {
    await run('namespace', 'resize', 'default', '--chunks', '12', '--observe', '1s', '--watch');
    const routes = await run('routes', 'default');
    expect(routes.match(/default#1\/c/g)).toHaveLength(12);
  }, 180_000);

  it('once there is no more, what is needed, what there is, and the commands that help', async () => {
    const refused = await levee(store.url, ['namespace', 'create', 'huge', '--chunks', '90']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /90 chunks with 3 replicas need 270 free units .* levee node list .* levee namespace delete .*\[NOT_ENOUGH_UNITS\]/,
    );
  });

  it('S7: every command of the command line does to running processes what it says', async () => {
    const [chunk] = /default#1\/c\d+/.exec(await run('routes', 'default')) as RegExpExecArray;
    const primary = /primary (n\d)/.exec(await run('explain', chunk))?.[1] ?? '';
    const other = ['n1', 'n2', 'n3'].find((nodeId) => nodeId !== primary) as string;
    const proposed = async (...args: string[]): Promise<string> =>
      /^p\d+/.exec(await run('plan', 'propose', ...args))?.[0] ?? '';
    const becomes = (plan: string, state: string): Promise<boolean> =>
      eventually(
        `${plan} is ${state}`,
        async () => {
          const { plan: now } = (await (await fetch(`${store.url}/v1/plans/${plan}`)).json()) as {
            plan: { state: string };
          };
          return now.state === state;
        },
        60_000,
      );

    await says([
      [['put', 'k', 'v'], /^ok \d+:\d+$/m],
      [['get', 'k'], /^v$/m],
      [['scan', '--prefix', 'k', '-v'], /^k\tv$/m],
      [['where', 'k'], /^slot: \d+$/m],
      [['del', 'k'], /^ok \d+:\d+$/m],
      [['namespace', 'create', 'cli.one', '--chunks', '1', '--replicas', '1'], /^cli\.one has 1 unit/],
      [['namespace', 'list', 'cli.*'], /^cli\.one +active /m],
      [['namespace', 'groups'], /^cli +1 /m],
      [['namespace', 'describe', 'cli.one'], /^ack +logged /m],
      [
        ['namespace', 'alter', 'cli.one', '--flush', 'sweep', '--requests-per-second', '5000'],
        /^cli\.one: requestsPerSecond is 5000$/m,
      ],
      [['put', '-n', 'cli.one', 'k', 'v'], /^ok \d+:\d+$/m],
      [['namespace', 'flush', 'cli.one', '--yes'], /^1 keys are deleted/m],
      [['namespace', 'digests', 'default'], /^CHUNK ID .* DIGEST$/m],
      [['namespace', 'delete', 'cli.one', '--yes'], /cli\.one/],
      [['node', 'list'], /^n1 +up /m],
      [['node', 'units', 'n1'], /^n1\/u\d+ +(free|allocated) +leveldb /m],
      [['node', 'cordon', 'n3'], /^n3 +up +yes /m],
      [['node', 'uncordon', 'n3'], /^n3 +up +- /m],
      [['node', 'maintenance', 'n3', '--for', '20m'], /^n3 +maintenance /m],
      [['node', 'maintenance', 'n3', '--end'], /^n3 +(up|suspect) /m],
      [['status'], /^master:/m],
      [['log', 'topics'], /^levee\.journal +1 /m],
      [['log', 'dump', 'levee.journal', '--limit', '1'], /Claim/],
      [['log', 'tail', 'levee.commands', '--limit', '1'], /Command/],
      [['config'], /LEVEE_RESP_PORT/],
    ]);
    // A node is suspect for a moment after its maintenance.
    const isHealthy = async (): Promise<boolean> => /healthy/.test((await levee(store.url, ['doctor'])).stdout);
    await eventually('the doctor finds nothing', isHealthy, 60_000, 500);

    const promoted = await proposed('promote', '--chunk', chunk, '--to', other);
    expect(await run('plan', 'watch', promoted)).toMatch(/done/);
    expect(await run('explain', chunk)).toMatch(new RegExp(`primary ${other}/.*${promoted} promote: `, 's'));
    expect(await run('plan', 'list', '--all')).toMatch(new RegExp(`^${promoted} +promote +done `, 'm'));

    const held = await proposed('split', '--chunk', chunk, '--hold', '--observe', '1h');
    expect(await run('plan', 'approve', held)).toContain(held);
    await becomes(held, 'observing');
    expect(await run('plan', 'rollback', held)).toContain(held);
    await becomes(held, 'rolledBack');
    const again = await proposed('split', '--chunk', chunk, '--observe', '1h');
    await becomes(again, 'observing');
    const early = await levee(store.url, ['plan', 'retry', again]);
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('PLAN_NOT_READY')]);
    expect(await run('plan', 'finish', again)).toContain(again);
    await becomes(again, 'done');
    const [left] = /default#1\/c\d+/.exec(await run('routes', 'default')) as RegExpExecArray;
    const given = await proposed('split', '--chunk', left, '--hold');
    expect(await run('plan', 'cancel', given)).toContain(given);
    await becomes(given, 'cancelled');
    // Three replicas on three nodes: a node cannot be emptied, and that is said before anything begins.
    for (const args of [
      ['node', 'drain', 'n1', '--dry-run'],
      ['node', 'format', 'n1', '--units', '4x64MiB:leveldb', '--dry-run'],
    ]) {
      const { code, stdout, stderr } = await levee(store.url, args);
      expect([code, stdout, stderr]).toEqual([
        1,
        expect.stringMatching(/^dry run: nothing is changed\n/),
        expect.stringContaining('PLAN_NOT_DONE'),
      ]);
    }
    for (const verb of ['repair', 'accept-loss']) expect(await run('log', verb, 'default')).toMatch(/nothing/);
    const inUse = await levee(store.url, ['audit', 'repair', '--data-dir', store.dataDir]);
    expect([inUse.code, inUse.stderr]).toEqual([1, expect.stringContaining(String(store.child.pid))]);
  }, 240_000);

  it('S7: the commands that read the log itself do so once the store is stopped', async () => {
    await run('put', 'k', 'proven');
    expect(await store.end()).toBe(0);
    const where = ['--data-dir', store.dataDir, '--quiet'];
    const rebuilt = join(store.dataDir, 'rebuilt');
    const now = new Date().toISOString();
    // The log stamps by a clock that is not ours: of the last minutes some is said and not provable, which is exit code 3.
    const table: readonly (readonly [args: readonly string[], says: RegExp])[] = [
      [['audit', 'get', 'default', 'k', '--at', now, ...where], /proven/],
      [['audit', 'history', 'default', 'k', ...where], /proven/],
      [['audit', 'rebuild', 'default', '--to', rebuilt, ...where], /^default as it is: \d+ keys, /],
      [['audit', 'diff', rebuilt, 'default', ...where], /same/],
      [['audit', 'access', '--all', ...where], /CreateNamespace/],
    ];
    for (const [args, says] of table) {
      const { code, stdout, stderr } = await levee('', args);
      expect([args, stdout + stderr, code]).toEqual([args, expect.stringMatching(says), expect.any(Number)]);
      expect([0, 3]).toContain(code);
    }
  }, 120_000);
});
