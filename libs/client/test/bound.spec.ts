import { CallbackAppend, flushProblem, type Store, StoreFailure } from '@levee/client';
import type { NamespaceState } from '@levee/events';
import { asOffset, asPartition } from '@levee/kernel';
import type { Log } from '@levee/log';
import { FakeNode } from './fake-node';
import { closeStores, readOnce, storeOn } from './store-on-nodes';

afterEach(closeStores);

/** [safety] Nothing may ever come here (I23). */
const untouched = {
  append: () => {
    throw new Error('a record was written into a topic of others');
  },
} as unknown as Log;

const prices: Partial<NamespaceState> = {
  ...{ binlog: 'prices', sourceTopic: 'prices', sourceTopicId: 'id-1', recordFormat: 'raw', writable: false },
};

async function storeOf(namespace: Partial<NamespaceState>): Promise<Store> {
  const node = await new FakeNode('n1', { value: 'v', applied: 6 }).start();
  const limits = { attemptMs: 200, readMs: 500, lostLookMs: 50 };
  return storeOn([node], limits, { log: untouched, namespace: { ...prices, ...namespace } });
}

type Encoded = ReturnType<Store['encode']>;
const write = (store: Store, record: Encoded | null): Promise<string> =>
  new Promise((resolve) => {
    const done = (failure: StoreFailure | undefined): void => resolve(failure === undefined ? 'OK' : failure.text);
    if (record instanceof StoreFailure) return resolve(record.text);
    const append = new CallbackAppend(Buffer.from('k'), record, 'logged', undefined, done);
    store.append(store.namespace('ns')!, append);
  });

test('a topic of others is read, and neither values nor deletions nor fences are written into it', async () => {
  const store = await storeOf({});
  expect(await readOnce(store)).toBe('v');
  expect(await readOnce(store, { consistency: 'eventual' })).toBe('v');
  expect(await write(store, Buffer.from('x'))).toMatch(/^LVREADONLY ns serves the topic prices as it is: write there/);
  expect(await write(store, null)).toMatch(/^LVREADONLY/);
  expect(await readOnce(store, { consistency: 'strong' })).toMatch(/^LVUNSUPPORTED a strong read would have to write/);
  await expect(store.fenceOf(store.namespace('ns')!, asPartition(0))).rejects.toMatchObject({ code: 'LVUNSUPPORTED' });
});

test('FLUSHDB is refused with what can be done there', async () => {
  const problemOf = async (of: Partial<NamespaceState>) => flushProblem((await storeOf(of)).namespace('ns')!);
  const why = 'ns serves the topic prices of others: it is not emptied from here';
  expect(await problemOf({})).toEqual({ why, instead: 'who produces to prices deletes keys there' });
  expect(await problemOf({ writable: true })).toEqual({ why, instead: 'DEL deletes single keys' });
});

describe('one that may be written to', () => {
  const notes: Partial<NamespaceState> = { ...prices, writable: true };

  async function writableStore(of: Partial<NamespaceState> = {}): Promise<{ store: Store; appended: unknown[] }> {
    const appended: unknown[] = [];
    const log = {
      append: (topic: string, partition: number, records: readonly object[]) => {
        appended.push(...records.map((record) => ({ topic, partition, ...record })));
        return Promise.resolve({ baseOffset: asOffset(7), leaderEpoch: 0 });
      },
    } as unknown as Log;
    const node = await new FakeNode('n1', { value: 'v', applied: 6 }).start();
    const limits = { attemptMs: 200, readMs: 500, lostLookMs: 50 };
    return { store: storeOn([node], limits, { log, namespace: { ...notes, ...of } }), appended };
  }

  test('gets keys and values as they are, and nothing beside them', async () => {
    const { store, appended } = await writableStore();
    const of = store.namespace('ns')!;
    expect(await write(store, store.encode(of, Buffer.from('k'), { value: Buffer.from('x'), expiresAtMs: null }))).toBe(
      'OK',
    );
    expect(await write(store, null)).toBe('OK');
    const place = { topic: 'prices', partition: 0, key: Buffer.from('k') };
    expect(appended).toEqual([
      { ...place, value: Buffer.from('x') },
      { ...place, value: null },
    ]);
  });

  test('has neither times to live nor fences', async () => {
    const { store, appended } = await writableStore({
      expireWithRetention: true,
      retentionMs: 20_000,
      hiddenAfterMs: 15_000,
    });
    const of = store.namespace('ns')!;
    const refused = store.encode(of, Buffer.from('k'), { value: Buffer.from('x'), expiresAtMs: 5 });
    expect(refused).toMatchObject({
      code: 'LVUNSUPPORTED',
      message: expect.stringMatching(/^a time to live would be a header/),
    });
    expect(await readOnce(store, { consistency: 'strong' })).toMatch(
      /^LVUNSUPPORTED a strong read would have to write/,
    );
    await expect(store.fenceOf(of, asPartition(0))).rejects.toMatchObject({ code: 'LVUNSUPPORTED' });
    expect(appended).toEqual([]);
  });

  test.each(['missing', 'recreated', 'grown', 'cut'] as const)(
    'is not written once it is %s',
    async (sourceFinding) => {
      const { store, appended } = await writableStore({ sourceFinding, sourceProblem: `it is ${sourceFinding}` });
      expect(await write(store, Buffer.from('x'))).toBe(`LVSOURCE it is ${sourceFinding}`);
      expect(appended).toEqual([]);
    },
  );

  test('goes on under another policy', async () => {
    const { store } = await writableStore({ sourceFinding: 'policy', sourceProblem: 'it forgets' });
    expect(await write(store, Buffer.from('x'))).toBe('OK');
  });
});

test('a position that no replica reaches is waited for, and no fence asks whether the log has it', async () => {
  const store = await storeOf({});
  expect(await readOnce(store, { minOffset: 99 })).toMatch(/^LVBEHIND 0:99/);
});

test.each(['missing', 'recreated', 'grown', 'cut'] as const)('a topic that is %s is not read', async (finding) => {
  const store = await storeOf({ sourceFinding: finding, sourceProblem: `it is ${finding}` });
  for (const consistency of ['eventual', 'session', 'strong'] as const)
    expect(await readOnce(store, { consistency })).toBe(`LVSOURCE it is ${finding}`);
  await expect(store.counts.of(store.namespace('ns')!)).rejects.toMatchObject({ code: 'LVSOURCE' });
});

test('another policy is no reason not to read', async () => {
  const store = await storeOf({ sourceFinding: 'policy', sourceProblem: 'it forgets' });
  expect(await readOnce(store)).toBe('v');
});

test('a session is of one topic, whatever another is called later', async () => {
  const one = (await storeOf({})).namespace('ns')!.newSession();
  const other = (await storeOf({ sourceTopicId: 'id-2' })).namespace('ns')!.newSession();
  expect(one.scope.binlog).toBe('prices@id-1');
  expect(other.scope.binlog).toBe('prices@id-2');
});
