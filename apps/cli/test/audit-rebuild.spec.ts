import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { asPartition, isoTime } from '@levee/kernel';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

const hourMs = 3_600_000;

describe('levee audit rebuild and diff, on a stopped embedded log', () => {
  let dir: string;
  let nowMs = Date.UTC(2026, 2, 1);
  let cleanedMs = 0;
  let midMs = 0;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'levee-rebuild-'));
    await stoppedCluster(join(dir, 'data'), {
      clock: { nowMs: () => nowMs, monotonicMs: () => performance.now() },
      write: async ({ log, binlog }) => {
        const set = async (key: string, value: string | null): Promise<void> => {
          nowMs += 1000;
          const bytes = Buffer.from(key);
          const put = value === null ? null : encodePut(bytes, Buffer.from(value), null);
          await log.append(binlog, asPartition(0), [{ key: bytes, value: put }]);
        };
        for (let n = 0; n < 50; n++) await set(`k${n % 20}`, `old ${n}`);
        cleanedMs = nowMs;
        nowMs += 3 * hourMs;
        await log.compact(binlog);
        for (let n = 0; n < 10; n++) await set(`k${n}`, `mid ${n}`);
        midMs = nowMs;
        await set('k0', null);
        await set('k1', 'new');
        await set('k99', 'new');
        nowMs += hourMs;
      },
    });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const audit = async (...argv: string[]) => {
    const ran = await runLevee(['audit', ...argv, '--data-dir', join(dir, 'data'), '-o', 'json']);
    return { ...ran, row: JSON.parse(ran.stdout.toString() || '{}') as Record<string, unknown> };
  };

  it('rebuilds what is there now, and what was there at a time; the difference names every key', async () => {
    const now = await audit('rebuild', 'shop', '--to', join(dir, 'now'));
    expect([now.code, now.row]).toMatchObject([0, { keys: 20, deleted: 1, positions: [64], whole: true }]);
    const then = await audit('rebuild', 'shop', '--at', isoTime(midMs), '--to', join(dir, 'then'));
    expect([then.code, then.row]).toMatchObject([0, { keys: 20, deleted: 0, positions: [61], atMs: midMs }]);
    const diff = await audit('diff', join(dir, 'then'), join(dir, 'now'));
    expect(diff.code).toBe(3);
    const chunks = diff.row['chunks'] as { chunk: string; missing: number; extra: number; different: number }[];
    const sum = (of: 'missing' | 'extra' | 'different'): number => chunks.reduce((all, each) => all + each[of], 0);
    expect([diff.row['same'], sum('missing'), sum('extra'), sum('different')]).toEqual([18, 1, 1, 1]);
    expect(chunks.every(({ chunk }) => chunk.startsWith('shop'))).toBe(true);
    const examples = diff.row['examples'] as { kind: string; key: string; left?: string; right?: string }[];
    expect(examples.sort((a, b) => (a.key < b.key ? -1 : 1))).toMatchObject([
      { kind: 'missing', key: 'k0', right: 'offset 61, deleted' },
      { kind: 'different', key: 'k1' },
      { kind: 'extra', key: 'k99' },
    ]);
    const same = await audit('diff', join(dir, 'now'), 'shop');
    expect([same.code, same.row]).toMatchObject([0, { same: 20, differing: 0, chunks: [] }]);
  });

  it('goes on with a folder that was begun, and refuses one that holds something else', async () => {
    const again = await audit('rebuild', 'shop', '--to', join(dir, 'now'));
    expect([again.code, again.row]).toMatchObject([0, { keys: 20 }]);
    const other = await audit('rebuild', 'shop', '--at', isoTime(midMs), '--to', join(dir, 'now'));
    expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/at another time/)]);
  });

  it('refuses a time that is not provable for every key, and makes nothing', async () => {
    const { code, stderr } = await audit(
      'rebuild',
      'shop',
      '--at',
      isoTime(cleanedMs - 5000),
      '--to',
      join(dir, 'early'),
    );
    expect([code, stderr]).toEqual([3, expect.stringMatching(/NOT_PROVABLE/)]);
    expect((await audit('diff', join(dir, 'early'), join(dir, 'now'))).code).toBe(1);
  });
});
