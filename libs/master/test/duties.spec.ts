import { randomUUID } from 'node:crypto';
import { encode } from '@levee/codec';
import type { Decision } from '@levee/events';
import { encodeEvent, MaintenanceEnds } from '@levee/journal';
import { asPartition, type Partition, type Timers } from '@levee/kernel';
import { LogFailure, type Log } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { masterLimits, takeOver } from '../src';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world } from './control-plane';
import { eventually } from './eventually';
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

test('a namespace whose binlog takes no barrier holds up no other namespace', async () => {
  const refused = new Set<string>();
  const append = async (topic: string, at: Partition, records: Parameters<Log['append']>[2]) => {
    if (refused.has(topic)) throw new LogFailure('LOG_UNAVAILABLE', `${topic} has no leader`);
    return log.append(topic, at, records);
  };
  const halting = Object.create(log, { append: { value: append } }) as Log;
  const { master } = keep(await startMaster(halting, { instance: 'm1', claimAtOnce: true, barrierMs: 3_600_000 }));
  const view = keep(await openView(log));
  await run(log, view, nodeRegistration('n1'));
  for (const name of ['shop', 'stock']) {
    await run(log, view, { kind: 'CreateNamespace', payload: { name, partitions: 1, chunks: 1, replicas: 1 } });
    await view.until(() => (view.state.namespace(name)?.state === 'active' ? true : undefined), 10_000, name);
  }
  refused.add('levee.binlog.shop');
  const barrier = (namespace: string) =>
    run(log, view, { kind: 'RequestBarrier', payload: { id: randomUUID(), namespace, digest: false } });
  await barrier('shop');
  await barrier('stock');
  const endOf = async (name: string) => (await log.offsets(`levee.binlog.${name}`))[0]?.endOffset;
  await eventually('the barrier of stock is written', async () => (await endOf('stock')) === 2);
  await eventually('the master names shop', () => /shop.*no leader/.test(master.effectProblem ?? ''));
  refused.clear();
  await eventually('the barrier of shop is written', async () => (await endOf('shop')) === 2);
  await eventually('nothing is wrong any more', () => master.effectProblem === undefined);
});

test('a master whose log takes nothing says so while it reigns and while it cannot claim, and only so long', async () => {
  let isFull = false;
  const refuse = (): void => {
    if (isFull) throw new LogFailure('LOG_UNAVAILABLE', 'no space left on device');
  };
  const append = async (...of: Parameters<Log['append']>) => (refuse(), log.append(...of));
  const fencedWriter = async (id: string) => (refuse(), log.fencedWriter(id));
  const filling = Object.create(log, { append: { value: append }, fencedWriter: { value: fencedWriter } }) as Log;
  const { master } = keep(await startMaster(filling, { instance: 'm1', claimAtOnce: true }));
  const { candidacy } = master;
  await eventually('it reigns', () => candidacy.reign !== undefined);
  expect(candidacy.problem).toBeUndefined();

  isFull = true;
  await eventually('its heartbeats tell', () => /no writes .*no space left/.test(candidacy.problem ?? ''));
  candidacy.reign?.end('a test ends it');
  await eventually('it does not reign', () => candidacy.reign === undefined);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(candidacy.problem).toMatch(/no writes .*no space left/);

  isFull = false;
  await eventually('it reigns again', () => candidacy.reign !== undefined);
  expect(candidacy.problem).toBeUndefined();
});

test('topics that could not be looked at are looked at again soon, not only in a minute', async () => {
  let isAway = false;
  const describeTopics = async (...of: Parameters<Log['describeTopics']>) => {
    if (isAway) throw new LogFailure('LOG_UNAVAILABLE', 'the log is away');
    return log.describeTopics(...of);
  };
  const leaving = Object.create(log, { describeTopics: { value: describeTopics } }) as Log;
  const { topicCheckMs, topicTroubleMs } = masterLimits;
  const paused: number[] = [];
  const after: Timers['after'] = (delayMs, action) => {
    if (delayMs === topicCheckMs || delayMs === topicTroubleMs) paused.push(delayMs);
    return world.timers.after(delayMs === topicCheckMs || delayMs === topicTroubleMs ? 10 : delayMs, action);
  };
  const { master } = keep(await startMaster(leaving, { instance: 'm1', timers: { ...world.timers, after } }));
  expect(master.topicProblem).toBeUndefined();
  isAway = true;
  await eventually('the master tells', () => /the log is away/.test(master.topicProblem ?? ''));
  const begun = paused.length;
  await eventually('it has looked twice', () => paused.length >= begun + 2);
  expect(paused.slice(-2)).toEqual([topicTroubleMs, topicTroubleMs]);
  isAway = false;
  await eventually('nothing is wrong any more', () => master.topicProblem === undefined);
});

test('a listener that throws when a reign begins ends it, and the next one serves', async () => {
  const { master } = keep(await startMaster(log, { instance: 'm1' }));
  const view = keep(await openView(log));
  const begun: { isOver: boolean }[] = [];
  master.candidacy.onReign((reign) => {
    begun.push(reign);
    if (begun.length === 1) throw new Error('no duties');
  });
  await eventually('the second reign', () => begun.length === 2);
  expect(begun.map(({ isOver }) => isOver)).toEqual([true, false]);
  expect(await run(log, view, nodeRegistration('n1'))).toMatchObject({ rejectionCode: null });
});

describe('when a maintenance ends', () => {
  it('is what the decisions in force say: void ones, strangers and older ones change nothing', async () => {
    const first = keep(await startMaster(log, { instance: 'm1', claimAtOnce: true }));
    const view = keep(await openView(log));
    await run(log, view, nodeRegistration('n1'));
    const maintain = { kind: 'MaintainNode', payload: { nodeId: 'n1', forMs: 3_600_000 } };
    expect(await run(log, view, maintain)).toMatchObject({ rejectionCode: null });
    const begunAtMs = view.state.outcome([...view.state.outcomes()].at(-1)!.commandId)!.decidedAtMs;
    await close(first);

    const { seq, term, previousSha256, commandsOffset } = view.journal.position;
    const zombie: Decision = {
      seq: seq + 1,
      term,
      decidedAtMs: begunAtMs,
      command: {
        id: randomUUID(),
        kind: 'MaintainNode',
        payload: JSON.stringify({ nodeId: 'n1', forMs: 7_200_000 }),
        principal: 'zombie',
        submittedAtMs: 1,
      },
      commandOffset: commandsOffset + 1,
      rejectionCode: null,
      rejectionMessage: null,
      events: [encodeEvent({ kind: 'node', entity: view.state.node('n1')! })],
      stateDigest: view.journal.digest,
      previousSha256,
    };
    await takeOver(log, topics, { view, instance: 'm2', clock: world.clock });
    await log.append(topics.journal, partition, [
      { key: null, value: encode('Decision', zombie) },
      { key: null, value: Buffer.from('garbage') },
      { key: null, value: null },
    ]);
    await view.readToEnd(5_000);
    const ends = new MaintenanceEnds(log, view, { ...world, topics });
    ends.start();
    await eventually('the end is known', () => ends.endOf('n1') !== undefined);
    expect(ends.endOf('n1')).toBe(begunAtMs + 3_600_000);
    ends.stop();
  });
});
