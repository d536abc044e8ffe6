import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

const golden = join(__dirname, '../../../test/golden/journal-0.1.0.jsonl.gz');

jest.setTimeout(60_000);

describe('levee audit rehearse', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'levee-rehearse-'));
    await stoppedCluster(dir, { write: () => Promise.resolve() });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));
  const rehearse = (...argv: string[]) => runLevee(['audit', 'rehearse', ...argv]);

  it('folds a journal of a release, and says what both came to', async () => {
    const ran = await rehearse('--journal', golden);
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout.toString()).toMatch(
      /records of levee.journal, kept by 0\.1\.0, folded by .*\ndecision \d+ of term 1, .*\neach decision came to the state that its master had\n$/,
    );
  });

  it.each(['plain', 'zipped.gz'])(
    'keeps the journal of a log as it is, and never writes over one: %s',
    async (name) => {
      const file = join(dir, name);
      const kept = await rehearse('--keep', file, '--data-dir', dir);
      expect([kept.code, kept.stderr]).toEqual([0, '']);
      const verified = await runLevee(['audit', 'verify', '--data-dir', dir, '-o', 'json']);
      const { seq, digest } = (JSON.parse(verified.stdout.toString()) as { journal: { seq: number; digest: string } })
        .journal;
      const again = await rehearse('--journal', file, '-o', 'json');
      expect(JSON.parse(again.stdout.toString())).toMatchObject({ seq, digest, findings: [], differences: [] });
      const over = await rehearse('--keep', file, '--data-dir', dir);
      expect([over.code, over.stderr]).toEqual([2, expect.stringMatching(/EEXIST/)]);
    },
  );

  it('names what comes out otherwise, with exit code 3, and refuses what was changed', async () => {
    const lines = gunzipSync(await readFile(golden))
      .toString()
      .split('\n');
    const other = join(dir, 'other');
    await writeFile(other, lines.with(3, (lines[3] ?? '').replace('"value":"w', '"value":"x')).join('\n'));
    const changed = await rehearse('--journal', other);
    expect([changed.code, changed.stderr]).toEqual([1, expect.stringMatching(/another SHA-256.* \[BAD_DUMP\]/)]);
    const half = join(dir, 'half.gz');
    await writeFile(half, gzipSync(lines.join('\n')).subarray(0, 20_000));
    expect(await rehearse('--journal', half)).toMatchObject({ code: 1 });
  });

  it.each([
    [[], 2, /either --journal .* or --keep/],
    [['--journal', 'a', '--keep', 'b'], 2, /either --journal .* or --keep/],
    [['--journal', 'a', '--data-dir', 'b'], 2, /--journal is all that is read/],
    [['--journal', '/nowhere'], 1, /ENOENT/],
    [['--keep', '/nowhere/x', '--data-dir', 'nothing'], 1, /no embedded log/],
  ])('%j is refused', async (argv, code, message) => {
    const ran = await rehearse(...argv);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});
