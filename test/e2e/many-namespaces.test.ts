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
});
