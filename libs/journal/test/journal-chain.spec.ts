import fc from 'fast-check';
import { encode } from '@levee/codec';
import type { Claim, Command, Decision } from '@levee/events';
import { asOffset } from '@levee/kernel';
import type { LogHeader } from '@levee/log';
import { decideBatch } from '@levee/master';
import { nodeRegistration } from '../../master/test/control-plane';
import { claimLink, decisionLink, JournalChain, JournalFold, type JournalRecord } from '../src';

/** A failure prints its seed; the full run tries ten times as many. */
const numRuns = process.env.LEVEE_TEST_FULL === '1' ? 1_000 : 100;

type Bare = Pick<JournalRecord, 'value' | 'headers'>;

const clusterId = 'c0ffee00-0000-4000-8000-000000000000';

const claim = (term: number, over: Partial<Claim> = {}): Claim => ({
  term,
  instance: `m${term}`,
  nonce: `nonce-${term}`,
  producerId: 7,
  epoch: term,
  clusterId,
  claimedAtMs: term,
  ...over,
});

const claimRecord = (of: Claim): Bare => ({ value: encode('Claim', of), headers: [claimLink(of)] });

let commands = 0;
const command = (kind: string, payload: unknown): Command => ({
  id: `command-${commands++}`,
  kind,
  payload: JSON.stringify(payload),
  principal: kind === 'InitCluster' ? 'master m1' : 'node n1',
  submittedAtMs: 1_000,
});

/** What masters wrote: `terms` reigns of `perTerm` decisions each, with what those before them wrote too late. */
function honestJournal(terms: number, perTerm: number): { records: Bare[]; void: number } {
  const fold = new JournalFold();
  const records: Bare[] = [];
  let voids = 0;
  const write = (record: Bare, isVoid = false): void => {
    fold.apply({ ...record, offset: asOffset(records.length) });
    records.push(record);
    if (isVoid) voids++;
  };
  for (let term = 1; term <= terms; term++) {
    const late = term === 1 ? [] : decided(fold, term - 1, 1);
    write(claimRecord(claim(term)));
    for (const record of late) write(record, true);
    write(claimRecord(claim(term, { instance: 'second', nonce: 'second' })), true);
    for (const record of decided(fold, term, perTerm)) write(record);
  }
  return { records, void: voids };
}

function decided(fold: JournalFold, term: number, count: number): Bare[] {
  const asked = Array.from({ length: count }, (_, i) => {
    if (fold.position.seq + i === 0) return { offset: -1, command: command('InitCluster', { clusterId }) };
    const registration = { ...nodeRegistration('n1', 1).payload, httpAddress: `127.0.0.1:${7000 + commands}` };
    return { offset: fold.position.commandsOffset + 1 + i, command: command('RegisterNode', registration) };
  });
  const batch = decideBatch(fold, asked, { nowMs: 1_000, term, topicPrefix: 'levee' });
  return batch.records.map(({ value, headers = [] }) => ({ value, headers }));
}

function placed(records: readonly Bare[]): JournalRecord[] {
  return records.map((record, i) => ({ ...record, offset: asOffset(i) }));
}

const journal = honestJournal(4, 5);

/** Those in force: one that came too late would have been in force in time. */
const decisions = ((chain) =>
  placed(journal.records).flatMap((record) => (chain.accept(record).kind === 'decision' ? [record.value] : [])))(
  new JournalChain(),
);

const badLink: LogHeader = { key: 'levee-link', value: Buffer.from('decision 2 99 nonsense') };

/** What strangers put into a journal without knowing where it stands. */
const strangers: Readonly<Record<string, fc.Arbitrary<Bare>>> = {
  garbage: fc.uint8Array({ maxLength: 60 }).map((bytes) => ({ value: Buffer.from(bytes), headers: [] })),
  'a frame of a schema unknown here': fc.constant({
    value: Buffer.from('c301ffffffffffffffff00', 'hex'),
    headers: [badLink],
  }),
  tombstone: fc.constant({ value: null }),
  'an old decision once more': fc.constantFrom(...decisions).map((value) => ({ value })),
  'a claim of an absurd term': fc.constant(claimRecord(claim(2_147_483_647))),
  'a claim that skips terms': fc.integer({ min: 6, max: 90 }).map((term) => claimRecord(claim(term))),
  'a claim of another cluster': fc
    .integer({ min: 1, max: 6 })
    .map((term) => claimRecord(claim(term, { clusterId: 'another' }))),
  'a decision that names another predecessor': fc
    .record({ term: fc.integer({ min: 1, max: 6 }), seq: fc.integer({ min: 1, max: 25 }) })
    .map(({ term, seq }) => decisionOf({ term, seq, previousSha256: 'ab'.repeat(32) })),
  'another record': fc.constant({ value: encode('Command', command('RegisterNode', {})) }),
};

function decisionOf(over: Partial<Decision>): Bare {
  const decision: Decision = {
    seq: 1,
    term: 1,
    decidedAtMs: 1,
    command: command('RegisterNode', {}),
    commandOffset: 10_000,
    rejectionCode: null,
    rejectionMessage: null,
    events: [Buffer.from('no event')],
    stateDigest: '0'.repeat(32),
    previousSha256: '0'.repeat(64),
    ...over,
  };
  return { value: encode('Decision', decision), headers: [decisionLink(decision)] };
}

/** Folds `records`, telling the chain where batches end. */
function folded(records: readonly JournalRecord[], fold = new JournalFold(), batchEnds = new Set<number>()) {
  for (const record of records) {
    fold.apply(record);
    if (batchEnds.has(record.offset)) fold.chain.passTo(asOffset(record.offset + 1));
  }
  return fold;
}

const honest = folded(placed(journal.records));

describe('which records of the journal are in force', () => {
  test('of an honest journal every claim and decision is, and what came too late is void', () => {
    expect(honest.position).toMatchObject({ seq: 20, term: 4, commandsOffset: 19, clusterId });
    expect(honest.chain.voidRecords).toBe(journal.void);
    expect(honest.chain.foreignRecords).toBe(0);
  });

  test.each(Object.keys(strangers))('%s changes nothing, wherever it stands', (kind) => {
    fc.assert(
      fc.property(strangers[kind]!, fc.integer({ min: 1, max: journal.records.length }), (stranger, at) => {
        const fold = folded(placed([...journal.records.slice(0, at), stranger, ...journal.records.slice(at)]));
        expect({ ...fold.position, nextOffset: 0 }).toEqual({ ...honest.position, nextOffset: 0 });
        expect(fold.digest).toBe(honest.digest);
        expect(fold.chain.foreignRecords + fold.chain.voidRecords).toBe(journal.void + 1);
      }),
      { numRuns: Math.ceil(numRuns / 4) },
    );
  });

  test('I6: two folds never differ, wherever they begin and however batches are cut', () => {
    const anything = fc.oneof(...Object.values(strangers));
    const interleaved = fc.array(fc.record({ at: fc.nat(journal.records.length - 1), stranger: anything }), {
      minLength: 1,
      maxLength: 25,
    });
    fc.assert(
      fc.property(interleaved, fc.nat(), fc.uniqueArray(fc.nat(60)), (extra, from, cuts) => {
        // The first claim stays first: a journal belongs to whose claim it begins with.
        const mixed = journal.records.flatMap((record, i) => [
          record,
          ...extra.filter(({ at }) => at === i).map(({ stranger }) => stranger),
        ]);
        const records = placed(mixed);
        const whole = folded(records);
        expect(whole.chain.foreignRecords + whole.chain.voidRecords).toBe(journal.void + extra.length);
        expect(whole.digest).toBe(honest.digest);
        expect({ ...whole.position, nextOffset: 0 }).toEqual({ ...honest.position, nextOffset: 0 });

        // A checkpoint anywhere, as a master writes it: what stands in the table, and where the chain stands.
        const start = 1 + (from % (records.length - 1));
        const before = folded(records.slice(0, start), new JournalFold(), new Set(cuts));
        const later = new JournalChain(before.position);
        for (const record of records.slice(start)) later.accept(record);
        expect(later.position).toEqual(whole.position);
        const resumed = folded(records.slice(start), before, new Set(cuts));
        expect(resumed.position).toEqual(whole.position);
        expect(resumed.digest).toBe(whole.digest);
      }),
      { numRuns },
    );
  });

  test('a record of a newer version that is next makes the reader stand still, and only that one', () => {
    const unreadable = Buffer.from('c301ffffffffffffffff00', 'hex');
    const { term, seq, previousSha256, nextOffset } = honest.position;
    const nobodys = { command: command('RegisterNode', {}) };
    const next = (over: object): JournalRecord => ({
      offset: nextOffset,
      value: unreadable,
      headers: [decisionLink({ ...nobodys, term, seq: seq + 1, previousSha256, ...over } as Decision)],
    });
    const at = (record: JournalRecord) => new JournalChain(honest.position).accept(record);
    expect(() => at(next({}))).toThrow(/in force and cannot be read here.*start a newer version/);
    for (const over of [{ term: term - 1 }, { term: term + 1 }, { seq }, { previousSha256: 'ab'.repeat(32) }])
      expect(at(next(over))).toMatchObject({ kind: 'foreign' });
    const newClaim = (over: Partial<Claim>) => ({ ...next({}), headers: [claimLink(claim(term + 1, over))] });
    expect(() => at(newClaim({}))).toThrow(/in force and cannot be read here/);
    expect(at(newClaim({ term: term + 2 }))).toMatchObject({ kind: 'foreign' });
    expect(at(newClaim({ clusterId: 'another' }))).toMatchObject({ kind: 'foreign' });
  });

  test('a decision that is next and holds an event of a newer version makes the reader stand still', () => {
    const { term, seq, previousSha256, nextOffset } = honest.position;
    const record = decisionOf({ term, seq: seq + 1, previousSha256 });
    expect(() => new JournalChain(honest.position).accept({ ...record, offset: nextOffset })).toThrow();
  });
});
