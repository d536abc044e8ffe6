import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import type { AuditReport } from '@levee/audit';
import { asPartition } from '@levee/kernel';
import { PortalClient } from '../src/portal-client';
import { portalDoctor } from '../src/portal-doctor';
import { FakePortal } from './fake-portal';
import { runLevee } from './fake-terminal';
import { stoppedCluster } from './stopped-cluster';

const script = '<script>alert(1)</script>';
const hash = `scrypt$15$8$1$${'A'.repeat(22)}==$${'A'.repeat(43)}=`;

jest.setTimeout(60_000);

describe('levee audit report, on a stopped embedded log', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'levee-report-'));
    const key = Buffer.from(`key ${script}`);
    const well = { key, value: encodePut(key, Buffer.from('v'), null) };
    await stoppedCluster(join(dir, 'well'), {
      commands: [
        { principal: `user ${script}`, kind: 'RecordAccess', payload: { what: `GET /v1/kv/${script}` } },
        { principal: 'user root', kind: 'CreateUser', payload: { name: 'ann', passwordHash: hash, grants: [] } },
      ],
      write: async ({ log, binlog }) => void (await log.append(binlog, asPartition(0), [well])),
    });
    await stoppedCluster(join(dir, 'ill'), {
      write: async ({ log, binlog }) =>
        void (await log.append(binlog, asPartition(0), [well, { key, value: Buffer.from('no Put') }])),
    });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));
  const report = (of: string, name: string, ...more: string[]) =>
    runLevee(['audit', 'report', join(dir, name), '--data-dir', join(dir, of), ...more]);

  it('writes a page and the same as JSON, with what was not checked', async () => {
    const ran = await report('well', 'first');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout.toString()).toMatch(
      /^checked +the log: journal, offsets 0 to [^]*not checked +the cluster as it runs: nothing runs/,
    );
    const told = JSON.parse(await readFile(join(dir, 'first.json'), 'utf8')) as AuditReport;
    expect(told).toMatchObject({
      format: 'levee audit report',
      version: 1,
      verdict: 'nothing was found',
      findings: [],
    });
    expect(told.access?.map(({ kind }) => kind)).toEqual(['RecordAccess', 'CreateUser']);
    const page = await readFile(join(dir, 'first.html'), 'utf8');
    expect(page).toContain('&lt;script&gt;alert(1)');
    expect(page).not.toContain('<script');
    for (const text of [page, JSON.stringify(told)]) expect(text).not.toContain('scrypt');
    expect(told.coverage.filter(({ state }) => state === 'not checked').length).toBeGreaterThan(2);
  });

  it('ends with 3 when there is a finding, which stands on the page with the command to type', async () => {
    const ran = await report('ill', 'second', '-o', 'json');
    expect([ran.code, JSON.parse(ran.stdout.toString())]).toMatchObject([3, { verdict: 'findings', findings: [{}] }]);
    expect(await readFile(join(dir, 'second.html'), 'utf8')).toContain(
      '<code>levee log dump levee.binlog.shop -p 0 --from 2 --limit 1</code>',
    );
  });

  it('never writes over a report, and names no log by itself', async () => {
    expect(await report('well', 'third')).toMatchObject({ code: 0 });
    const again = await report('well', 'third');
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/third.json is there already/)]);
    const nowhere = await report('well', 'no/such/name');
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringMatching(/there is no folder .*no\/such/)]);
    const none = await runLevee(['audit', 'report', join(dir, 'fourth')], { env: { LEVEE_DATA_DIR: '/nowhere' } });
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/name the log/)]);
  });
});

describe('the doctor in a report', () => {
  let portal: FakePortal;
  beforeEach(async () => (portal = await FakePortal.open()));
  afterEach(() => portal.close());
  const ask = (clusterId: string | undefined) =>
    portalDoctor(
      new PortalClient(portal.url, { deadlineMs: 5_000, interrupted: new AbortController().signal }),
      clusterId,
    );

  it('is that of a portal of the cluster whose journal was read', async () => {
    portal.clusterId = 'c-1';
    expect(await ask('c-1')).toEqual({ found: portal.doctor });
  });

  it.each<[string | undefined, string | undefined, RegExp]>([
    ['c-2', 'c-1', /is of another cluster: c-2, and the journal that was read is of c-1/],
    [undefined, 'c-1', /is of another cluster: it does not say which/],
    ['c-1', undefined, /the journal that was read names no cluster/],
  ])('a portal of %s, a journal of %s: it could not be checked', async (its, read, why) => {
    portal.clusterId = its;
    expect(await ask(read)).toEqual({ failed: expect.stringMatching(why) });
    expect(portal.requests.map(({ url }) => url)).toEqual(['/v1/status']);
  });

  it.each<unknown>([
    [],
    { findings: [], unknown: [] },
    { findings: [{ rule: 'x' }], unknown: [], looked: { topics: 1, nodes: 1, replicas: 1 } },
    { findings: [], unknown: 'none', looked: { topics: 1, nodes: 1, replicas: 1 } },
  ])('an answer of another form is none: %j', async (answer) => {
    portal.clusterId = 'c-1';
    portal.doctor = answer;
    expect(await ask('c-1')).toEqual({ failed: expect.stringMatching(/is no report that this version reads/) });
  });
});
