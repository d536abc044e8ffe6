import { asOffset, asPartition, type Logger, silentLogger } from '@levee/kernel';
import { systemNewId } from '@levee/log';
import { examineJournal, repairJournal } from '@levee/master';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world } from '../../master/test/control-plane';
import { eventually } from '../../master/test/eventually';
import { ClusterView, submit } from '../src';
import { cutCopy } from './cut-log';
import { withHoles } from './log-with-holes';

const opened: { close(): Promise<void> }[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  opened.push(thing);
  return thing;
};
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

/** A cluster whose processes have stopped, and what it said last. */
async function cluster() {
  const log = keep(await openLog());
  const master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  const view = await openView(log);
  for (const nodeId of ['n1', 'n2', 'n3', 'n4']) await run(log, view, nodeRegistration(nodeId, 2));
  await view.close();
  await master.close();
  return { log, view };
}

describe.each([
  ['at its start', 0],
  ['in its middle', 5],
])('a compacted topic that cannot be read %s', (_where, first) => {
  const hole = { from: asOffset(first), to: asOffset(first + 4) };

  test('is no reason to stand still: the journal is folded, and a master reigns', async () => {
    const { log: whole, view } = await cluster();
    const { log, struck } = withHoles(keep(await cutCopy(whole)), topics.metadata, [hole]);
    const booted = keep(await openView(log));
    expect(struck()).toBeGreaterThan(0);
    expect(booted.boot).toMatchObject({
      source: 'journal',
      reason: expect.stringContaining('are damaged') as string,
      short: undefined,
    });
    expect(booted.journal.digest).toBe(view.journal.digest);
    const master = keep(await startMaster(log, { instance: 'm2', claimAtOnce: true }));
    await eventually('the reign', () => master.master.candidacy.role === 'active');
    expect(await run(log, booted, nodeRegistration('n5', 1))).toMatchObject({ rejectionCode: null });
  });

  test('comes back from the journal by a repair, which passes over the stretch; then it is whole', async () => {
    const { log: whole, view } = await cluster();
    const { log } = withHoles(keep(await cutCopy(whole)), topics.metadata, [hole]);
    const examined = await examineJournal(log, topics, world);
    expect(examined.plan).toMatchObject({ kind: 'rewrite', why: expect.stringContaining('are damaged') as string });
    const repairWorld = { clock: world.clock, newId: systemNewId, logger: silentLogger };
    await repairJournal(log, topics, { examined, world: repairWorld });
    expect((await examineJournal(log, topics, world)).plan.kind).toBe('nothing');
    const booted = keep(await openView(log));
    expect(booted.boot).toMatchObject({ source: 'checkpoint', reason: undefined });
    expect(booted.journal.digest).toBe(view.journal.digest);
  });
});

test('commands that cannot be read are passed over, and those behind them are decided', async () => {
  const { log: whole } = await cluster();
  const { endOffset } = (await whole.offsets(topics.commands))[0]!;
  const { log, passed } = withHoles(keep(await cutCopy(whole)), topics.commands, [
    { from: endOffset, to: asOffset(endOffset + 1) },
  ]);
  const view = keep(await openView(log));
  const lost = await submit(log, topics, nodeRegistration('n5', 1));
  const kept = await submit(log, topics, nodeRegistration('n6', 1));
  const examined = await examineJournal(log, topics, world);
  expect(examined.plan).toMatchObject({ kind: 'pass-over', why: expect.stringMatching(/levee\.commands/) as string });
  const repairWorld = { clock: world.clock, newId: systemNewId, logger: silentLogger };
  await repairJournal(log, topics, { examined, world: repairWorld });
  expect([passed(), (await examineJournal(log, topics, world)).plan.kind]).toEqual([1, 'nothing']);
  keep(await startMaster(log, { instance: 'm2', claimAtOnce: true }));
  expect(await view.outcome(kept, 10_000)).toMatchObject({ rejectionCode: null });
  expect(view.state.outcome(lost)).toBeUndefined();
});

test('heartbeats that cannot be read keep no master from reigning', async () => {
  const { log: whole } = await cluster();
  const { endOffset } = (await whole.offsets(topics.heartbeats))[0]!;
  const said = { key: null, value: Buffer.from('somebody lives') };
  await whole.append(topics.heartbeats, asPartition(0), [said, said, said]);
  const hole = { from: endOffset, to: asOffset(endOffset + 1) };
  const { log, struck } = withHoles(keep(await cutCopy(whole)), topics.heartbeats, [hole]);
  const master = keep(await startMaster(log, { instance: 'm2', claimAtOnce: true }));
  await eventually('the reign', () => master.master.candidacy.role === 'active');
  expect(struck()).toBeGreaterThan(0);
});

test('a journal that cannot be folded is tried again and again, and its damage is not logged each time', async () => {
  const { log: whole } = await cluster();
  const cut = keep(await cutCopy(whole));
  const { log, struck } = withHoles(cut, topics.metadata, [{ from: asOffset(0), to: asOffset(4) }]);
  const offsets = cut.offsets.bind(cut);
  cut.offsets = async (topic) => {
    const bounds = await offsets(topic);
    // The journal's first record was deleted.
    return topic === topics.journal ? bounds.map((each) => ({ ...each, startOffset: asOffset(1) })) : bounds;
  };
  const said: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_facts, message) => void said.push(message) };
  const view = new ClusterView(log, topics, { ...world, logger });
  const started = view.start().catch((error: unknown) => error);
  await eventually('four attempts', () => struck() >= 4);
  expect(said.filter((each) => each.includes('the compacted topics cannot be used'))).toHaveLength(1);
  await view.close();
  expect(await started).toMatchObject({ code: 'STOPPING' });
});
