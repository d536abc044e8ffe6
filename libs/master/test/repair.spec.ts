import { type ClusterView } from '@levee/journal';
import { asPartition, silentLogger } from '@levee/kernel';
import { systemNewId, type FencedWriter, type Log } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { cutCopy, recordsOf, SwitchedLog } from '../../journal/test/cut-log';
import { examineJournal, repairJournal, type RepairPlan } from '../src';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world } from './control-plane';
import { eventually } from './eventually';
import { close, closeAll, keep } from './opened';

let log: EmbeddedLog;
let view: ClusterView;
/** Records of the journal after each step of `beforeEach`. */
let after: { nodes: number; namespace: number; end: number };
/** Records of the commands' topic once the nodes are registered. */
let commandsOfNodes: number;

const repairWorld = { clock: world.clock, newId: systemNewId, logger: silentLogger };

beforeEach(async () => {
  log = keep(await openLog());
  const master = keep(await startMaster(log, { instance: 'm1', claimAtOnce: true }));
  view = keep(await openView(log));
  for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId, 8));
  const nodes = (await recordsOf(log, topics.journal)).length;
  commandsOfNodes = (await recordsOf(log, topics.commands)).length;
  for (const name of ['shop', 'stock']) {
    await run(log, view, { kind: 'CreateNamespace', payload: { name, partitions: 2, chunks: 2, replicas: 2 } });
    await view.until(() => (view.state.namespace(name)?.state === 'active' ? true : undefined), 10_000, name);
  }
  const namespace = (await recordsOf(log, topics.journal)).length;
  await run(log, view, { kind: 'MaintainNode', payload: { nodeId: 'n1', forMs: 600_000 } });
  await run(log, view, { kind: 'DeleteNamespace', payload: { name: 'stock' } });
  await view.until(() => (view.state.namespace('stock')?.state === 'deleted' ? true : undefined), 10_000, 'deleted');
  await run(log, view, nodeRegistration('n4', 1));
  after = { nodes, namespace, end: (await recordsOf(log, topics.journal)).length };
  await close(master);
});

afterEach(async () => {
  await closeAll();
});

const look = async (on: Log): Promise<RepairPlan> => (await examineJournal(on, topics, world)).plan;

async function repair(on: Log): Promise<void> {
  await repairJournal(on, topics, { examined: await examineJournal(on, topics, world), world: repairWorld });
}

const entitiesOf = (of: ClusterView): Map<string, string> =>
  new Map([...of.journal.table.entries()].map(([key, bytes]) => [key, bytes.toString('hex')]));

test('a whole journal needs no repair, and a repair changes nothing', async () => {
  const before = await recordsOf(log, topics.journal);
  expect(await look(log)).toMatchObject({ kind: 'nothing', decisions: 0 });
  await repair(log);
  expect(await recordsOf(log, topics.journal)).toEqual(before);
});

test.each(['nodes', 'namespace'] as const)(
  'what a journal cut after its %s has lost comes back from the compacted topics, and masters reign again',
  async (point) => {
    const cut = keep(await cutCopy(log, { [topics.journal]: after[point] }));
    const { seq, term } = view.journal.position;
    const plan = await look(cut);
    expect(plan).toMatchObject({ kind: 'restore', decisions: seq - plan.seq, claims: 1 });
    expect(plan.decisions).toBe(after.end - after[point]);
    expect(await recordsOf(cut, topics.journal)).toHaveLength(after[point]);

    await repair(cut);
    expect(await look(cut)).toMatchObject({ kind: 'nothing', seq, term: term + 1 });
    const booted = keep(await openView(cut));
    expect(booted.boot).toMatchObject({ source: 'checkpoint', short: undefined });
    expect(entitiesOf(booted)).toEqual(entitiesOf(view));
    expect(booted.journal.position.commandsOffset).toBe(view.journal.position.commandsOffset);
    keep(await startMaster(cut, { instance: 'm2', claimAtOnce: true }));
    expect(await run(cut, booted, nodeRegistration('n5', 1))).toMatchObject({ rejectionCode: null });
    expect(booted.seq).toBeGreaterThan(seq);
    expect(booted.problem).toBeUndefined();
  },
);

test('processes that run go on by themselves once the journal is repaired', async () => {
  const cut = await cutCopy(log, { [topics.journal]: after.namespace });
  const { log: switched, to } = SwitchedLog.over(await cutCopy(log));
  const running = keep(await openView(switched));
  await to(keep(cut));
  await eventually('it knows', () => running.short !== undefined);
  await repair(cut);
  await eventually('it goes on', () => running.short === undefined, 20_000);
  keep(await startMaster(cut, { instance: 'm2', claimAtOnce: true }));
  const watching = keep(await openView(cut));
  expect(await run(cut, watching, nodeRegistration('n5', 1))).toMatchObject({ rejectionCode: null });
  await eventually('it follows', () => running.state.node('n5') !== undefined);
  expect(entitiesOf(running)).toEqual(entitiesOf(watching));
});

test.each([0, 1, 2])('a repair that ends after %i appends goes on when it is given again', async (appends) => {
  const cut = keep(await cutCopy(log, { [topics.journal]: after.nodes }));
  let left = appends;
  const ending = Object.create(cut, {
    fencedWriter: {
      value: async (id: string): Promise<FencedWriter> => {
        const writer = await cut.fencedWriter(id);
        const append: FencedWriter['append'] = async (...of) => {
          if (left-- === 0) throw new Error('the process ended');
          return writer.append(...of);
        };
        return { ...writer, append, close: () => writer.close() };
      },
    },
  }) as Log;
  await expect(repair(ending)).rejects.toThrow('the process ended');
  await repair(cut);
  const booted = keep(await openView(cut));
  expect(booted.problem).toBeUndefined();
  expect(entitiesOf(booted)).toEqual(entitiesOf(view));
});

test('compacted topics that say something else than a whole journal are written anew', async () => {
  const foreign = [
    { key: Buffer.from('node/n1'), value: Buffer.from('garbage') },
    { key: Buffer.from('node/n2'), value: null },
  ];
  await log.append(topics.metadata, asPartition(0), foreign);
  expect(await look(log)).toMatchObject({ kind: 'rewrite', decisions: 0 });
  await repair(log);
  expect(await look(log)).toMatchObject({ kind: 'nothing' });
  const booted = keep(await openView(log));
  expect(booted.boot).toMatchObject({ source: 'checkpoint' });
  expect(entitiesOf(booted)).toEqual(entitiesOf(view));
});

test('where no whole copy is left, only numbers are passed over, and that is said', async () => {
  const metadata = await recordsOf(log, topics.metadata);
  const half = metadata.findLastIndex(({ key }) => key?.toString() === 'node/n4') + 1;
  const cut = keep(await cutCopy(log, { [topics.journal]: after.namespace, [topics.metadata]: half }));
  const plan = await look(cut);
  expect(plan).toMatchObject({ kind: 'accept-loss', why: expect.stringMatching(/no whole copy.*different moments/) });
  await repair(cut);
  const booted = keep(await openView(cut));
  expect(booted.problem).toBeUndefined();
  expect(booted.seq).toBe(view.seq);
  expect(booted.state.node('n4')).toBeUndefined();
  expect(booted.state.namespace('stock')?.state).toBe('active');
  keep(await startMaster(cut, { instance: 'm2', claimAtOnce: true }));
  expect(await run(cut, booted, nodeRegistration('n5', 1))).toMatchObject({ rejectionCode: null });
});

/** The journal and its commands up to the nodes, and nothing else that says what came after. */
async function rolledBack(): Promise<EmbeddedLog> {
  const { metadata, routes, plans, heartbeats } = topics;
  const none = { [metadata]: 0, [routes]: 0, [plans]: 0, [heartbeats]: 0 };
  return cutCopy(log, { ...none, [topics.journal]: after.nodes, [topics.commands]: commandsOfNodes });
}

/** With the first unit in the generation that its disk has. */
const returning = (nodeId: string, generation: number) => {
  const registration = nodeRegistration(nodeId, 8);
  const units = registration.payload.units.map((unit, i) => (i === 0 ? { ...unit, generation } : unit));
  return { ...registration, payload: { ...registration.payload, units } };
};

test('I10: after a loss was accepted nodes come back with units of lost decisions, and no number is given twice', async () => {
  const cut = keep(await rolledBack());
  const { seq, term, clusterId } = view.journal.position;
  const known = [{ seq, term, clusterId, who: 'the disk of node n1' }];
  const examined = await examineJournal(cut, topics, { ...world, known });
  expect(examined.plan).toMatchObject({ kind: 'accept-loss', decisions: seq - examined.plan.seq });
  await repairJournal(cut, topics, { examined, world: repairWorld });
  const booted = keep(await openView(cut));
  expect(booted.state.identity).toMatchObject({ clusterId, change: 'LossAccepted', seq });
  keep(await startMaster(cut, { instance: 'm2', claimAtOnce: true }));
  for (const nodeId of ['n1', 'n2', 'n3'])
    expect(await run(cut, booted, returning(nodeId, 1))).toMatchObject({ rejectionCode: null });
  const knobs = { name: 'shop', partitions: 2, chunks: 2, replicas: 2 };
  expect(await run(cut, booted, { kind: 'CreateNamespace', payload: knobs })).toMatchObject({ rejectionCode: null });
  expect(booted.state.namespace('shop')?.number).toBe(seq + 1);
  const taken = [...booted.state.units()].filter(({ state }) => state !== 'free');
  expect([taken.length, new Set(taken.map(({ generation }) => generation))]).toEqual([4, new Set([seq + 1])]);
});

test('a disk that comes back after the repair with more than was let go is refused, until that is let go too', async () => {
  const cut = keep(await rolledBack());
  const master = keep(await startMaster(cut, { instance: 'm2', claimAtOnce: true }));
  const booted = keep(await openView(cut));
  await run(cut, booted, returning('n1', 0));
  const tooHigh = booted.seq + 25;
  expect(await run(cut, booted, returning('n1', tooHigh))).toMatchObject({ rejectionCode: 'GENERATION_FROM_FUTURE' });
  await close(master);
  const plan = await look(cut);
  expect(plan).toMatchObject({ kind: 'accept-loss', why: expect.stringMatching(/n1\/u00 is in generation \d+/) });
  await repair(cut);
  expect(await look(cut)).toMatchObject({ kind: 'nothing' });
  keep(await startMaster(cut, { instance: 'm3', claimAtOnce: true }));
  expect(await run(cut, booted, returning('n1', tooHigh))).toMatchObject({ rejectionCode: null });
  expect(booted.state.unit('n1/u00')).toMatchObject({ state: 'free', generation: tooHigh });
  await eventually('nothing is left to do', async () => (await look(cut)).kind === 'nothing');
});

test('I9: chunks are numbered above those that lost decisions may have numbered', async () => {
  const metadata = await recordsOf(log, topics.metadata);
  const half = metadata.findLastIndex(({ key }) => key?.toString() === 'node/n4') + 1;
  const cut = keep(await cutCopy(log, { [topics.journal]: after.namespace, [topics.metadata]: half }));
  expect(await look(cut)).toMatchObject({ kind: 'accept-loss' });
  await repair(cut);
  const booted = keep(await openView(cut));
  const before = view.state.namespace('shop')!.nextChunk;
  expect(booted.state.namespace('shop')!.nextChunk).toBeGreaterThan(before + 4_096);
});

test('of two histories none is chosen', async () => {
  const nothing = { [topics.metadata]: 0, [topics.routes]: 0, [topics.plans]: 0, [topics.heartbeats]: 0 };
  const regrown = keep(await cutCopy(log, { [topics.journal]: after.nodes, ...nothing }));
  const other = keep(await startMaster(regrown, { instance: 'm3', claimAtOnce: true }));
  const otherView = keep(await openView(regrown));
  for (let i = 0; otherView.seq < view.seq + 3; i++) await run(regrown, otherView, nodeRegistration(`x${i}`, 1));
  await close(other);
  const mixed = keep(await cutCopy(log, { [topics.journal]: 0 }));
  await mixed.append(topics.journal, asPartition(0), await recordsOf(regrown, topics.journal));
  expect(await look(mixed)).toMatchObject({
    kind: 'accept-loss',
    why: expect.stringMatching(/two histories|another history/),
  });
});
