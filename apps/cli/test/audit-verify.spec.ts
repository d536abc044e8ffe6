import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

describe('levee audit verify, on a stopped embedded log', () => {
  let dataDir: string;
  let signOff: string;
  const secret = 'the price was five';

  // Each its own folder: who opens one writes its newest records anew, all into one frame.
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'levee-verify-'));
    signOff = join(dataDir, 'signed-off');
    await stoppedCluster(dataDir, {
      write: async ({ log, binlog }) => {
        for (let n = 0; n < 5; n++) {
          const key = Buffer.from(`k${n}`);
          const value = encodePut(key, Buffer.from(n === 2 ? secret : 'v'), null);
          await log.append(binlog, asPartition(0), [{ key, value }]);
        }
      },
    });
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const verify = (...more: string[]) => runLevee(['audit', 'verify', '--data-dir', dataDir, ...more]);

  it('says what it read, that nothing is wrong, and goes on from there another time', async () => {
    const first = await verify('--sign-off', signOff);
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout.toString()).toMatch(/^journal: decision 6 of term 1, .*\nlevee.binlog.shop: 6 records/s);
    expect(first.stdout.toString()).toMatch(/nothing is wrong with what was read\n$/);
    const again = await verify('--since', signOff, '--rate', '1MiB', '-o', 'json');
    expect(JSON.parse(again.stdout.toString())).toMatchObject({ journal: { decisions: 0 }, binlogs: [{ records: 0 }] });
  });

  it('names the record of a byte that was changed in both copies', async () => {
    const edited = await editFiles(join(dataDir, 'log'));
    expect(edited).toBeGreaterThan(0);
    const found = await verify('-o', 'json');
    expect(found.code).toBe(3);
    expect(JSON.parse(found.stdout.toString())).toMatchObject({
      findings: [{ rule: 'unreadable', topic: 'levee.binlog.shop', partition: 0, offset: 3 }],
    });
    expect(found.stderr).toMatch(/1 findings/);
  });

  /** Every copy of the value that stands in the files. */
  async function editFiles(folder: string): Promise<number> {
    let edited = 0;
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const bytes = await readFile(path);
      let at = bytes.indexOf(secret);
      if (at < 0) continue;
      for (; at >= 0; at = bytes.indexOf(secret)) bytes.write('T', at);
      await writeFile(path, bytes);
      edited++;
    }
    return edited;
  }

  it.each([
    [['--since', '/nowhere'], 2, /--since/],
    [['--namespace', 'shup'], 1, /no active namespace shup/],
  ])('says what is wrong with %j', async (argv, code, message) => {
    const ran = await verify(...argv);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});
