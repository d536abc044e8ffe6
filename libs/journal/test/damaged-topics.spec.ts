import { asOffset, asPartition, type Offset, silentLogger } from '@levee/kernel';
import { type Log, LogFailure, systemNewId, type TailOptions, type LogPosition } from '@levee/log';
import { examineJournal, repairJournal } from '../src';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world } from './control-plane';
import { cutCopy } from './cut-log';
import { eventually } from './eventually';

/** A log that cannot read one stretch of a topic, as a damaged file of the embedded log leaves it. */
function withHole(log: Log, topic: string, hole: { from: Offset; to: Offset }): { log: Log; struck: () => number } {
  let struck = 0;
  let passed = false;
  const failure = (): LogFailure => {
    struck++;
    const what = `offsets ${hole.from} to ${hole.to} of ${topic} are damaged`;
    return new LogFailure('RECORD_CORRUPT', what, { details: { topic, partition: 0, ...hole } });
  };
  async function* tail(from: LogPosition, options?: TailOptions) {
    for await (const batch of log.tail(topic, asPartition(0), from, options)) {
      const inHole = ({ offset }: { offset: Offset }): boolean => offset >= hole.from && offset < hole.to;
      const at = batch.records.findIndex(inHole);
      const records = batch.records.filter((record) => !inHole(record));
      if (passed || at < 0) yield { ...batch, records };
      else {
        if (at > 0) yield { ...batch, records: batch.records.slice(0, at), nextOffset: hole.from };
        throw failure();
      }
    }
  }
  const bent: Partial<Log> = {
    tail: (of, partition, from, options) =>
      of === topic ? tail(from, options) : log.tail(of, partition, from, options),
    examine: async (of) => {
      const { from: fromOffset, to: toOffset } = hole;
      const damage = { topic, partition: asPartition(0), fromOffset, toOffset, what: 'damaged' };
      return { ...(await log.examine(of)), damage: passed || !of.includes(topic) ? [] : [damage] };
    },
    passOver: async (of, _partition, { fromOffset, toOffset }) => {
      expect([of, fromOffset, toOffset]).toEqual([topic, hole.from, hole.to]);
      passed = true;
    },
  };
  const handler = (_target: Log, name: string): unknown => {
    const own = bent[name as keyof Log];
    if (own !== undefined) return own;
    const value = Reflect.get(log, name, log) as unknown;
    return typeof value === 'function' ? (value.bind(log) as unknown) : value;
  };
  return { log: new Proxy({} as Log, { get: handler as never }), struck: () => struck };
}

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
    const { log, struck } = withHole(keep(await cutCopy(whole)), topics.metadata, hole);
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
    const { log } = withHole(keep(await cutCopy(whole)), topics.metadata, hole);
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
