import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { allocator } from '../tools/cluster/allocator.cjs';
import { ClusterProcess } from './support/cluster-process';
import { eventually, within } from './support/deadline';
import { scratchFolder } from './support/standalone-process';

const root = join(__dirname, '..');
const apps = join(__dirname, 'support', 'fake-apps');

/** Only the supervisor is real here: its processes are stand-ins, and no Kafka is started for them. */
const stage = (dir: string, ...more: string[]): string[] => [
  '--apps',
  apps,
  '--brokers',
  'none:1',
  '--dir',
  dir,
  ...more,
];

const notes = (dir: string): string[] => readFileSync(join(dir, 'notes.txt'), 'utf8').trimEnd().split('\n');

function lives(pid: number): boolean {
  try {
    // A zombie still has an entry; its state says so.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const pidsOf = ({ doors }: ClusterProcess): number[] =>
  [...doors.portals, ...doors.dispatchers, ...doors.nodes, ...doors.masters].map((member) => member.pid as number);

describe('the supervisor of npm run cluster', () => {
  let dir: string;
  let cluster: ClusterProcess;

  beforeEach(() => {
    dir = scratchFolder('supervisor');
  });

  afterEach(async () => {
    await cluster?.end();
    rmSync(dir, { recursive: true, force: true });
  });

  it('starts every process with doors and a folder of its own, and stops portals, dispatchers, nodes, masters in this order', async () => {
    const counts = ['--masters', '2', '--dispatchers', '1', '--nodes', '3', '--portals', '2'];
    cluster = await ClusterProcess.start(stage(dir, ...counts));
    const pids = pidsOf(cluster);
    expect(new Set(pids).size).toBe(8);
    expect(cluster.doors.nodes.map((node) => node.dir)).toEqual(['n1', 'n2', 'n3'].map((name) => join(dir, name)));
    const settings = (await (await fetch(`${cluster.doors.nodes[1]?.http}/settings`)).json()) as Record<string, string>;
    expect(settings).toMatchObject({ LEVEE_NODE_ID: 'n2', LEVEE_DATA_DIR: dir, KAFKA_BROKERS: 'none:1' });
    expect(`127.0.0.1:${settings.LEVEE_NODE_RESP_PORT}`).toBe(cluster.doors.nodes[1]?.resp);
    // Malloc reads it before the process begins; who started the supervisor may say otherwise.
    const told = Object.entries({ ...allocator, ...process.env }).filter(([name]) => name in allocator);
    for (const pid of pids)
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')).toEqual(
        expect.arrayContaining(told.map(([name, value]) => `${name}=${value}`)),
      );

    expect(await cluster.end('SIGINT')).toBe('');
    expect(cluster.child.exitCode).toBe(0);
    const [created, ...ends] = notes(dir);
    expect(created).toBe('/v1/namespaces');
    expect(ends.map((line) => line[0]).join('')).toBe('ppdnnnmm');
    expect(pids.filter(lives)).toEqual([]);
  });

  it('leaves no orphan when it is killed with -9, not even a paused one', async () => {
    cluster = await ClusterProcess.start(stage(dir));
    const pids = pidsOf(cluster);
    await cluster.pause('n2');
    await cluster.end('SIGKILL');
    await eventually('every process is gone', () => pids.every((pid) => !lives(pid)), 10_000);
  });

  it('starts again what dies, on the same ports, when told to', async () => {
    cluster = await ClusterProcess.start(stage(dir, '--restart'));
    const before = cluster.doors.masters[0];
    await cluster.kill('m1');
    await eventually('m1 answers again', async () => (await fetch(`${before?.http}/health/ready`)).ok);
    expect(cluster.exits).toMatchObject([{ name: 'm1', how: 'SIGKILL' }]);
    const written = await eventually('it is noted', () => {
      const { masters } = JSON.parse(readFileSync(join(dir, 'cluster.json'), 'utf8')) as { masters: { pid: number }[] };
      return masters[0] !== undefined && masters[0].pid !== before?.pid ? masters[0].pid : undefined;
    });
    expect(lives(written)).toBe(true);
  });

  it('stops, starts, kills and pauses by name', async () => {
    cluster = await ClusterProcess.start(stage(dir));
    const http = cluster.doors.portals[0]?.http as string;
    await cluster.stop('p1');
    expect(cluster.doors.portals[0]?.pid).toBeUndefined();
    await expect(fetch(http)).rejects.toThrow();
    await cluster.start('p1');
    expect((await fetch(http)).ok).toBe(true);
    await cluster.pause('p1');
    await expect(fetch(http, { signal: AbortSignal.timeout(200) })).rejects.toThrow();
    await cluster.resume('p1');
    expect((await fetch(http)).ok).toBe(true);
    await cluster.kill('p1');
    await expect(fetch(http)).rejects.toThrow();
    await expect(cluster.kill('x9')).rejects.toThrow(/there is no process x9; there are m1 m2 n1 n2 n3 p1 p2/);
    await expect(cluster.kill('k1')).rejects.toThrow(/this Kafka is not ours to touch/);
  });

  it('suggests to kill the master that reigns, and says once how one ended', async () => {
    const args = [join(root, 'tools', 'cluster.mjs'), '--no-build', '--any-ports', ...stage(dir)];
    const people = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    const closed = new Promise((resolve) => people.once('close', resolve));
    for (const stream of [people.stdout, people.stderr])
      stream.on('data', (text: Buffer) => (printed += text.toString('utf8')));
    try {
      await eventually('it greets', () => printed.includes('Ctrl+C stops'));
      const reigns = /^ +master +m2 +(\d+) /m.exec(printed)?.[1];
      expect(printed).toContain(`kill -9 ${reigns}; redis-cli`);
      process.kill(Number(reigns), 'SIGKILL');
      await eventually('it is told', () => printed.includes('m2 ended with SIGKILL'));
      people.kill('SIGINT');
      await within('it ends', 30_000, closed);
      expect([people.exitCode, printed.split('SIGKILL').length, /did not stop/.test(printed)]).toEqual([0, 2, false]);
    } finally {
      people.kill('SIGKILL');
    }
  });

  it('refuses a second cluster on one folder, naming the first', async () => {
    cluster = await ClusterProcess.start(stage(dir));
    await expect(ClusterProcess.start(stage(dir))).rejects.toThrow(
      `a cluster runs on ${dir} already: process ${cluster.child.pid}`,
    );
    expect(pidsOf(cluster).filter(lives)).toHaveLength(7);
  });

  it.each([
    [['--nodes', '0'], '--nodes is 0: a whole number from 1 to 64'],
    [['--kafka-nodes', '2'], '--kafka-nodes is 2: 1 or 3'],
    [['--what'], "Unknown option '--what'"],
  ])('%j is a usage error', (args, message) => {
    const ended = spawnSync(process.execPath, [join(root, 'tools', 'cluster.mjs'), ...args], { encoding: 'utf8' });
    expect(ended.stderr).toContain(message);
    expect(ended.status).toBe(2);
  });

  it('says which process did not come up, with the end of its log', async () => {
    await expect(ClusterProcess.start(['--apps', dir, '--brokers', 'none:1', '--dir', dir])).rejects.toThrow(
      /there is no .*main\.js: run npm run build/,
    );
  });
});
