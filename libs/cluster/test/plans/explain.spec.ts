import { explainSubject } from '../../src';
import { MiB } from '../cluster-script';
import { PlanScript } from './plan-script';

/** What `levee explain` says of a subject: what happened, with its evidence. */
function explained(script: PlanScript, subject: string): string {
  const { chain } = explainSubject(script.state, subject, script.nowMs) ?? { chain: [] };
  return chain.map(({ what, evidence }) => `${what} ${evidence}`).join('\n');
}

function shop(): PlanScript {
  const script = new PlanScript();
  script.nodes(3, 8).namespace('shop', { chunks: 4, replicas: 2, chunkCapacityBytes: 64 * MiB });
  return script;
}

describe('S90: explain says why this unit', () => {
  it('of a chunk that was made with its namespace: by capacity and traffic', () => {
    const script = shop();
    const reason = explained(script, 'shop#1/c00001');
    expect(reason).toMatch(
      /^ChunkCreated made with its namespace: .* chunks of up to 67108864 bytes; no traffic was foretold, so leveldb/,
    );
    script.namespace('busy', {
      chunks: 1,
      replicas: 2,
      chunkCapacityBytes: 64 * MiB,
      expectedRequestsPerSecond: 50_000,
    });
    expect(explained(script, 'busy#1/c00001')).toMatch(/50000 requests\/s were foretold each, so memory was preferred/);
  });

  it('of a replica that a plan made: the emptiest node that may have it, the smallest unit that is large enough', () => {
    const script = shop();
    script.node('n4', { unitCount: 8 });
    const [chunk] = script.state.chunksOf('shop');
    const [from] = chunk!.replicas;
    script.until(script.propose({ kind: 'move', chunkId: chunk!.chunkId, from: from!.nodeId }).planId, 'copy');
    expect(explained(script, chunk!.chunkId)).toMatch(
      /"because":\["n4\/u00: n4 has 0 of 8 units in use, the smallest share of the nodes that may take it; \d+ bytes of leveldb is the smallest free unit there for chunks of up to 67108864 bytes"\]/,
    );
  });

  it('of a unit that a person named', () => {
    const script = shop();
    const [chunk] = script.state.chunksOf('shop');
    const [from] = chunk!.replicas;
    const to = ['n1', 'n2', 'n3'].find((nodeId) => chunk!.replicas.every((of) => of.nodeId !== nodeId))!;
    const unitId = `${to}/u05`;
    script.until(
      script.propose({ kind: 'move', chunkId: chunk!.chunkId, from: from!.nodeId, to, unitId }).planId,
      'copy',
    );
    expect(explained(script, chunk!.chunkId)).toContain(
      `"because":["${unitId}: ${to} was asked for; the unit was asked for"]`,
    );
  });

  it('of the halves of a chunk: where it is, since a copy there costs no network', () => {
    const script = shop();
    const [chunk] = script.state.chunksOf('shop');
    const { planId } = script.propose({ kind: 'split', chunkId: chunk!.chunkId });
    script.until(planId, 'copy');
    expect(explained(script, planId)).toMatch(/n\d has what it is made of, so that the copy costs no network/);
  });
});
