import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { eventually, within } from '../support/deadline';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

/** Both copies of a file that says who a disk is, or what it has seen, are garbage. */
describe('a standalone one of whose nodes has a damaged disk', () => {
  const folder = scratchFolder('damaged-disk');
  const env = { LEVEE_PARTITIONS: '2', LEVEE_CHUNKS: '2' };
  let standalone: StandaloneProcess;

  afterEach(() => standalone?.end('SIGKILL'));
  afterAll(() => standalone?.remove());

  const damage = (node: string, name: string): void => {
    for (const file of [name, `${name}.copy`]) writeFileSync(join(folder, 'nodes', node, file), 'garbage\ncrc32c 0');
  };
  const withRedis = async <T>(work: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis(standalone.respPort, '127.0.0.1', { commandTimeout: 20_000 });
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  };

  it('names that node and starts the others', async () => {
    standalone = await StandaloneProcess.start(folder, env);
    await withRedis((redis) => redis.set('kept', 'value'));
    expect(await standalone.end()).toBe(0);

    damage('n2', 'storeId');
    damage('n3', 'journalSeen');
    standalone = await StandaloneProcess.start(folder, env, 90_000);
    expect(standalone.doors.nodes.map(({ nodeId }) => nodeId)).toEqual(['n1']);
    await eventually('it greets', () => standalone.printed().includes('Ctrl-C'));
    expect(standalone.printed()).toMatch(/\nnode n2 is not started: .*storeId and its copy are damaged/);
    expect(standalone.printed()).toMatch(/\nnode n3 is not started: .*journalSeen and its copy are damaged/);
    expect(await withRedis((redis) => redis.get('kept'))).toBe('value');
    expect(await standalone.end()).toBe(0);
  }, 180_000);

  it('starts the others too where a disk lets nobody in', async () => {
    const units = join(folder, 'nodes', 'n1', 'units');
    renameSync(units, `${units}.away`);
    writeFileSync(units, 'in its way');
    // What the disks have seen of the journal is lost for good; one of them may forget it.
    for (const file of ['journalSeen', 'journalSeen.copy']) rmSync(join(folder, 'nodes', 'n3', file));
    standalone = await StandaloneProcess.start(folder, env, 90_000);
    expect(standalone.doors.nodes.map(({ nodeId }) => nodeId)).toEqual(['n3']);
    await eventually('it greets', () => standalone.printed().includes('Ctrl-C'));
    expect(standalone.printed()).toMatch(/\nnode n1 is not started: a file stands where a folder must be: .*units/);
    expect(await withRedis((redis) => redis.get('kept'))).toBe('value');
    expect(await standalone.end()).toBe(0);
    rmSync(units);
    renameSync(`${units}.away`, units);
  }, 180_000);

  it('does not start where no disk is left that could be read', async () => {
    for (const node of ['n1', 'n3']) damage(node, 'journalSeen');
    standalone = StandaloneProcess.spawn(folder, env);
    expect(await within('it ends', 50_000, standalone.closed)).toBe(1);
    expect(standalone.printed()).toMatch(/journalSeen and its copy are damaged/);
  }, 60_000);
});
