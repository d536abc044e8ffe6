import { chunkAt, chunks, nothingReclaimed, rolesOf } from './plan-scenario';
import type { Scenario } from './scenario';
import type { SimulatedCluster } from './simulated-cluster';

/** The active master is killed: another one takes over, and the old one comes back as a standby. */
export const failover: Scenario = (() => {
  let termBefore = 0;
  return {
    name: 'failover',
    begin: (cluster) => {
      termBefore = cluster.view.term;
      const master = cluster.activeMaster();
      if (master === undefined) throw new Error('no master is active');
      cluster.kill(master);
      cluster.time.after(2_500, () => cluster.restart(master));
      return Promise.resolve();
    },
    phase: (cluster) => {
      if (cluster.view.term === termBefore) return 'silence';
      return cluster.activeMaster() === undefined ? 'claimed' : 'reigns';
    },
    over: (cluster) =>
      cluster.masters.size === 2 && cluster.view.term > termBefore && cluster.activeMaster() !== undefined,
    roles: rolesOf,
  };
})();

/** A namespace is made and deleted again: units are taken, served, cleared. */
export const reclaim: Scenario = (() => {
  const name = 'passing';
  let asked = false;
  const stateOf = (cluster: SimulatedCluster) => cluster.view.state.namespace(name)?.state;
  return {
    name: 'reclaim',
    begin: async (cluster) => {
      asked = false;
      await cluster.command('CreateNamespace', {
        name,
        partitions: 2,
        chunks: 2,
        replicas: 2,
        chunkCapacityBytes: 8 << 20,
      });
      await cluster.time.until(`${name} being active`, () => stateOf(cluster) === 'active', 120_000);
      await cluster.command('DeleteNamespace', { name });
      asked = true;
    },
    phase: (cluster) => {
      const unit = [...cluster.view.state.units()].some(({ state }) => state === 'reclaiming');
      return `${stateOf(cluster) ?? 'before'}${unit ? ', units reclaiming' : ''}`;
    },
    over: (cluster) => asked && stateOf(cluster) === 'deleted' && nothingReclaimed(cluster),
    roles: rolesOf,
  };
})();

/** A node goes down for longer than it takes to be suspect, and comes back: primaries are handed over, it catches up. */
export const nodeLoss: Scenario = (() => {
  let name = '';
  let back = false;
  return {
    name: 'node-loss',
    shape: { replicas: 3 },
    begin: (cluster) => {
      back = false;
      name = chunkAt(cluster, 0).replicas.find(({ role }) => role === 'primary')?.nodeId ?? 'n1';
      cluster.kill(name);
      cluster.time.after(4_000, () => {
        cluster.restart(name);
        back = true;
      });
      return Promise.resolve();
    },
    phase: (cluster) => {
      const state = cluster.view.state.node(name)?.state;
      return `${back ? 'back' : 'away'}, ${state}`;
    },
    over: (cluster) =>
      back && [...cluster.view.state.nodes()].every(({ state }) => state === 'up') && nodesAreReady(cluster),
    roles: rolesOf,
  };
})();

/** Two of three replicas read from brokers that were deposed and do not know: they call an old end the end. */
export const staleLeaders: Scenario = (() => {
  let healed = false;
  return {
    name: 'stale-leaders',
    shape: { nodes: 3, replicas: 3 },
    begin: async (cluster) => {
      healed = false;
      const stale = ['n1', 'n2'];
      for (const name of stale) await cluster.depose(name);
      cluster.time.after(5_000, () => {
        for (const name of stale) cluster.heal(name);
        healed = true;
      });
    },
    phase: () => (healed ? 'healed' : 'stale'),
    over: (cluster) => healed && nodesAreReady(cluster),
    roles: rolesOf,
  };
})();

/**
 * A disk hides keys when its process starts anew, without any error; another one fails whatever is asked of it while its
 * process runs. Both replicas stop, are set aside, and are built anew.
 */
export const diskDamage: Scenario = (() => {
  const [hides, fails] = ['n1', 'n2'];
  let struck = 0;
  const damaged = (cluster: SimulatedCluster): string[] => [...cluster.disks.values()].flatMap((disk) => disk.damaged);
  const noticed = (cluster: SimulatedCluster): boolean => cluster.disks.get(fails)?.damaged.length === 0;
  return {
    name: 'disk-damage',
    shape: { nodes: 3, replicas: 3 },
    begin: async (cluster) => {
      struck = cluster.disks.get(hides)?.damage('silent') ?? 0;
      cluster.kill(hides);
      await cluster.time.sleep(1_000);
      cluster.restart(hides);
      await cluster.time.until(`${hides} being ready`, () => nodesAreReady(cluster), 120_000);
      struck += cluster.disks.get(fails)?.damage('fails') ?? 0;
    },
    phase: (cluster) => `${damaged(cluster).length} damaged`,
    over: (cluster) => struck > 0 && noticed(cluster) && nodesAreReady(cluster),
    roles: rolesOf,
    judge: (cluster) => [
      ...(struck >= 4 ? [] : [`the damage struck ${struck} units`]),
      ...damaged(cluster).map((place) => `I19: ${place} is damaged, and nobody has built it anew`),
    ],
  };
})();

function nodesAreReady(cluster: SimulatedCluster): boolean {
  return [...cluster.nodes.values()].every(({ part }) => part.readyProblem() === undefined);
}

/**
 * A node is given up: the dispatcher sees it, and its replicas are made anew elsewhere. When it comes back after all, it
 * clears what nobody wants from it any more.
 */
export const heal: Scenario = (() => {
  let lost = '';
  const whole = (cluster: SimulatedCluster): boolean =>
    chunks(cluster).every(({ replicas }) => replicas.length === 3 && replicas.every(({ role }) => role !== 'dead')) &&
    [...cluster.view.state.openPlans()].length === 0;
  return {
    name: 'heal',
    shape: { replicas: 3, dispatchers: 2 },
    begin: async (cluster) => {
      lost = chunkAt(cluster, 0).replicas.find(({ role }) => role === 'primary')?.nodeId ?? 'n1';
      cluster.kill(lost);
      const made = (): boolean => cluster.view.state.node(lost)?.state === 'lost' && whole(cluster);
      await cluster.time.until('new replicas in place of the lost ones', made, 120_000, 5);
      cluster.restart(lost);
    },
    phase: (cluster) => {
      const [plan] = cluster.view.state.openPlans();
      if (plan !== undefined) return `${plan.kind} ${plan.state} ${plan.step}`;
      return `the node is ${cluster.view.state.node(lost)?.state}`;
    },
    over: (cluster) => whole(cluster) && nothingReclaimed(cluster) && nodesAreReady(cluster),
    roles: rolesOf,
  };
})();
