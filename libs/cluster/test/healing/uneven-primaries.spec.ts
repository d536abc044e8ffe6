import type { HealingRound } from '../../src/placement/healing/plan-healing';
import { Scene } from './healing-scene';

describe('uneven primaries', () => {
  const primaries = (scene: Scene): number[] => {
    const counts = new Map(['n1', 'n2', 'n3', 'n4'].map((nodeId) => [nodeId, 0]));
    for (const { replicas } of scene.cluster.state.chunksOf('app'))
      for (const { nodeId, role } of replicas)
        if (role === 'primary') counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
    return [...counts.values()];
  };
  /** n1 was away: others lead what it led, and it leads nothing. */
  const afterFailover = (): Scene => {
    const scene = new Scene({ nodes: 4, chunks: 16 });
    for (const { chunkId, replicas } of [...scene.cluster.state.chunksOf('app')]) {
      const lead = replicas.find(({ nodeId }) => nodeId !== 'n1')!;
      scene.cluster.changeReplicas(chunkId, (all) =>
        all.map((of) => ({ ...of, role: of === lead ? 'primary' : 'follower' })),
      );
    }
    expect(primaries(scene)[0]).toBe(0);
    return scene;
  };

  test('S42: once the node is back they are handed over until they differ by one at most, and that is all', () => {
    const scene = afterFailover();
    expect(scene.round().proposals).toEqual([]);
    for (let minute = 0; minute < 40; minute++) {
      const round = scene.round(1);
      for (const { payload } of round.proposals)
        expect(payload).toMatchObject({ trigger: 'unevenPrimaries', kind: 'promote' });
      scene.carryOut(round);
    }
    const counts = primaries(scene);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    for (let minute = 0; minute < 60; minute++) expect(scene.round(1).proposals).toEqual([]);
  });

  test('nothing is handed to a node that would be hot by it', () => {
    const scene = afterFailover();
    // Followers on n1 answer eventual reads: it has its share of the load without leading anything.
    scene.chunkLoads(Array.from({ length: 16 }, () => 2_000));
    const hot = (round: HealingRound): boolean =>
      [...round.survey.nodes.values()].some(({ load, units }) => load > round.survey.loadPerUnit * units * 1.3);
    for (let minute = 0; minute < 40; minute++) {
      const round = scene.round(1);
      scene.carryOut(round);
      expect(minute > 5 && hot(round)).toBe(false);
    }
  });
});
