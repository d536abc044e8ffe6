import { CallbackAppend, type Store, StoreFailure } from '@levee/client';
import { asOffset, asPartition } from '@levee/kernel';
import type { WitnessFacts } from '@levee/wire';
import { FakeNode } from '../../client/test/fake-node';
import { closeStores, readOnce, storeOn } from '../../client/test/store-on-nodes';
import { until } from './test-cluster';

afterEach(closeStores);

/** A witness on a node: the log of `ns` was cut at 80. */
const witnessOn = (nodeId: string, but: Partial<WitnessFacts> = {}): WitnessFacts => ({
  namespace: 'ns',
  binlog: 'b',
  chunkId: 'ns#1/c00000',
  slotStart: 0,
  slotEnd: 1_000_000,
  nodeId,
  storeId: `s-${nodeId}`,
  unitId: `${nodeId}/u1`,
  generation: 1,
  readable: true,
  partition: 0,
  cutOffset: 80,
  cutKnown: true,
  nextOffset: 120,
  leaderEpoch: 5,
  keysAtStake: 7,
  why: 'LOG_TRUNCATED',
  ...but,
});

const write = (store: Store): Promise<string> =>
  new Promise((resolve) => {
    const done = (failure: StoreFailure | undefined): void => resolve(failure === undefined ? 'OK' : failure.text);
    store.append(store.namespace('ns')!, new CallbackAppend(Buffer.from('k'), null, 'logged', undefined, done));
  });

const quick = { witnessEveryMs: 20, witnessAskMs: 1_000 };

async function stopped(nodes: readonly FakeNode[]): Promise<Store> {
  const store = storeOn(nodes, quick);
  store.followWitnesses();
  await until('the stop', () => store.namespace('ns')?.stops?.get(0) !== undefined);
  return store;
}

it('a partition with a witness takes no writes, no strong reads, and no reads at lost positions', async () => {
  const nodes = [
    await new FakeNode('n1', { value: 'v', applied: 200 }).start(),
    await new FakeNode('n2', 'nil').start(),
  ];
  nodes[0]!.witnesses = [witnessOn('n1'), witnessOn('n1', { binlog: 'another', partition: 3 })];
  const store = await stopped(nodes);
  const says =
    /^LVSTOPPED the log of ns lost partition 0 from offset 80 to 120, .*levee log repair ns .*levee log accept-loss ns/;
  expect(await write(store)).toMatch(says);
  expect(await write(store)).toMatch(/nothing was written$/);
  expect(await readOnce(store, { consistency: 'strong' })).toMatch(says);
  const session = store.namespace('ns')!.newSession();
  expect(await readOnce(store, { consistency: 'eventual' })).toMatch(/^(v|nil)$/);
  session.observe(0 as never, 81 as never);
  expect(await readOnce(store, { session })).toMatch(says);
});

it('of a topic of others, only what is possible is advised: nothing of ours is written there', async () => {
  const node = await new FakeNode('n1', { value: 'v', applied: 200 }).start();
  node.witnesses = [witnessOn('n1')];
  const bound = { sourceTopic: 'b', sourceTopicId: 'id', recordFormat: 'raw', writable: true } as const;
  const store = storeOn([node], quick, { namespace: bound });
  store.followWitnesses();
  await until('the stop', () => store.namespace('ns')?.stops?.get(0) !== undefined);
  expect(await write(store)).toMatch(
    /^LVSTOPPED .*: it stands still; its producers can write again .*levee log accept-loss ns/,
  );
  expect(await write(store)).not.toMatch(/log repair/);
});

it('a partition with a witness takes no session reads of keys that were written here behind the cut, by whomever', async () => {
  const node = await new FakeNode('n1', { value: 'v', applied: 200 }).start();
  node.witnesses = [witnessOn('n1')];
  const store = await stopped([node]);
  const namespace = store.namespace('ns')!;
  const lost = { slot: 0, partition: asPartition(0), key: Buffer.from('lost'), hash: 0 };
  namespace.place(lost);
  namespace.writes.note({ ...lost, nextOffset: asOffset(81) });
  expect(await readOnce(store, { key: 'lost' })).toMatch(/^LVSTOPPED/);
  expect(await readOnce(store, { key: 'lost', consistency: 'eventual' })).toBe('v');
  expect(await readOnce(store, { key: 'another' })).toBe('v');
});

it('says how many keys are at stake: of each chunk what its furthest witness counts, once all have counted', async () => {
  const node = await new FakeNode('n1', { value: 'v', applied: 200 }).start();
  node.witnesses = [witnessOn('n1', { keysAtStake: null })];
  const store = await stopped([node]);
  const stake = () => store.namespace('ns')?.stops?.get(0)?.keysAtStake;
  expect(stake()).toBeNull();
  node.witnesses = [witnessOn('n1'), witnessOn('n1', { keysAtStake: 9, nextOffset: 130 })];
  await until('the count', () => stake() === 9);
  expect(store.namespace('ns')?.stops?.get(0)).toMatchObject({ namespace: 'ns', cutOffset: 80, nextOffset: 130 });
});

it('goes on when the node says that it is none any more', async () => {
  const node = await new FakeNode('n1', { value: 'v', applied: 200 }).start();
  node.witnesses = [witnessOn('n1')];
  const store = await stopped([node]);
  node.witnesses = [];
  await until('the end of the stop', () => store.namespace('ns')?.stops === undefined);
});

it('a witness whose node is down is a witness still', async () => {
  const node = await new FakeNode('n1', { value: 'v', applied: 200 }).start();
  node.witnesses = [witnessOn('n1')];
  const store = await stopped([node]);
  await node.close();
  // Many more questions than it takes to hear of anything.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await write(store)).toMatch(/^LVSTOPPED/);
});

it.each([
  ['another unit generation', { generation: 2 }],
  ['a chunk that no decision knows', { chunkId: 'ns#1/c00009' }],
  ['another disk', { storeId: 's-x' }],
])('what is said of %s does not count', async (_, but) => {
  const nodes = [await new FakeNode('n1', { value: 'v', applied: 200 }).start()];
  nodes[0]!.witnesses = [witnessOn('n1', but), witnessOn('n1', { nextOffset: 90 })];
  const store = await stopped(nodes);
  expect(store.namespace('ns')?.stops?.get(0)?.nextOffset).toBe(90);
});
