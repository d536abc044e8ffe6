import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { asPartition, isoTime } from '@levee/kernel';
import { topics } from '../../../libs/master/test/control-plane';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

const hourMs = 3_600_000;

describe('levee audit get and history, on a stopped embedded log that was cleaned', () => {
  let dataDir: string;
  const beganMs = Date.UTC(2026, 2, 1);
  let nowMs = beganMs;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'levee-evidence-'));
    const clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() };
    await stoppedCluster(dataDir, {
      clock,
      write: async ({ log, binlog }) => {
        const set = async (key: string, value: string | null, headers = false): Promise<void> => {
          nowMs += 60_000;
          const bytes = Buffer.from(key);
          const expiresAtMs = value === 'short' ? nowMs + 60_000 : null;
          await log.append(binlog, asPartition(0), [
            {
              key: bytes,
              value: value === null ? null : encodePut(bytes, Buffer.from(value), expiresAtMs),
              ...(headers ? { headers: [{ key: 'producer', value: Buffer.from('till 7') }] } : {}),
            },
          ]);
        };
        await set('price', '5'); // offset 1
        await set('price', '6');
        await set('gone', 'x');
        await set('gone', null);
        nowMs += 3 * hourMs;
        await log.compact(binlog);
        await set('price', '7', true); // offset 5
        await set('brief', 'short');
        await set('price', '8');
        nowMs += hourMs / 2;
        // What another topic holds shows until when the folder was written.
        await log.append(topics.heartbeats, asPartition(0), [{ key: Buffer.from('n1'), value: null }]);
      },
    });
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  const audit = async (what: string, key: string, ...more: string[]) => {
    const argv = ['audit', what, 'shop', key, '--data-dir', dataDir, '-o', 'json', ...more];
    const { code, stdout, stderr } = await runLevee(argv);
    return { code, row: JSON.parse(stdout.toString() || '{}') as Record<string, unknown>, stderr };
  };
  const get = (key: string, at: string) => audit('get', key, '--at', at);
  const minutes = (n: number): string => isoTime(beganMs + n * 60_000);

  it.each([
    // The record of offset 1 was stamped after one minute, and so on.
    ['a value that is still there', 'price', minutes(3), 0, { verdict: 'proved', state: 'value' }],
    ['a value that was replaced, and removed', 'price', minutes(1), 3, { reason: 'before-window', state: 'unknown' }],
    ['before anything was written', 'price', isoTime(beganMs - 1), 0, { by: 'contiguity', state: 'absent' }],
    ['a key that nobody wrote', 'never', minutes(200), 0, { by: 'window', state: 'absent' }],
    // The folder may be a copy, and its original may have gone on.
    ['a time after the newest record', 'never', minutes(300), 3, { reason: 'too-recent' }],
    ['a time that has not come', 'never', '2199-01-01T00:00:00Z', 3, { reason: 'too-recent' }],
    ['a key that nobody wrote, at a position', 'never', '0:8', 0, { by: 'window', state: 'absent' }],
    ['a deletion', 'gone', minutes(185), 0, { verdict: 'proved', state: 'deleted' }],
    ['what expired by then', 'brief', minutes(187), 0, { verdict: 'proved', state: 'expired' }],
    ['what had not expired at its position', 'brief', '0:7', 0, { verdict: 'proved', state: 'value' }],
    ['a position beyond the end', 'price', '0:9', 3, { reason: 'beyond-end' }],
  ])('%s', async (_, key, at, code, row) => {
    const asked = await get(key, at);
    expect([asked.row, asked.code]).toMatchObject([row, code]);
  });

  it('gives the evidence: record, checksums, headers, how it was read', async () => {
    const { row } = await get('price', '0:6');
    expect(row).toMatchObject({
      namespace: 'shop',
      at: { position: '0:6' },
      record: {
        position: '0:6',
        time: minutes(185),
        value: '7',
        crc: 'matches',
        raw: encodePut(Buffer.from('price'), Buffer.from('7'), null).toString('hex'),
        headers: [{ key: 'producer', value: 'till 7' }],
        batch: { timestampType: 'append', crc: expect.stringMatching(/^[0-9a-f]{8}$/) },
      },
      read: { partition: 0, startOffset: 0, endOffset: 8 },
      preconditions: expect.arrayContaining([expect.objectContaining({ name: 'window', state: 'holds' })]),
    });
  });

  it('tells the history, and where something may be missing', async () => {
    const { row, code } = await audit('history', 'price');
    expect(row['entries']).toMatchObject([
      { offset: 2, value: '6', untilNext: { verdict: 'proved' } },
      { offset: 5, value: '7', untilNext: { verdict: 'proved' } },
      { offset: 7, value: '8', untilNext: { verdict: 'proved' } },
    ]);
    expect(row['absentBefore']).toMatchObject({ verdict: 'not provable', reason: 'before-window' });
    expect(code).toBe(3);
    const last = await audit('history', 'price', '--limit', '1');
    expect(last.row).toMatchObject({ older: 2, entries: [{ value: '8' }] });
    expect(last.code).toBe(0);
  });

  it.each([
    [['get', 'shop', 'price', '--at', 'yesterday'], 2, /a time with its zone/],
    [['get', 'shop', 'price', '--at', '2026-03-01T00:00:00'], 2, /a time with its zone/],
    [['get', 'shop', 'price'], 2, /--at/],
    [['get', 'nowhere', 'price', '--at', '0:1'], 1, /no namespace nowhere/],
    [['get', 'shop', 'price', '--at', '3:1'], 1, /in partition 0, not in 3/],
    [['get', 'shop', '006c6576656500', '--key-encoding', 'hex', '--at', '0:1'], 1, /Levee's own/],
  ])('says what is wrong with %j', async (argv, code, message) => {
    const ran = await runLevee(['audit', ...argv, '--data-dir', dataDir]);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });

  it('asks which log is meant, and changes nothing in it', async () => {
    expect((await runLevee(['audit', 'get', 'shop', 'k', '--at', '0:1'])).stderr).toMatch(/name the log/);
    const before = await audit('history', 'price');
    expect((await audit('history', 'price')).row['entries']).toEqual(before.row['entries']);
  });
});
