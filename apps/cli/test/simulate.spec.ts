import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPartition } from '@levee/kernel';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

describe('levee plan simulate, on a stopped embedded log', () => {
  let dataDir: string;
  const begin = new Date(Date.now() - 1_000).toISOString();
  let end: string;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'levee-simulate-'));
    await stoppedCluster(dataDir, {
      commands: [
        {
          principal: 'dispatcher d1',
          kind: 'ProposePlan',
          payload: {
            ...{ kind: 'split', chunkId: 'shop#1/c00001', parts: 2, trigger: 'hotChunk', policyVersion: 4 },
            evidence: { requestsPerSecond: 12_345, hotFrom: 10_000, slots: 500_000 },
          },
        },
      ],
      write: async ({ log, binlog }) => {
        end = new Date().toISOString();
        await new Promise((resolve) => setTimeout(resolve, 5));
        // Of later: who has it knows that the journal got nothing in between.
        await log.append(binlog, asPartition(0), [{ key: Buffer.from('k'), value: null }]);
      },
    });
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  const policy = async (value: unknown): Promise<string> => {
    const file = join(dataDir, 'policy.json');
    await writeFile(file, JSON.stringify(value));
    return file;
  };
  const simulate = (...more: string[]) =>
    runLevee(['plan', 'simulate', '--data-dir', dataDir, '--from', begin, '--to', end, ...more]);

  it('comes to what was recorded, and says what it could not know', async () => {
    const ran = await simulate();
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout.toString()).toMatch(
      /1 of them proposals of dispatchers\n.*\nsame +decision \d+ .* hotChunk split shop#1\/c00001.*\[its own evidence\]\nnot known: loads: [^]*nothing came out otherwise than it was recorded\n$/,
    );
  });

  it('says what other figures come to, with exit code 3', async () => {
    const ran = await simulate('--policy', await policy({ hotChunkPerSecond: 20_000 }), '-o', 'json');
    expect([ran.code, JSON.parse(ran.stdout.toString())]).toMatchObject([
      3,
      { differs: true, rejudged: [{ verdict: 'none', why: expect.stringMatching(/12345 .*hot from 20000/) }] },
    ]);
  });

  it('does not take what could not be judged again for the same: exit code 1', async () => {
    const ran = await simulate('--policy', await policy({ settleMs: 120_000 }));
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/nothing could be judged again.*CANNOT_TELL/)]);
    expect(ran.stdout.toString()).toMatch(/\nunknown +decision \d+ [^]*\nnothing could be judged again: 1 proposal\n$/);
  });

  it.each<[unknown, RegExp]>([
    [{ hotChunks: 1 }, /no 'hotChunks'/],
    [{ hotChunk: { leave: 1_000_000 } }, /I18/],
  ])('refuses the policy %j', async (value, message) => {
    const ran = await simulate('--policy', await policy(value));
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it.each([
    [['--policy', '/nowhere'], 2, /--policy: .*ENOENT/],
    [['--to', '2020-01-01T00:00:00Z'], 2, /--to must be later/],
    [['--to', '2999-01-01T00:00:00Z'], 3, /later: .* \[NOT_PROVABLE\]/],
  ])('%j', async (argv, code, message) => {
    const ran = await simulate(...argv);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});
