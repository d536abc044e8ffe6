import { NodeLinks } from '@levee/client';
import { silentLogger, SteadyClock } from '@levee/kernel';
import { systemRandom, systemTimers } from '@levee/log';
import type { FakeNode } from '../../client/test/fake-node';
import { eventually } from '../../../test/support/deadline';
import { DirectRoutesCache } from '../src/direct/direct-routes';
import { PortalClock } from '../src/direct/portal-clock';
import { systemWorld } from '../src/world';
import { directFacts } from './direct-facts';

it('nodes are asked for nothing by the time from before a sleep of this machine', async () => {
  let sleptMs = 0;
  const trueMs = (): number => 1_700_000_000_000 + performance.now() + sleptMs;
  const own = { nowMs: () => trueMs() - 7_000, monotonicMs: () => performance.now() };
  const links = new NodeLinks({ logger: silentLogger, clock: own, timers: systemTimers, random: systemRandom });
  const [clock, steady] = [new PortalClock(own), new SteadyClock(own)];
  const nodes = [{ nodeId: 'n1', port: 1 }] as FakeNode[];
  const portals = {
    routes: () => Promise.resolve(JSON.stringify({ ...directFacts('shop', nodes), nowMs: Math.ceil(trueMs()) })),
    learnSession: () => Promise.resolve(),
  };
  const of = { links, clock, steady, world: { ...systemWorld, clock: own }, changed: () => undefined };
  const routes = new DirectRoutesCache('shop', portals, of);
  const isAsked = (): boolean => routes.use() !== undefined;
  try {
    await eventually('a portal has told the time', isAsked);
    expect(Math.abs(clock.nowMs() - trueMs())).toBeLessThan(5_000);
    sleptMs = 3_600_000;
    expect(routes.use()).toBeUndefined();
    expect(routes.problem).toMatch(/slept/);
    await eventually('a portal has told the time again', isAsked);
    expect(Math.abs(clock.nowMs() - trueMs())).toBeLessThan(5_000);
  } finally {
    routes.close();
    links.close();
  }
});
