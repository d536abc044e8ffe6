import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { asPartition, isoTime } from '@levee/kernel';
import { FakePortal } from './fake-portal';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

const hourMs = 3_600_000;

describe('levee namespace export and import, on a stopped embedded log', () => {
  let dir: string;
  let nowMs = Date.UTC(2026, 2, 1);
  let earlyMs = 0;
  let midMs = 0;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'levee-export-'));
    await stoppedCluster(join(dir, 'data'), {
      clock: { nowMs: () => nowMs, monotonicMs: () => performance.now() },
      others: [{ name: 'then' }, { name: 'raw', recordFormat: 'raw' }],
      write: async ({ log, binlog }) => {
        const set = async (key: string, value: string | null, expiresAtMs: number | null = null): Promise<void> => {
          nowMs += 1000;
          const bytes = Buffer.from(key);
          const put = value === null ? null : encodePut(bytes, Buffer.from(value), expiresAtMs);
          await log.append(binlog, asPartition(0), [{ key: bytes, value: put }]);
        };
        for (let n = 0; n < 50; n++) await set(`k${n % 20}`, `old ${n}`);
        earlyMs = nowMs - 10_000;
        nowMs += 3 * hourMs;
        await log.compact(binlog);
        for (let n = 0; n < 10; n++) await set(`k${n}`, `mid ${n}`);
        await set('brief', 'x', nowMs + 2000);
        await set('long', 'x', nowMs + hourMs);
        nowMs += 5000;
        midMs = nowMs;
        await set('k0', null);
        await set('k1', 'new');
        nowMs += hourMs;
      },
    });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const levee = async (...argv: string[]) => {
    const ran = await runLevee([...argv, '-o', 'json']);
    return { ...ran, row: JSON.parse(ran.stdout.toString() || '{}') as Record<string, unknown> };
  };
  const data = (): string[] => ['--data-dir', join(dir, 'data')];
  const at = (name: string): string => join(dir, name);

  it('carries away what was at a time, and brings it back: a rebuilding of both finds no difference', async () => {
    const out = await levee('namespace', 'export', 'shop', at('then.avro'), '--at', isoTime(midMs), ...data());
    expect([out.code, out.row]).toMatchObject([
      0,
      { keys: 21, judgedAtMs: midMs, atMs: midMs, partitions: [{ expired: 1, deleted: 0, nextOffset: 63 }] },
    ]);
    const back = await levee('namespace', 'import', at('then.avro'), 'then', ...data());
    expect([back.code, back.row]).toMatchObject([
      0,
      { isEqual: true, written: 21, before: 0, digest: out.row['digest'], expected: out.row['digest'] },
    ]);
    await levee('audit', 'rebuild', 'shop', '--at', isoTime(midMs), '--to', at('a'), ...data());
    await levee('audit', 'rebuild', 'then', '--to', at('b'), ...data());
    expect((await levee('audit', 'diff', at('a'), at('b'))).row).toMatchObject({ chunks: [] });
  });

  it('refuses a time that is not provable for every key, says from when on it is, and makes no file', async () => {
    const { code, stderr } = await levee(
      'namespace',
      'export',
      'shop',
      at('e.avro'),
      '--at',
      isoTime(earlyMs),
      ...data(),
    );
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/NOT_PROVABLE.*\n.*partition 0: .*provable from 2026-03-01T/),
    ]);
    expect(existsSync(at('e.avro'))).toBe(false);
  });

  it('says what is wrong with a file, and where', async () => {
    await levee('namespace', 'export', 'shop', at('now.avro'), ...data());
    const whole = await levee('namespace', 'import', at('now.avro'), '--verify');
    expect([whole.code, whole.row]).toMatchObject([0, { keys: 19, namespace: 'shop' }]);
    await writeFile(at('text'), 'this is no export');
    const bytes = await readFile(at('now.avro'));
    bytes[bytes.length - 300] = (bytes[bytes.length - 300] as number) ^ 1;
    await writeFile(at('bent.avro'), bytes);
    for (const argv of [['--verify'], ['then', ...data()]]) {
      const bent = await levee('namespace', 'import', at('bent.avro'), ...argv);
      expect([bent.code, bent.stderr]).toEqual([
        3,
        expect.stringMatching(/EXPORT_DAMAGED.*\n.*bent.avro: block 1 at byte \d+ /),
      ]);
    }
  });

  it.each([
    [['export', 'shop', 'DIR/then.avro'], 1, /is there already/],
    [['export', 'nowhere', 'DIR/x.avro'], 1, /no namespace nowhere/],
    [['export', 'shop', 'DIR/x.avro', '--at', '0:4'], 2, /--at is a time here/],
    [['export', 'shop', 'DIR/x.avro', '--codec', 'snappy'], 2, /Allowed choices are deflate, null/],
    [['import', 'DIR/now.avro', 'then'], 1, /then holds \d+ keys that are not of .*now.avro/],
    [['import', 'DIR/now.avro', 'raw'], 1, /recordFormat of raw is raw, and of .* put/],
    [['import', 'DIR/now.avro'], 2, /name the namespace/],
    [['import', 'DIR/now.avro', 'new', '--create'], 2, /levee namespace create new --like/],
    [['import', 'DIR/absent.avro', 'then'], 1, /ENOENT/],
    [['import', 'DIR/text', 'then'], 3, /no Avro object container file/],
  ])('says what is wrong with %j', async (argv, code, message) => {
    const ran = await runLevee(['namespace', ...argv.map((each) => each.replace('DIR', dir)), ...data()]);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });

  it('a namespace is created like the exported one', async () => {
    const portal = await FakePortal.open();
    try {
      const env = { LEVEE_URL: portal.url };
      const argv = ['namespace', 'create', 'again', '--like', at('now.avro'), '--replicas', '2', '-o', 'json'];
      const { code, stdout, stderr } = await runLevee(argv, { env });
      expect([code, stderr]).toEqual([0, '']);
      expect(JSON.parse(stdout.toString())).toMatchObject({
        ...{ name: 'again', partitions: 1, hashAlgorithm: 'murmur2', recordFormat: 'put' },
        ...{ historyWindowMs: hourMs, replicas: 2 },
      });
    } finally {
      await portal.close();
    }
  });
});
