import type { Acknowledgement } from '@levee/events';
import { acknowledgementOf, namespaceVersion } from '../../src';
import { ClusterScript } from '../cluster-script';

const ns = 'shop';
const ack = { name: ns, number: 1, positions: [3, 0, 7], why: 'sent again' };

function script(): ClusterScript {
  const made = new ClusterScript().nodes(3);
  made.namespace(ns, { partitions: 4 });
  return made;
}

const said = (it: ClusterScript, name = ns): readonly Acknowledgement[] =>
  it.state.namespace(name)?.acknowledgements ?? [];

describe('an acknowledgement of bad records', () => {
  it('is recorded with who gave it, who dealt with them, why, and when', () => {
    const it = script();
    it.accept('AcknowledgeFindings', { ...ack, reason: 'wrongPartition', by: 'ann' });
    const acknowledgedAtMs = it.nowMs;
    expect(said(it)).toEqual([
      {
        ...{ reason: 'wrongPartition', positions: [3, 0, 7], by: 'ann', principal: 'user/test' },
        ...{ why: 'sent again', acknowledgedAtMs },
      },
    ]);
    expect(it.state.namespace(ns)?.change).toBe('FindingsAcknowledged');
  });

  it.each([
    ['the same once more', {}, [[3, 0, 7]]],
    ['less of it', { positions: [2, 0, 7] }, [[3, 0, 7]]],
    ['one reason of it', { reason: 'garbage' }, [[3, 0, 7]]],
    ['more, which takes its place', { positions: [3, 0, 7, 1] }, [[3, 0, 7, 1]]],
    [
      'something else, which stands beside it',
      { positions: [0, 9] },
      [
        [3, 0, 7],
        [0, 9],
      ],
    ],
    [
      'one reason further, which stands beside it',
      { positions: [9, 0, 7], reason: 'noKey' },
      [
        [3, 0, 7],
        [9, 0, 7],
      ],
    ],
  ])('then %s', (_what, but, positions) => {
    const it = script();
    it.accept('AcknowledgeFindings', ack);
    it.nowMs += 1_000;
    it.accept('AcknowledgeFindings', { ...ack, ...but });
    expect(said(it).map((each) => each.positions)).toEqual(positions);
  });

  it('changes nothing when it says nothing new: who said it first stays', () => {
    const it = script();
    it.accept('AcknowledgeFindings', { ...ack, by: 'ann' });
    expect(it.accept('AcknowledgeFindings', { ...ack, by: 'bob' })).toEqual([]);
    expect(said(it).map(({ by }) => by)).toEqual(['ann']);
  });

  it('has a bound, and one that covers all makes room', () => {
    const it = script();
    for (let n = 0; n < 16; n++)
      it.accept('AcknowledgeFindings', { ...ack, positions: [n + 1, 20 - n], reason: 'noKey' });
    expect(it.answer('AcknowledgeFindings', { ...ack, positions: [40], reason: 'noKey' })).toMatch(
      /^BAD_COMMAND: shop has 16 acknowledgements, at most 16: one without a reason/,
    );
    it.accept('AcknowledgeFindings', { ...ack, positions: [40, 40] });
    expect(said(it).map((each) => each.positions)).toEqual([[40, 40]]);
  });

  it.each([
    ['a name that there is not', { name: 'other' }, /^NAMESPACE_UNKNOWN: there is no namespace other/],
    ['another creation', { number: 2 }, /^NAMESPACE_UNKNOWN: there is no namespace shop#2, but #1/],
    ['no positions', { positions: [0, 0] }, /^BAD_COMMAND: positions of shop are all 0/],
    ['a position that is none', { positions: [-1] }, /^BAD_COMMAND/],
    ['no word why', { why: '' }, /^BAD_COMMAND/],
    ['a reason that there is not', { reason: 'ugly' }, /^BAD_COMMAND: .*one of wrongPartition, noKey/],
    ['another field', { until: 7 }, /^BAD_COMMAND: .*no field 'until'/],
    ['a namespace that is being made', { name: 'new' }, /^NAMESPACE_NOT_READY: namespace new is creating/],
  ])('is refused for %s', (_what, but, answer) => {
    const it = script();
    it.accept('CreateNamespace', { name: 'new' });
    expect(it.answer('AcknowledgeFindings', { ...ack, ...but })).toMatch(answer);
  });

  it('does not take the place of a history window that the topic has not got yet', () => {
    const it = script();
    it.accept('AlterNamespace', { name: ns, historyWindowMs: 86_400_000 });
    expect(it.answer('AcknowledgeFindings', ack)).toMatch(/^NAMESPACE_NOT_READY: .*another history window: try again/);
    it.accept('ConfirmHistoryWindow', { name: ns, number: 1, historyWindowMs: 86_400_000 });
    expect(it.answer('AcknowledgeFindings', ack)).toBe('accepted');
  });

  it('waits for everybody to read it', () => {
    const it = script();
    const heard = [{ process: 'portal p1', featureLevel: 5 }];
    expect(it.answer('AcknowledgeFindings', { ...ack, heard })).toMatch(
      /^NODE_TOO_OLD: portal p1 reads records of feature level 5, an acknowledgement needs 6/,
    );
    expect(namespaceVersion(it.state.namespace(ns)!)).toBeLessThan(8);
    it.accept('AcknowledgeFindings', ack);
    expect(namespaceVersion(it.state.namespace(ns)!)).toBe(8);
  });

  it('belongs to the creation: a name that is made anew has none', () => {
    const it = script();
    it.accept('AcknowledgeFindings', ack);
    it.accept('DeleteNamespace', { name: ns });
    it.accept('FinishDeletion', { name: ns, number: 1 });
    it.namespace(ns, { partitions: 4 });
    expect([it.state.namespace(ns)?.number, said(it)]).toEqual([2, []]);
    expect(it.answer('AcknowledgeFindings', ack)).toMatch(/^NAMESPACE_UNKNOWN: there is no namespace shop#1, but #2/);
  });
});

describe('a bad record is acknowledged', () => {
  const one = (reason: string | null, positions: readonly number[], why: string): Acknowledgement => ({
    ...{ reason, positions, by: null, principal: 'ann', why, acknowledgedAtMs: 1 },
  });
  const acknowledgements = [
    one('noKey', [5], 'first'),
    one(null, [3, 2], 'second'),
    one('addedPartition', [0, 0, 0, 0, 9], 'third'),
    one('wrongPartition', [0, 0, 0, 0, 4], 'fourth'),
  ];

  it.each([
    ['garbage', 0, 2, 'second'],
    ['garbage', 0, 3, undefined],
    ['noKey', 0, 4, 'first'],
    ['noKey', 0, 5, undefined],
    ['noKey', 0, 2, 'second'],
    ['garbage', 1, 2, undefined],
    ['garbage', 7, 0, undefined],
    // In a partition that somebody added, where the quarantine says one word and lint the other.
    ['wrongPartition', 4, 8, 'third'],
    ['addedPartition', 4, 3, 'fourth'],
    ['wrongPartition', 4, 9, undefined],
  ])('as %s, in partition %i at %i: by %s', (reason, partition, offset, why) => {
    expect(acknowledgementOf({ acknowledgements, partitions: 4 }, { reason, partition, offset })?.why).toBe(why);
  });
});
