import fc from 'fast-check';
import { decode, encode } from '@levee/codec';
import type { Decision } from '@levee/events';
import { asOffset, asPartition, silentLogger } from '@levee/kernel';
import { systemNewId, type FencedWriter, type Log, type StoredRecord } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { examineJournal, repairJournal, type RepairPlan } from '@levee/master';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world } from '../../master/test/control-plane';
import { eventually } from '../../master/test/eventually';
import { close, closeAll, keep } from '../../master/test/opened';
import { type ClusterView, JournalFold } from '../src';
import { readToEnd } from '../src/topics/read-topic';
import { cutCopy, recordsOf } from './cut-log';
import { type Hole, withHoles } from './log-with-holes';

/** Each draw copies a log, repairs it and folds it from everywhere. */
const numRuns = process.env.LEVEE_TEST_FULL === '1' ? 120 : 12;
const repairWorld = { clock: world.clock, newId: systemNewId, logger: silentLogger };

/** A cluster of two terms whose processes have stopped. */
let log: EmbeddedLog;
let view: ClusterView;
/** Of the journal, as it was written. */
let records: StoredRecord[];
/** Records of the journal after each step. */
let at: { first: number; nodes: number; created: number; term: number; deleted: number; end: number };

beforeAll(async () => {
  log = await openLog();
  const length = async (): Promise<number> => (await recordsOf(log, topics.journal)).length;
  const first = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  view = await openView(log);
  await run(log, view, nodeRegistration('n1', 8));
  const steps = { first: await length() };
  for (const nodeId of ['n2', 'n3']) await run(log, view, nodeRegistration(nodeId, 8));
  const nodes = await length();
  for (const name of ['shop', 'stock']) {
    await run(log, view, { kind: 'CreateNamespace', payload: { name, partitions: 2, chunks: 2, replicas: 2 } });
    await view.until(() => (view.state.namespace(name)?.state === 'active' ? true : undefined), 10_000, name);
  }
  const created = await length();
  await first.close();
  const second = await startMaster(log, { instance: 'm2', claimAtOnce: true });
  await run(log, view, { kind: 'MaintainNode', payload: { nodeId: 'n1', forMs: 600_000 } });
  const term = await length();
  await run(log, view, { kind: 'DeleteNamespace', payload: { name: 'stock' } });
  await view.until(() => (view.state.namespace('stock')?.state === 'deleted' ? true : undefined), 10_000, 'deleted');
  const deleted = await length();
  await run(log, view, nodeRegistration('n4', 1));
  await run(log, view, nodeRegistration('n5', 1));
  await second.close();
  await view.close();
  records = await storedIn(log);
  at = { ...steps, nodes, created, term, deleted, end: records.length };
});

afterEach(closeAll);
afterAll(() => log.close());

async function storedIn(of: Log): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  await readToEnd(of, topics.journal, {
    clock: world.clock,
    deadlineMs: 10_000,
    onBatch: (batch) => void all.push(...batch.records),
  });
  return all;
}

const hole = (from: number, to: number): Hole => ({ from: asOffset(from), to: asOffset(to) });
const holed = async (holes: readonly Hole[], keeps: Readonly<Record<string, number>> = {}) =>
  withHoles(keep(await cutCopy(log, keeps)), topics.journal, holes);

function decisionIn(record: { readonly value: Buffer | null } | undefined): Decision {
  const decoded = decode(record?.value ?? Buffer.alloc(0));
  if (decoded.name !== 'Decision') throw new Error(`a ${decoded.name}`);
  return decoded.record;
}

const examine = (of: Log) => examineJournal(of, topics, world);
const look = async (of: Log): Promise<RepairPlan> => (await examine(of)).plan;
const repair = async (of: Log): Promise<void> =>
  repairJournal(of, topics, { examined: await examine(of), world: repairWorld });

const entitiesOf = ({ table }: JournalFold): Map<string, string> =>
  new Map([...table.entries()].map(([key, bytes]) => [key, bytes.toString('hex')]));

/** Who had read to `offset` when it was whole, and goes on with what can be read now. */
function resumed(offset: number, now: readonly StoredRecord[]): JournalFold {
  const fold = new JournalFold();
  for (const record of records.slice(0, offset)) fold.apply(record);
  for (const record of now) if (record.offset >= offset) fold.apply(record);
  return fold;
}

/** [safety] Wherever a reader began or stands, it comes to the same decision, chain and state. */
async function foldsAgree(of: Log): Promise<JournalFold> {
  const now = await storedIn(of);
  const whole = resumed(0, now);
  for (let offset = 1; offset <= records.length; offset++) {
    const fold = resumed(offset, now);
    expect([offset, fold.position, fold.digest]).toEqual([offset, whole.position, whole.digest]);
    expect(entitiesOf(fold)).toEqual(entitiesOf(whole));
    expect([...fold.state.events()].length).toBe(fold.table.size);
  }
  return whole;
}

/** It is healthy, and goes on. */
async function reigns(of: Log, node: string): Promise<ClusterView> {
  expect(await look(of)).toMatchObject({ kind: 'nothing', holes: [] });
  const booted = keep(await openView(of));
  expect([booted.short, booted.boot]).toMatchObject([undefined, { source: 'checkpoint', hole: undefined }]);
  const master = keep(await startMaster(of, { instance: 'm3', claimAtOnce: true }));
  expect(await run(of, booted, nodeRegistration(node, 1))).toMatchObject({ rejectionCode: null });
  await eventually('the reign', () => master.master.candidacy.role === 'active');
  await close(master);
  return booted;
}

/** What each case says is in `at` only once the cluster has run. */
const places: readonly [string, () => Hole[]][] = [
  ['at its very start', () => [hole(0, at.first)]],
  ['of a single decision', () => [hole(at.nodes + 1, at.nodes + 2)]],
  ['in which nodes were registered', () => [hole(at.first, at.nodes)]],
  ['in which namespaces were created and routes switched', () => [hole(at.nodes, at.created)]],
  ['across a change of terms', () => [hole(at.created - 1, at.term)]],
  ['in which a namespace was deleted', () => [hole(at.term, at.deleted)]],
  ['twice', () => [hole(2, at.nodes), hole(at.created, at.deleted)]],
  ['nearly everywhere', () => [hole(0, at.end - 1)]],
];

describe.each(places)('a journal that cannot be read %s', (_where, holes) => {
  test('has a master, by the checkpoint behind it, and loses nothing by a repair', async () => {
    const { log: of, struck, passed } = await holed(holes());
    const before = keep(await openView(of));
    expect([before.short, before.journal.digest]).toEqual([undefined, view.journal.digest]);
    const plan = await look(of);
    expect(struck()).toBeGreaterThan(0);
    expect(plan).toMatchObject({
      kind: 'restore',
      decisions: 1,
      why: expect.stringMatching(/is proven by its digest/),
    });
    expect(plan.holes).toHaveLength(holes().length);
    await repair(of);
    expect(passed()).toBe(holes().length);
    const whole = await foldsAgree(of);
    expect(entitiesOf(whole)).toEqual(entitiesOf(view.journal));
    expect(whole.position).toMatchObject({
      ...{ seq: view.seq + 1, term: view.term + 1, clusterId: view.clusterId },
      commandsOffset: view.journal.position.commandsOffset,
    });
    const booted = await reigns(of, 'n6');
    expect((await foldsAgree(of)).position).toMatchObject({ seq: booted.seq });
  });
});

test('a stretch that held the end is given back by the checkpoint; until then nobody reigns, and that is said', async () => {
  const { log: of } = await holed([hole(at.deleted, at.end)]);
  const master = keep(await startMaster(of, { instance: 'm3', claimAtOnce: true }));
  const booted = keep(await openView(of));
  expect(booted.short).toMatch(
    /^JOURNAL_SHORT: levee\.journal cannot be read at offsets \d+ to \d+ .* levee audit repair/,
  );
  expect(booted.journal.digest).toBe(view.journal.digest);
  await eventually('it refuses', () => master.master.candidacy.problem !== undefined);
  expect(master.master.candidacy.problem).toMatch(/JOURNAL_SHORT/);
  await close(master);
  expect(await look(of)).toMatchObject({ kind: 'restore', claims: 1, decisions: 1 });
  await repair(of);
  expect(entitiesOf(await foldsAgree(of))).toEqual(entitiesOf(view.journal));
  await reigns(of, 'n6');
});

test('without checkpoints the journal stands before the stretch; what follows it proves the state', async () => {
  const keeps = { [topics.metadata]: 0, [topics.routes]: 0, [topics.plans]: 0 };
  // A namespace that was deleted within it is in no topic any more, and in no later decision.
  const { log: of } = await holed([hole(at.deleted, at.deleted + 1)], keeps);
  const booted = keep(await openView(of));
  expect(booted.short).toMatch(/cannot be read/);
  expect(booted.seq).toBeLessThan(view.seq);
  const plan = await look(of);
  expect(plan).toMatchObject({ kind: 'accept-loss', why: expect.stringMatching(/is not proven/) });
  await repair(of);
  const whole = await foldsAgree(of);
  expect(whole.state.node('n4')).toBeUndefined();
  expect(whole.state.node('n5')).toBeDefined();
  expect(whole.state.identity).toMatchObject({ change: 'LossAccepted', seq: view.seq + 1 });
  await reigns(of, 'n6');
});

test('I10: decisions of which nobody knows count as lost: no number is given twice', async () => {
  const metadata = await recordsOf(log, topics.metadata);
  const half = metadata.findLastIndex(({ key }) => key?.toString() === 'node/n4') + 1;
  const keeps = { [topics.metadata]: half, [topics.routes]: 0, [topics.plans]: 0, [topics.heartbeats]: 0 };
  const { log: of } = await holed([hole(at.nodes, at.end)], keeps);
  const plan = await look(of);
  expect(plan).toMatchObject({ kind: 'accept-loss' });
  await repair(of);
  const whole = await foldsAgree(of);
  expect(whole.position.seq).toBeGreaterThan(view.seq);
  expect(whole.state.identity).toMatchObject({ change: 'LossAccepted', seq: whole.position.seq });
  await reigns(of, 'n6');
});

test('a stretch that held nothing in force is passed over, and nothing is decided', async () => {
  const copy = keep(await cutCopy(log, { [topics.journal]: 0 }));
  const all = await recordsOf(log, topics.journal);
  const strange = { key: null, value: Buffer.from('by a stranger') };
  await copy.append(topics.journal, asPartition(0), [...all.slice(0, at.nodes), strange, ...all.slice(at.nodes)]);
  const { log: of, passed } = withHoles(copy, topics.journal, [hole(at.nodes, at.nodes + 1)]);
  expect(await look(of)).toMatchObject({ kind: 'pass-over', claims: 0, decisions: 0 });
  await repair(of);
  expect([passed(), (await storedIn(of)).length]).toEqual([1, at.end]);
  expect(entitiesOf(resumed(0, await storedIn(of)))).toEqual(entitiesOf(view.journal));
});

test('a stretch that a broker cannot read is named, not repaired, and everything goes on once it can', async () => {
  const holes = [hole(at.deleted, at.end)];
  const { log: of, mend } = withHoles(keep(await cutCopy(log)), topics.journal, holes, { brokers: 'k1:9092' });
  const booted = keep(await openView(of));
  expect(booted.short).toMatch(/^JOURNAL_SHORT: levee\.journal cannot be read from offset \d+ on .*--brokers k1:9092/);
  expect(booted.journal.digest).toBe(view.journal.digest);
  await expect(examine(of)).rejects.toMatchObject({
    code: 'JOURNAL_DAMAGED',
    message: expect.stringMatching(/nothing was changed.*kafka-leader-election\.sh/) as string,
  });
  mend();
  expect(await storedIn(of)).toHaveLength(at.end);
  await eventually('it goes on', () => booted.short === undefined, 10_000);
  const master = keep(await startMaster(of, { instance: 'm3', claimAtOnce: true }));
  await eventually('the reign', () => master.master.candidacy.role === 'active');
});

test('a process that meets a stretch while it runs is short only when it does not pass', async () => {
  const { log: of, strike, mend } = await holed([]);
  const master = await startMaster(of, { instance: 'm3', claimAtOnce: true });
  const following = keep(await openView(of));
  await run(of, following, nodeRegistration('n6', 1));
  await close(keep(master));
  const end = following.journal.position.nextOffset;
  strike(hole(end, end + 1));
  await of.append(topics.journal, asPartition(0), [{ key: null, value: Buffer.from('anything') }]);
  await eventually('it is short', () => following.short !== undefined, 10_000);
  expect(following.short).toMatch(/cannot be read at offsets/);
  mend();
  await eventually('it goes on', () => following.short === undefined, 10_000);
});

test('what a deposed master, or a stranger, wrote behind a stretch is not what is in force', async () => {
  const copy = keep(await cutCopy(log, { [topics.journal]: 0 }));
  const all = await recordsOf(log, topics.journal);
  const late = { ...decisionIn(all[at.created - 1]), seq: 9_000, events: [] };
  const garbage = { ...late, seq: 9_001, events: [Buffer.from('no event')] };
  const foreign = [late, garbage].map((decision) => ({ key: null, value: encode('Decision', decision) }));
  await copy.append(topics.journal, asPartition(0), [...all.slice(0, at.term), ...foreign, ...all.slice(at.term)]);
  const { log: of } = withHoles(copy, topics.journal, [hole(at.created - 1, at.term)]);
  expect(await look(of)).toMatchObject({ kind: 'restore' });
  await repair(of);
  expect(entitiesOf(resumed(0, await storedIn(of)))).toEqual(entitiesOf(view.journal));
});

test('damage again, behind a bridge and before it, is repaired again', async () => {
  const { log: of, strike } = await holed([hole(at.nodes, at.created)]);
  await repair(of);
  await reigns(of, 'n6');
  strike(hole(at.end, at.end + 2));
  strike(hole(1, at.first));
  expect(await look(of)).toMatchObject({ kind: 'restore' });
  const { digest } = keep(await openView(of)).journal;
  await repair(of);
  expect((await foldsAgree(of)).digest).toBe(digest);
  await reigns(of, 'n7');
});

test.each([
  ['the middle', () => [hole(at.nodes, at.created)]],
  ['the end', () => [hole(at.deleted, at.end)]],
])(
  'a repair of %s that ends anywhere goes on when it is given again',
  async (_where, holes) => {
    for (let steps = 0; ; steps++) {
      const { log: of } = await holed(holes());
      let left = steps;
      const step = (): void => {
        if (left-- === 0) throw new Error('the process ended');
      };
      const ending = Object.create(of, {
        fencedWriter: {
          value: async (id: string): Promise<FencedWriter> => {
            const writer = await of.fencedWriter(id);
            const append: FencedWriter['append'] = async (...args) => {
              step();
              return writer.append(...args);
            };
            return { ...writer, append, close: () => writer.close() };
          },
        },
        passOver: {
          value: async (...args: Parameters<Log['passOver']>) => {
            step();
            return of.passOver(...args);
          },
        },
      }) as Log;
      const ended = await repair(ending).then(
        () => false,
        (error: Error) => error.message === 'the process ended',
      );
      // A master may reign between the two.
      const between = await startMaster(of, { instance: 'm3', claimAtOnce: true });
      await eventually('it reigns or refuses', () => {
        const { role, problem } = between.master.candidacy;
        return role === 'active' || problem !== undefined;
      });
      await between.close();
      if ((await look(of)).kind !== 'nothing') await repair(of);
      expect(entitiesOf(await foldsAgree(of))).toEqual(entitiesOf(view.journal));
      await reigns(of, 'n6');
      await closeAll();
      if (!ended) {
        expect(steps).toBeGreaterThan(3);
        return;
      }
    }
  },
  60_000,
);

test('two folds never differ, whatever stretches are gone and whatever else is lost', async () => {
  const stretch = fc.tuple(fc.nat(99), fc.integer({ min: 1, max: 40 }));
  const lost = fc.subarray([topics.metadata, topics.routes, topics.plans, topics.heartbeats]);
  const draw = fc.tuple(fc.array(stretch, { minLength: 1, maxLength: 3 }), lost, fc.nat(100), fc.nat());
  await fc.assert(
    fc.asyncProperty(draw, async ([stretches, topicsLost, share, again]) => {
      const holes: Hole[] = [];
      for (const [start, length] of [...stretches].sort((a, b) => a[0] - b[0])) {
        const from = Math.max(Math.floor((start * at.end) / 100), (holes.at(-1)?.to ?? -1) + 1);
        if (from < at.end) holes.push(hole(from, Math.min(at.end, from + Math.ceil((length * at.end) / 100))));
      }
      const keeps: Record<string, number> = {};
      for (const topic of topicsLost) keeps[topic] = Math.floor(((await recordsOf(log, topic)).length * share) / 100);
      const { log: of, struck, strike } = await holed(holes, keeps);
      // A cluster that nothing names any more is not repaired.
      const known = await examine(of).then(({ clusterId }) => clusterId);
      expect(struck()).toBeGreaterThan(0);
      if (known === undefined) return;
      await repair(of);
      const whole = await foldsAgree(of);
      expect(whole.position.seq).toBeGreaterThanOrEqual(topicsLost.length === 0 ? view.seq : 0);
      if (topicsLost.length === 0) expect(entitiesOf(whole)).toEqual(entitiesOf(view.journal));
      await reigns(of, 'n6');
      const { endOffset } = (await of.offsets(topics.journal))[0]!;
      strike(hole(again % endOffset, Math.min(endOffset, (again % endOffset) + 3)));
      await repair(of);
      await foldsAgree(of);
      await reigns(of, 'n7');
      await closeAll();
    }),
    { numRuns },
  );
}, 120_000);
