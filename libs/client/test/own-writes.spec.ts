import { CallbackAppend, type Store, StoreFailure } from '@levee/client';
import { asOffset } from '@levee/kernel';
import type { Log } from '@levee/log';
import { FakeNode, type Behaviour } from './fake-node';
import { closeStores, readOnce, storeOn, unhedged } from './store-on-nodes';

afterEach(closeStores);

/** Takes every record, the first at offset 6, and has no end that a fence could prove. */
function logAt6(): Log {
  let nextOffset = 6;
  const append: Log['append'] = (_topic, _partition, records) => {
    if (records.some(({ key }) => key?.[0] === 0)) return new Promise(() => undefined);
    nextOffset += records.length;
    return Promise.resolve({ baseOffset: asOffset(nextOffset - records.length) });
  };
  return { append } as unknown as Log;
}

async function storeWith(...behaviours: Behaviour[]): Promise<{ store: Store; nodes: FakeNode[] }> {
  const nodes = await Promise.all(behaviours.map((behaviour, i) => new FakeNode(`n${i + 1}`, behaviour).start()));
  const limits = { ...unhedged, attemptMs: 200, readMs: 1_000, lostLookMs: 50 };
  return { store: storeOn(nodes, limits, { log: logAt6() }), nodes };
}

const write = (store: Store, key: string, record: Buffer | null): Promise<string> =>
  new Promise((resolve) => {
    const done = (failure: StoreFailure | undefined): void => resolve(failure === undefined ? 'OK' : failure.text);
    store.append(store.namespace('ns')!, new CallbackAppend(Buffer.from(key), record, 'logged', undefined, done));
  });

const old: Behaviour = { value: 'old', applied: 6 };
const fresh: Behaviour = { value: 'new', applied: 7 };

describe.each([
  ['a value', Buffer.from('v')],
  ['a deletion', null],
])('I4: %s that this process logged', (_what, record) => {
  it('is waited for by session reads of everybody: the replica that is behind does not answer, the next one does', async () => {
    const { store, nodes } = await storeWith(old, fresh);
    expect(await readOnce(store)).toBe('old');
    expect(await write(store, 'k', record)).toBe('OK');
    expect(await readOnce(store)).toBe('new');
    expect(nodes.map(({ reads }) => reads)).toEqual([2, 1]);
  });

  it('makes them say LVBEHIND when no replica comes so far, and never something older', async () => {
    const { store } = await storeWith(old, old);
    await write(store, 'k', record);
    expect(await readOnce(store)).toBe('LVBEHIND 0:7 is not applied yet');
    expect(await readOnce(store, { session: store.namespace('ns')!.newSession() })).toMatch(/^LVBEHIND/);
  });

  it('is not waited for by eventual reads, nor by reads of other keys', async () => {
    const { store } = await storeWith(old, old);
    await write(store, 'k', record);
    expect(await readOnce(store, { consistency: 'eventual' })).toBe('old');
    expect(await readOnce(store, { key: 'another' })).toBe('old');
  });

  it('is waited for by reads of its whole partition where there is no room for marks', async () => {
    const nodes = [await new FakeNode('n1', old).start()];
    const limits = { ...unhedged, attemptMs: 200, readMs: 1_000, lostLookMs: 50, writeMarksMax: 0 };
    const store = storeOn(nodes, limits, { log: logAt6() });
    await write(store, 'k', record);
    expect(await readOnce(store, { key: 'another' })).toMatch(/^LVBEHIND/);
  });
});

it('I4: a key that was overwritten is waited for as it is now', async () => {
  const { store } = await storeWith({ value: 'first', applied: 7 }, { value: 'second', applied: 8 });
  await write(store, 'k', Buffer.from('first'));
  expect(await readOnce(store)).toBe('first');
  await write(store, 'k', Buffer.from('second'));
  expect(await readOnce(store)).toBe('second');
});
