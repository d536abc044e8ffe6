import { CallbackAppend, FlushSweep, type Store, type StoreFailure } from '@levee/client';
import { asOffset } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { FakeNode } from './fake-node';
import { namespaceEntity } from './cluster-entities';
import { closeStores, readOnce, stateOf, storeOn } from './store-on-nodes';

afterEach(closeStores);

const written: string[] = [];
const log = {
  append: (_topic: string, _partition: number, records: readonly LogRecord[]) => {
    written.push(...records.map(({ key }) => key!.toString('latin1').replace(/^\0levee\0/, '!')));
    return Promise.resolve({ baseOffset: asOffset(written.length - records.length) });
  },
} as unknown as Log;

async function frozenStore(frozenBy: string): Promise<Store> {
  const node = await new FakeNode('n1', { value: 'v', applied: 6 }).start();
  const frozen = { frozenBy, frozenReason: 'export', frozenSeq: 7, flush: 'sweep' } as const;
  return storeOn([node], {}, { log, namespace: frozen });
}

const write = (store: Store, record: Buffer | null): Promise<string> =>
  new Promise((resolve) => {
    const done = (failure: StoreFailure | undefined): void => resolve(failure === undefined ? 'OK' : failure.text);
    store.append(store.namespace('ns')!, new CallbackAppend(Buffer.from('k'), record, 'logged', undefined, done));
  });

const answer =
  "LVFROZEN writes to ns are frozen by export 7 (export): nothing was written; repeat it after the thaw (levee namespace thaw ns --owner 'export 7')";

test('a frozen namespace takes no value and no deletion, and is read with every consistency', async () => {
  const store = await frozenStore('export 7');
  expect(await write(store, Buffer.from('x'))).toBe(answer);
  expect(await write(store, null)).toBe(answer);
  for (const consistency of ['eventual', 'session', 'strong'] as const)
    expect(await readOnce(store, { consistency })).toBe('v');
  expect(written).toEqual(['!fence/p']);
  expect(store.writing.freezesSettled).toEqual(['ns#1@7']);
  expect(store.stats()['capacity']).toEqual({ chunksFull: 0, namespacesFrozen: 1 });
});

test('a flush of a frozen namespace deletes nothing and says so', async () => {
  const store = await frozenStore('operator');
  const sweep = new FlushSweep(store, store.namespace('ns')!);
  await expect(sweep.run().next()).rejects.toMatchObject({
    code: 'LVFROZEN',
    message: expect.stringMatching(/frozen by operator .*\(levee namespace thaw ns\)$/),
  });
});

/** [safety] A topic of others may be served by one creation after the other. */
test('what an earlier creation wrote to the same topic is on its way until the log has answered', async () => {
  const node = await new FakeNode('n1', { value: 'v', applied: 6 }).start();
  let logged = (): void => undefined;
  const slow = {
    append: () => new Promise((resolve) => (logged = () => resolve({ baseOffset: asOffset(0) }))),
  } as unknown as Log;
  const of = { binlog: 'prices', sourceTopic: 'prices', recordFormat: 'raw', writable: true } as const;
  const state = stateOf([node], of);
  const store = storeOn([node], {}, { log: slow, state });
  const written = write(store, Buffer.from('x'));
  await eventually('the write is under way', () => !store.writing.settled);
  const frozen = { frozenBy: 'export 7', frozenReason: 'export', frozenSeq: 9 };
  const next = { ...of, ...frozen, number: 2 };
  state.absorb({ kind: 'namespace', entity: namespaceEntity(next) });
  store.refreshNow();
  expect(await written).toMatch(/^LVINDEFINITE/);
  expect(store.namespace('ns')?.state.number).toBe(2);
  expect([store.writing.freezesSettled, store.writing.settled]).toEqual([[], false]);
  logged();
  await eventually('the write is logged', () => store.writing.settled);
  expect(store.writing.freezesSettled).toEqual(['ns#2@9']);
});
