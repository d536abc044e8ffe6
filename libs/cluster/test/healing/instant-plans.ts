import type { ChunkReplica, ChunkState, PlanState } from '@levee/events';
import type { Proposal } from '../../src/placement/healing/proposal';
import type { SimulatedCluster } from './simulated-cluster';

export interface PlanTimes {
  /** From the proposal to the switch. */
  readonly copyMs: number;
  readonly observeMs: number;
}

interface Open {
  plan: PlanState;
  readonly proposal: Proposal;
  readonly switchAtMs: number;
  /** Replica that the plan replaces or adds, by chunk. */
  readonly learners: ReadonlyMap<string, ChunkReplica>;
  readonly targets: readonly ChunkState[];
}

/** What became of every plan, for the judges. */
export interface Done {
  readonly proposal: Proposal;
  readonly atMs: number;
  readonly sources: readonly string[];
  readonly targets: readonly ChunkState[];
}

const bytesMin = 0;

/** Carries plans out as masters and movers would, in the steps that the planner can see, after a given time each. */
export class InstantPlans {
  readonly done: Done[] = [];
  /** Proposals that could not be carried out: a good planner makes none. */
  readonly refused: string[] = [];
  private readonly open: Open[] = [];
  private readonly observing: Open[] = [];
  /** Chunks of plans that are not over. */
  private readonly held = new Set<string>();

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly times: PlanTimes,
  ) {}

  get openCount(): number {
    return this.open.length;
  }

  begin(proposal: Proposal, nowMs: number): void {
    const { payload } = proposal;
    const ids = payload.chunkIds ?? [payload.chunkId as string];
    const sources = ids.map((id) => this.cluster.state.chunk(id));
    if (ids.some((id) => this.held.has(id)) || sources.some((chunk) => chunk?.state !== 'serving'))
      return this.refuse(proposal, 'a chunk is taken');
    const made = this.allocate(proposal, sources as ChunkState[]);
    if (made === undefined) return;
    const moved = (sources as ChunkState[]).flatMap((chunk) => {
      const learner = made.learners.get(chunk.chunkId);
      return learner === undefined ? [] : [{ ...chunk, replicas: [learner] }];
    });
    const plan = this.planOf(proposal, ids, [...made.targets, ...moved], nowMs);
    this.cluster.plan(plan);
    const switchAtMs = nowMs + (payload.kind === 'promote' ? 0 : this.times.copyMs);
    this.open.push({ plan, proposal, switchAtMs, ...made });
    for (const id of ids) this.held.add(id);
  }

  /** Switches what is copied, reclaims what was observed. */
  advance(nowMs: number): void {
    for (const open of this.open.splice(0)) {
      if (open.switchAtMs > nowMs) this.open.push(open);
      else this.switch(open, nowMs);
    }
    for (const open of this.observing.splice(0)) {
      if ((open.plan.observeUntilMs ?? 0) > nowMs) this.observing.push(open);
      else this.reclaim(open, nowMs);
    }
    for (const plan of [...this.cluster.state.plans()])
      if (plan.state === 'done' && (plan.endedAtMs ?? 0) < nowMs - 86_400_000) this.cluster.forgetPlan(plan.planId);
  }

  private allocate(proposal: Proposal, sources: readonly ChunkState[]): Pick<Open, 'learners' | 'targets'> | undefined {
    const { kind, to, from } = proposal.payload;
    const learners = new Map<string, ChunkReplica>();
    const [chunk] = sources as [ChunkState];
    if (kind === 'promote') return { learners, targets: [] };
    if (kind === 'move' || kind === 'reReplicate') {
      const domain = (nodeId: string): string | undefined => this.cluster.state.node(nodeId)?.domain;
      const others = chunk.replicas.filter(({ nodeId, role }) => nodeId !== from && role !== 'dead');
      if (others.some(({ nodeId }) => domain(nodeId) === domain(to as string)))
        return this.refuse(proposal, 'its failure domain is taken');
      const unit = this.cluster.freeUnit(to as string, bytesMin);
      if (unit === undefined) return this.refuse(proposal, 'no free unit');
      const learner = this.cluster.allocate(unit.unitId, chunk.chunkId, 'learner');
      this.cluster.changeReplicas(chunk.chunkId, (replicas) => [...replicas, learner]);
      learners.set(chunk.chunkId, learner);
      return { learners, targets: [] };
    }
    const targets: ChunkState[] = [];
    for (const range of this.ranges(proposal, sources)) {
      const chunkId = this.cluster.newChunkId(chunk.namespace);
      const replicas = this.unitsBeside(chunk, chunkId);
      if (replicas === undefined) return this.refuse(proposal, 'not enough free units');
      targets.push({ ...chunk, chunkId, ...range, state: 'pending', replicas });
    }
    for (const target of targets) this.cluster.chunk(target);
    return { learners, targets };
  }

  private ranges({ payload }: Proposal, sources: readonly ChunkState[]): { slotStart: number; slotEnd: number }[] {
    const slotStart = Math.min(...sources.map((chunk) => chunk.slotStart));
    const slotEnd = Math.max(...sources.map((chunk) => chunk.slotEnd));
    if (payload.kind === 'merge') return [{ slotStart, slotEnd }];
    const at = payload.at ?? Math.floor((slotStart + slotEnd) / 2);
    return [
      { slotStart, slotEnd: at },
      { slotStart: at, slotEnd },
    ];
  }

  /** On the nodes of the source, or where most is free in other domains. */
  private unitsBeside(source: ChunkState, chunkId: string): ChunkReplica[] | undefined {
    const { state } = this.cluster;
    const domains = new Set<string>();
    const replicas: ChunkReplica[] = [];
    const living = source.replicas.filter(({ role }) => role === 'primary' || role === 'follower');
    const elsewhere = [...state.nodes()].sort((a, b) => state.freeUnitCount(b.nodeId) - state.freeUnitCount(a.nodeId));
    for (const { nodeId } of [...living, ...elsewhere]) {
      const node = state.node(nodeId);
      const unit = node?.state === 'up' ? this.cluster.freeUnit(nodeId, bytesMin) : undefined;
      if (node === undefined || unit === undefined || domains.has(node.domain)) continue;
      if (replicas.length === (state.namespace(source.namespace)?.replicas ?? 0)) break;
      domains.add(node.domain);
      replicas.push(this.cluster.allocate(unit.unitId, chunkId, 'learner'));
    }
    return replicas.length === state.namespace(source.namespace)?.replicas ? replicas : undefined;
  }

  private switch(open: Open, nowMs: number): void {
    const { proposal, learners, targets } = open;
    const { kind, to, from, chunkId } = proposal.payload;
    if (kind === 'promote')
      this.cluster.changeReplicas(chunkId as string, (replicas) =>
        replicas.map((of) => {
          if (of.nodeId === to) return { ...of, role: 'primary' };
          return of.role === 'primary' ? { ...of, role: 'follower' } : of;
        }),
      );
    for (const [id, learner] of learners)
      this.cluster.changeReplicas(id, (replicas) => {
        const old = kind === 'move' ? replicas.find((of) => of.nodeId === from && of.role !== 'dead') : undefined;
        const lacksPrimary = !replicas.some(({ role }) => role === 'primary');
        const role = old?.role === 'primary' || lacksPrimary ? 'primary' : 'follower';
        const kept = replicas.filter((of) => of.unitId !== learner.unitId);
        const dead = kind === 'reReplicate' ? kept.find((of) => of.role === 'dead') : undefined;
        return [
          ...kept.filter((of) => of !== dead).map((of) => (of === old ? { ...of, role: 'retired' as const } : of)),
          { ...learner, role },
        ];
      });
    if (targets.length > 0) {
      for (const source of open.plan.sources)
        this.cluster.chunk(superseded(this.cluster.state.chunk(source) as ChunkState));
      for (const target of targets)
        this.cluster.chunk({
          ...target,
          state: 'serving',
          replicas: target.replicas.map((of, i) => ({ ...of, role: i === 0 ? 'primary' : 'follower' })),
        });
    }
    this.done.push({ proposal, atMs: nowMs, sources: open.plan.sources, targets });
    const isInstant = kind === 'promote' || kind === 'reReplicate';
    const observeMs = isInstant ? 0 : this.times.observeMs;
    open.plan = {
      ...open.plan,
      state: 'observing',
      step: 'observe',
      verified: '{}',
      observeMs,
      observeUntilMs: nowMs + observeMs,
    };
    this.cluster.plan(open.plan);
    this.observing.push(open);
  }

  private reclaim(open: Open, nowMs: number): void {
    const { kind, chunkId } = open.proposal.payload;
    const units: string[] = [];
    if (kind === 'move')
      this.cluster.changeReplicas(chunkId as string, (replicas) =>
        replicas.filter((of) => of.role !== 'retired' || units.push(of.unitId) === 0),
      );
    if (open.targets.length > 0)
      for (const source of open.plan.sources) {
        const chunk = this.cluster.state.chunk(source) as ChunkState;
        for (const { unitId, role } of chunk.replicas) if (role !== 'dead') units.push(unitId);
        this.cluster.chunk({ ...chunk, replicas: [] });
        this.cluster.removeChunk(source);
      }
    for (const unitId of units) this.cluster.free(unitId);
    for (const id of open.plan.sources) this.held.delete(id);
    this.cluster.plan({ ...open.plan, state: 'done', step: 'none', endedAtMs: nowMs });
  }

  private refuse(proposal: Proposal, why: string): undefined {
    this.refused.push(`${proposal.key}: ${why}`);
    return undefined;
  }

  private planOf(
    { payload }: Proposal,
    sources: readonly string[],
    targets: readonly ChunkState[],
    nowMs: number,
  ): PlanState {
    return {
      planId: `p${this.cluster.seq + 1}`,
      kind: payload.kind,
      namespace: this.cluster.state.chunk(sources[0] as string)?.namespace ?? null,
      state: 'running',
      step: 'copy',
      attempt: 1,
      approved: true,
      parent: null,
      nodeId: null,
      chunksWanted: null,
      unitsWanted: null,
      toNodeId: payload.to ?? null,
      toUnitId: null,
      toEngine: null,
      sources: [...sources],
      targets: targets.map(({ chunkId, slotStart, slotEnd, replicas }) => ({
        chunkId,
        slotStart,
        slotEnd,
        replicas: replicas.map(({ nodeId, storeId, unitId, generation }, i) => ({
          nodeId,
          storeId,
          unitId,
          generation,
          role: i === 0 ? ('primary' as const) : ('follower' as const),
          step: 'copy' as const,
          incarnation: '',
          recordsCopied: 0,
          bytesCopied: 0,
          evidence: '',
        })),
      })),
      retiring: sources.flatMap((chunkId) =>
        (this.cluster.state.chunk(chunkId)?.replicas ?? []).flatMap((of) => {
          const { nodeId, storeId, unitId, generation, role } = of;
          const stays = payload.kind === 'promote' || payload.kind === 'reReplicate';
          const leaves = !stays && (payload.kind !== 'move' || nodeId === payload.from) && of.role !== 'learner';
          return leaves && role !== 'retired' ? [{ chunkId, nodeId, storeId, unitId, generation, role }] : [];
        }),
      ),
      verified: null,
      observeMs: 0,
      observeUntilMs: null,
      maxLagRecords: 0,
      trigger: payload.trigger,
      evidence: JSON.stringify(payload.evidence),
      policyVersion: payload.policyVersion,
      proposedBy: 'dispatcher d1',
      history: [],
      failureCode: null,
      failureMessage: null,
      failures: 0,
      retryAtMs: null,
      createdAtMs: nowMs,
      endedAtMs: null,
      change: 'PlanStarted',
      seq: 1,
      term: 1,
    };
  }
}

function superseded(chunk: ChunkState): ChunkState {
  const replicas = chunk.replicas.map((of) => (of.role === 'dead' ? of : { ...of, role: 'retired' as const }));
  return { ...chunk, state: 'retired', replicas };
}
