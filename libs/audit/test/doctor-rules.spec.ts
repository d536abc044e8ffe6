import { logConditionLimits } from '@levee/journal';
import type { DoctorFacts, NamespaceFacts, NodeFacts } from '../src/doctor/facts';
import { doctorRules, findingsOf } from '../src/doctor/rules';
import { doctorTable } from './doctor-table';
import { acknowledgedUpTo, at, healthy, node, nodeFacts, nowMs, one, open, says, shop } from './healthy-cluster';

/** Two replicas of a chunk are wanted; the second is on n2, which is away with leave until then. */
const away = (maintenanceUntilMs: number): NodeFacts => ({
  ...nodeFacts('n2', { state: node('n2', 'maintenance'), says: undefined }),
  maintenanceUntilMs,
});
const [chunk] = shop.chunks;
const twice: NamespaceFacts = {
  ...shop,
  state: { ...shop.state, replicas: 2 },
  chunks: [
    {
      ...chunk!,
      replicas: [...chunk!.replicas, { ...chunk!.replicas[0]!, nodeId: 'n2', role: 'follower' }],
    },
  ],
};

describe('the rules of the doctor', () => {
  const behind = (count: number) => {
    const facts = one(at({ ageMs: 20_000 }));
    const [node] = facts.nodes as [NodeFacts];
    const [replica] = node.says!.replicas;
    const replicas = Array.from({ length: count }, (_, i) => ({ ...replica!, chunkId: `shop#1/c0000${i}` }));
    return { ...healthy, nodes: [{ ...node, says: { ...node.says!, replicas } }] };
  };

  it.each([
    [3, 3, /^shop#1\/c00000 on .* records to go$/],
    [9, 1, /^shop#1\/c00000 on .* records to go; and 8 more on n1 like it$/],
  ])('%i replicas of one node that are behind are %i findings', (count, findings, text) => {
    const found = findingsOf(behind(count));
    expect(found).toHaveLength(findings);
    expect(found[0]?.finding).toMatch(text);
  });

  it.each(['suspect', 'lost'] as const)('a node that was drained and stopped is no finding when it is %s', (is) => {
    const away = (nodeId: string, cordoned: boolean) => ({
      ...healthy,
      nodes: [...healthy.nodes, nodeFacts(nodeId, { state: { ...node(nodeId, is), cordoned }, says: undefined })],
    });
    expect(findingsOf(away('n8', true))).toEqual([]);
    expect(findingsOf(away('n8', false)).map(({ rule }) => rule)).toEqual([`node-${is}`]);
    expect(findingsOf(away('n1', true)).map(({ rule }) => rule)).toContain(`node-${is}`);
  });

  it.each(doctorTable.map(([rule, facts], i) => [i, rule, facts] as const))(
    'of a topic of others nothing is advised that is refused there (row %i, %s)',
    (_, rule, facts) => {
      const all = { ...healthy, ...facts };
      const namespaces = all.namespaces.map((of) => {
        // No such operation ever begins of a bound one.
        const isOperated =
          /^(rewind|repartition|fork)/.test(of.state.frozenBy ?? '') || (of.state.forkedFrom ?? null) !== null;
        return isOperated ? of : { ...of, state: { ...of.state, sourceTopic: of.state.binlog } };
      });
      if (namespaces.every(({ state }) => (state.sourceTopic ?? null) === null)) return;
      // What only binlogs of ours are looked at for.
      const looked = all.topics === undefined ? {} : { topics: { ...all.topics, missing: [], losses: [], grown: [] } };
      for (const { command, finding } of findingsOf({ ...all, namespaces, ...looked }))
        expect([rule, finding, command]).toEqual([
          rule,
          expect.any(String),
          expect.not.stringMatching(
            /levee (log repair|import|namespace (import|repartition|fork|rewind))|--flush|history-window/,
          ),
        ]);
    },
  );

  it('a replica that a node cannot know of yet, or that is not its own, is not missed there', () => {
    const none = says({ replicas: [], seq: 3 });
    expect(findingsOf({ ...healthy, nodes: [nodeFacts('n1', { says: none })] })).toEqual([]);
    const other = { ...node('n1'), storeId: 'another' };
    expect(
      findingsOf({ ...healthy, nodes: [nodeFacts('n1', { state: other, says: says({ replicas: [] }) })] }),
    ).toEqual([]);
    const [at] = says().replicas;
    const before = says({ replicas: [{ ...at!, generation: 7 }] });
    const found = findingsOf({ ...healthy, nodes: [nodeFacts('n1', { says: before })] });
    expect(found.map(({ rule }) => rule)).toEqual(['replica-missing']);
  });

  it('a node that has read later decisions than who looks is not accused by earlier ones', () => {
    const nodes = [nodeFacts('n1', { says: says({ replicas: [], seq: 12 }) })];
    expect(findingsOf({ ...healthy, nodes, seq: 11 })).toEqual([]);
    expect(findingsOf({ ...healthy, nodes, seq: 12 }).map(({ rule }) => rule)).toEqual(['replica-missing']);
  });

  it('a namespace that has been deleted for a moment, or whose log does not answer, is no finding', () => {
    const deleted = (deletingForMs: number | undefined): DoctorFacts => ({
      ...healthy,
      namespaces: [{ ...shop, chunks: [], state: { ...shop.state, state: 'deleting' }, deletingForMs }],
      nodes: [],
    });
    expect([undefined, 100].flatMap((ms) => findingsOf(deleted(ms)))).toEqual([]);
    const found = findingsOf({ ...deleted(60_000), logProblem: 'no answer' });
    expect(found.map(({ rule }) => rule)).toEqual(['log-unreachable']);
    const { binlog } = shop.state;
    const [bound] = deleted(60_000).namespaces;
    const of = { ...bound!, state: { ...bound!.state, sourceTopic: binlog } };
    expect(findingsOf({ ...deleted(0), namespaces: [of] })).toMatchObject([
      { rule: 'namespace-undeleted', impact: expect.stringContaining(`the topic ${binlog} stays as it is`) as string },
    ]);
  });

  it('who hears nothing of a log that does not answer is no finding of its own', () => {
    const nodes = [nodeFacts('n1', { says: says({ unheardMs: null }) })];
    const found = findingsOf({ ...healthy, nodes, journalUnheardMs: Infinity, logProblem: 'no answer' });
    expect(found.map(({ rule }) => rule)).toEqual(['log-unreachable']);
    expect(findingsOf({ ...healthy, nodes }).map(({ finding }) => finding)).toEqual([
      'node n1 has never stood at the end of the journal',
    ]);
  });

  it('an acknowledgement that reaches to the end of the log is no finding', () => {
    expect(findingsOf({ ...healthy, namespaces: [acknowledgedUpTo(100)] })).toEqual([]);
  });

  it('a log that does not answer is one finding: that the replicas are behind follows from it', () => {
    const found = findingsOf({ ...behind(9), logProblem: 'no answer within 6000 ms' });
    expect(found.map(({ rule }) => rule)).toEqual(['log-unreachable']);
  });

  it('no other master is asked for while the log takes nothing of this one', () => {
    const found = findingsOf({ ...healthy, heard: [], writeProblem: 'ENOSPC' });
    expect(found.map(({ rule }) => rule)).toEqual(['log-takes-nothing']);
  });

  it('what follows from a journal that lost its end is not listed beside it', () => {
    const journalShort = 'JOURNAL_SHORT: levee.journal ends at decision 5';
    const waiting = says({ problem: 'not registered with a master yet', waitsForMaster: true });
    const nodes = [
      nodeFacts('n1', { says: says({ problem: journalShort }) }),
      nodeFacts('n2', { says: waiting }),
      nodeFacts('n3', { says: undefined }),
    ];
    const heard = ['n1', 'n2', 'n3'].map((id) => ({ kind: 'node', id, incarnation: 'i', address: `${id}:7400` }));
    const short = { ...healthy, nodes, heard, journalShort, portalProblem: journalShort };
    expect(findingsOf(short).map(({ rule }) => rule)).toEqual(['journal-short']);
    const others = findingsOf({
      ...short,
      heard: heard.slice(0, 2),
      journalShort: undefined,
      portalProblem: undefined,
    });
    expect(others.map(({ rule }) => rule)).toEqual([
      'no-master',
      'node-unreachable',
      'node-not-ready',
      'node-not-ready',
    ]);
    const [silent] = findingsOf({ ...short, heard: heard.slice(0, 2) }).filter(({ rule }) => rule !== 'journal-short');
    expect(silent).toMatchObject({ rule: 'node-unreachable', subject: 'n3' });
  });

  it('a node refused for a unit of a lost decision leads to the repair of this very log', () => {
    const problem = 'GENERATION_FROM_FUTURE: unit n1/u00 reports generation 7';
    const facts = { ...healthy, nodes: [nodeFacts('n1', { says: says({ problem, waitsForMaster: true }) })] };
    expect(findingsOf(facts)[0]?.command).toMatch(/^levee audit repair --brokers k1:9092 {3}# /);
    const embedded = { ...facts, log: { description: "embedded /var/lib/o'levee/log" }, brokers: '' };
    expect(findingsOf(embedded)[0]?.command).toMatch(
      /^levee audit repair --data-dir '\/var\/lib\/o'\\''levee' {3}# stop/,
    );
  });

  it('nothing is wrong with a healthy cluster', () => {
    expect(findingsOf(healthy)).toEqual([]);
  });

  it.each(doctorTable)('%s', (rule, differs, finding, command) => {
    const found = findingsOf({ ...healthy, ...differs });
    expect(found.map((each) => each.rule)).toEqual([rule]);
    expect(found[0]?.finding).toMatch(finding);
    expect(found[0]?.command).toMatch(command);
    expect(found[0]?.impact.length).toBeGreaterThan(10);
    expect(found[0]?.subject.length).toBeGreaterThan(0);
  });

  it('every rule is in the table', () => {
    expect([...new Set(doctorTable.map(([rule]) => rule))].sort()).toEqual(Object.keys(doctorRules).sort());
  });

  it.each<[string, Partial<DoctorFacts>]>([
    ['a transaction that wrote a moment ago', { condition: open(nowMs - logConditionLimits.openTransactionMs + 1) }],
    [
      'a node in maintenance',
      { nodes: [nodeFacts('n1'), nodeFacts('n2', { state: node('n2', 'maintenance'), says: undefined })] },
    ],
    [
      'a chunk of which one replica is on a node in maintenance',
      { nodes: [nodeFacts('n1'), away(nowMs + 1)], namespaces: [twice] },
    ],
    ['a learner that has never stood at the end', one({ role: 'learner', readable: false, ...at({ ageMs: null }) })],
    [
      'a disk with a tenth free',
      { nodes: [nodeFacts('n1', { says: says({ disk: { freeBytes: 10, totalBytes: 100 } }) })] },
    ],
    [
      'a namespace that is made just now',
      { namespaces: [{ ...shop, state: { ...shop.state, state: 'creating', createdAtMs: nowMs } }] },
    ],
    ['facts that nobody could learn', { heard: undefined, condition: undefined, topics: undefined } as never],
  ])('says nothing about %s', (_what, differs) => {
    expect(findingsOf({ ...healthy, ...differs })).toEqual([]);
  });

  it.each([
    ['maintenance that is over', { nodes: [nodeFacts('n1'), away(nowMs)], namespaces: [twice] }, 1],
    [
      'no other replica',
      {
        nodes: [nodeFacts('n1', { state: node('n1', 'lost'), says: undefined }), away(nowMs + 1)],
        namespaces: [twice],
      },
      0,
    ],
  ])('announced maintenance excuses no chunk with %s', (_what, differs, living) => {
    const found = findingsOf({ ...healthy, ...differs }).filter(({ rule }) => rule === 'namespace-short-of-replicas');
    expect(found).toHaveLength(1);
    expect(found[0]?.finding).toMatch(new RegExp(`shop#1/c00001 has ${living}$`));
  });

  it('a rule that finds a thousand things says so in fifty', () => {
    const many = Array.from({ length: 1_000 }, (_, i) => nodeFacts(`n${i + 2}`, { state: node(`n${i + 2}`, 'lost') }));
    const found = findingsOf({ ...healthy, nodes: [nodeFacts('n1'), ...many] });
    expect(found).toHaveLength(50);
    expect(found.at(-1)?.finding).toMatch(/and 950 more like it/);
  });
});
