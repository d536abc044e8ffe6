import type { ClusterState } from '@levee/cluster';
import { examineSecurity } from '../src/doctor/examine-security';
import { applied, securityFindings, type SecurityFacts, securityWeaknesses } from '../src/doctor/security-rules';

const locked = { authenticates: true, speaksTls: true, isReachable: true };
const healthy: SecurityFacts = { own: locked, users: [], openDoors: [], certificates: [] };
const token = (expiresAtMs: number | null) => ({ tokenId: 't1', sha256: 's', createdAtMs: 0, expiresAtMs });
const ann = (state: 'active' | 'disabled', ...tokens: ReturnType<typeof token>[]) => ({ name: 'ann', state, tokens });

const rulesOf = (facts: SecurityFacts, most = 50): { findings: string[]; weak: string[] } => ({
  findings: applied(securityFindings, facts, most).map(({ rule }) => rule),
  weak: applied(securityWeaknesses, facts, most).map(({ rule }) => rule),
});

test.each<readonly [what: string, differs: Partial<SecurityFacts>, findings: string[], weak: string[]]>([
  ['locked doors', {}, [], []],
  ['this machine alone', { own: { authenticates: false, speaksTls: false, isReachable: false } }, [], []],
  [
    'open to others',
    { own: { authenticates: false, speaksTls: false, isReachable: true } },
    [],
    ['authentication-off', 'no-tls'],
  ],
  ['no TLS', { own: { ...locked, speaksTls: false } }, [], ['no-tls']],
  ['a token without end', { users: [ann('active', token(null), token(5))] }, [], ['token-without-end']],
  ['one of a disabled user', { users: [ann('disabled', token(null))] }, [], []],
  [
    'an open door',
    { openDoors: [{ kind: 'node', id: 'n1', address: 'n1:7500', path: '/v1/node' }] },
    ['door-open'],
    [],
  ],
  ['a broken certificate', { certificates: [{ subject: 'n1', problem: 'it ends' }] }, ['certificate'], []],
])('%s', (_what, differs, findings, weak) => {
  expect(rulesOf({ ...healthy, ...differs })).toEqual({ findings, weak });
});

test('many of one kind are bounded, and counted', () => {
  const users = Array.from({ length: 9 }, (_, i) => ({ ...ann('active', token(null)), name: `u${i}` }));
  const found = applied(securityWeaknesses, { ...healthy, users }, 3);
  expect(found.map(({ subject }) => subject)).toEqual(['u0', 'u1', 'u2']);
  expect(found.at(-1)?.finding).toMatch(/; and 6 more like it$/);
});

test('every door is knocked at by a stranger, and what its health says of certificates is told', async () => {
  const asked: string[] = [];
  const answers: Readonly<Record<string, unknown>> = {
    'm1:7381/health/ready': {
      troubles: [
        { what: 'certificate', message: 'it ends' },
        { what: 'other', message: 'x' },
      ],
    },
    'n2:7500/v1/node': {},
  };
  const askOpenly = (address: string, path: string): Promise<unknown> => {
    asked.push(`${address}${path}`);
    const answer = answers[`${address}${path}`];
    return answer === undefined ? Promise.reject(new Error('401')) : Promise.resolve(answer);
  };
  const nodes = ['n1', 'n2'].map((nodeId) => ({ nodeId, httpAddress: `${nodeId}:7500` }));
  const state = { nodes: () => nodes, users: () => [] } as unknown as ClusterState;
  const heard = [
    { kind: 'master', id: 'm1', incarnation: 'a', address: 'm1:7381' },
    { kind: 'portal', id: 'p1', incarnation: 'a', address: 'p1:7379' },
  ];
  const report = await examineSecurity(state, heard, { own: locked, ownTroubles: () => ['broken'], askOpenly });
  expect(report.findings.map(({ rule, subject }) => [rule, subject])).toEqual([
    ['door-open', 'n2'],
    ['certificate', 'this portal'],
    ['certificate', 'm1'],
  ]);
  expect(asked).toContain('m1:7381/v1/status');
  expect(asked.some((each) => each.startsWith('p1'))).toBe(false);
  // Where nobody is asked who he is no door is open by mistake.
  const open = await examineSecurity(state, heard, {
    own: { ...locked, authenticates: false },
    ownTroubles: () => [],
    askOpenly,
  });
  expect(open.findings.map(({ rule }) => rule)).toEqual(['certificate']);
});

test.each<readonly [what: string, ready: unknown]>([
  ['nothing', null],
  ['a text', 'ok'],
  [
    'troubles that are none',
    { troubles: [null, 'x', 5, [], { what: 'certificate' }, { what: 'certificate', message: { toString: 1 } }] },
  ],
  ['a list that is none', { troubles: { length: 1 } }],
])('a door whose health is %s keeps nobody from hearing of the others', async (_what, ready) => {
  const state = { nodes: () => [], users: () => [] } as unknown as ClusterState;
  const heard = ['m1:7381', 'm2:7381'].map((address) => ({
    kind: 'master' as const,
    id: address,
    incarnation: 'i',
    address,
  }));
  const askOpenly = (address: string, path: string): Promise<unknown> => {
    if (path !== '/health/ready') return Promise.reject(new Error('401'));
    return Promise.resolve(address === 'm1:7381' ? ready : { troubles: [{ what: 'certificate', message: 'it ends' }] });
  };
  const { findings } = await examineSecurity(state, heard, { own: locked, ownTroubles: () => [], askOpenly });
  expect(findings.map(({ rule, subject }) => [rule, subject])).toEqual([['certificate', 'm2:7381']]);
});
