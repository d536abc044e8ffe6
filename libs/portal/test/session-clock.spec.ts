import type { Clock } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { FakeNode } from '../../client/test/fake-node';
import { closeStores, readOnce, storeOn, unhedged } from '../../client/test/store-on-nodes';
import { TestCluster } from './test-cluster';

jest.setTimeout(60_000);

const shifted = (byMs: number): Clock => ({ ...systemClock, nowMs: () => systemClock.nowMs() + byMs });

it('I5: a key that a session saw expire stays away at a portal whose clock is behind', async () => {
  const cluster = await TestCluster.start(1);
  try {
    await cluster.namespace('default', { partitions: 1, chunks: 1 });
    const ahead = cluster.connect(await cluster.portal({}, undefined, shifted(20_000)));
    const behind = cluster.connect(await cluster.portal({}, undefined, shifted(-20_000)));
    expect(await behind.send('SET', 'k', 'v', 'PXAT', String(systemClock.nowMs() + 10_000))).toBe('OK');
    expect(await behind.send('GET', 'k')).toBe('v');
    expect(await ahead.send('GET', 'k')).toBeNull();
    const { session } = (await ahead.send('HELLO', '3').then(() => ahead.send('LV.POS'))) as { session: string };
    await behind.send('LV.POS', session);
    expect(await behind.send('GET', 'k')).toBeNull();
    expect(await behind.send('MGET', 'k', 'other')).toEqual([null, null]);
    expect(await behind.send('SCAN', '0')).toEqual(['0', []]);
    const another = cluster.connect(cluster.portals[1]!);
    expect(await another.send('GET', 'k')).toBe('v');
  } finally {
    await cluster.close();
  }
});

it('a token of a portal whose clock is far ahead is refused, saying so', async () => {
  const cluster = await TestCluster.start(1);
  try {
    await cluster.namespace('default', { partitions: 1, chunks: 1 });
    const wrong = cluster.connect(await cluster.portal({}, undefined, shifted(3_600_000)));
    const right = cluster.connect(await cluster.portal());
    await wrong.send('GET', 'k');
    const { session } = (await wrong.send('HELLO', '3').then(() => wrong.send('LV.POS'))) as { session: string };
    expect(await right.send('LV.POS', session)).toMatch(/^-LVSESSION the session token has seen .*set the clocks/);
  } finally {
    await cluster.close();
  }
});

describe('reads of one tick, of which one comes with a session whose clock is ahead', () => {
  afterEach(closeStores);

  it.each([
    ['first', [59_000, 0, undefined]],
    ['last', [undefined, 0, 59_000]],
    ['between others that are ahead too', [0, 20_000, 59_000, 20_000, undefined, 59_000]],
  ])('are each judged by the time of their own session: it comes %s', async (_what, aheadMs) => {
    const now = systemClock.nowMs();
    const node = await new FakeNode('n1', { value: 'v', expiresAtMs: now + 30_000 }).start();
    const store = storeOn([node], unhedged);
    const namespace = store.namespace('ns')!;
    expect(await readOnce(store)).toBe('v');
    const sessions = aheadMs.map((ms) => {
      const session = ms === undefined ? undefined : namespace.newSession();
      if (ms !== undefined && ms > 0) session?.observeClock(now + ms);
      return session;
    });
    const answers = await Promise.all(
      sessions.map((session) => readOnce(store, session === undefined ? {} : { session })),
    );
    expect(answers).toEqual(aheadMs.map((ms) => (ms === 59_000 ? 'nil' : 'v')));
    const clocks = sessions.map((session) => session && session.clockMs - now);
    aheadMs.forEach((ms, i) => {
      if (ms === 0) expect(clocks[i]).toBeLessThan(20_000);
      else expect(clocks[i]).toBe(ms);
    });
    // One request for those of this process's time, one for each later one.
    expect(node.reads).toBe(1 + new Set(aheadMs.map((ms) => ms || 0)).size);
  });
});
