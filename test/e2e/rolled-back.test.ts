import { cpSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { EmbeddedLog } from '@levee/log-embedded';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { levee } from '../support/levee-command';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const journal = 'levee.journal';

/** A log folder that was put back from an older copy, under disks that have seen more (decision record 0022). */
describe('a standalone whose log was rolled back', () => {
  const folder = scratchFolder('rolled-back');
  const log = join(folder, 'log');
  const copies = { older: join(folder, 'older'), newer: join(folder, 'newer') };
  const env = { LEVEE_PARTITIONS: '4', LEVEE_CHUNKS: '4' };
  let running: StandaloneProcess | undefined;

  // The next step finds the folder free, whatever became of this one.
  afterEach(() => running?.end('SIGKILL'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const start = async (): Promise<StandaloneProcess> => (running = await StandaloneProcess.start(folder, env));

  const journalRecords = async (): Promise<number> => {
    const opened = await EmbeddedLog.open({ location: log, cleanEveryMs: 0 });
    const [{ endOffset } = { endOffset: -1 }] = await opened.offsets(journal);
    await opened.close();
    return endOffset;
  };

  const withRedis = async <T>(standalone: StandaloneProcess, work: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis(standalone.respPort, '127.0.0.1', { lazyConnect: true, commandTimeout: 20_000 });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  };

  const unitFiles = (): string[] =>
    readdirSync(join(folder, 'nodes'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /units.g\d+.*CURRENT$/.test(name) || /units\/[^/]+\/g\d+$/.test(name))
      .sort();

  const seenOnDisks = (): number =>
    Math.max(
      ...['n1', 'n2', 'n3'].map((node) =>
        Number(readFileSync(join(folder, 'nodes', node, 'journalSeen'), 'utf8').split(' ')[0]),
      ),
    );

  it('decides, is copied, and decides on', async () => {
    let standalone = await start();
    expect((await levee(standalone.url, ['namespace', 'create', 'one', '--chunks', '1'])).stderr).toBe('');
    await withRedis(standalone, (redis) => redis.set('kept', 'value'));
    expect(await standalone.end()).toBe(0);
    cpSync(log, copies.older, { recursive: true });

    standalone = await start();
    expect((await levee(standalone.url, ['namespace', 'create', 'two', '--chunks', '1'])).stderr).toBe('');
    expect(await standalone.end()).toBe(0);
    renameSync(log, copies.newer);
  }, 120_000);

  it('on the older log it claims nothing, says so everywhere from the first moment, and answers reads', async () => {
    cpSync(copies.older, log, { recursive: true });
    const before = await journalRecords();
    const units = unitFiles();
    expect(units.length).toBeGreaterThan(0);
    const standalone = await start();
    await eventually('it prints why', () =>
      /JOURNAL_SHORT: levee\.journal ends at decision \d+ .* the disk of node n\d/.test(standalone.printed()),
    );
    const ready = await fetch(`${standalone.url}/health/ready`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('JOURNAL_SHORT')]);
    const doctor = await levee(standalone.url, ['doctor']);
    expect(doctor.stdout).toMatch(/^journal-short {2}JOURNAL_SHORT/);
    expect(doctor.stdout).toContain(`command: levee audit repair --data-dir ${folder} `);
    // Nothing else is wrong: what follows from it is not listed beside it.
    expect(doctor.stdout).toMatch(/\n1 finding/);
    // The nodes are at other addresses than the journal knows, and no master can decide that.
    expect(await withRedis(standalone, (redis) => redis.get('kept'))).toBe('value');
    const status = (await (await fetch(`${standalone.doors.master}/v1/status`)).json()) as Record<string, unknown>;
    expect(status).toMatchObject({ role: expect.not.stringMatching('active') });
    expect(await standalone.end()).toBe(0);
    expect(await journalRecords()).toBe(before);
    expect(unitFiles()).toEqual(units);
  }, 120_000);

  it('names the same loss to who asks what can be brought back', async () => {
    const shown = await levee('http://127.0.0.1:1', ['audit', 'repair', '--data-dir', folder]);
    expect(shown.code).toBe(3);
    expect(shown.stdout).toMatch(/^accept-loss: /);
    expect(shown.stdout).toMatch(/the disk of node n1 has seen decision \d+/);
    expect(shown.stdout).toContain(`${seenOnDisks()}`);
  });

  it('goes on by itself when the newer log is put back', async () => {
    rmSync(log, { recursive: true });
    renameSync(copies.newer, log);
    const standalone = await start();
    await eventually('it is ready', async () => (await fetch(`${standalone.url}/health/ready`)).ok);
    expect((await levee(standalone.url, ['namespace', 'list'])).stdout).toMatch(/two/);
    expect(await standalone.end()).toBe(0);
  }, 120_000);

  it('goes on without what was lost when a person accepts that', async () => {
    rmSync(log, { recursive: true });
    renameSync(copies.older, log);
    let standalone = await start();
    await withRedis(standalone, async (redis) => {
      expect(await redis.set('written', 'while short')).toBe('OK');
      await redis.call('LV.CONSISTENCY', 'strong');
      expect(await redis.get('written')).toBe('while short');
    });
    const doctor = await levee(standalone.url, ['doctor']);
    const printed = /command: levee (audit repair .*?) +#/.exec(doctor.stdout)?.[1]?.split(' ') ?? [];
    expect(await standalone.end()).toBe(0);

    const units = unitFiles();
    const seen = seenOnDisks();
    const repaired = await levee('http://127.0.0.1:1', [...printed, '--yes', '--accept-loss']);
    expect([repaired.code, repaired.stderr]).toEqual([0, expect.stringMatching(/done/)]);
    standalone = await start();
    // Nodes with units of the lost namespace register: ready says it, and so does the doctor.
    await eventually('it is ready', async () => (await fetch(`${standalone.url}/health/ready`)).ok);
    await withRedis(standalone, async (redis) => {
      expect([await redis.get('kept'), await redis.get('written')]).toEqual(['value', 'while short']);
    });
    // What the disks hold of the lost namespace is named, one replica on each node, and kept.
    const left = await eventually('what is left is named', async () => {
      const found = await findingsOf(standalone.url, 'unit-left-behind');
      return found.length === 3 ? found : undefined;
    });
    for (const { command } of left) expect(units.some((name) => command.endsWith(name))).toBe(true);
    expect((await levee(standalone.url, ['namespace', 'create', 'two', '--chunks', '1'])).stderr).toBe('');
    const listed = await levee(standalone.url, ['-o', 'json', 'namespace', 'describe', 'two']);
    expect(Number((JSON.parse(listed.stdout) as { number: number }).number)).toBeGreaterThan(seen);
    expect(await standalone.end()).toBe(0);
    // Nothing that a disk held was cleared, and what is new is in generations of its own.
    expect(unitFiles()).toEqual(expect.arrayContaining(units));
    const fresh = unitFiles().filter((name) => !units.includes(name));
    expect(fresh.length).toBeGreaterThan(0);
    for (const name of fresh) expect([name, Number(/g(\d+)/.exec(name)?.[1])]).toEqual([name, seen + 1]);
  }, 240_000);
});
