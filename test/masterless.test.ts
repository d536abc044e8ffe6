import { namespace, shapeDefault, SimulatedCluster } from './simulation/simulated-cluster';
import { seed } from './support/seed';

jest.setTimeout(300_000);

const nodes = ['n1', 'n2', 'n3'] as const;

/** The journal is whole, and nobody decides that a node has moved: every start of one takes another port here. */
describe('a cluster without a master', () => {
  it.each([
    ['nodes restart', false],
    ['nodes and portal restart', true],
  ])('serves reads and writes after all its %s at other addresses', async (_what, portalToo) => {
    const cluster = new SimulatedCluster({ ...shapeDefault, masters: 1, portals: 1, nodes: 3, replicas: 3, seed });
    const { time } = cluster;
    const works = async (value: string): Promise<void> => {
      const store = cluster.keyValue('p1');
      const owner = store.namespace(namespace);
      await store.put(owner, Buffer.from('k'), Buffer.from(value), { ack: 'all' });
      for (const consistency of ['eventual', 'session', 'strong'] as const)
        expect((await store.get(owner, Buffer.from('k'), { consistency }))?.value.toString()).toBe(value);
    };
    const worksSoon = async (value: string): Promise<void> => {
      const giveUpAtMs = time.nowMs + 60_000;
      for (;;)
        try {
          return await works(value);
        } catch (error) {
          if (time.nowMs > giveUpAtMs) throw error;
          await time.sleep(500);
        }
    };
    const registered = (): string[] => nodes.map((id) => cluster.view.state.node(id)?.respAddress ?? '');
    await time.run(async () => {
      await cluster.start();
      await works('before');
      const [before, { seq }] = [registered(), cluster.view];
      for (const name of ['m1', ...nodes, ...(portalToo ? ['p1'] : [])]) cluster.kill(name);
      await time.sleep(3_000);
      for (const name of [...nodes, ...(portalToo ? ['p1'] : [])]) cluster.restart(name);
      await worksSoon('without a master');
      expect([registered(), cluster.view.seq, cluster.activeMaster()]).toEqual([before, seq, undefined]);

      cluster.restart('m1');
      await cluster.ready();
      expect(registered()).not.toEqual(before);
      await worksSoon('with a master');
    }, 240_000);
    await time.run(() => cluster.end(), 300_000);
  });
});
