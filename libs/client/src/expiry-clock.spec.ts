import { Session } from '@levee/keyspace';
import { ExpiryClock, sessionTimeMs } from './expiry-clock';

function world() {
  let [wallMs, monotonicMs] = [1_000_000_000, 5_000];
  const clock = new ExpiryClock({ nowMs: () => wallMs, monotonicMs: () => monotonicMs });
  return {
    /** What it says each second while time passes. */
    pass(seconds: number): number[] {
      return Array.from({ length: seconds }, () => {
        [wallMs, monotonicMs] = [wallMs + 1_000, monotonicMs + 1_000];
        return clock.nowMs() - wallMs;
      });
    },
    sleep: (ms: number) => ([wallMs, monotonicMs] = [wallMs + ms, monotonicMs + ms]),
    set: (byMs: number) => (wallMs += byMs),
  };
}

describe('the clock by which a process judges expiry', () => {
  it('stands still where the machine’s is set back a little, and never falls then', () => {
    const of = world();
    expect(new Set(of.pass(10))).toEqual(new Set([0]));
    of.set(-30_000);
    const ahead = of.pass(60);
    expect(ahead.slice(0, 29)).toEqual(Array.from({ length: 29 }, (_, i) => 29_000 - i * 1_000));
    expect(new Set(ahead.slice(30))).toEqual(new Set([0]));
  });

  it('that was far ahead recovers a minute after it was set right', () => {
    const of = world();
    of.pass(5);
    of.set(86_400_000);
    expect(of.pass(1)).toEqual([0]);
    of.set(-86_400_000);
    const ahead = of.pass(70);
    expect(ahead.slice(0, 60).every((ms) => ms > 86_000_000)).toBe(true);
    expect(new Set(ahead.slice(62))).toEqual(new Set([0]));
  });

  it('is not set back by one look after a long silence, nor by what passes', () => {
    const of = world();
    of.pass(5);
    of.sleep(3_600_000);
    of.set(-7_200_000);
    expect(of.pass(1)[0]).toBeGreaterThan(3_000_000);
    of.set(7_200_000);
    expect(of.pass(1)).toEqual([0]);
    of.set(-7_200_000);
    expect(of.pass(50).every((ms) => ms > 3_000_000)).toBe(true);
  });

  it.each([
    [undefined, 100, 100, undefined],
    [50, 100, 100, 50],
    [130, 100, 130, 130],
    [160, 100, 160, 160],
    [161, 100, 100, 0],
  ])(
    'a session that saw %s is judged at %i by %i, if 60 is the most, and has seen %s then',
    (clockMs, nowMs, by, then) => {
      const session = clockMs === undefined ? undefined : new Session({ namespace: 'ns', binlog: 'b', partitions: 1 });
      session?.observeClock(clockMs ?? 0);
      expect(sessionTimeMs(session, nowMs, 60)).toBe(by);
      expect(session?.clockMs).toBe(then);
    },
  );

  it('a session that saw a wrong clock tells tokens that are taken, once its own portal is right', () => {
    const scope = { namespace: 'ns', binlog: 'b', partitions: 1 };
    const [session, other] = [new Session(scope), new Session(scope)];
    session.observeClock(3 * 86_400_000);
    expect(other.merge(session.toToken(), 1_060)).toHaveProperty('problem');
    session.observeClock(sessionTimeMs(session, 1_000, 60));
    expect(other.merge(session.toToken(), 1_060)).toBeUndefined();
    expect(other.clockMs).toBe(1_000);
  });
});
