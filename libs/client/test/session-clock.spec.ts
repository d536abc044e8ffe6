import { systemClock } from '@levee/log';
import type { Clock } from '@levee/kernel';
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
