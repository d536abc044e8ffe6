import type { NodeState, PlanState } from '@levee/events';
import { slotRangeOf } from '@levee/keyspace';
import type { CommandKind } from '../../command-kinds';
import type { ClusterState } from '../../state/state';
import { digestEvidence } from '../evidence/digest-evidence';
import { nextPlanWork } from '../next/next-plan-work';
import { isCompound, isUp, replicaInForce, replicasMade } from '../plan-shape';
import type { ExpectedDigest, PlanDigest, VerifyForPlan } from '../next/plan-work';
import { parseUnitSpecs } from '../propose/unit-specs';

export interface IdealClusterOptions {
  /** Gives the state a command; returns whether that changed anything. */
  readonly submit: (kind: CommandKind, payload: object, principal: string) => boolean;
  /** Time, in milliseconds; moved on when nothing else is left to do. */
  readonly clock: { nowMs: number };
  /** Plans to play; all when left out. */
  readonly includes?: (plan: PlanState) => boolean;
}

/**
 * Master and nodes as they should be: every copy succeeds, every digest is right, every unit is cleared. It plays plans
 * to their end without a disk or a log, which is what a dry run shows, and what tests of the rules rest on. The digest of
 * a chunk is the number of its slots: additive as real ones are.
 */
export class IdealCluster {
  private barriers = 0;

  constructor(
    private readonly state: ClusterState,
    private readonly options: IdealClusterOptions,
  ) {}

  /** Plays until nothing is left to do, or for so many rounds; returns whether every plan played is over. */
  run(roundsMax: number): boolean {
    for (let round = 0; round < roundsMax; round++) {
      if (this.plans().length === 0) return true;
      if (this.round()) continue;
      const untilMs = this.nextMs();
      if (untilMs === undefined) return false;
      this.options.clock.nowMs = Math.max(untilMs, this.options.clock.nowMs + 1);
    }
    return this.plans().length === 0;
  }

  /** Everybody does once what is to be done; returns whether anything changed. */
  round(): boolean {
    let changed = false;
    for (const one of this.acts()) if (one) changed = true;
    return changed;
  }

  /** One thing is done; returns false when there is none. */
  step(): boolean {
    for (const changed of this.acts()) if (changed) return true;
    return false;
  }

  /** Does one thing after the other; tells of each whether it changed anything. */
  private *acts(): Iterable<boolean> {
    for (const { planId } of this.plans()) {
      const plan = this.state.plan(planId);
      if (plan !== undefined) yield* this.master(plan);
      const now = this.state.plan(planId);
      if (now !== undefined) yield* this.nodes(now);
    }
    yield* this.clearUnits();
  }

  private plans(): PlanState[] {
    return [...this.state.openPlans()].filter((plan) => this.options.includes?.(plan) ?? true);
  }

  /** When time alone brings something about; looking again is no reason to go on, or a plan that is stuck never ends. */
  private nextMs(): number | undefined {
    let nextMs: number | undefined;
    for (const plan of this.plans()) {
      const work = nextPlanWork(this.state, plan, this.options.clock.nowMs);
      if (work.kind === 'wait' && work.untilMs !== undefined && work.looksAgain !== true)
        nextMs = Math.min(nextMs ?? Infinity, work.untilMs);
    }
    return nextMs;
  }

  private *master(plan: PlanState): Iterable<boolean> {
    const work = nextPlanWork(this.state, plan, this.options.clock.nowMs);
    if (work.kind === 'submit') yield this.options.submit(work.command, work.payload, 'master');
    if (work.kind === 'verify') yield this.verify(work);
    if (work.kind === 'propose')
      for (const payload of work.payloads) yield this.options.submit('ProposePlan', payload, 'master');
  }

  private verify({ purpose, planId, attempt, expect }: VerifyForPlan): boolean {
    const barrierId = `barrier-${++this.barriers}`;
    const evidence = digestEvidence(expect.map((of) => this.digest(of)));
    return purpose === 'switch'
      ? this.options.submit('VerifyPlan', { planId, attempt, barrierId, ...evidence }, 'master')
      : this.options.submit('ReclaimPlan', { planId, barrierId, ...evidence }, 'master');
  }

  private digest(of: ExpectedDigest): PlanDigest {
    const chunk = this.state.chunk(of.chunkId);
    const partitions = this.state.namespace(chunk?.namespace ?? '')?.partitions ?? 1;
    const { slotStart, slotEnd } = slotRangeOf(of.partition, partitions);
    const keys = Math.min(chunk?.slotEnd ?? 0, slotEnd) - Math.max(chunk?.slotStart ?? 0, slotStart);
    const incarnation = this.state.node(of.nodeId)?.incarnation ?? '';
    return { ...of, incarnation, barrierOffset: this.barriers, digest: keys.toString(16).padStart(32, '0'), keys };
  }

  private *nodes(plan: PlanState): Iterable<boolean> {
    if (isCompound(plan) && plan.step === 'reformat')
      yield plan.state === 'reclaiming' ? this.leaveFormat(plan) : this.reformat(plan);
    if (plan.state !== 'running') return;
    for (const of of replicasMade(plan)) {
      if (of.step === 'ready' || !isUp(this.state, of) || replicaInForce(this.state, of) === undefined) continue;
      const { unitId, generation, storeId, nodeId, step } = of;
      const incarnation = this.state.node(nodeId)?.incarnation ?? '';
      const made = { planId: plan.planId, attempt: plan.attempt, unitId, generation, storeId, incarnation };
      const report = { ...made, step, recordsCopied: 0, bytesCopied: 0, evidence: {} };
      yield this.options.submit('ReportPlanStep', report, `node ${nodeId}`);
    }
  }

  private reformat({ nodeId, unitsWanted }: PlanState): boolean {
    const node = this.state.node(nodeId ?? '');
    if (node === undefined || !isUp(this.state, node)) return false;
    const specs = parseUnitSpecs(unitsWanted ?? '') ?? [];
    const units = specs
      .flatMap(({ count, capacityBytes, engine }) => Array.from({ length: count }, () => ({ capacityBytes, engine })))
      .map((unit, i) => ({ unitId: `${node.nodeId}/u${String(i).padStart(2, '0')}`, generation: 0, ...unit }));
    return this.register(node, { units });
  }

  private leaveFormat({ nodeId, planId }: PlanState): boolean {
    const node = this.state.node(nodeId ?? '');
    if (node === undefined || !isUp(this.state, node)) return false;
    const units = [...this.state.unitsOf(node.nodeId)].map(({ unitId, generation, capacityBytes, engine }) => {
      return { unitId, generation, capacityBytes, engine };
    });
    return this.register(node, { units, formatCancelled: planId });
  }

  private register({ nodeId, storeId, ...known }: NodeState, what: object): boolean {
    const { incarnation, domain, respAddress, httpAddress, featureLevel } = known;
    const facts = { nodeId, storeId, incarnation, domain, respAddress, httpAddress, featureLevel };
    return this.options.submit('RegisterNode', { ...facts, ...what }, `node ${nodeId}`);
  }

  private *clearUnits(): Iterable<boolean> {
    for (const unit of [...this.state.units()]) {
      if (unit.state !== 'reclaiming' || !isUp(this.state, unit)) continue;
      const { unitId, generation, nodeId } = unit;
      yield this.options.submit('FinishReclaim', { unitId, generation }, `node ${nodeId}`);
    }
  }
}
