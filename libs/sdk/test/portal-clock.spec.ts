import { PortalClock } from '../src/direct/portal-clock';

const startMs = 1_700_000_000_000;
const dayMs = 86_400_000;

/** A client whose own wall clock nobody asks, and portals that are ahead of the true time by so much. */
function world() {
  let monotonicMs = 5_000;
  const clock = new PortalClock({ nowMs: () => 0, monotonicMs: () => monotonicMs });
  const trueMs = (): number => startMs + monotonicMs;
  return {
    clock,
    trueMs,
    /** Portals answer in turns, every second. */
    pass(seconds: number, ...ahead: readonly number[]): void {
      for (let i = 0; i < seconds; i++) {
        monotonicMs += 1_000;
        if (ahead.length > 0) clock.tell(trueMs() + (ahead[i % ahead.length] as number));
      }
    },
    aheadMs: (): number => clock.nowMs() - trueMs(),
  };
}

describe('the time by which a client judges expiry', () => {
  it('is that of the portal, and runs while none answers', () => {
    const of = world();
    of.pass(3, 0);
    expect(of.aheadMs()).toBe(0);
    of.pass(100);
    expect(of.aheadMs()).toBe(0);
  });

  it('of several portals is that of the one furthest ahead: nothing is told that one of them calls expired', () => {
    const of = world();
    for (let i = 0; i < 200; i++) {
      of.pass(1, [0, -4_000, 30_000, 200][i % 4] as number);
      if (i > 3) expect(of.aheadMs()).toBe(30_000);
    }
  });

  it('of a portal that was far ahead recovers within a minute or so of its being right, and not on a single word', () => {
    const of = world();
    of.pass(10, 0);
    of.pass(5, 3 * dayMs);
    expect(of.aheadMs()).toBe(3 * dayMs);
    of.pass(50, 0);
    expect(of.aheadMs()).toBe(3 * dayMs);
    of.pass(20, 0);
    expect(of.aheadMs()).toBe(0);
  });

  it('of one that is far ahead and gone recovers as well', () => {
    const of = world();
    of.pass(20, 0, 3_600_000);
    expect(of.aheadMs()).toBe(3_600_000);
    of.pass(70, 0);
    expect(of.aheadMs()).toBe(0);
  });

  it('after a long silence one answer alone lowers nothing', () => {
    const of = world();
    of.pass(5, 60_000);
    of.pass(3_600);
    of.pass(1, 0);
    expect(of.aheadMs()).toBe(60_000);
    of.pass(3, 0);
    expect(of.aheadMs()).toBe(0);
  });

  it('does not fall for what answers differ by, and then goes on', () => {
    const of = world();
    let before = 0;
    for (let i = 0; i < 1_000; i++) {
      of.pass(1, [900, 0, 300, 0][Math.floor(i / 70) % 4] as number);
      const nowMs = of.clock.nowMs();
      expect(nowMs).toBeGreaterThanOrEqual(before);
      before = nowMs;
    }
    expect(of.aheadMs()).toBeLessThanOrEqual(900);
  });

  it('remembers a bounded number of answers, and forgets none that counts', () => {
    const of = world();
    // Each a little less ahead than the one before.
    for (let i = 0; i < 50; i++) of.pass(1, 50_000 - i);
    expect(of.aheadMs()).toBe(50_000);
    of.pass(200, 0);
    expect(of.aheadMs()).toBe(0);
  });
});
