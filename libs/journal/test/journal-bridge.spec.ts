import { encode } from '@levee/codec';
import type { Claim, Command, Decision } from '@levee/events';
import { decideBatch } from '@levee/master';
import { nodeRegistration } from '../../master/test/control-plane';
import { claimLink, decisionLink, JournalChain, JournalFold, type JournalRecord } from '../src';
import { bridgeKind } from '../src/record/journal-bridge';

type Bare = Pick<JournalRecord, 'value' | 'headers'>;

const clusterId = 'c0ffee00-0000-4000-8000-000000000000';
const principal = 'node n1';
const command = (kind: string, payload: unknown): Command => ({
  ...{ id: `${kind} ${JSON.stringify(payload).length} ${ids++}`, kind, payload: JSON.stringify(payload) },
  principal: kind === 'InitCluster' ? 'master m1' : principal,
  submittedAtMs: 1_000,
});
let ids = 0;

const claim = (term: number): Bare => {
  const of: Claim = { term, instance: 'm1', nonce: `n${term}`, producerId: 7, epoch: term, clusterId, claimedAtMs: 1 };
  return { value: encode('Claim', of), headers: [claimLink(of)] };
};

/** What a master writes at this place: one decision of each command. */
function decided(fold: JournalFold, term: number, commands: readonly Command[]): Bare[] {
  const pending = commands.map((each, i) => ({
    command: each,
    offset: each.kind === 'InitCluster' ? -1 : fold.position.commandsOffset + 1 + i,
  }));
  const batch = decideBatch(fold, pending, { nowMs: 1_000, term, topicPrefix: 'levee' });
  return batch.records.map(({ value, headers = [] }) => ({ value, headers }));
}

const register = (nodeId: string): Command => ({
  ...command('RegisterNode', { ...nodeRegistration(nodeId, 1).payload, httpAddress: `127.0.0.1:${7_500 + ids}` }),
  principal: `node ${nodeId}`,
});

function apply(fold: JournalFold, records: readonly Bare[]) {
  return records.map((record) => fold.apply({ ...record, offset: fold.position.nextOffset }));
}

/** `front` has read the first decisions alone, `whole` all of them, and both the claim of the next term. */
function separated(): { front: JournalFold; whole: JournalFold } {
  const [front, whole] = [new JournalFold(), new JournalFold()];
  for (const fold of [front, whole]) apply(fold, [claim(1)]);
  const first = [...decided(whole, 1, [command('InitCluster', { clusterId }), register('n1'), register('n2')])];
  for (const fold of [front, whole]) apply(fold, first);
  apply(whole, decided(whole, 1, [register('n3'), register('n1')]));
  front.chain.passTo(whole.position.nextOffset);
  for (const fold of [front, whole]) apply(fold, [claim(2)]);
  return { front, whole };
}

/** Everything that `whole` says, without the node n2: as if one of the decisions that are gone had removed it. */
function bridgeOver(whole: JournalFold, over: Partial<Decision> = {}): Bare {
  const table = whole.table.draft();
  const events: Buffer[] = [];
  for (const [key, bytes] of whole.table.entries())
    if (/n2/.test(key)) table.set(key, undefined);
    else events.push(bytes);
  const decision: Decision = {
    ...{ seq: whole.position.seq + 5, term: 2, decidedAtMs: 1, commandOffset: 40, events },
    ...{ rejectionCode: null, rejectionMessage: null, command: { ...command(bridgeKind, {}), principal: 'repair' } },
    ...{ stateDigest: table.digest, previousSha256: whole.position.previousSha256 },
    ...over,
  };
  return { value: encode('Decision', decision), headers: [decisionLink(decision)] };
}

test('whoever comes from before the stretch and whoever has read past it are the same behind a bridge', () => {
  const { front, whole } = separated();
  const bridge = bridgeOver(whole);
  const { seq } = whole.position;
  const [[ofFront], [ofWhole]] = [apply(front, [bridge]), apply(whole, [bridge])];
  expect(front.position).toEqual(whole.position);
  expect(front.position).toMatchObject({ seq: seq + 5, term: 2, commandsOffset: 40, clusterId });
  expect([front.digest, [...front.state.events()].length]).toEqual([whole.digest, [...whole.state.events()].length]);
  expect([...front.state.nodes()].map(({ nodeId }) => nodeId).sort()).toEqual(['n1', 'n3']);
  // Each is told what was not so before.
  const told = (folded: typeof ofFront): string[] =>
    folded?.kind === 'adopted'
      ? folded.adopted.events
          .map((event) => (event.kind === 'removed' ? `-${event.entity.entity}/${event.entity.key}` : event.kind))
          .filter((each) => each !== 'outcome')
          .sort()
      : [];
  expect(told(ofWhole).filter((each) => !each.startsWith('-outcome'))).toEqual(['-node/n2', '-unit/n2/u00']);
  expect(told(ofFront)).toEqual(expect.arrayContaining(['-node/n2', '-unit/n2/u00', 'node', 'node', 'unit']));

  const next = decided(whole, 2, [register('n4')]);
  for (const fold of [front, whole]) apply(fold, next);
  expect([front.position, front.digest]).toEqual([whole.position, whole.digest]);
  expect(front.state.node('n4')).toBeDefined();
});

test('a bridge changes nothing a second time, in an older term, in one that nobody claimed, or too far ahead', () => {
  const { front, whole } = separated();
  const bridge = bridgeOver(whole);
  for (const fold of [front, whole]) {
    const { seq } = whole.position;
    for (const [over, kind] of [
      [{ term: 1 }, 'void'],
      [{ term: 3 }, 'foreign'],
      [{ seq: 1 }, 'foreign'],
      [{ seq: seq + 2_000_000_000 }, 'foreign'],
    ] as const) {
      const { digest } = fold;
      expect(apply(fold, [bridgeOver(whole, over)])).toMatchObject([{ kind }]);
      expect(fold.digest).toBe(digest);
    }
  }
  for (const fold of [front, whole]) {
    expect(apply(fold, [bridge, bridge])).toMatchObject([{ kind: 'adopted' }, { kind: 'foreign' }]);
    apply(fold, [claim(3)]);
    expect(apply(fold, [bridge])).toMatchObject([{ kind: 'void' }]);
  }
  expect(front.position).toEqual(whole.position);
});

test('a command of that kind, which anybody may submit, is refused, and bridges nothing', () => {
  const { whole } = separated();
  const { digest } = whole;
  const [record] = decided(whole, 2, [command(bridgeKind, {})]);
  const [folded] = apply(whole, [record as Bare]);
  expect(folded).toMatchObject({ kind: 'adopted', adopted: { decision: { rejectionCode: 'UNKNOWN_KIND' } } });
  expect(whole.state.node('n2')).toBeDefined();
  expect(whole.digest).not.toBe(digest);
});

test('a bridge of a newer version makes every reader stand still that it is for', () => {
  const { front, whole } = separated();
  const { headers } = bridgeOver(whole);
  const unreadable = {
    value: Buffer.from('c301ffffffffffffffff00', 'hex'),
    ...(headers === undefined ? {} : { headers }),
  };
  for (const { position } of [front, whole]) {
    const at = (of: object): unknown =>
      new JournalChain({ ...position, ...of }).accept({ ...unreadable, offset: position.nextOffset });
    expect(() => at({})).toThrow(/in force and cannot be read here.*start a newer version/);
    expect(at({ seq: whole.position.seq + 5 })).toMatchObject({ kind: 'foreign' });
    expect(at({ term: 3 })).toMatchObject({ kind: 'foreign' });
  }
});

test('what comes before it is proven by it', () => {
  const { whole } = separated();
  expect(whole.chain.provenTo).toBeLessThan(whole.position.nextOffset);
  apply(whole, [bridgeOver(whole)]);
  expect(whole.chain.provenTo).toBe(whole.position.nextOffset);
});
