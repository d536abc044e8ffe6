import { healingPolicy } from '../../src/placement/healing/healing-policy';
import { LoadRates } from '../../src/placement/healing/load-rates';

const reportMs = 3_000;

/** What a node tells of one replica that is read so often, every three seconds. */
function rateAfter(
  policy: ReturnType<typeof healingPolicy>,
  steps: readonly (readonly [ms: number, perSecond: number])[],
) {
  const rates = new LoadRates(policy.rateHalfLifeMs);
  let [nowMs, reads] = [0, 0];
  for (const [ms, perSecond] of steps)
    for (const endMs = nowMs + ms; nowMs < endMs; nowMs += reportMs) {
      const load = {
        chunkId: 'c',
        unitId: 'u',
        reads,
        recordsApplied: 0,
        bytesApplied: 0,
        storedBytes: 1,
        liveKeys: 1,
      };
      rates.heard({ id: 'n1', incarnation: 'i', loads: [load], freeDiskBytes: 1 }, nowMs);
      reads += (perSecond * reportMs) / 1_000;
    }
  return rates.replica('n1', 'c')?.readsPerSecond ?? NaN;
}

test.each([3_000, 15_000, 60_000])(
  'a load that came or went is known when it is judged: to an eighth, with a settle time of %i ms',
  (settleMs) => {
    const policy = healingPolicy({ settleMs });
    const [busyMs, settledMs] = [600_000, settleMs + reportMs];
    expect(
      rateAfter(policy, [
        [busyMs, 0],
        [settledMs, 400],
      ]),
    ).toBeGreaterThanOrEqual(350);
    expect(
      rateAfter(policy, [
        [busyMs, 400],
        [settledMs, 0],
      ]),
    ).toBeLessThanOrEqual(50);
    // A single report is no load that lasts.
    if (settleMs > reportMs * 4)
      expect(
        rateAfter(policy, [
          [busyMs, 0],
          [reportMs * 2, 400],
        ]),
      ).toBeLessThan(200);
  },
);
