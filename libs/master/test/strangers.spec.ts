import { randomUUID } from 'node:crypto';
import { findingsOf, quarantineCounts } from '@levee/audit';
import { decodeAs, encode } from '@levee/codec';
import type { Claim, Decision, Quarantined } from '@levee/events';
import { type ClusterView, readToEnd, submit } from '@levee/journal';
import { asPartition } from '@levee/kernel';
import type { LogRecord } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world, type TestMaster } from './control-plane';
import { eventually } from './eventually';

const partition = asPartition(0);

let log: EmbeddedLog;
let view: ClusterView;
let master: TestMaster;

beforeEach(async () => {
  log = await openLog();
  master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  view = await openView(log);
  await run(log, view, nodeRegistration('n1'));
});

afterEach(async () => {
  await view.close();
  await master.close();
  await log.close();
});

async function valuesOf(topic: string): Promise<(Buffer | null)[]> {
  const values: (Buffer | null)[] = [];
  await readToEnd(log, topic, {
    clock: world.clock,
    deadlineMs: 5_000,
    onBatch: ({ records }) => values.push(...records.map(({ value }) => value && Buffer.from(value))),
  });
  return values;
}

const claimOf = (over: Partial<Claim>): Buffer =>
  encode('Claim', {
    term: view.term + 1,
    instance: 'stranger',
    nonce: randomUUID(),
    producerId: 1,
    epoch: 1,
    clusterId: view.clusterId ?? '',
    claimedAtMs: 1,
    ...over,
  });

const decisionOf = (over: Partial<Decision>): Buffer => {
  const { seq, term, previousSha256, commandsOffset } = view.journal.position;
  return encode('Decision', {
    seq: seq + 1,
    term,
    decidedAtMs: 1,
    command: { id: randomUUID(), kind: 'CordonNode', payload: '{}', principal: 'stranger', submittedAtMs: 1 },
    commandOffset: commandsOffset + 1,
    rejectionCode: null,
    rejectionMessage: null,
    events: [],
    stateDigest: view.journal.digest,
    previousSha256,
    ...over,
  });
};

const strangers: readonly (readonly [string, () => Promise<Buffer | null>])[] = [
  ['garbage', () => Promise.resolve(Buffer.from('no record at all'))],
  ['a tombstone', () => Promise.resolve(null)],
  ['an exact copy of the last decision', async () => (await valuesOf(topics.journal)).at(-1) ?? null],
  ['an old decision', async () => (await valuesOf(topics.journal))[1] ?? null],
  ['a claim of the highest term there is', () => Promise.resolve(claimOf({ term: 2_147_483_647 }))],
  ['a claim that skips terms', () => Promise.resolve(claimOf({ term: view.term + 2 }))],
  ['a claim of another cluster', () => Promise.resolve(claimOf({ clusterId: 'another' }))],
  ['a decision of the right term with another seq', () => Promise.resolve(decisionOf({ seq: view.seq + 2 }))],
  ['a decision of the right term and seq', () => Promise.resolve(decisionOf({ previousSha256: 'ab'.repeat(32) }))],
  ['a decision of a term to come', () => Promise.resolve(decisionOf({ term: view.term + 1 }))],
  ['a record of another kind', async () => (await valuesOf(topics.commands))[0] ?? null],
];

test.each(strangers)('%s in the journal stops nobody, is copied to quarantine once, and told', async (_what, made) => {
  const value = await made();
  const term = view.term;
  const { baseOffset } = await log.append(topics.journal, partition, [{ key: null, value }]);
  expect(await run(log, view, nodeRegistration('n2'))).toMatchObject({ rejectionCode: null });
  expect(view.stats()).toMatchObject({ foreignRecords: 1, term });
  expect(view.problem).toBeUndefined();
  expect(view.foreign).toMatchObject([{ offset: baseOffset }]);

  const copies = async (): Promise<Quarantined[]> =>
    (await valuesOf(topics.quarantine)).map((copy) => decodeAs('Quarantined', copy ?? Buffer.alloc(0)));
  await eventually('it is in quarantine', async () => (await copies()).length === 1);
  expect((await copies())[0]).toMatchObject({ topic: topics.journal, partition: 0, offset: baseOffset, value });
  const counts = await quarantineCounts(log, topics.quarantine, { clock: world.clock, namespaces: [] });
  const facts = { log, brokers: '', nodes: [], namespaces: [], seq: 1, nowMs: 1, quarantined: counts.found };
  expect(findingsOf(facts)).toMatchObject([{ rule: 'foreign-in-journal', subject: topics.journal }]);

  // The next master reads it too, from a checkpoint or from the journal's start.
  await master.close();
  master = await startMaster(log, { instance: 'm2', claimAtOnce: true });
  expect(await run(log, view, nodeRegistration('n3'))).toMatchObject({ rejectionCode: null });
  expect(view.term).toBe(term + 1);
  const booted = await openView(log);
  expect(booted.journal.digest).toBe(view.journal.digest);
  expect(booted.journal.position).toEqual(view.journal.position);
  await booted.close();
  await run(log, view, nodeRegistration('n4'));
  expect(await copies()).toHaveLength(1);
});

test('a claim of the next term by nobody ends the reign, and the master claims again', async () => {
  const { term } = view;
  await log.append(topics.journal, partition, [{ key: null, value: claimOf({}) }]);
  expect(await run(log, view, nodeRegistration('n2'))).toMatchObject({ rejectionCode: null });
  expect(view.term).toBe(term + 2);
});

test('I7: a decision of somebody else in the place of the own one is never acknowledged as the own one', async () => {
  const reign = master.master.candidacy.reign!;
  const forged: LogRecord = { key: null, value: decisionOf({ commandOffset: -1 }) };
  // It comes between the master's look at the state and its append.
  const append = log.append.bind(log);
  const writer = (reign as unknown as { taken: { writer: { append: typeof log.append } } }).taken.writer;
  const own = writer.append.bind(writer);
  writer.append = async (...args) => {
    if (args[0] === topics.journal) await append(topics.journal, partition, [forged]);
    return own(...args);
  };
  await expect(reign.own('RegisterNode', nodeRegistration('n2').payload)).rejects.toMatchObject({ code: 'FENCED' });
  expect(reign.isOver).toBe(true);
  expect(view.state.node('n2')).toBeUndefined();
  // The command of a client that got no answer is decided by the next reign.
  const id = await submit(log, topics, { ...nodeRegistration('n5') });
  expect(await view.outcome(id, 10_000)).toMatchObject({ rejectionCode: null });
});
