import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { asPartition, reservedKeyPrefix } from '@levee/kernel';
import { hashOf, type HashAlgorithm, partitionOf } from '@levee/keyspace';
import { EmbeddedLog } from '@levee/log-embedded';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

const partitions = 2;
const place = (key: string, by: HashAlgorithm): number => partitionOf(hashOf(Buffer.from(key), by), partitions);
const keys = Array.from({ length: 200 }, (_, n) => `key-${n}`);
/** Keys whose own partition is 0, and that librdkafka's default puts into 1. */
const strayed = keys.filter(
  (key) => place(key, 'murmur2') === 0 && place(key, 'crc32') === 1 && place(key, 'fnv1a') === 0,
);
const own = keys.filter((key) => place(key, 'murmur2') === 0);

/** Longer than what is stored. */
const long = 'long'.repeat(10_000);

const put = (key: string, value = 'v'): Buffer => encodePut(Buffer.from(key), Buffer.from(value), null);

describe('levee lint, on a stopped embedded log', () => {
  let dataDir: string;
  let nowMs = Date.UTC(2026, 2, 2, 9);

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'levee-lint-'));
    await stoppedCluster(dataDir, {
      clock: { nowMs: () => nowMs, monotonicMs: () => performance.now() },
      others: [
        { name: 'wide', partitions, chunks: 2 },
        { name: 'fine', partitions: 1 },
        { name: 'mended', partitions: 1 },
      ],
      commands: [
        {
          kind: 'AcknowledgeFindings',
          principal: 'alice',
          payload: { name: 'mended', number: 1, positions: [2], by: 'ann', why: 'written again' },
        },
      ],
      write: async ({ log, others: [wide, fine, mended] }) => {
        const write = (partition: number, key: string, value: Buffer | null) =>
          log.append(wide as string, asPartition(partition), [{ key: Buffer.from(key), value }]);
        for (const key of own.slice(0, 5)) await write(0, key, put(key));
        for (const key of strayed.slice(0, 4)) await write(1, key, put(key));
        nowMs = Date.UTC(2026, 2, 2, 12);
        await write(place(long, 'murmur2'), long, put(long));
        await write(0, own[0] as string, Buffer.from('{"json":true}\n\u0007'));
        await write(0, own[1] as string, put(own[2] as string));
        await write(0, own[3] as string, null);
        await write(0, `${Buffer.from(reservedKeyPrefix).toString('latin1')}mine`, Buffer.from('x'));
        await log.append(fine as string, asPartition(0), [{ key: Buffer.from('k'), value: put('k') }]);
        // Behind the Genesis record.
        await log.append(mended as string, asPartition(0), [{ key: Buffer.from('k'), value: Buffer.from('bad') }]);
      },
    });
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  const lint = (...more: string[]) => runLevee(['lint', ...more, '--data-dir', dataDir, '--quiet']);

  it('tells by reason what is lost, where it stands, and which setting to change; exit code 3', async () => {
    const { code, stdout, stderr } = await lint('wide');
    const text = stdout.toString();
    expect([code, stderr]).toEqual([3, expect.stringContaining('8 findings: see above')]);
    const [first] = strayed as [string];
    expect(text).toContain('wrongPartition: 4 of a producer that the log does not name, from 2026-03-02T09:00:00.000Z');
    expect(text).toContain(`${first}: the key belongs to partition 0 of 2, by murmur2`);
    expect(text).toContain('all lie where crc32 places them; wanted is partition = (murmur2(key) & 0x7fffffff) % 2');
    expect(text).toContain('partitioner=murmur2_random');
    expect(text).toContain('tooLarge: 1 of');
    expect(text).toContain('not applied: their keys look as if nothing was written');
    expect(text).toMatch(/garbage: 1 of .*applied, and their keys cannot be read/);
    expect(text).toMatch(/badCrc: 1 of /);
    // What is lost comes first; no byte of a value steers the terminal.
    expect(text.indexOf('tooLarge')).toBeLessThan(text.indexOf('garbage'));
    expect(text).not.toContain('\u0007');
  });

  it('counts the same as JSON, with offsets and keys', async () => {
    const { stdout } = await lint('wide', '-o', 'json');
    const found = JSON.parse(stdout.toString()) as {
      offenders: { reason: string; count: number; examples: { partition: number; key: string | null }[] }[];
    };
    const wrong = found.offenders.find(({ reason }) => reason === 'wrongPartition');
    expect(wrong).toMatchObject({ count: 4, harm: 'lost', producerId: -1 });
    expect(wrong?.examples.map(({ partition, key }) => [partition, key])).toEqual(
      strayed.slice(0, 3).map((key) => [1, key]),
    );
    expect(found.offenders.map(({ reason, count }) => [reason, count])).toEqual([
      ['wrongPartition', 4],
      ['reservedKey', 1],
      ['tooLarge', 1],
      ['garbage', 1],
      ['badCrc', 1],
    ]);
  });

  it('looks at what came since a time', async () => {
    const { stdout } = await lint('wide', '--since', '2026-03-02T10:00:00Z', '-o', 'json');
    const { offenders } = JSON.parse(stdout.toString()) as { offenders: { reason: string }[] };
    expect(offenders.map(({ reason }) => reason)).toEqual(['reservedKey', 'tooLarge', 'garbage', 'badCrc']);
  });

  it('marks what is acknowledged, and is content when all is; what comes later is a finding again', async () => {
    const dealtWith = await lint('mended');
    const text = dealtWith.stdout.toString();
    expect([dealtWith.code, dealtWith.stderr]).toEqual([0, '']);
    expect(text).toMatch(
      /^garbage: 1 of .*\n {2}acknowledged by ann \(given as alice\) at 20\d\d-.*Z: written again\n {2}0:1 k: /,
    );
    expect(text).not.toContain('nothing is wrong');
    expect(text).not.toContain('levee lint ack');
    const log = await EmbeddedLog.open({ location: join(dataDir, 'log'), cleanEveryMs: 0 });
    await log.append('levee.binlog.mended', asPartition(0), [{ key: Buffer.from('k'), value: Buffer.from('worse') }]);
    await log.close();
    const again = await lint('mended');
    expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('1 findings: see above')]);
    expect(again.stdout.toString()).toMatch(
      /^garbage: 1 of [^]*0:2 k: [^]*garbage: 1 of [^]*acknowledged by ann[^]*0:1 k: [^]*once all of this is dealt with: levee lint ack mended --up-to 0:2 --why <text>\n$/,
    );
  });

  it('is content with a binlog of right records, and says which names it does not know', async () => {
    const fine = await lint('fine');
    expect([fine.code, fine.stdout.toString()]).toEqual([
      0,
      expect.stringContaining('nothing is wrong with what was read'),
    ]);
    const unknown = await lint('nowhere');
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining('the journal knows no namespace nowhere'),
    ]);
  });
});

describe('levee lint ack', () => {
  it.each([
    ['neither --up-to nor --all', ['--why', 'x'], /one of --up-to and --all/],
    ['both', ['--up-to', '0:1', '--all', '--why', 'x'], /one of --up-to and --all/],
    ['no --why', ['--all'], /required option '--why <text>'/],
    ['what is no position', ['--up-to', '0-1', '--why', 'x'], /positions such as 0:12,3:40 are needed/],
    ['a reason that there is not', ['--all', '--why', 'x', '--reason', 'ugly'], /Allowed choices are wrongPartition/],
  ])('%s is a wrong use of it', async (_what, options, message) => {
    const { code, stderr } = await runLevee(['lint', 'ack', 'shop', ...options]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});
