import { nodeLimits } from '@levee/data-node';
import { LogClock } from '@levee/follow';
import { asOffset, type Clock, silentLogger } from '@levee/kernel';
import { type Log, systemTimers } from '@levee/log';
import { LogTime } from '../src/membership/log-time';
import { until } from './small-cluster';

const dayMs = 86_400_000;

describe('the time of the log, as a node keeps it', () => {
  it('I5: a machine that slept claims nothing before the log has told its time again', async () => {
    let sleptMs = 0;
    let brokerMs = 1_000_000_000_000;
    let reachable = true;
    const startedMs = performance.now();
    const clock: Clock = { monotonicMs: () => performance.now(), nowMs: () => Date.now() + sleptMs };
    const appended: number[] = [];
    const log = {
      async *tail(_: string, __: number, { nextOffset }: { nextOffset: number }) {
        if (!reachable) throw new Error('no answer');
        yield { records: [{ timestampMs: appended[nextOffset] }] };
      },
    };
    const heartbeats = {
      lastOffset: undefined as ReturnType<typeof asOffset> | undefined,
      async send() {
        if (!reachable) return;
        appended.push(brokerMs + (performance.now() - startedMs));
        heartbeats.lastOffset = asOffset(appended.length - 1);
      },
    };
    const logClock = new LogClock(clock);
    // Looks come quickly here.
    const timers: typeof systemTimers = { after: (ms, action) => systemTimers.after(ms / 100, action) };
    const options = { log: log as unknown as Log, topic: 'h', heartbeats, clock, timers, logger: silentLogger };
    const time = new LogTime(logClock, options);
    await time.known();
    expect(logClock.at(performance.now())).toBeGreaterThanOrEqual(1_000_000_000_000);
    const watching = time.watch();
    const looks = appended.length;
    await new Promise((resolve) => setTimeout(resolve, nodeLimits.sleepLookMs / 20));
    expect([appended.length, logClock.at(performance.now()) === undefined]).toEqual([looks, false]);

    reachable = false;
    sleptMs = 10 * dayMs;
    brokerMs += 10 * dayMs;
    await until('the doubt', () => logClock.at(performance.now()) === undefined);
    expect(logClock.nowMs()).toBeLessThan(1_000_000_000_000 + dayMs);
    reachable = true;
    await until('the time of the log', () => logClock.at(performance.now()) !== undefined);
    expect(logClock.nowMs()).toBeGreaterThanOrEqual(1_000_000_000_000 + 10 * dayMs);

    // Somebody set the wall clock back: that is asked about too, and changes nothing.
    sleptMs = 0;
    const before = appended.length;
    await until('another question', () => appended.length > before && logClock.at(performance.now()) !== undefined);
    expect(logClock.nowMs()).toBeLessThan(1_000_000_000_000 + 11 * dayMs);
    time.stop();
    await watching;
  });
});
