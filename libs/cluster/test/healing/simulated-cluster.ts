import type { ChunkReplica, ChunkState, NamespaceState, NodeState, PlanState, UnitState } from '@levee/events';
import { evenSplit } from '@levee/keyspace';
import { ClusterState } from '../../src/state/state';
import { unfrozen } from '../../src/commands/namespaces/freeze-namespace';
import { placeChunks } from '../../src/placement/place-chunks';
import { candidateNodes } from '../../src/placement/candidate-nodes';

export const MiB = 2 ** 20;
const stamp = { seq: 1, term: 1 };

/** The entities of a cluster without the master that would make them: fast enough for a hundred thousand chunks. */
export class SimulatedCluster {
  readonly state = new ClusterState();
  seq = 1;
  private nodes = 0;

  addNodes(count: number, options: { units: number; domains: number; unitBytes?: number }): string[] {
    return Array.from({ length: count }, () => {
      const nodeId = `n${++this.nodes}`;
      const node: NodeState = {
        nodeId,
        storeId: `store-${nodeId}`,
        incarnation: 'run-1',
        domain: `rack-${this.nodes % options.domains}`,
        respAddress: 'h:1',
        httpAddress: 'h:2',
        state: 'up',
        featureLevel: 2,
        cordoned: false,
        registeredAtMs: 0,
        change: 'NodeRegistered',
        ...stamp,
        seq: ++this.seq,
      };
      this.state.evolve({ kind: 'node', entity: node });
      for (let i = 0; i < options.units; i++)
        this.unit({
          unitId: `${nodeId}/u${String(i).padStart(3, '0')}`,
          nodeId,
          storeId: node.storeId,
          capacityBytes: options.unitBytes ?? 256 * MiB,
          engine: 'leveldb',
          state: 'free',
          generation: 0,
          chunkId: null,
          change: 'UnitRegistered',
          ...stamp,
        });
      return nodeId;
    });
  }

  /** `slots`: other ranges than even ones; they need not cover everything. */
  addNamespace(
    name: string,
    options: { chunks: number; replicas: number; slots?: { slotStart: number; slotEnd: number }[] },
  ): void {
    const { chunks, replicas, slots = evenSplit(chunks) } = options;
    const namespace: NamespaceState = {
      name,
      number: 1,
      binlog: `levee.binlog.${name}`,
      state: 'active',
      partitions: 64,
      hashAlgorithm: 'murmur2',
      recordFormat: 'put',
      sourceTopic: null,
      sourceTopicId: null,
      sourceFinding: 'none',
      sourceProblem: null,
      writable: true,
      ...unfrozen,
      ...{ forkedFrom: null, forkedBinlog: null, forkedAtMs: null, forkedPositions: [] },
      ...{ forkedDigest: null, forkedKeys: null },
      ...{ bornAs: null, bornNumber: null, swappedWith: null, swappedAtMs: null, leftPositions: [] },
      acknowledgements: [],
      expireWithRetention: false,
      retentionMs: null,
      hiddenAfterMs: null,
      partitionStrategy: 'hash',
      ack: 'logged',
      consistency: 'session',
      maxStalenessMs: null,
      requestsPerSecond: null,
      chunkRequestsPerSecond: null,
      chunkCapacityBytes: 256 * MiB,
      failoverStrategy: 'automatic',
      expectedBytes: null,
      expectedRequestsPerSecond: null,
      historyWindowMs: 0,
      maxTtlMs: null,
      manualPlans: [],
      multi: 'refuse',
      flush: 'refuse',
      nextChunk: chunks + 1,
      createdAtMs: 0,
      change: 'NamespaceActivated',
      ...stamp,
      seq: ++this.seq,
      chunks,
      replicas,
    };
    this.state.evolve({ kind: 'namespace', entity: namespace });
    const request = { chunks, replicas, unitBytesMin: namespace.chunkCapacityBytes, requestsPerSecondPerChunk: 0 };
    const placement = placeChunks(candidateNodes(this.state), request);
    if ('code' in placement) throw new Error(placement.message);
    placement.chunks.forEach((placed, i) => {
      const chunkId = `${name}#1/c${String(i + 1).padStart(5, '0')}`;
      const made = placed.map(({ unitId }, rank) =>
        this.allocate(unitId, chunkId, rank === 0 ? 'primary' : 'follower'),
      );
      const range = slots[i] as { slotStart: number; slotEnd: number };
      this.chunk({ chunkId, namespace: name, ...range, state: 'serving', replicas: made, change: 'x', ...stamp });
    });
  }

  /** A new id for a chunk of the namespace. */
  newChunkId(name: string): string {
    const namespace = this.state.namespace(name) as NamespaceState;
    const entity = { ...namespace, nextChunk: namespace.nextChunk + 1, seq: ++this.seq };
    this.state.evolve({ kind: 'namespace', entity });
    return `${name}#1/c${String(namespace.nextChunk).padStart(5, '0')}`;
  }

  /** The smallest free unit of a node that is large enough. */
  freeUnit(nodeId: string, bytesMin: number): UnitState | undefined {
    let best: UnitState | undefined;
    for (const unit of this.state.freeUnitsOf(nodeId))
      if (unit.capacityBytes >= bytesMin && (best === undefined || unit.capacityBytes < best.capacityBytes))
        best = unit;
    return best;
  }

  allocate(unitId: string, chunkId: string, role: ChunkReplica['role']): ChunkReplica {
    const unit = this.state.unit(unitId) as UnitState;
    const generation = unit.generation + 1;
    this.unit({ ...unit, state: 'allocated', generation, chunkId });
    return { nodeId: unit.nodeId, storeId: unit.storeId, unitId, generation, role };
  }

  free(unitId: string): void {
    this.unit({ ...(this.state.unit(unitId) as UnitState), state: 'free', chunkId: null });
  }

  chunk(chunk: ChunkState): void {
    this.state.evolve({ kind: 'chunk', entity: { ...chunk, seq: ++this.seq } });
  }

  changeReplicas(chunkId: string, change: (replicas: readonly ChunkReplica[]) => ChunkReplica[]): void {
    const chunk = this.state.chunk(chunkId) as ChunkState;
    this.chunk({ ...chunk, replicas: change(chunk.replicas) });
  }

  removeChunk(chunkId: string): void {
    const entity = { entity: 'chunk' as const, key: chunkId, change: 'ChunkRemoved', term: 1, seq: ++this.seq };
    this.state.evolve({ kind: 'removed', entity });
  }

  plan(plan: PlanState): void {
    this.state.evolve({ kind: 'plan', entity: { ...plan, seq: ++this.seq } });
  }

  forgetPlan(planId: string): void {
    const entity = { entity: 'plan' as const, key: planId, change: 'PlanForgotten', term: 1, seq: ++this.seq };
    this.state.evolve({ kind: 'removed', entity });
  }

  setNode(nodeId: string, state: NodeState['state']): void {
    const node = this.state.node(nodeId) as NodeState;
    this.state.evolve({ kind: 'node', entity: { ...node, state, change: 'x', seq: ++this.seq } });
  }

  /** The node is given up: its replicas are dead, followers become primaries. Returns how many died. */
  lose(nodeId: string): number {
    this.setNode(nodeId, 'lost');
    let died = 0;
    for (const chunk of [...this.state.chunksOn(nodeId)])
      this.changeReplicas(chunk.chunkId, (replicas) => {
        const after = replicas.map((of) => (of.nodeId === nodeId ? { ...of, role: 'dead' as const } : of));
        died++;
        const heir = after.find(({ role }) => role === 'follower');
        const led = after.some(({ role }) => role === 'primary') || heir === undefined;
        return led ? after : after.map((of) => (of === heir ? { ...of, role: 'primary' as const } : of));
      });
    return died;
  }

  private unit(unit: UnitState): void {
    this.state.evolve({ kind: 'unit', entity: { ...unit, seq: ++this.seq } });
  }
}
