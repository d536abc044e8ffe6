import { randomUUID } from 'node:crypto';
import { decide } from '@levee/cluster';
import { decodeAs, encode } from '@levee/codec';
import { checkpointKey, type ClusterView, encodeEvent, JournalFold, readToEnd, submit } from '@levee/journal';
import { asOffset, asPartition } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { type Candidacy, Reign, takeOver } from '../src';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world, type TestMaster } from './control-plane';
import { close, closeAll, keep } from './opened';

let log: EmbeddedLog;

beforeEach(async () => {
  log = await openLog();
});

afterEach(async () => {
  await closeAll();
  await log.close();
});

const partition = asPartition(0);
const active = ({ master }: TestMaster): Candidacy | undefined =>
  master.candidacy.role === 'active' ? master.candidacy : undefined;

async function eventually<T>(look: () => T | undefined, what: string): Promise<T> {
  const giveUpAt = performance.now() + 10_000;
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    if (performance.now() > giveUpAt) throw new Error(`${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function decisionsOf(
  of: Log,
): Promise<{ seq: number; term: number; commandId: string; commandOffset: number }[]> {
  const fold = new JournalFold();
  const decisions: { seq: number; term: number; commandId: string; commandOffset: number }[] = [];
  await readToEnd(of, topics.journal, {
    clock: world.clock,
    deadlineMs: 10_000,
    onBatch: ({ records }) => {
      for (const record of records) {
        const folded = fold.apply(record);
        if (folded.kind !== 'adopted') continue;
        const { seq, term, command, commandOffset } = folded.adopted.decision;
        decisions.push({ seq, term, commandId: command.id, commandOffset });
      }
    },
  });
  return decisions;
}

test('one of two candidates serves; when it goes, the other serves the next term', async () => {
  // Of a silence that no pause of this process is taken for.
  const limits = { heartbeatMs: 30, silenceMs: 800, reclaimMs: 3_600_000 };
  const first = await startMaster(log, { instance: 'm1', limits });
  const second = keep(await startMaster(log, { instance: 'm2', limits }));
  await eventually(() => active(first) ?? active(second), 'a reign');
  await new Promise((resolve) => setTimeout(resolve, limits.silenceMs * 2));
  const serving = [first, second].filter((one) => active(one) !== undefined);
  expect(serving).toHaveLength(1);
  const [gone, left] = serving[0] === first ? [first, second] : [second, first];
  if (left === first) keep(first);
  const { term } = gone.master.view;
  await gone.close();
  await eventually(() => active(left), 'the takeover');
  expect(left.master.view.term).toBeGreaterThan(term);
});

test('of many commands over several takeovers each is decided exactly once, in order', async () => {
  let current = await startMaster(log, { instance: 'm0', claimAtOnce: true });
  const view = keep(await openView(log));
  const ids: string[] = [];
  for (let round = 0; round < 4; round++) {
    const burst = Array.from({ length: 50 }, () => randomUUID());
    ids.push(...burst);
    const writing = burst.map((id) => submit(log, topics, { ...nodeRegistration('n1'), id }));
    const next = await startMaster(log, { instance: `m${round + 1}`, claimAtOnce: true });
    await Promise.all(writing);
    await current.close();
    current = next;
  }
  keep(current);
  for (const id of ids) await view.outcome(id, 10_000);
  const decided = (await decisionsOf(log)).filter(({ commandOffset }) => commandOffset >= 0);
  expect(decided.map(({ commandId }) => commandId)).toEqual([...new Set(decided.map(({ commandId }) => commandId))]);
  expect(decided.map(({ commandOffset }) => commandOffset)).toEqual(decided.map((_, i) => i));
  expect(new Set(decided.map(({ commandId }) => commandId))).toEqual(new Set(ids));
});

test('a deposed master is refused by the log, gives up, and decides nothing more', async () => {
  const old = keep(await startMaster(log, { instance: 'old', claimAtOnce: true }));
  const reign = await eventually(() => active(old)?.reign, 'the first reign');
  const view = keep(await openView(log));
  const taken = await takeOver(log, topics, { view, instance: 'new', clock: world.clock });
  expect(taken.term).toBe(reign.term + 1);
  await expect(reign.own('RegisterNode', nodeRegistration('n1').payload)).rejects.toMatchObject({ code: 'FENCED' });
  expect(reign.isOver).toBe(true);
  expect(view.state.node('n1')).toBeUndefined();
});

/** A view of a cluster with node n1, whose only master has stopped. */
async function afterTheFirstReign(): Promise<ClusterView> {
  const master = keep(await startMaster(log, { instance: 'm1', claimAtOnce: true }));
  await eventually(() => active(master), 'the first reign');
  const view = keep(await openView(log));
  await run(log, view, nodeRegistration('n1'));
  await close(master);
  return view;
}

test('I7: a decision written after a higher claim is void for every reader, whatever the log let in', async () => {
  const view = await afterTheFirstReign();
  const { seq, term, previousSha256, commandsOffset } = view.journal.position;
  const digest = view.journal.digest;
  const zombie = encode('Decision', {
    seq: seq + 1,
    term,
    decidedAtMs: 1,
    command: { id: randomUUID(), kind: 'RegisterNode', payload: '{}', principal: 'zombie', submittedAtMs: 1 },
    commandOffset: commandsOffset + 1,
    rejectionCode: null,
    rejectionMessage: null,
    events: [],
    stateDigest: digest,
    previousSha256,
  });
  await takeOver(log, topics, { view, instance: 'm2', clock: world.clock });
  await log.append(topics.journal, partition, [{ key: null, value: zombie }]);
  await view.readToEnd(5_000);
  expect(view.journal.position).toMatchObject({ seq, term: term + 1, commandsOffset });
  expect(view.stats().voidRecords).toBe(1);
  expect(view.problem).toBeUndefined();
});

test('a decision of a newer version is where an older process stands still: it is not at the end, and so never claims', async () => {
  const view = await afterTheFirstReign();
  const { position, digest } = view.journal;
  const newer = encodeEvent({ kind: 'node', entity: view.state.node('n1')! });
  newer[2]! ^= 0xff;
  const decision = encode('Decision', {
    seq: position.seq + 1,
    term: position.term,
    decidedAtMs: 1,
    command: { id: randomUUID(), kind: 'CordonNode', payload: '{}', principal: 'newer', submittedAtMs: 1 },
    commandOffset: position.commandsOffset + 1,
    rejectionCode: null,
    rejectionMessage: null,
    events: [encodeEvent({ kind: 'node', entity: { ...view.state.node('n1')!, httpAddress: 'elsewhere:1' } }), newer],
    stateDigest: digest,
    previousSha256: position.previousSha256,
  });
  await log.append(topics.journal, partition, [{ key: null, value: decision }]);
  await eventually(() => view.problem, 'the older process saying so');
  await expect(view.readToEnd(1_000)).rejects.toMatchObject({ code: 'DEADLINE' });
  expect(view.problem).toMatch(/the journal cannot be followed: .*fingerprint/);
  expect([view.journal.position, view.journal.digest]).toEqual([position, digest]);
  expect(view.state.node('n1')?.httpAddress).toBe('127.0.0.1:7500');
});

test('of two claims with one term the first is in force, and the second stands by', async () => {
  await openTopics();
  const view = keep(await openView(log));
  const rival = encode('Claim', {
    term: 1,
    instance: 'rival',
    nonce: 'rival',
    producerId: 0,
    epoch: 0,
    clusterId: randomUUID(),
    claimedAtMs: 1,
  });
  const racing: Log = Object.create(log, {
    fencedWriter: {
      value: async (id: string) => {
        const writer = await log.fencedWriter(id);
        const append: typeof writer.append = async (...own) => {
          await log.append(topics.journal, partition, [{ key: null, value: rival }]);
          return writer.append(...own);
        };
        return { ...writer, append };
      },
    },
  }) as Log;
  await expect(takeOver(racing, topics, { view, instance: 'late', clock: world.clock })).rejects.toMatchObject({
    code: 'FENCED',
  });
  expect(view.claim?.instance).toBe('rival');
});

test('a command whose decision throws is recorded as INTERNAL, and the next one is decided', async () => {
  const poisoned: typeof decide = (state, command, context) => {
    if (command.payload.includes('poison')) throw new TypeError('unexpected');
    return decide(state, command, context);
  };
  keep(await startMaster(log, { instance: 'm1', claimAtOnce: true, decide: poisoned }));
  const view = keep(await openView(log));
  const poison = await run(log, view, { kind: 'CreateNamespace', payload: { name: 'poison' } });
  expect(poison).toMatchObject({ rejectionCode: 'INTERNAL', rejectionMessage: expect.stringContaining('unexpected') });
  expect(await run(log, view, nodeRegistration('n1'))).toMatchObject({ rejectionCode: null });
});

test('an event that cannot be replayed never reaches the journal', async () => {
  const broken: typeof decide = (state, command, context) => {
    const verdict = decide(state, command, context);
    const events = verdict.events.map((event) =>
      event.kind === 'unit' ? { ...event, entity: { ...event.entity, state: 'allocated' as const } } : event,
    );
    return { ...verdict, events };
  };
  keep(await startMaster(log, { instance: 'm1', claimAtOnce: true, decide: broken }));
  const view = keep(await openView(log));
  expect((await run(log, view, nodeRegistration('n1', 1))).rejectionCode).toBe('INTERNAL');
  expect(view.state.node('n1')).toBeUndefined();
});

async function openTopics(): Promise<void> {
  const master = await startMaster(log, {
    instance: 'm0',
    limits: { heartbeatMs: 1_000, silenceMs: 60_000, reclaimMs: 1e9 },
  });
  await master.close();
}

test('a master claims again when its claim grows old, and goes on serving', async () => {
  const limits = { heartbeatMs: 30, silenceMs: 150, reclaimMs: 200 };
  const master = keep(await startMaster(log, { instance: 'm1', claimAtOnce: true, limits }));
  const view = keep(await openView(log));
  await view.until(() => (view.term >= 3 ? true : undefined), 10_000, 'the third claim');
  expect(await run(log, view, nodeRegistration('n1'))).toMatchObject({ rejectionCode: null });
  expect(master.master.view.problem).toBeUndefined();
});

test('the compacted topics hold the entities and a checkpoint; a view boots from them without the old journal', async () => {
  const master = keep(await startMaster(log, { instance: 'm1', claimAtOnce: true }));
  const view = keep(await openView(log));
  for (let i = 0; i < 20; i++) await run(log, view, nodeRegistration(`n${i}`));
  await eventually(
    () => (master.master.candidacy.reign?.projections.seq === view.seq ? true : undefined),
    'projections',
  );
  const booted = keep(await openView(log));
  expect(booted.boot).toMatchObject({ source: 'checkpoint', journalRecords: 0 });
  expect(booted.journal.digest).toBe(view.journal.digest);
  expect(booted.journal.position).toEqual(view.journal.position);
  expect([...booted.state.nodes()]).toEqual([...view.state.nodes()]);
});

test('I8: a view that finds the digest wrong folds the journal; the next master rewrites what differs', async () => {
  const first = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  const view = keep(await openView(log));
  await run(log, view, nodeRegistration('n1'));
  await run(log, view, nodeRegistration('n2'));
  await first.close();
  const foreign = { ...view.state.node('n1')!, respAddress: '10.0.0.1:1' };
  await log.append(topics.metadata, partition, [
    { key: Buffer.from('node/n1'), value: encode('NodeState', foreign) },
    { key: Buffer.from('node/n2'), value: null, headers: [{ key: 'seq', value: Buffer.from('999') }] },
  ]);
  const doubting = keep(await openView(log));
  expect(doubting.boot).toMatchObject({ source: 'journal' });
  expect(doubting.journal.digest).toBe(view.journal.digest);

  const second = keep(await startMaster(log, { instance: 'm2', claimAtOnce: true }));
  const reign = await eventually(() => active(second)?.reign, 'the second reign');
  await eventually(() => (reign.projections.seq === view.seq ? true : undefined), 'projections');
  expect(reign.projections.rewrittenEntities).toBe(2);
  const booted = keep(await openView(log));
  expect(booted.boot).toMatchObject({ source: 'checkpoint' });
  expect(booted.state.node('n1')).toEqual(view.state.node('n1'));
});

test('a projection that stopped half way is caught up from the journal by its readers', async () => {
  const first = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  const view = keep(await openView(log));
  for (let i = 0; i < 5; i++) await run(log, view, nodeRegistration(`n${i}`));
  const before = await eventually(() => first.master.candidacy.reign, 'the reign');
  await eventually(() => (before.projections.seq === view.seq ? true : undefined), 'projections');
  await first.close();
  // A master that dies between the entities and their checkpoint.
  const writing = await takeOver(log, topics, { view, instance: 'm2', clock: world.clock });
  const reign = new Reign(log, writing, { ...world, topics, view, instance: 'm2' });
  const { payload, ...facts } = nodeRegistration('late');
  const command = { ...facts, id: randomUUID(), payload: JSON.stringify(payload), submittedAtMs: Date.now() };
  await reign.decide([{ command, offset: -1 }]);
  const late = encodeEvent({ kind: 'node', entity: view.state.node('late')! });
  await writing.writer.append(topics.metadata, partition, [{ key: Buffer.from('node/late'), value: late }]);
  reign.end('killed');

  const booted = keep(await openView(log));
  expect(booted.boot).toMatchObject({ source: 'checkpoint' });
  expect(booted.journal.digest).toBe(view.journal.digest);
});

test('checkpoints name the position they were written at', async () => {
  const master = keep(await startMaster(log, { instance: 'm1', claimAtOnce: true }));
  const view = keep(await openView(log));
  await run(log, view, nodeRegistration('n1'));
  await eventually(
    () => (master.master.candidacy.reign?.projections.seq === view.seq ? true : undefined),
    'projections',
  );
  for (const topic of [topics.metadata, topics.routes, topics.plans]) {
    const values: Buffer[] = [];
    await readToEnd(log, topic, {
      clock: world.clock,
      deadlineMs: 5_000,
      onBatch: ({ records }) => {
        for (const { key, value } of records) if (key?.toString() === checkpointKey) values.push(Buffer.from(value!));
      },
    });
    const { seq, digest, journalOffset, previousSha256 } = decodeAs('Checkpoint', values.at(-1)!);
    expect({ seq, digest, previousSha256 }).toEqual({
      seq: view.seq,
      digest: view.journal.digest,
      previousSha256: view.journal.position.previousSha256,
    });
    expect(asOffset(journalOffset)).toBe(view.journal.position.nextOffset);
  }
});
