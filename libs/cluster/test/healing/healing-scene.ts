import { type FindingTimes } from '../../src/placement/healing/findings';
import { healingPolicy } from '../../src/placement/healing/healing-policy';
import { planHealing, type HealingRound } from '../../src/placement/healing/plan-healing';
import { InstantPlans } from './instant-plans';
import { MiB, SimulatedCluster } from './simulated-cluster';
import { SimulatedLoad, type LoadMap } from './simulated-load';

const minuteMs = 60_000;

/** n1.. in racks of their own, a namespace `app` of 8 chunks with 3 replicas, and rounds when they are asked for. */
export class Scene {
  readonly cluster = new SimulatedCluster();
  readonly load = new SimulatedLoad(this.cluster.state, 0);
  readonly plans = new InstantPlans(this.cluster, { copyMs: minuteMs, observeMs: 10 * minuteMs });
  readonly policy = healingPolicy();
  nowMs = 1_000_000_000_000;
  findings: FindingTimes = new Map();

  constructor(options: { nodes?: number; units?: number; chunks?: number; replicas?: number } = {}) {
    const { nodes = 4, units = 20, chunks = 8, replicas = 3 } = options;
    this.cluster.addNodes(nodes, { units, domains: 100 });
    this.cluster.addNamespace('app', { chunks, replicas });
    this.chunkLoads(Array.from({ length: chunks }, () => 10));
  }

  chunkLoads(perSecond: readonly number[], bytes: readonly number[] = [], keys: LoadMap['keys'] = []): this {
    const map = {
      rates: Float64Array.from(perSecond),
      bytes: Float64Array.from(perSecond.map((_, i) => bytes[i] ?? MiB)),
      keys,
    };
    this.load.maps.set('app', map);
    return this;
  }

  /** One round after `minutes`. */
  round(minutes = 0): HealingRound {
    this.nowMs += minutes * minuteMs;
    this.plans.advance(this.nowMs);
    const { cluster, load: loads, policy, nowMs, findings } = this;
    const round = planHealing({ state: cluster.state, loads, policy, nowMs, findings });
    this.findings = round.findings;
    return round;
  }

  /** What is proposed, short; what is not, as `trigger CODE`. */
  said(minutes = 0): string[] {
    return said(this.round(minutes));
  }

  carryOut(round: HealingRound): void {
    for (const proposal of round.proposals) this.plans.begin(proposal, this.nowMs);
    expect(this.plans.refused).toEqual([]);
  }
}

export function said({ proposals, reasons }: HealingRound): string[] {
  return [
    ...proposals.map(({ payload: { kind, trigger, chunkId, chunkIds, from, to, at } }) =>
      [trigger, kind, chunkId ?? chunkIds?.join('+'), from && `from ${from}`, to && `to ${to}`, at && `at ${at}`]
        .filter(Boolean)
        .join(' '),
    ),
    ...reasons.map(({ trigger, code, subject }) => `${trigger} ${subject.chunkId ?? subject.nodeId}: ${code}`),
  ];
}

/** The id of a chunk of `app`, by its number. */
export const c = (number: number): string => `app#1/c${String(number).padStart(5, '0')}`;
