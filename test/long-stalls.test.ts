import { type Stall, stalled } from './simulation/long-stall';
import { shapeDefault, SimulatedCluster } from './simulation/simulated-cluster';
import { seed } from './support/seed';

// A second or two on a quiet machine.
jest.setTimeout(120_000);

const stalls: readonly [string, Stall][] = [
  ['with a clock that goes on', { days: 18 }],
  ['with a clock that stood still, as on a suspended machine', { days: 18, clockStops: true }],
];

async function stallOf(stall: Stall): Promise<{ readonly faults: string[]; readonly forgotten: number }> {
  const cluster = new SimulatedCluster({ ...shapeDefault, masters: 1, portals: 1, nodes: 3, replicas: 3, seed });
  const report = await cluster.time.run(async () => {
    await cluster.start();
    return stalled(cluster, stall);
  }, 60 * 86_400_000);
  await cluster.time.run(() => cluster.end(), 61 * 86_400_000);
  return report;
}

describe('a process that stands still for longer than tombstones live', () => {
  it.each(stalls)('%s: no deleted key is there when it goes on', async (_how, stall) => {
    const { faults, forgotten } = await stallOf(stall);
    // The values, and the tombstones that took their place.
    expect(forgotten).toBeGreaterThanOrEqual(90);
    expect(faults).toEqual([]);
  });

  it('the judge would see them: of a log that forgets too early no node can know', async () => {
    const { faults, forgotten } = await stallOf({ days: 3, tombstonesGoEarly: true });
    expect(forgotten).toBeGreaterThanOrEqual(90);
    expect(faults).toContainEqual(expect.stringMatching(/^I1: .* on n1.*the log says/));
  });
});
