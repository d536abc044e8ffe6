import type { PlanState } from '@levee/events';
import { IdealCluster } from '../../src/plans/simulate/ideal-cluster';
import { ClusterScript } from '../cluster-script';

/** A cluster with plans: people propose, an ideal cluster does the rest. */
export class PlanScript extends ClusterScript {
  readonly ideal = new IdealCluster(this.state, {
    clock: this,
    submit: (kind, payload, principal) => {
      const before = this.state.seq;
      const { events } = this.submit(kind, payload, { principal });
      this.told.push(`${kind}${this.state.seq === before ? ' refused' : ''}`);
      return events.some((event) => event.kind !== 'outcome');
    },
  });
  readonly told: string[] = [];

  /** Proposes; fails the test when refused. */
  propose(payload: object): PlanState {
    this.accept('ProposePlan', payload);
    return this.plan(`p${this.journal.length}`);
  }

  plan(planId: string): PlanState {
    const plan = this.state.plan(planId);
    if (plan === undefined) throw new Error(`there is no plan ${planId}`);
    return plan;
  }

  /** Plays step by step until the plan is at that step (or over), at most so many. */
  until(planId: string, step: PlanState['step'], steps = 500): PlanState {
    for (let i = 0; i < steps && this.plan(planId).step !== step; i++) this.ideal.step();
    if (this.plan(planId).step !== step) throw new Error(`${planId} is at ${this.plan(planId).step}, not ${step}`);
    return this.plan(planId);
  }

  /** Plays to the end; fails the test when some plan is not over then. */
  finish(rounds = 2_000): this {
    if (!this.ideal.run(rounds)) {
      const open = [...this.state.openPlans()].map(
        ({ planId, kind, state, step }) => `${planId} ${kind} ${state} ${step}`,
      );
      throw new Error(`not over: ${open.join(', ')}`);
    }
    return this;
  }

  /** `role unit`, of every replica of the chunk, ordered. */
  places(chunkId: string): string[] {
    return (this.state.chunk(chunkId)?.replicas ?? []).map(({ role, unitId }) => `${role} ${unitId}`).sort();
  }

  /** What happened to the plan: `step what`. */
  moments(planId: string): string[] {
    return this.plan(planId).history.map(({ step, what }) => `${step} ${what}`);
  }
}
