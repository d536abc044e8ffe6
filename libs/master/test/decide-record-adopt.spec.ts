import { binlogSpec, ensureNamespace, submit, type ClusterView } from '@levee/journal';
import { asPartition } from '@levee/kernel';
import type { EmbeddedLog } from '@levee/log-embedded';
import { nodeRegistration, openLog, openView, run, startMaster, topics, world, type TestMaster } from './control-plane';

let log: EmbeddedLog;
let view: ClusterView;
let master: TestMaster;

beforeEach(async () => {
  log = await openLog();
  master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  view = await openView(log);
});

afterEach(async () => {
  await view.close();
  await master.close();
  await log.close();
});

test('the first claim mints the cluster id, which becomes state', async () => {
  const clusterId = await view.until(() => view.state.clusterId, 5_000, 'the foundation');
  expect(clusterId).toMatch(/^[0-9a-f-]{36}$/);
  expect(view.term).toBe(1);
});

test('a command is decided, and its outcome found by id in the journal', async () => {
  const outcome = await run(log, view, nodeRegistration('n1'));
  expect(outcome).toMatchObject({ kind: 'RegisterNode', rejectionCode: null });
  expect(view.state.node('n1')).toMatchObject({ state: 'up' });
  expect([...view.state.unitsOf('n1')]).toHaveLength(8);
});

test('a rejection is an outcome too', async () => {
  const outcome = await run(log, view, { kind: 'CreateNamespace', payload: { name: 'Not A Name' } });
  expect(outcome.rejectionCode).toBe('BAD_NAME');
});

test('the second attempt under the same id changes nothing', async () => {
  const command = { ...nodeRegistration('n1'), id: 'c0ffee00-0000-4000-8000-000000000001' };
  const first = await run(log, view, command);
  const { digest } = view.journal;
  const again = await run(log, view, command);
  await view.until(() => (view.seq > first.seq ? true : undefined), 5_000, 'the second decision');
  expect(again).toEqual(first);
  expect(view.journal.digest).toBe(digest);
});

test("a command that only the master may give does not overwrite what is recorded under another's id", async () => {
  const command = { ...nodeRegistration('n1'), id: 'c0ffee00-0000-4000-8000-000000000002' };
  const first = await run(log, view, command);
  const { digest } = view.journal;
  const stranger = { kind: 'LoseNode', payload: { nodeId: 'n1' }, principal: 'stranger', id: command.id };
  await submit(log, topics, stranger);
  await view.until(() => (view.seq > first.seq ? true : undefined), 5_000, 'the second decision');
  expect(view.state.outcome(command.id)).toEqual(first);
  expect(view.journal.digest).toBe(digest);
  // Under an id of its own it is refused as ever.
  expect(await run(log, view, { kind: 'LoseNode', payload: {} })).toMatchObject({ rejectionCode: 'FORBIDDEN' });
});

test('a namespace becomes active once its binlog and Genesis records exist', async () => {
  for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId));
  const namespace = await ensureNamespace(view, (command) => submit(log, topics, command), {
    knobs: { name: 'default', partitions: 8, chunks: 8, replicas: 3, chunkCapacityBytes: 256 * 1024 * 1024 },
    nodes: 3,
    principal: 'test',
    deadlineMs: 10_000,
    logger: world.logger,
  });
  expect(namespace).toMatchObject({ state: 'active', binlog: 'levee.binlog.default' });
  expect([...view.state.routesOf('default')]).toHaveLength(8);
  const bounds = await log.offsets(namespace.binlog);
  expect(bounds.map(({ endOffset }) => Number(endOffset))).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);

  const barrier = await run(log, view, {
    kind: 'RequestBarrier',
    payload: { id: 'audit-1', namespace: 'default', digest: true },
  });
  expect(barrier.rejectionCode).toBeNull();
  const giveUpAt = Date.now() + 20_000;
  const ends = async () => (await log.offsets(namespace.binlog)).every(({ endOffset }) => endOffset >= 2);
  while (!(await ends()) && Date.now() < giveUpAt) await new Promise((resolve) => setImmediate(resolve));
  expect(await ends()).toBe(true);
});

test('a record among the commands that is none stops nobody', async () => {
  const garbage = [Buffer.alloc(0), Buffer.from('not a command'), null].map((value) => ({ key: null, value }));
  await log.append(topics.commands, asPartition(0), garbage);
  expect(await run(log, view, nodeRegistration('n1'))).toMatchObject({ rejectionCode: null });
  expect(view.journal.position.commandsOffset).toBe(3);
});

test('a namespace deleted and created again gets another binlog, and nothing of the old one is left', async () => {
  await run(log, view, nodeRegistration('n1', 2));
  const create = { kind: 'CreateNamespace', payload: { name: 'shop', partitions: 1, chunks: 1, replicas: 1 } };
  const inState = (state: string) =>
    view.until(() => (view.state.namespace('shop')?.state === state ? true : undefined), 5_000, `shop being ${state}`);
  expect(await run(log, view, create)).toMatchObject({ rejectionCode: null });
  await inState('active');
  expect(await run(log, view, { kind: 'DeleteNamespace', payload: { name: 'shop' } })).toMatchObject({
    rejectionCode: null,
  });
  await inState('deleted');
  expect(await log.describeTopics(['levee.binlog.shop'])).toEqual([]);
  expect(await run(log, view, create)).toMatchObject({ rejectionCode: null });
  await inState('active');
  expect(view.state.namespace('shop')).toMatchObject({ number: 2, binlog: 'levee.binlog.shop_2' });
});

test('where the master may not set topics, another history window waits for who may, and the mend is named', async () => {
  const refused = jest.spyOn(log, 'alterTopic').mockRejectedValue(new Error('not authorised'));
  await run(log, view, nodeRegistration('n1', 2));
  await run(log, view, { kind: 'CreateNamespace', payload: { name: 'shop', partitions: 1, chunks: 1, replicas: 1 } });
  await view.until(() => (view.state.namespace('shop')?.state === 'active' ? true : undefined), 5_000, 'activation');
  const altered = { kind: 'AlterNamespace', payload: { name: 'shop', historyWindowMs: 3_600_000 } };
  expect(await run(log, view, altered)).toMatchObject({ rejectionCode: null });
  const giveUpAt = performance.now() + 20_000;
  while (master.master.effectProblem === undefined && performance.now() < giveUpAt)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(master.master.effectProblem).toMatch(/levee.binlog.shop.*min.compaction.lag.ms.*3600000/s);
  const shop = view.state.namespace('shop')!;
  refused.mockRestore();
  await log.alterTopic(shop.binlog, binlogSpec(shop).settings);
  await view.until(() => (master.master.effectProblem === undefined ? true : undefined), 10_000, 'the confirmation');
  expect(view.state.namespace('shop')?.historyWindowMs).toBe(3_600_000);
});
