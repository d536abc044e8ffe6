import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakePortal } from './fake-portal';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

describe('levee routes --at and levee explain --at', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'levee-past-'));
    await stoppedCluster(dataDir, { write: () => Promise.resolve() });
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));
  const direct = (...argv: string[]) => runLevee([...argv, '--data-dir', dataDir]);

  it('say how it was, and on what that rests', async () => {
    const routes = await direct('routes', 'shop', '--at', 'now');
    expect([routes.code, routes.stderr]).toEqual([0, '']);
    expect(routes.stdout.toString()).toMatch(
      /^proved\nas of decision \d+ of term 1, .*\nuntil now: no decision follows\nCHUNK ID.*\nshop#1\/c00001 +0 +500000 .*\n.*\nholds +journal start: [^]*assumed reading: /,
    );
    const explained = await direct('explain', 'shop#1/c00002', '--at', 'now', '-o', 'json');
    expect(JSON.parse(explained.stdout.toString())).toMatchObject({ verdict: 'proved', chain: expect.any(Array) });
  });

  it('say that it is not provable, with exit code 3', async () => {
    const later = await direct('routes', 'shop', '--at', '2999-01-01T00:00:00Z', '-o', 'json');
    expect([later.code, JSON.parse(later.stdout.toString())]).toMatchObject([3, { reason: 'later', routes: null }]);
    const none = await direct('explain', 'n1', '--at', '999');
    expect([none.code, none.stdout.toString()]).toEqual([
      3,
      expect.stringMatching(/^not provable \(no-such-decision: /),
    ]);
  });

  it.each([
    [['routes', '--at', 'noon'], 2, /a time with its zone .* or now is needed/],
    [['routes', '--at', '0'], 2, /from 1/],
    [['routes', '--brokers', 'x:1'], 2, /go with --at/],
    [['explain', 'n1', '--data-dir', 'x'], 2, /go with --at/],
    [['routes', '--at', '3', '--watch'], 2, /without --watch/],
    [['routes', 'shop', '--at', '1', '--data-dir', '/nowhere'], 1, /no embedded log/],
  ])('%j is refused', async (argv, code, message) => {
    const ran = await runLevee(argv);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });

  it('ask a portal where no log is named', async () => {
    const portal = await FakePortal.open();
    const ran = await runLevee(['routes', 'shop', '--at', '17'], { env: { LEVEE_URL: portal.url } });
    await portal.close();
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('/v1/past/routes/shop')]);
  });
});
