import { encode } from '@levee/codec';
import { asPartition, type Logger, silentLogger } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import {
  nodeRegistration,
  openLog,
  openView,
  run,
  startMaster,
  topics,
  type TestMaster,
  world,
} from '../../master/test/control-plane';
import { eventually } from '../../master/test/eventually';
import { close, closeAll, keep } from '../../master/test/opened';
import { ClusterView, type OutsideWitness, seenHeaders, submit } from '../src';
import { cutCopy, recordsOf, SwitchedLog } from './cut-log';

let log: EmbeddedLog;
let view: ClusterView;

/** What is kept of nothing but the journal and the commands. */
const withoutCompacted = { [topics.metadata]: 0, [topics.routes]: 0, [topics.plans]: 0, [topics.heartbeats]: 0 };

/** A cluster of nodes n1 to n4 whose processes have stopped; its compacted topics hold everything. */
beforeEach(async () => {
  log = keep(await openLog());
  const master = keep(await startMaster(log, { instance: 'm1', claimAtOnce: true }));
  view = keep(await openView(log));
  for (const nodeId of ['n1', 'n2', 'n3', 'n4']) await run(log, view, nodeRegistration(nodeId, 2));
  await close(master);
});

afterEach(async () => {
  await closeAll();
});

/** A master that tries to claim again and again, and what it says. */
async function startDoubting(on: Log): Promise<TestMaster & { refusals: () => number }> {
  let refusals = 0;
  const warn = (facts: object): void => {
    if (/JOURNAL_SHORT/.test(String((facts as { error?: Error }).error?.message))) refusals++;
  };
  const logger = { ...silentLogger, warn, error: warn } as Logger;
  const master = keep(await startMaster(on, { instance: 'm2', claimAtOnce: true, logger }));
  return { ...master, refusals: () => refusals };
}

const endOf = async (on: Log, topic: string): Promise<number> => (await on.offsets(topic))[0]?.endOffset ?? -1;

/** No master reigns: nothing is written to journal and compacted topics, however often it tries. */
async function expectNoReign(on: Log, said: RegExp): Promise<TestMaster> {
  const before = await endOf(on, topics.journal);
  const metadata = await endOf(on, topics.metadata);
  const doubting = await startDoubting(on);
  await submit(on, topics, { ...nodeRegistration('n9', 1) });
  await eventually('it has tried to claim', () => doubting.refusals() >= 2);
  expect(doubting.master.view.short).toMatch(said);
  expect(doubting.master.view.problem).toMatch(said);
  expect(doubting.master.candidacy.role).not.toBe('active');
  expect([await endOf(on, topics.journal), await endOf(on, topics.metadata)]).toEqual([before, metadata]);
  return doubting;
}

const nodesIn = (of: ClusterView): string[] => [...of.state.nodes()].map(({ nodeId }) => nodeId).sort();

test('a journal that lost its end has no master, and processes that start know what the compacted topics know', async () => {
  const records = (await recordsOf(log, topics.journal)).length;
  const cut = keep(await cutCopy(log, { [topics.journal]: records - 2 }));
  await expectNoReign(
    cut,
    /JOURNAL_SHORT: levee\.journal.* has lost its end: .*seen decision 5 of term 1.*audit repair/,
  );
  const booted = keep(await openView(cut));
  expect(nodesIn(booted)).toEqual(['n1', 'n2', 'n3', 'n4']);
  expect(booted.journal.digest).toBe(view.journal.digest);
  expect(booted.short).toMatch(/JOURNAL_SHORT/);
});

test('a journal that is empty has no master either', async () => {
  await expectNoReign(keep(await cutCopy(log, { [topics.journal]: 0 })), /JOURNAL_SHORT/);
});

test('where the compacted topics are of different moments, what is left of the journal is the state', async () => {
  const records = (await recordsOf(log, topics.journal)).length;
  const metadata = await recordsOf(log, topics.metadata);
  const lastNode = metadata.findLastIndex(({ key }) => key?.toString() === 'node/n4');
  const cut = keep(await cutCopy(log, { [topics.journal]: records - 2, [topics.metadata]: lastNode + 1 }));
  await expectNoReign(cut, /JOURNAL_SHORT/);
  const booted = keep(await openView(cut));
  expect(nodesIn(booted)).toEqual(['n1', 'n2']);
});

test('a claim that only the compacted topics know is one that the journal has lost', async () => {
  const second = keep(await startMaster(log, { instance: 'm2', claimAtOnce: true }));
  await eventually('the second reign', () => second.master.candidacy.role === 'active');
  await close(second);
  const records = (await recordsOf(log, topics.journal)).length;
  await expectNoReign(keep(await cutCopy(log, { [topics.journal]: records - 1 })), /JOURNAL_SHORT/);
});

test('a journal that was cut and has grown again with other decisions is told by its SHA-256', async () => {
  const records = (await recordsOf(log, topics.journal)).length;
  const regrown = keep(await cutCopy(log, { [topics.journal]: records - 2, ...withoutCompacted }));
  const other = keep(await startMaster(regrown, { instance: 'm3', claimAtOnce: true }));
  const otherView = keep(await openView(regrown));
  for (const nodeId of ['x1', 'x2', 'x3', 'x4']) await run(regrown, otherView, nodeRegistration(nodeId, 2));
  await close(other);
  const mixed = keep(await cutCopy(log, { [topics.journal]: 0 }));
  await mixed.append(topics.journal, asPartition(0), await recordsOf(regrown, topics.journal));
  await expectNoReign(mixed, /JOURNAL_SHORT.*holds no decision 5 with SHA-256/);
});

test('a running master whose journal loses its end gives up, and nobody follows another history', async () => {
  const records = (await recordsOf(log, topics.journal)).length;
  const cut = await cutCopy(log, { [topics.journal]: records - 2 });
  const whole = await cutCopy(log);
  const { log: switched, to } = SwitchedLog.over(whole);
  const running = keep(await startMaster(switched, { instance: 'm2', claimAtOnce: true }));
  const watching = keep(await openView(switched));
  expect(await run(switched, watching, nodeRegistration('n5', 1))).toMatchObject({ rejectionCode: null });
  const reign = running.master.candidacy.reign!;
  const intact = await cutCopy(whole);
  const { position, digest } = watching.journal;
  await to(cut);
  await eventually('the reign is over', () => reign.isOver);
  await eventually('the view knows', () => watching.short !== undefined);
  const journal = await recordsOf(cut, topics.journal);
  // Somebody writes until the journal is longer than it was.
  const garbage = Array(10).fill({ key: null, value: Buffer.from('grown again') });
  await cut.append(topics.journal, asPartition(0), garbage);
  await eventually('it looks again', async () => (await endOf(cut, topics.journal)) > position.nextOffset);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(watching.short).toMatch(/JOURNAL_SHORT/);
  expect([watching.journal.position, watching.journal.digest]).toEqual([position, digest]);
  expect(await recordsOf(cut, topics.journal)).toHaveLength(journal.length + garbage.length);

  await to(keep(intact));
  await eventually('the view goes on', () => watching.short === undefined);
  await eventually('a master reigns again', () => (running.master.candidacy.reign?.term ?? 0) > reign.term);
  expect(watching.problem).toBeUndefined();
});

/** As a node says it that has seen the whole journal. */
const beatOf = (nodeId: string, seen: { seq: number; term: number; clusterId: string | undefined }): LogRecord => ({
  key: Buffer.from(`node/${nodeId}`),
  value: encode('Heartbeat', {
    kind: 'node',
    id: nodeId,
    incarnation: 'i',
    address: '127.0.0.1:1',
    sentAtMs: 1,
    featureLevel: 2,
    positions: [],
    loads: [],
    moves: [],
    freeDiskBytes: -1,
    errors: [],
  }),
  headers: seenHeaders(seen),
});

test('a heartbeat that has seen more than the journal holds keeps every master from reigning', async () => {
  const records = (await recordsOf(log, topics.journal)).length;
  const cut = keep(await cutCopy(log, { [topics.journal]: records - 1, ...withoutCompacted }));
  const { seq, term, clusterId } = view.journal.position;
  await cut.append(topics.heartbeats, asPartition(0), [beatOf('n1', { seq, term, clusterId })]);
  const doubting = await startDoubting(cut);
  await eventually('it has tried to claim', () => doubting.refusals() >= 2);
  expect(doubting.master.candidacy.problem).toMatch(/JOURNAL_SHORT.*node n1 has seen decision 5 of term 1/);
  expect(doubting.master.candidacy.role).not.toBe('active');
  expect(await recordsOf(cut, topics.journal)).toHaveLength(records - 1);
});

test('a node that comes late and has seen more ends the reign', async () => {
  const records = (await recordsOf(log, topics.journal)).length;
  const cut = keep(await cutCopy(log, { [topics.journal]: records - 1, ...withoutCompacted }));
  const master = await startDoubting(cut);
  await eventually('the reign', () => master.master.candidacy.role === 'active');
  const reign = master.master.candidacy.reign!;
  const { seq, term, clusterId } = view.journal.position;
  const heard = async (): Promise<boolean> => {
    await cut.append(topics.heartbeats, asPartition(0), [beatOf('n1', { seq: seq + 10, term, clusterId })]);
    return reign.isOver;
  };
  await eventually('the reign is over', heard);
  await eventually('no other begins', () => master.master.candidacy.problem !== undefined);
  expect(master.master.candidacy.problem).toMatch(/JOURNAL_SHORT.*node n1 has seen decision 15/);
});

test.each([
  ['of another cluster', { seq: 99, term: 9, clusterId: 'another' }],
  ['of what is in the journal', { seq: 5, term: 1, clusterId: undefined }],
  ['of what nobody can have seen', { seq: 10, term: 2_000_000_000, clusterId: undefined }],
])('a heartbeat %s stops nobody', async (_what, said) => {
  const clusterId = said.clusterId ?? view.clusterId;
  await log.append(topics.heartbeats, asPartition(0), [beatOf('n1', { ...said, clusterId })]);
  const master = keep(await startMaster(log, { instance: 'm2', claimAtOnce: true }));
  await eventually('the reign', () => master.master.candidacy.role === 'active');
  expect(await run(log, view, nodeRegistration('n8', 1))).toMatchObject({ rejectionCode: null });
});

test('offsets of commands are never used twice: a topic that lost its end is filled up', async () => {
  const cut = keep(await cutCopy(log, { [topics.commands]: 1 }));
  const master = keep(await startMaster(cut, { instance: 'm2', claimAtOnce: true }));
  await eventually('the reign', () => master.master.candidacy.role === 'active');
  const watching = keep(await openView(cut));
  expect(await run(cut, watching, nodeRegistration('n7', 1))).toMatchObject({ rejectionCode: null });
  expect(watching.journal.position.commandsOffset).toBe(4);
});

describe('what the disks beside a master have kept', () => {
  const disk = (seq: number, clusterId: string | undefined) => [
    { seq, term: 1, clusterId, who: 'the disk of node n1' },
  ];

  /** Everything that the log says is of one older moment: only a disk has seen more. */
  const olderCopy = async (): Promise<EmbeddedLog> => {
    const records = (await recordsOf(log, topics.journal)).length;
    return keep(await cutCopy(log, { [topics.journal]: records - 1, ...withoutCompacted }));
  };

  const startBeside = async (on: Log, known: readonly OutsideWitness[]): Promise<TestMaster> =>
    keep(await startMaster(on, { instance: 'm2', claimAtOnce: true, known }));

  test('keeps it from claiming from the first moment, and every other process from clearing anything', async () => {
    const cut = await olderCopy();
    const before = await endOf(cut, topics.journal);
    const master = await startBeside(cut, disk(5, view.clusterId));
    expect(master.master.view.short).toMatch(/JOURNAL_SHORT: .* ends at decision 4 .* the disk of node n1 has seen/);
    await eventually('it has tried', () => master.master.candidacy.problem !== undefined);
    expect(master.master.candidacy.problem).toMatch(/JOURNAL_SHORT/);
    expect(await endOf(cut, topics.journal)).toBe(before);
  });

  test('also where nothing at all is left of the journal', async () => {
    const empty = keep(await cutCopy(log, { [topics.journal]: 0, ...withoutCompacted }));
    const master = await startBeside(empty, disk(5, view.clusterId));
    await eventually('it has tried', () => master.master.candidacy.problem !== undefined);
    expect(await endOf(empty, topics.journal)).toBe(0);
  });

  test('ends with the decision that was missed', async () => {
    const cut = await olderCopy();
    const watching = keep(new ClusterView(cut, topics, world));
    watching.know(disk(5, view.clusterId));
    await watching.start();
    expect(watching.short).toMatch(/JOURNAL_SHORT/);
    await cut.append(topics.journal, asPartition(0), (await recordsOf(log, topics.journal)).slice(-1));
    await eventually('the journal is whole', () => watching.short === undefined);
    expect(watching.problem).toBeUndefined();
    watching.know(disk(6, view.clusterId));
    expect(watching.short).toMatch(/has seen decision 6/);
  });

  test.each([
    ['of another cluster', { seq: 99, clusterId: 'another' }],
    ['of no cluster', { seq: 99, clusterId: undefined }],
    ['of what is in the journal', { seq: 5, clusterId: 'this' }],
  ])('stops nobody when it is %s', async (_what, { seq, clusterId }) => {
    const known = disk(seq, clusterId === 'this' ? view.clusterId : clusterId);
    const master = await startBeside(log, known);
    await eventually('the reign', () => master.master.candidacy.role === 'active');
  });
});
