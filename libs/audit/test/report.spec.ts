import { systemTimers } from '@levee/log';
import { ClusterScript } from '../../cluster/test/cluster-script';
import { auditReport, reportFromLog, reportPage } from '../src';
import type { Looked, ReportParts } from '../src/report/audit-report';
import { journalOf, logWith } from './scripted-journal';

const evil = `<script>alert(1)</script><img src=x onerror="alert('2')">&lt;\u202eevil\u0000</td>`;

const verified = (findings: number, untold = 0) => ({
  findings: Array.from({ length: findings }, (_, i) => ({
    ...{ rule: 'record' as const, topic: `levee.binlog.shop`, partition: 0, offset: i, seq: undefined },
    what: `its value cannot be read: ${evil}`,
  })),
  untold,
  journal: { seq: 9, term: 1, digest: 'd'.repeat(32), decisions: 9, claims: 1, voids: 0, from: 0, to: 10 },
  projections: [{ topic: 'levee.routes', entities: 4, checkpointSeq: 9 }],
  binlogs: [{ namespace: 'shop', topic: 'levee.binlog.shop', records: 7, from: [0], to: [7] }],
  unverified: ['routes and states of running processes'],
});
const proof = (chunkId: string, verdict: string | null, late = false) => ({
  ...{
    namespace: 'shop',
    chunkId,
    verdict: verdict as 'proved' | null,
    late,
    message: verdict === 'proved' ? '' : evil,
  },
  ...{ provedAtMs: verdict === 'proved' ? 1_000 : null, checkedAtMs: 1_000, replicasProved: 3, replicas: 3 },
});
const access = {
  ...{ seq: 3, offset: 3, decidedAtMs: 2_000, submittedAtMs: 1_000, principal: `user ${evil}`, kind: 'RecordAccess' },
  ...{ payload: JSON.stringify({ what: evil }), refused: undefined },
};
const well: ReportParts = {
  verify: { found: verified(0) },
  proofs: { found: [proof('shop#1/c00001', 'proved')] },
  doctor: { found: { findings: [], unknown: [], looked: { topics: 9, nodes: 3, replicas: 6 } } },
  trail: { found: { accesses: [access], leftOut: 2, findings: [] } },
};
const head = { madeAt: '2026-03-02T12:00:00.000Z', software: '0.1.0', log: `Kafka at ${evil}` };
const report = (parts: Partial<ReportParts> = {}) => auditReport(head, { ...well, ...parts });

/** Every tag that the page may have, as it may stand there. */
const tags = [
  ...[
    '<!doctype html>',
    '<html lang="en">',
    '</html>',
    '<head>',
    '</head>',
    '<body>',
    '</body>',
    '<title>',
    '</title>',
  ],
  ...['<meta charset="utf-8">', '<meta name="referrer" content="no-referrer">', '<style>', '</style>'],
  `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
  '<meta name="viewport" content="width=device-width, initial-scale=1">',
  ...['h1', 'h2', 'p', 'dl', 'dt', 'dd', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'code'].flatMap((name) => [
    `<${name}>`,
    `</${name}>`,
  ]),
  ...['bad', 'part', 'well', 'foot'].map((name) => `<p class="${name}">`),
];

const failed: Looked<never> = { failed: `no broker answers ${evil}` };

describe('levee audit report', () => {
  it.each<[string, Partial<ReportParts>, string, number]>([
    ['all is well', {}, 'nothing was found', 0],
    ['the log has findings', { verify: { found: verified(2, 5) } }, 'findings', 7],
    ['a replica differs', { proofs: { found: [proof('shop#1/c00001', 'replicaDiffers')] } }, 'findings', 1],
    ['the log could not be read', { verify: failed }, 'not everything could be checked', 0],
    [
      'a chunk is not provable',
      { proofs: { found: [proof('c', 'notProvable')] } },
      'not everything could be checked',
      0,
    ],
    ['the doctor cannot tell', { doctor: failed }, 'not everything could be checked', 0],
    ['nothing runs', { doctor: { left: 'nothing runs' } }, 'nothing was found', 0],
    ['both', { verify: failed, proofs: { found: [proof('c', 'logDiffers')] } }, 'findings', 1],
    [
      'the trail is not whole',
      {
        trail: {
          found: {
            ...{ accesses: [], leftOut: 0 },
            findings: [{ rule: 'chain', topic: 'levee.journal', partition: 0, offset: 4, seq: undefined, what: 'x' }],
          },
        },
      },
      'findings',
      1,
    ],
  ])('%s', (_what, parts, verdict, findings) => {
    const made = report(parts);
    expect([made.verdict, made.findings.length + made.untold]).toEqual([verdict, findings]);
  });

  it('says what was checked, what was not, and what could not be', () => {
    const { coverage } = report({
      proofs: {
        found: [proof('a', 'proved'), proof('b', null), proof('c', 'notProvable'), proof('d', 'proved', true)],
      },
      doctor: {
        found: {
          ...{ findings: [], looked: { topics: 1, nodes: 1, replicas: 1 } },
          unknown: [{ what: 'node n3', why: 'it does not answer', command: '' }],
        },
      },
    });
    const said = coverage.map(({ part, state, what }) => `${state} | ${part} | ${what.slice(0, 34)}`);
    expect(said).toEqual([
      'checked | the log | journal, offsets 0 to 10: 9 decisi',
      'checked | the log | levee.routes: 4 entities against t',
      'checked | the log | levee.binlog.shop: 7 records in 1 ',
      'not checked | the log | routes and states of running proce',
      'checked | replicas against the log | 1 of 4 chunks were found equal in ',
      'not checked | replicas against the log | b: never compared yet',
      'could not be checked | replicas against the log | c: notProvable <script>alert(1)</s',
      'not checked | replicas against the log | d: compared too long ago',
      'checked | the cluster as it runs | 1 topics, 1 nodes, 1 replicas',
      'could not be checked | the cluster as it runs | node n3: it does not answer',
      'checked | who asked, deleted, changed rights | 3 commands of the journal, the new',
      'not checked | who asked, deleted, changed rights | who read Kafka’s topics themselves',
    ]);
  });

  it('its page holds no tag, attribute or address but its own, whatever logs say', () => {
    const page = reportPage(
      report({
        verify: { found: verified(3) },
        proofs: { found: [proof(evil, 'logDiffers')] },
        trail: { found: { accesses: [access], leftOut: 2, findings: [] } },
        doctor: failed,
      }),
    );
    const strange = [...page.matchAll(/<[^>]*>?/g)].map(([tag]) => tag).filter((tag) => !tags.includes(tag));
    expect(strange).toEqual([]);
    expect(page).not.toMatch(/https?:|\/\/|url\(|@import|[\u0000-\u0008\u202e]/i);
    expect(page).toContain(
      '&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;2&#39;)&quot;&gt;&amp;lt;',
    );
    expect(page).toContain('\\u202eevil\\u0000');
    // Once as a finding each, once as a chunk, as a message, as who asked and what, as the log and as a reason.
    expect(page.split('alert(1)').length).toBeGreaterThan(8);
  });
});

it('the parts that the log tells say of which cluster it is', async () => {
  const { log, worldOf } = await logWith(journalOf(new ClusterScript()));
  const ask = (of: typeof log) =>
    reportFromLog({ ...worldOf(of), timers: systemTimers }, { namespaces: undefined, accessLimit: 10 });
  expect(await ask(log)).toMatchObject({ clusterId: 'c-1', trail: { found: expect.anything() } });
  await log.close();
  const empty = await logWith([]);
  expect((await ask(empty.log)).clusterId).toBeUndefined();
  await empty.log.close();
});
