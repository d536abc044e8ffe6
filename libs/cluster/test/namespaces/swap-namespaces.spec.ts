import { askedAs, bornOf, checkWhole, creationAsked, creationIdOf, nextEffects } from '../../src';
import { ClusterScript, problemsOf } from '../cluster-script';

const digest = '0123456789abcdef'.repeat(2);
const owner = 'rewind shop';
const aside = 'shop.before-rewind-1';

/** `shop`, frozen by a rewind, and a fork of it that is filled. */
class Rewound extends ClusterScript {
  readonly before: readonly string[];

  constructor() {
    super();
    this.nodes(3);
    this.before = this.namespace('shop', { partitions: 4, chunks: 2, ack: 'all' }).map(({ chunkId }) => chunkId);
  }

  begin(name = aside): this {
    const { binlog: forkedBinlog } = this.of('shop');
    this.freeze('shop');
    const origin = { forkedFrom: 'shop', forkedBinlog, forkedAtMs: 7, forkedPositions: [1, 2, 3, 4] };
    this.accept('CreateNamespace', { name, partitions: 4, chunks: 3, ...origin });
    this.accept('ActivateNamespace', { name, number: this.of(name).number });
    return this;
  }

  freeze(name: string): void {
    const { frozenBy } = this.of(name);
    const insteadOf = frozenBy === null || frozenBy === owner ? {} : { insteadOf: frozenBy };
    this.accept('FreezeNamespace', { name, reason: 'back', owner, ...insteadOf });
    const { number, frozenSeq } = this.of(name);
    this.accept('ConfirmFreeze', { name, number, frozenSeq, portals: ['p1 obeys'] });
  }

  swap(but: object = {}): object {
    const numbers = { number: this.of('shop').number, otherNumber: this.of(aside).number };
    return { name: 'shop', other: aside, ...numbers, positions: [5, 6, 7, 8], keys: 3, digest, ...but };
  }

  of(name: string) {
    const found = this.state.namespace(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  chunks(name: string): string[] {
    return this.state.chunksOf(name).map(({ chunkId }) => chunkId);
  }

  routes(name: string): string[] {
    return [...this.state.routesOf(name)].map(({ chunkId }) => chunkId).sort();
  }
}

describe('two namespaces that change places', () => {
  it('take what people acknowledged of their binlogs with them', () => {
    const it = new Rewound();
    it.accept('AcknowledgeFindings', { name: 'shop', number: 1, positions: [3], why: 'dealt with' });
    it.begin();
    it.accept('SwapNamespaces', it.swap());
    expect(it.of('shop').acknowledgements).toEqual([]);
    expect(it.of(aside).acknowledgements).toMatchObject([{ positions: [3], why: 'dealt with' }]);
  });

  it('swaps binlogs, chunks and routes by one decision, and keeps what the name was asked for', () => {
    const it = new Rewound().begin();
    const forked = it.chunks(aside);
    it.accept('AlterNamespace', { name: 'shop', ack: 'primary', requestsPerSecond: 9 });
    it.accept('SwapNamespaces', it.swap());
    const seq = it.journal.length;
    expect(it.of('shop')).toMatchObject({
      ...{ state: 'active', number: 2, binlog: `levee.binlog.${aside}`, bornAs: aside, bornNumber: 1, seq },
      ...{ ack: 'primary', requestsPerSecond: 9, chunks: 3, frozenBy: owner, frozenSeq: seq, freezeConfirmedSeq: null },
      ...{ forkedKeys: 3, forkedDigest: digest, swappedWith: aside, leftPositions: [], change: 'NamesSwapped' },
    });
    expect(it.of(aside)).toMatchObject({
      ...{ state: 'active', number: 2, binlog: 'levee.binlog.shop', bornAs: 'shop', bornNumber: 1, seq },
      ...{ frozenBy: 'operator', frozenReason: `it was shop until decision ${seq}`, chunks: 2 },
      ...{ forkedFrom: null, swappedWith: 'shop', leftPositions: [5, 6, 7, 8] },
    });
    expect(it.of(aside).freezeConfirmedSeq).not.toBeNull();
    expect([it.chunks('shop'), it.chunks(aside)]).toEqual([forked, it.before]);
    expect([it.routes('shop'), it.routes(aside)]).toEqual([[...forked].sort(), [...it.before].sort()]);
    expect([problemsOf(it.state), nextEffects(it.state)]).toEqual([[], []]);
    expect(() => checkWhole(it.state)).not.toThrow();
  });

  it('goes back by the same decision, which loses nothing, and forth by no other', () => {
    const it = new Rewound().begin();
    it.accept('SwapNamespaces', it.swap());
    const [now, then] = [it.of('shop'), it.of(aside)];
    expect(it.answer('SwapNamespaces', it.swap())).toMatch(
      /^NAMESPACE_NOT_READY: shop is frozen by rewind shop, not confirmed yet: it changes places once the freeze/,
    );
    it.freeze('shop');
    // People may have let portals write to what it was.
    it.accept('ThawNamespace', { name: aside });
    expect(it.answer('SwapNamespaces', it.swap())).toMatch(/^NAMESPACE_NOT_READY: shop.before-rewind-1 is not frozen/);
    it.accept('FreezeNamespace', { name: aside, reason: 'x' });
    expect(it.answer('SwapNamespaces', it.swap())).toMatch(/is frozen by operator: it changes/);
    it.freeze(aside);
    it.accept('SwapNamespaces', it.swap({ keys: undefined, digest: undefined }));
    expect(it.of('shop')).toMatchObject({ number: 3, binlog: then.binlog, bornAs: 'shop', frozenBy: owner });
    expect(it.of(aside)).toMatchObject({ number: 3, binlog: now.binlog, frozenBy: 'operator' });
    expect(it.chunks('shop')).toEqual(it.before);
    expect([problemsOf(it.state), it.of('shop').leftPositions]).toEqual([[], []]);
    it.freeze('shop');
    it.freeze(aside);
    expect(it.answer('SwapNamespaces', it.swap())).toMatch(/is not what shop held before it was rewound/);
  });

  it('changes nothing when it is given again, under its id and under another', () => {
    const it = new Rewound().begin();
    const payload = it.swap();
    const first = it.submit('SwapNamespaces', payload, { id: 'once' });
    expect(it.submit('SwapNamespaces', payload, { id: 'once' }).outcome).toEqual(first.outcome);
    expect(it.answer('SwapNamespaces', payload)).toMatch(/^NAMESPACE_UNKNOWN: there is no active namespace shop#1/);
    expect(it.of('shop').number).toBe(2);
  });

  it.each([
    ['before the freeze is confirmed', { thaw: true }, {}, /shop is frozen by rewind shop, not confirmed yet/],
    ['without what it was filled with', {}, { digest: 'x' }, /^BAD_COMMAND: keys and digest/],
    ['with too few positions', {}, { positions: [1] }, /^BAD_COMMAND: positions has 1 offsets, shop has 4/],
    ['of another creation', {}, { number: 9 }, /^NAMESPACE_UNKNOWN: there is no active namespace shop#9/],
    ['with what is not there', {}, { other: 'else' }, /^NAMESPACE_UNKNOWN: there is no namespace else#1/],
    ['with a namespace of its own', {}, { other: 'own' }, /^NAMESPACE_NOT_READY: own is not what shop held/],
    ['for who cannot read it', {}, { heard: [{ process: 'portal p1', featureLevel: 5 }] }, /^NODE_TOO_OLD: portal p1/],
  ])('is refused %s', (_what, { thaw }: { thaw?: boolean }, but, why) => {
    const it = new Rewound().begin();
    it.namespace('own', { partitions: 4 });
    if (thaw === true) {
      it.accept('ThawNamespace', { name: 'shop', owner });
      it.accept('FreezeNamespace', { name: 'shop', reason: 'back', owner });
    }
    expect(it.answer('SwapNamespaces', it.swap(but))).toMatch(why);
    expect([it.chunks('shop'), it.of('shop').number]).toEqual([it.before, 1]);
  });

  it('waits for plans, and for the topic of another history window', () => {
    const it = new Rewound().begin();
    it.accept('ProposePlan', { kind: 'split', chunkId: it.before[0] });
    expect(it.answer('SwapNamespaces', it.swap())).toMatch(/^PLAN_CONFLICT: .* p\d+ \(split, /);
    const plan = [...it.state.openPlans()][0]?.planId;
    it.accept('CancelPlan', { planId: plan });
    it.accept('AlterNamespace', { name: 'shop', historyWindowMs: 5_000 });
    expect(it.answer('SwapNamespaces', it.swap())).toMatch(/^NAMESPACE_NOT_READY: the topic of shop gets/);
  });

  it('gives no name, number, binlog or chunk twice, whatever is deleted and made afterwards', () => {
    const it = new Rewound().begin();
    const all = new Set([...it.chunks('shop'), ...it.chunks(aside)]);
    const binlogs = new Set([it.of('shop').binlog, it.of(aside).binlog]);
    it.accept('SwapNamespaces', it.swap());
    // [safety] A portal that has not heard of it would answer from the other binlog.
    expect(it.answer('ThawNamespace', { name: 'shop', owner })).toMatch(
      /^NAMESPACE_NOT_READY: shop has changed places/,
    );
    const { frozenSeq } = it.of('shop');
    it.accept('ConfirmFreeze', { name: 'shop', number: 2, frozenSeq, portals: [] });
    it.accept('ThawNamespace', { name: 'shop', owner });
    for (const name of ['shop', aside]) {
      it.accept('DeleteNamespace', { name });
      it.accept('FinishDeletion', { name, number: 2 });
      for (const chunkId of it.namespace(name, { partitions: 4, chunks: 3 }).map((chunk) => chunk.chunkId)) {
        expect(all.has(chunkId)).toBe(false);
        all.add(chunkId);
      }
      const { binlog, number, bornAs, leftPositions } = it.of(name);
      expect([binlogs.has(binlog), number, bornAs, leftPositions]).toEqual([false, 3, null, []]);
      binlogs.add(binlog);
    }
  });

  it('numbers the chunks of a split by its creation, not by the name that it has', () => {
    const it = new Rewound().begin();
    it.accept('SwapNamespaces', it.swap());
    it.accept('ProposePlan', { kind: 'split', chunkId: it.chunks('shop')[0] });
    const plan = [...it.state.openPlans()][0];
    expect(plan?.targets.map(({ chunkId }) => chunkId)).toEqual([`${aside}#1/c00004`, `${aside}#1/c00005`]);
    expect(plan?.namespace).toBe('shop');
  });

  it('is asked for by its creation from then on: no name means one binlog here and another there', () => {
    const it = new Rewound().begin();
    const named = (name: string) => it.state.namespace(name);
    const [was, fork] = [it.of('shop'), it.of(aside)];
    expect([askedAs(was), creationAsked(named, 'shop')]).toEqual(['shop', 'shop#1']);
    it.accept('SwapNamespaces', it.swap());
    const [now, then] = [it.of('shop'), it.of(aside)];
    expect([creationIdOf(now), creationIdOf(then)]).toEqual([creationIdOf(fork), creationIdOf(was)]);
    expect([askedAs(now), askedAs(then)]).toEqual([`@${aside}#1 shop#2`, `@shop#1 ${aside}#2`]);
    // Who has not heard of it says the name; who has is understood by who has not.
    expect([creationAsked(named, 'shop'), creationAsked(named, aside)]).toEqual([undefined, undefined]);
    expect(creationAsked(() => was, askedAs(then))).toBe('shop#1');
    // Who has not heard of the next one is refused too: the name has been written to in another binlog since.
    expect(creationAsked(named, askedAs(then))).toBe('shop#1');
    const later = (name: string) => ({ ...it.of(name), number: 3 });
    expect(creationAsked(later, askedAs(then))).toBeUndefined();
    expect(bornOf(now)).toEqual({ name: aside, number: 1 });
  });
});
