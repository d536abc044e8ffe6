import { hiddenAfter } from '../../src/commands/namespaces/binding';
import { nextEffects } from '../../src/effects';
import { ClusterScript } from '../cluster-script';

const ns = 'shop.prices';

function bound(): ClusterScript {
  const script = new ClusterScript().nodes(3);
  script.accept('CreateNamespace', { name: ns, sourceTopic: 'prices', recordFormat: 'raw', chunks: 2, replicas: 2 });
  return script;
}

function active(): ClusterScript {
  const script = bound();
  script.accept('ActivateNamespace', { name: ns, number: 1, topicId: 'id-1', partitions: 6 });
  return script;
}

describe('a namespace that is bound to a topic', () => {
  it('asks for a look at the topic, and becomes active with its id and partitions', () => {
    const script = bound();
    expect(nextEffects(script.state)).toEqual([
      expect.objectContaining({ kind: 'bindTopic', binlog: 'prices', hashAlgorithm: 'murmur2', recordFormat: 'raw' }),
    ]);
    expect(script.answer('ActivateNamespace', { name: ns, number: 1 })).toMatch(
      /^BAD_COMMAND: .*whose id was not told/,
    );
    script.accept('ActivateNamespace', { name: ns, number: 1, topicId: 'id-1', partitions: 6 });
    expect(script.state.namespace(ns)).toMatchObject({
      ...{ state: 'active', binlog: 'prices', sourceTopicId: 'id-1', partitions: 6, writable: false },
      ...{ sourceFinding: 'none', sourceProblem: null },
    });
    expect(nextEffects(script.state)).toEqual([]);
    expect([...script.state.routesOf(ns)]).toHaveLength(2);
  });

  it('that forgets by age: values are hidden a margin before it does, by what it was when it was bound', () => {
    const script = new ClusterScript().nodes(3);
    const knobs = { sourceTopic: 'prices', recordFormat: 'raw', expireWithRetention: true, chunks: 2, replicas: 2 };
    script.accept('CreateNamespace', { name: ns, ...knobs });
    expect(nextEffects(script.state)).toEqual([expect.objectContaining({ expireWithRetention: true })]);
    const seen = { name: ns, number: 1, topicId: 'id-1', partitions: 6 };
    expect(script.answer('ActivateNamespace', seen)).toMatch(
      /^BAD_COMMAND: values of shop.prices expire with the retention of its topic, which was not told/,
    );
    expect(script.answer('ActivateNamespace', { ...seen, retentionMs: 9_999 })).toMatch(
      /^BAD_COMMAND: .*from 10000 to/,
    );
    script.accept('ActivateNamespace', { ...seen, retentionMs: 604_800_000 });
    expect(script.state.namespace(ns)).toMatchObject({
      ...{ state: 'active', expireWithRetention: true, retentionMs: 604_800_000, hiddenAfterMs: 604_740_000 },
    });
    expect(script.accept('ActivateNamespace', { ...seen, retentionMs: 604_800_000 })).toEqual([]);
    const alter = (of: object): string => script.answer('AlterNamespace', { name: ns, ...of });
    expect(alter({ expireWithRetention: false })).toMatch(/^KNOB_FIXED: expireWithRetention of shop.prices is true/);
    expect(alter({ retentionMs: 1 })).toMatch(/^KNOB_FIXED: retentionMs of shop.prices is 604800000/);
    expect(alter({ maxTtlMs: 60_000 })).toMatch(/^BAD_KNOB: maxTtlMs is of writes/);
  });

  it.each([
    [10_000, 7_500],
    [240_000, 180_000],
    [241_000, 181_000],
    [604_800_000, 604_740_000],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 60_000],
  ])('of a retention of %d ms values are hidden after %d', (retentionMs, hiddenAfterMs) => {
    expect(hiddenAfter(retentionMs)).toBe(hiddenAfterMs);
  });

  it('that may be written to is told so to the look at its topic, and stays as it was bound', () => {
    const script = new ClusterScript().nodes(3);
    const knobs = { sourceTopic: 'prices', recordFormat: 'raw', writable: true, chunks: 2, replicas: 2 };
    script.accept('CreateNamespace', { name: ns, ...knobs });
    expect(nextEffects(script.state)).toEqual([expect.objectContaining({ writable: true })]);
    script.accept('ActivateNamespace', { name: ns, number: 1, topicId: 'id-1', partitions: 6 });
    expect(script.state.namespace(ns)).toMatchObject({ state: 'active', writable: true });
    expect(script.answer('AlterNamespace', { name: ns, writable: false })).toMatch(/^KNOB_FIXED: writable/);
    expect(script.answer('AlterNamespace', { name: ns, maxTtlMs: 60_000 })).toMatch(
      /^BAD_KNOB: maxTtlMs cannot be set/,
    );
    expect(script.answer('FreezeNamespace', { name: ns, reason: 'a while' })).toBe('accepted');
  });

  it.each(['writable', 'expireWithRetention'])('with %s it waits for processes that only read such topics', (knob) => {
    const script = new ClusterScript().nodes(3);
    script.node('old', { featureLevel: 5 });
    const knobs = { sourceTopic: 'prices', recordFormat: 'raw', chunks: 2, replicas: 2 };
    expect(script.answer('CreateNamespace', { name: ns, ...knobs, [knob]: true })).toBe(
      `NODE_TOO_OLD: node old reads records of feature level 5, ${knob} true needs 6: upgrade it first`,
    );
    expect(script.answer('CreateNamespace', { name: ns, ...knobs })).toBe('accepted');
  });

  it('a retention is told of those alone whose values expire with it', () => {
    const told = { name: ns, number: 1, topicId: 'id-1', partitions: 6, retentionMs: 60_000 };
    expect(bound().answer('ActivateNamespace', told)).toMatch(
      /^BAD_COMMAND: values of shop.prices do not expire with .*, which was told/,
    );
  });

  it('an id is not told of a binlog of ours', () => {
    const script = new ClusterScript().nodes(3);
    script.accept('CreateNamespace', { name: 'own' });
    const told = { name: 'own', number: 1, topicId: 'id-1', partitions: 8 };
    expect(script.answer('ActivateNamespace', told)).toMatch(/^BAD_COMMAND: own is not bound/);
  });

  it('its deletion leaves the topic, and the topic can be bound again then', () => {
    const script = active();
    expect(script.answer('CreateNamespace', { name: 'other', sourceTopic: 'prices' })).toMatch(
      /^NAMESPACE_EXISTS: topic prices is served by shop.prices already/,
    );
    script.accept('DeleteNamespace', { name: ns });
    expect(nextEffects(script.state)).toEqual([expect.objectContaining({ kind: 'deleteBinlog', binlog: undefined })]);
    script.accept('FinishDeletion', { name: ns, number: 1 });
    expect(script.answer('CreateNamespace', { name: 'other', sourceTopic: 'prices', replicas: 1 })).toBe('accepted');
  });

  it('says why it could not be bound', () => {
    const script = bound();
    script.accept('FailNamespace', { name: ns, number: 1, reason: 'there is no topic prices' });
    expect(script.state.namespace(ns)).toMatchObject({ state: 'deleted', sourceProblem: 'there is no topic prices' });
  });

  it.each([
    [{ sourceTopic: 'others' }, /^KNOB_FIXED: sourceTopic of shop.prices is prices/],
    [{ writable: true }, /^KNOB_FIXED: writable/],
    [{ partitions: 8 }, /^KNOB_FIXED: partitions/],
    [{ consistency: 'strong' }, /^BAD_KNOB: consistency cannot be strong/],
    [{ historyWindowMs: 60_000 }, /^BAD_KNOB: historyWindowMs cannot be set/],
    [{ flush: 'sweep' }, /^BAD_KNOB: flush cannot be sweep/],
    [{ consistency: 'eventual', ack: 'all' }, /^accepted$/],
  ])('%j is answered as it can be', (knobs, answer) => {
    expect(active().answer('AlterNamespace', { name: ns, ...knobs })).toMatch(answer);
  });

  it.each([
    [['missing', 'none'], 'none'],
    [['policy', 'none'], 'none'],
    [['missing', 'recreated'], 'recreated'],
    [['grown', 'none'], 'grown'],
    [['recreated', 'missing'], 'recreated'],
    [['cut', 'policy'], 'cut'],
    [['grown', 'recreated'], 'recreated'],
  ])('after the findings %j it has %s', (findings, is) => {
    const script = active();
    for (const finding of findings) {
      const told = finding === 'none' ? {} : { problem: `it is ${finding}` };
      script.accept('ReportSource', { name: ns, number: 1, finding, ...told });
    }
    const problem = is === 'none' ? null : `it is ${is}`;
    expect(script.state.namespace(ns)).toMatchObject({ state: 'active', sourceFinding: is, sourceProblem: problem });
    expect(script.accept('ReportSource', { name: ns, number: 1, finding: is, ...(problem && { problem }) })).toEqual(
      [],
    );
  });

  it('findings are of bound namespaces, and say what they are', () => {
    const script = active();
    const said = (of: object): string => script.answer('ReportSource', { name: ns, number: 1, ...of });
    expect(said({ finding: 'grown' })).toMatch(/^BAD_COMMAND: the finding grown of shop.prices has no problem/);
    expect(said({ finding: 'none', problem: 'x' })).toMatch(/^BAD_COMMAND/);
    expect(said({ finding: 'odd', problem: 'x' })).toMatch(/^BAD_COMMAND/);
    expect(said({ number: 2, finding: 'grown', problem: 'x' })).toMatch(/^NAMESPACE_UNKNOWN/);
    script.namespace('own');
    expect(said({ name: 'own', finding: 'grown', problem: 'x' })).toMatch(/^NAMESPACE_UNKNOWN/);
  });
});
