import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SubmittedCommand } from '@levee/journal';
import { asPartition } from '@levee/kernel';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

const hash = `scrypt$15$8$1$${'A'.repeat(22)}==$${'A'.repeat(43)}=`;
const by = (principal: string, kind: string, payload: object): SubmittedCommand => ({ principal, kind, payload });

describe('levee audit access, on a stopped embedded log', () => {
  let dataDir: string;
  const before = new Date(Date.now() - 1_000).toISOString();

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'levee-access-'));
    await stoppedCluster(dataDir, {
      commands: [
        by('user root', 'CreateUser', { name: 'ann', passwordHash: hash, grants: [{ right: 'audit' }] }),
        by('user ann', 'RecordAccess', { what: 'GET /v1/log/levee.journal/0' }),
        by('user ann', 'CordonNode', { nodeId: 'n1' }),
        by('user root', 'DeleteUser', { name: 'nobody' }),
        by('user ann', 'CreateNamespace', { name: 'past', forkedFrom: 'nothing' }),
      ],
      write: () => Promise.resolve(),
    });
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  const access = (...more: string[]) => runLevee(['audit', 'access', '--data-dir', dataDir, ...more]);
  const rows = async (...more: string[]) =>
    (JSON.parse((await access('-o', 'json', ...more)).stdout.toString()) as Record<string, string>[]).map(
      ({ principal, kind, what, refused }) => [principal, kind, what, refused],
    );
  const created = [
    'user root',
    'CreateUser',
    '{"name":"ann","passwordHash":"…","grants":[{"right":"audit"}]}',
    '-',
  ] as const;
  const read = ['user ann', 'RecordAccess', 'GET /v1/log/levee.journal/0', '-'] as const;
  const forked = [
    'user ann',
    'CreateNamespace',
    '{"name":"past","forkedFrom":"nothing"}',
    expect.stringMatching(/^BAD_/),
  ] as const;
  const failed = ['user root', 'DeleteUser', '{"name":"nobody"}', expect.stringMatching(/^USER_UNKNOWN/)] as const;

  it('tells who read the evidence and who changed rights, what was refused too, and no secret', async () => {
    expect(await rows()).toEqual([created, read, failed, forked]);
    const text = await access();
    expect([text.code, text.stderr]).toEqual([0, '']);
    expect(text.stdout.toString()).toMatch(
      /^AT +SEQ +PRINCIPAL +KIND +WHAT +REFUSED\n\d{4}-.*user root.*\n.*user ann +RecordAccess +GET \/v1\/log\/levee\.journal\/0 +-\n/,
    );
    expect(text.stdout.toString()).not.toContain('scrypt');
  });

  it.each([
    ['of one user', ['--principal', 'ann'], [read, forked]],
    ['since a time', ['--since', before], [created, read, failed, forked]],
    ['later than everything', ['--since', '2999-01-01T00:00:00Z'], []],
    ['so many', ['--limit', '1'], [forked]],
  ] as const)('tells those %s', async (_what, argv, expected) => {
    expect(await rows(...argv)).toEqual(expected);
  });

  it('tells every command when asked, and what it leaves out', async () => {
    expect(await rows('--all', '--principal', 'ann')).toEqual([
      read,
      ['user ann', 'CordonNode', '{"nodeId":"n1"}', '-'],
      forked,
    ]);
    expect((await access('--limit', '2')).stderr).toMatch(/^2 older ones are not shown/);
  });

  it.each([
    [['--since', 'yesterday'], 2, /a time with its zone/],
    [['--limit', '0'], 2, /limit/],
    [['--brokers', 'x:1'], 2, /two logs/],
  ])('says what is wrong with %j', async (argv, code, message) => {
    const ran = await access(...argv);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });

  it('does not pass for whole where the journal is not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'levee-access-'));
    await stoppedCluster(folder, {
      commands: [by('user ann', 'RecordAccess', { what: 'a' })],
      write: async ({ log }) => {
        await log.append('levee.journal', asPartition(0), [{ key: null, value: Buffer.from('a line of somebody') }]);
      },
    });
    const ran = await runLevee(['audit', 'access', '--data-dir', folder]);
    await rm(folder, { recursive: true, force: true });
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringMatching(/the journal is not whole.*at offset \d+/)]);
    expect(ran.stdout.toString()).toContain('user ann');
  });
});
