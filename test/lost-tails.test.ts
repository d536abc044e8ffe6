import { judgeLostTail } from './simulation/lost-tail';
import { shapeDefault, SimulatedCluster } from './simulation/simulated-cluster';
import { seed } from './support/seed';

jest.setTimeout(300_000);

async function lose(meanwhile?: (cluster: SimulatedCluster) => void): Promise<{ faults: string[]; said: string }> {
  const cluster = new SimulatedCluster({ ...shapeDefault, masters: 1, portals: 1, nodes: 3, replicas: 3, seed });
  const faults = await cluster.time.run(async () => {
    await cluster.start();
    return judgeLostTail(cluster, () => meanwhile?.(cluster));
  }, 240_000);
  await cluster.time.run(() => cluster.end(), 300_000);
  return { faults, said: cluster.world.text() };
}

describe('a log that loses its end while replicas hold it', () => {
  it('no replica gives up what only replicas have, and no answer is untrue', async () => {
    const { faults, said } = await lose();
    expect(faults).toEqual([]);
    for (const node of ['n1', 'n2', 'n3'])
      expect(said).toMatch(new RegExp(` ${node} (warn|error) .*(LOG_TRUNCATED|lost)`));
  });

  it('the judge names one copy that is gone', async () => {
    const { faults } = await lose((cluster) => void cluster.disks.get('n2')?.forget(Buffer.from('k39')));
    expect(faults).toContainEqual(expect.stringMatching(/^I14: n2\/.*d\/k39 is gone/));
  });
});
