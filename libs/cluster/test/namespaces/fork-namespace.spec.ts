import { forkBegun } from '../../src/commands/namespaces/fork-origin';
import { nextEffects } from '../../src/effects';
import { ClusterScript } from '../cluster-script';

const digest = '0123456789abcdef'.repeat(2);

function script(): ClusterScript {
  const made = new ClusterScript().nodes(3);
  made.namespace('shop', { partitions: 4, recordFormat: 'raw', chunks: 2 });
  return made;
}

const fork = {
  ...{ name: 'then', partitions: 4, recordFormat: 'raw', chunks: 2 },
  ...{ forkedFrom: 'shop', forkedBinlog: 'levee.binlog.shop', forkedAtMs: 7, forkedPositions: [1, 2, 3, 4] },
};

describe('a copy of the past of a namespace', () => {
  it('has no route until it is complete, and then is a namespace that says where it comes from', () => {
    const it = script();
    it.accept('CreateNamespace', fork);
    expect(nextEffects(it.state)).toMatchObject([{ kind: 'createBinlog', binlog: 'levee.binlog.then' }]);
    it.accept('ActivateNamespace', { name: 'then', number: 1 });
    expect(it.state.namespace('then')).toMatchObject({ state: 'creating', change: forkBegun, forkedDigest: null });
    expect([nextEffects(it.state), [...it.state.routesOf('then')]]).toEqual([[], []]);
    expect(it.accept('ActivateNamespace', { name: 'then', number: 1 })).toEqual([]);
    expect(it.accept('CreateNamespace', fork)).toEqual([]);
    it.accept('FinishFork', { name: 'then', number: 1, keys: 5, digest });
    expect(it.state.namespace('then')).toMatchObject({
      ...{
        state: 'active',
        change: 'NamespaceForked',
        forkedFrom: 'shop',
        forkedAtMs: 7,
        forkedPositions: [1, 2, 3, 4],
      },
      ...{ forkedDigest: digest, forkedKeys: 5 },
    });
    expect([...it.state.routesOf('then')]).toHaveLength(2);
    expect(it.accept('FinishFork', { name: 'then', number: 1, keys: 5, digest })).toEqual([]);
  });

  it('is given up by a deletion, and may be begun again', () => {
    const it = script();
    it.accept('CreateNamespace', fork);
    it.accept('ActivateNamespace', { name: 'then', number: 1 });
    it.accept('DeleteNamespace', { name: 'then' });
    expect(nextEffects(it.state)).toMatchObject([{ kind: 'deleteBinlog', binlog: 'levee.binlog.then' }]);
    it.accept('FinishDeletion', { name: 'then', number: 1 });
    it.accept('CreateNamespace', fork);
    expect(it.state.namespace('then')).toMatchObject({
      binlog: 'levee.binlog.then_2',
      state: 'creating',
      forkedDigest: null,
    });
    expect(it.answer('FinishFork', { name: 'then', number: 1, keys: 5, digest })).toMatch(/^NAMESPACE_UNKNOWN/);
    expect(it.answer('FinishFork', { name: 'then', number: 2, keys: 5, digest })).toMatch(/^NAMESPACE_NOT_READY/);
  });

  it.each([
    ['of what is not there', { forkedFrom: 'nowhere' }, /^NAMESPACE_UNKNOWN: there is no active namespace nowhere/],
    ['of another creation', { forkedBinlog: 'levee.binlog.shop_2' }, /^NAMESPACE_UNKNOWN/],
    ['with other partitions', { partitions: 8 }, /^BAD_KNOB: partitions is 8, and of shop it is 4/],
    ['with other records', { recordFormat: 'put' }, /^BAD_KNOB: recordFormat is put/],
    ['with another hash', { hashAlgorithm: 'crc32' }, /^BAD_KNOB: hashAlgorithm is crc32/],
    ['without positions', { forkedPositions: [] }, /^BAD_KNOB: .* belong together/],
    [
      'with too few positions',
      { forkedPositions: [1] },
      /^BAD_KNOB: forkedPositions has 1 offsets, shop has 4 partitions/,
    ],
    ['with positions that are none', { forkedPositions: [1, 2, -3, 4] }, /^BAD_KNOB: .* a list of whole numbers/],
    ['without a time', { forkedAtMs: null }, /^BAD_KNOB: .* belong together/],
    ['without a source', { forkedFrom: null }, /^BAD_KNOB: .* belong together/],
    [
      'while somebody cannot read it',
      { heard: [{ process: 'portal p1', featureLevel: 5 }] },
      /^NODE_TOO_OLD: portal p1/,
    ],
  ])('is refused %s', (_what, but, why) => {
    expect(script().answer('CreateNamespace', { ...fork, ...but })).toMatch(why);
  });

  it('is refused where another namespace is, and ends no other', () => {
    const it = script();
    it.namespace('then', { partitions: 4, recordFormat: 'raw', chunks: 2 });
    expect(it.answer('CreateNamespace', fork)).toMatch(/^NAMESPACE_EXISTS: .* forkedFrom is null, not shop/);
    expect(it.answer('FinishFork', { name: 'then', number: 1, keys: 5, digest })).toMatch(/^NAMESPACE_NOT_READY/);
    expect(it.answer('FinishFork', { name: 'then', number: 1, keys: 5, digest: 'x' })).toMatch(/^BAD_COMMAND/);
  });
});
