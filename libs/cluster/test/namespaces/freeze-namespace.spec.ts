import { isOfOperation, isRepartitionOf, nextEffects, repartitionOwner } from '../../src';
import { ClusterScript } from '../cluster-script';

const ns = 'shop';

function script(): ClusterScript {
  const made = new ClusterScript().nodes(3);
  made.namespace(ns);
  return made;
}

const freeze = { name: ns, reason: 'export' };
const ofExport = { name: ns, reason: 'a file is written', owner: 'export 1' };

describe('a freeze of the writes of a namespace', () => {
  it('is recorded with its owner, reason, time and decision, once', () => {
    const it = script();
    it.accept('FreezeNamespace', freeze);
    const { length: frozenSeq } = it.journal;
    const frozen = { frozenBy: 'operator', frozenReason: 'export', frozenAtMs: it.nowMs, frozenSeq };
    expect(it.state.namespace(ns)).toMatchObject({ ...frozen, freezeConfirmedSeq: null, change: 'NamespaceFrozen' });
    it.nowMs += 1_000;
    expect(it.accept('FreezeNamespace', { ...freeze, reason: 'once more' })).toEqual([]);
    expect(it.state.namespace(ns)).toMatchObject(frozen);
  });

  it('is confirmed by the decision that it is about, and by no other', () => {
    const it = script();
    it.accept('FreezeNamespace', freeze);
    const frozenSeq = it.state.namespace(ns)?.frozenSeq;
    const confirm = { name: ns, number: 1, frozenSeq, portals: ['p1 i-1 obeys'] };
    expect(it.answer('ConfirmFreeze', { ...confirm, frozenSeq: 1 })).toMatch(/^STALE_EVIDENCE: shop is not frozen by/);
    expect(it.answer('ConfirmFreeze', { ...confirm, number: 2 })).toMatch(/^NAMESPACE_UNKNOWN/);
    it.accept('ConfirmFreeze', confirm);
    expect(it.state.namespace(ns)).toMatchObject({ freezeConfirmedSeq: it.journal.length, frozenSeq });
    expect(it.accept('ConfirmFreeze', confirm)).toEqual([]);
    it.accept('ThawNamespace', { name: ns });
    it.accept('FreezeNamespace', freeze);
    expect(it.state.namespace(ns)?.freezeConfirmedSeq).toBeNull();
    expect(it.answer('ConfirmFreeze', confirm)).toMatch(/^STALE_EVIDENCE/);
  });

  it('ends with a thaw, and leaves the namespace as it was', () => {
    const it = script();
    const before = it.state.namespace(ns);
    it.accept('FreezeNamespace', { ...freeze, without: ['i-1'] });
    it.accept('ThawNamespace', { name: ns });
    expect(it.state.namespace(ns)).toEqual({ ...before, change: 'NamespaceThawed', seq: it.journal.length });
    expect(it.accept('ThawNamespace', { name: ns })).toEqual([]);
  });

  it('belongs to its owner, who alone ends it or hands it over', () => {
    const it = script();
    it.accept('FreezeNamespace', ofExport);
    const frozenSeq = it.state.namespace(ns)?.frozenSeq;
    const frozen = /^NAMESPACE_FROZEN: .* by export 1 .*thaw shop --owner 'export 1'$/;
    expect(it.answer('FreezeNamespace', freeze)).toMatch(frozen);
    expect(it.answer('ThawNamespace', { name: ns })).toMatch(frozen);
    expect(it.answer('DeleteNamespace', { name: ns })).toMatch(frozen);
    const next = { ...ofExport, owner: 'export 2' };
    expect(it.answer('FreezeNamespace', { ...next, insteadOf: 'export 0' })).toMatch(frozen);
    it.accept('FreezeNamespace', { ...next, insteadOf: 'export 1' });
    expect(it.state.namespace(ns)).toMatchObject({ frozenBy: 'export 2', frozenSeq });
    expect(it.answer('ThawNamespace', { name: ns, owner: 'export 1' })).toMatch(/^NAMESPACE_FROZEN/);
    it.accept('ThawNamespace', { name: ns, owner: 'export 2' });
    expect(it.answer('FreezeNamespace', { ...next, insteadOf: 'export 1' })).toMatch(
      /^NAMESPACE_NOT_READY: shop is not frozen/,
    );
  });

  it('of one run of a repartitioning is taken over by the next one, and not ended by the first', () => {
    const it = script();
    const [first, next] = [repartitionOwner(ns, 'a1'), repartitionOwner(ns, 'b2')];
    it.accept('FreezeNamespace', { name: ns, reason: 'home', owner: first });
    const frozenSeq = it.state.namespace(ns)?.frozenSeq;
    it.accept('FreezeNamespace', { name: ns, reason: 'home', owner: next, insteadOf: first });
    expect(it.state.namespace(ns)).toMatchObject({ frozenBy: next, frozenSeq });
    expect(it.answer('ThawNamespace', { name: ns, owner: first })).toMatch(
      /^NAMESPACE_FROZEN: .* levee namespace repartition shop --cancel$/,
    );
    it.accept('ThawNamespace', { name: ns, owner: next });
    expect(
      [first, `repartition ${ns}`, null, 'repartition shop.a/a1', 'rewind shop'].map((of) => isRepartitionOf(of, ns)),
    ).toEqual([true, true, false, false, false]);
    expect(isOfOperation(next)).toBe(true);
  });

  it('takes the names of portals that have ended, also later', () => {
    const it = script();
    it.accept('FreezeNamespace', freeze);
    it.accept('FreezeNamespace', { ...freeze, without: ['i-1'] });
    it.accept('FreezeNamespace', { ...freeze, without: ['i-2', 'i-1'] });
    expect(it.state.namespace(ns)?.freezeWithout).toEqual(['i-1', 'i-2']);
    const many = Array.from({ length: 63 }, (_, i) => `j-${i}`);
    expect(it.answer('FreezeNamespace', { ...freeze, without: many })).toMatch(/^BAD_COMMAND: .* 65 portals/);
  });

  it.each<[string, readonly (readonly [kind: string, payload: object])[]]>([
    ['a freeze', [['FreezeNamespace', freeze]]],
    [
      'its confirmation',
      [
        ['FreezeNamespace', freeze],
        ['ConfirmFreeze', { name: ns, number: 1, portals: [] }],
      ],
    ],
    [
      'a thaw',
      [
        ['FreezeNamespace', freeze],
        ['ThawNamespace', { name: ns }],
      ],
    ],
  ])('%s leaves it to the master to give the topic another history window', (_what, commands) => {
    const it = script();
    it.accept('AlterNamespace', { name: ns, historyWindowMs: 86_400_000 });
    const adjusts = { kind: 'adjustBinlog', namespace: ns, historyWindowMs: 86_400_000 };
    for (const [kind, payload] of commands)
      it.accept(kind, kind === 'ConfirmFreeze' ? { ...payload, frozenSeq: it.journal.length } : payload);
    expect(nextEffects(it.state)).toMatchObject([adjusts]);
    it.accept('ConfirmHistoryWindow', { name: ns, number: 1, historyWindowMs: 86_400_000 });
    expect(nextEffects(it.state)).toEqual([]);
  });

  it('waits for everybody to read it', () => {
    const it = script();
    const heard = [{ process: 'portal p1', featureLevel: 5 }];
    expect(it.answer('FreezeNamespace', { ...freeze, heard })).toMatch(
      /^NODE_TOO_OLD: portal p1 reads records of feature level 5, a freeze of writes needs 6/,
    );
    it.node('n1', { featureLevel: 5 });
    expect(it.answer('FreezeNamespace', freeze)).toMatch(/^NODE_TOO_OLD: node n1/);
  });

  it.each([
    ['a name that there is not', { name: 'other', reason: 'x' }, /^NAMESPACE_UNKNOWN/],
    ['another creation', { name: ns, reason: 'x', number: 2 }, /^NAMESPACE_UNKNOWN: .*but #1/],
    ['no reason', { name: ns }, /^BAD_COMMAND/],
    ['another word', { name: ns, reason: 'x', why: 'y' }, /^BAD_COMMAND/],
    ['a namespace that is being made', { name: 'new', reason: 'x' }, /^NAMESPACE_NOT_READY: namespace new is creating/],
    ['one that is only read', { name: 'bound', reason: 'x' }, /^NAMESPACE_NOT_READY: .*takes no writes anyway/],
  ])('is refused for %s', (_what, payload, answer) => {
    const it = script();
    it.accept('CreateNamespace', { name: 'new' });
    it.accept('CreateNamespace', { name: 'bound', sourceTopic: 'prices' });
    it.accept('ActivateNamespace', { name: 'bound', number: 1, topicId: 'id-1', partitions: 6 });
    expect(it.answer('FreezeNamespace', payload)).toMatch(answer);
  });

  it('people may delete what they froze', () => {
    const it = script();
    it.accept('FreezeNamespace', freeze);
    it.accept('DeleteNamespace', { name: ns });
    expect(it.state.namespace(ns)).toMatchObject({ state: 'deleting', frozenBy: null });
  });
});
