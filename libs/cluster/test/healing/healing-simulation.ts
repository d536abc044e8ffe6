import { type FindingTimes } from '../../src/placement/healing/findings';
import { healingPolicy, type HealingPolicy, type Trigger } from '../../src/placement/healing/healing-policy';
import { planHealing } from '../../src/placement/healing/plan-healing';
import { InstantPlans } from './instant-plans';
import { SimulatedCluster, MiB } from './simulated-cluster';
import { SimulatedLoad, slotsAll, type LoadMap } from './simulated-load';

export interface SimulationSize {
  readonly nodes: number;
  readonly unitsPerNode: number;
  readonly domains: number;
  readonly namespaces: number;
  readonly chunksPerNamespace: number;
  readonly hotChunks: number;
  readonly roundMs: number;
}

export interface Phase {
  readonly rounds: number;
  readonly minutes: number;
  readonly byKind: Readonly<Record<string, number>>;
  readonly slowestRoundMs: number;
  /** Highest load of a node as a multiple of its share, at the begin and at the end. */
  readonly hottest: readonly [number, number];
  /** Requests per second above what a node may have, summed over nodes, at the begin. */
  readonly excess: number;
  /** Requests per second that promotions and moves of hot nodes took away. */
  readonly relieved: number;
  /** Replicas that were copied from node to node. */
  readonly moved: number;
}

const replicas = 3;
/** No two looks at a load are the same: each differs by up to so much. */
const noiseUsual = 0.05;

/** A cluster, its load and the planner in virtual time, with everything that happened counted. */
export class HealingSimulation {
  readonly cluster = new SimulatedCluster();
  readonly load: SimulatedLoad;
  readonly plans: InstantPlans;
  readonly policy: HealingPolicy;
  nowMs = 1_000_000_000_000;
  private findings: FindingTimes = new Map();
  private slowestRoundMs = 0;
  readonly namespaces: string[] = [];

  constructor(
    readonly size: SimulationSize,
    private readonly dice: () => number,
    private readonly cpuMs: () => number,
  ) {
    this.policy = {
      ...healingPolicy(),
      // As many at once as there are nodes: what is judged here is what is proposed, not how patiently.
      proposalsPerRoundMax: Math.max(16, size.nodes),
      openPlansMax: Math.max(32, size.nodes * 2),
    };
    this.cluster.addNodes(size.nodes, { units: size.unitsPerNode, domains: size.domains });
    for (let i = 0; i < size.namespaces; i++) {
      const name = `app-${i}`;
      this.cluster.addNamespace(name, { chunks: size.chunksPerNamespace, replicas });
      this.namespaces.push(name);
    }
    this.load = new SimulatedLoad(this.cluster.state, noiseUsual);
    this.plans = new InstantPlans(this.cluster, { copyMs: 60_000, observeMs: 600_000 });
  }

  /** Another load: most chunks do little, a few much, `hot` of them more than a chunk may. */
  spread(of: { mean: number; hot: number; hotPerSecond: number }): void {
    const { namespaces, size, dice } = this;
    const maps: LoadMap[] = namespaces.map((name) => {
      const rates = Float64Array.from({ length: size.chunksPerNamespace }, () =>
        Math.min(of.mean * 10, of.mean * 0.3 * (1 - dice()) ** (-1 / 1.3)),
      );
      const bytes = Float64Array.from({ length: size.chunksPerNamespace }, () => (2 + dice() * 100) * MiB);
      const map = { rates, bytes, keys: [] };
      this.load.maps.set(name, map);
      return map;
    });
    for (let hot = 0; hot < of.hot;) {
      const which = Math.floor(dice() * maps.length);
      const { rates } = maps[which] as LoadMap;
      const stretch = Math.floor(dice() * rates.length);
      const perSecond = of.hotPerSecond * (1 + dice());
      if (!this.isWhole(namespaces[which] as string, { stretch, of: rates.length })) continue;
      rates[stretch] = perSecond;
      hot++;
    }
  }

  /** Slots are hashes: what a chunk does is spread over all of its slots, or it is one key's. No part of one is hot. */
  private isWhole(namespace: string, { stretch, of }: { stretch: number; of: number }): boolean {
    const [slotStart, slotEnd] = [(stretch * slotsAll) / of, ((stretch + 1) * slotsAll) / of];
    const chunks = [...this.cluster.state.chunksTouching(namespace, { slotStart, slotEnd })];
    return chunks.every((chunk) => chunk.slotStart >= slotStart && chunk.slotEnd <= slotEnd);
  }

  /** Rounds until nothing was proposed for a while and no plan is open. Throws when that takes too long. */
  settle(minutesMax: number): Phase {
    const doneBefore = this.plans.done.length;
    const atFirst = this.balance();
    const [hottestAtFirst, startedMs] = [atFirst.hottest, this.nowMs];
    this.slowestRoundMs = 0;
    let [rounds, quiet] = [0, 0];
    // A finding of cold neighbours needs ten minutes, a chunk rests ten: longer quiet means that it is over.
    for (; quiet * this.size.roundMs < 1_500_000; rounds++) {
      if (this.nowMs - startedMs > minutesMax * 60_000)
        throw new Error(`not calm within ${minutesMax} minutes: ${JSON.stringify(this.kinds(doneBefore))}`);
      quiet = this.round() || this.plans.openCount > 0 ? 0 : quiet + 1;
    }
    const done = this.plans.done.slice(doneBefore);
    const relieved = done.reduce(
      (sum, { proposal: { payload } }) =>
        payload.trigger === 'hotNode' ? sum + Number(payload.evidence['movedRequestsPerSecond']) : sum,
      0,
    );
    return {
      rounds,
      minutes: (this.nowMs - startedMs) / 60_000,
      byKind: this.kinds(doneBefore),
      slowestRoundMs: Math.round(this.slowestRoundMs),
      hottest: [hottestAtFirst, this.balance().hottest],
      excess: Math.round(atFirst.excess),
      relieved: Math.round(relieved),
      moved: done.filter(({ proposal: { payload } }) => payload.kind === 'move' || payload.kind === 'reReplicate')
        .length,
    };
  }

  /** Rounds under the load as it is, with its dice or without; returns how many plans were proposed. */
  rest(minutes: number, { noise = noiseUsual } = {}): number {
    const before = this.plans.done.length + this.plans.openCount;
    this.load.noise = noise;
    for (const endMs = this.nowMs + minutes * 60_000; this.nowMs < endMs;) this.round();
    this.load.noise = noiseUsual;
    return this.plans.done.length + this.plans.openCount - before;
  }

  /** Carries out what is open, and proposes nothing. */
  finish(): void {
    while (this.plans.openCount > 0) this.plans.advance((this.nowMs += this.size.roundMs));
  }

  /** The hot places wander: so many new ones every few minutes, the old ones are as the rest. */
  wander(of: { hot: number; hotPerSecond: number; times: number; everyMinutes: number }): void {
    for (let i = 0; i < of.times; i++) {
      this.spread({ mean: 200, hot: of.hot, hotPerSecond: of.hotPerSecond });
      this.rest(of.everyMinutes);
    }
  }

  /** True when something was proposed. */
  round(): boolean {
    this.nowMs += this.size.roundMs;
    this.load.round++;
    this.plans.advance(this.nowMs);
    const startedMs = this.cpuMs();
    const { state } = this.cluster;
    const round = planHealing({
      state,
      loads: this.load,
      policy: this.policy,
      nowMs: this.nowMs,
      findings: this.findings,
    });
    this.slowestRoundMs = Math.max(this.slowestRoundMs, this.cpuMs() - startedMs);
    this.findings = round.findings;
    for (const proposal of round.proposals) this.plans.begin(proposal, this.nowMs);
    return round.proposals.length > 0;
  }

  get livingNodes(): string[] {
    return [...this.cluster.state.nodes()].filter(({ state }) => state === 'up').map(({ nodeId }) => nodeId);
  }

  /**
   * Over the nodes that are up. `onHottest`: the load of each replica of the hottest node, as a multiple of a node's share,
   * as `hottest` and `coolest` are.
   */
  balance(): { hottest: number; coolest: number; onHottest: number[]; excess: number; uses: Map<string, number> } {
    const { state } = this.cluster;
    const loads = new Map(this.livingNodes.map((nodeId) => [nodeId, 0]));
    const replicaLoads = new Map(this.livingNodes.map((nodeId): [string, number[]] => [nodeId, []]));
    for (const chunk of state.chunks())
      for (const { nodeId, role } of chunk.state === 'serving' ? chunk.replicas : []) {
        const rates = role === 'primary' || role === 'follower' ? this.load.replica(nodeId, chunk.chunkId) : undefined;
        if (rates === undefined || !loads.has(nodeId)) continue;
        const load = rates.readsPerSecond + rates.writesPerSecond;
        loads.set(nodeId, (loads.get(nodeId) as number) + load);
        replicaLoads.get(nodeId)?.push(load);
      }
    const mean = [...loads.values()].reduce((a, b) => a + b, 0) / loads.size;
    const allowed = mean * this.policy.hotNode.leave;
    const excess = [...loads.values()].reduce(
      (sum, of) => sum + (of > mean * this.policy.hotNode.enter ? of - allowed : 0),
      0,
    );
    const uses = new Map(this.livingNodes.map((id) => [id, [...state.unitsOf(id)].length - state.freeUnitCount(id)]));
    const byLoad = [...loads].sort(([, a], [, b]) => b - a);
    const [[hottestId, hottest], [, coolest]] = [byLoad[0] as [string, number], byLoad.at(-1) as [string, number]];
    return {
      hottest: hottest / mean,
      coolest: coolest / mean,
      onHottest: (replicaLoads.get(hottestId) as number[]).map((load) => load / mean),
      excess,
      uses,
    };
  }

  /** What is wrong with where the replicas are. */
  wrongs(): string[] {
    const wrongs: string[] = [];
    const { state } = this.cluster;
    for (const name of this.namespaces) {
      let slot = 0;
      for (const chunk of state.chunksOf(name)) {
        if (chunk.slotStart !== slot) wrongs.push(`${name} has a gap at slot ${slot}`);
        slot = chunk.slotEnd;
        const living = chunk.replicas.filter(({ role }) => role === 'primary' || role === 'follower');
        const domains = new Set(living.map(({ nodeId }) => state.node(nodeId)?.domain));
        const primaries = living.filter(({ role }) => role === 'primary').length;
        if (living.length !== replicas || domains.size !== replicas || primaries !== 1)
          wrongs.push(`${chunk.chunkId}: ${living.length} replicas, ${domains.size} domains, ${primaries} primaries`);
      }
      if (slot !== 1_000_000) wrongs.push(`${name} ends at slot ${slot}`);
    }
    return wrongs;
  }

  /** Replicas and primaries on the nodes that are up: fewest, most, mean. */
  counts(): Readonly<Record<'replicas' | 'primaries', readonly [number, number, number]>> {
    const on = new Map(this.livingNodes.map((nodeId) => [nodeId, { replicas: 0, primaries: 0 }]));
    for (const { state, replicas } of this.cluster.state.chunks())
      for (const { nodeId, role } of state === 'serving' ? replicas : []) {
        const of = on.get(nodeId);
        if (of === undefined || (role !== 'primary' && role !== 'follower')) continue;
        of.replicas++;
        if (role === 'primary') of.primaries++;
      }
    const range = (which: 'replicas' | 'primaries'): readonly [number, number, number] => {
      const all = [...on.values()].map((of) => of[which]);
      return [Math.min(...all), Math.max(...all), all.reduce((a, b) => a + b, 0) / all.length];
    };
    return { replicas: range('replicas'), primaries: range('primaries') };
  }

  /** Replicas and leads that balance took from a node and gave it again within so long, by plans from `sinceDone` on. */
  returns(withinMs: number, sinceDone = 0): string[] {
    const leftAtMs = new Map<string, number>();
    const found: string[] = [];
    for (const [index, { proposal, atMs }] of this.plans.done.entries()) {
      const { kind, chunkId, to, evidence } = proposal.payload;
      const from = evidence['from'];
      if (kind !== 'move' && kind !== 'promote') continue;
      const left = leftAtMs.get(`${kind} ${chunkId} ${to}`);
      if (index >= sinceDone && left !== undefined && atMs - left < withinMs)
        found.push(`${kind} of ${chunkId} to ${to} after ${atMs - left} ms`);
      leftAtMs.set(`${kind} ${chunkId} ${String(from)}`, atMs);
    }
    return found;
  }

  /** Replicas that came back to a node they had left by a move, and slots that were merged again after a split. */
  backAndForth(sinceDone = 0): string[] {
    const left = new Set<string>();
    const cut = new Set<string>();
    const found: string[] = [];
    for (const { proposal, sources, targets } of this.plans.done.slice(sinceDone)) {
      const { kind, chunkId, from, to } = proposal.payload;
      if (kind === 'move') {
        if (left.has(`${chunkId} ${to}`)) found.push(`${chunkId} came back to ${to}`);
        left.add(`${chunkId} ${from}`);
      }
      if (kind === 'promote') {
        const led = `${chunkId} led by ${to}`;
        if (left.has(led)) found.push(`${chunkId} is led by ${to} again`);
        left.add(`${chunkId} led by ${String(proposal.payload.evidence['from'])}`);
      }
      if (kind === 'merge') for (const id of sources) if (cut.has(id)) found.push(`${id} was cut and merged`);
      if (kind === 'split' || kind === 'shift') for (const target of targets) cut.add(target.chunkId);
    }
    return found;
  }

  private kinds(sinceDone: number): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { proposal } of this.plans.done.slice(sinceDone)) {
      const key: `${Trigger} ${string}` = `${proposal.payload.trigger} ${proposal.payload.kind}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  }
}
