import type { LivenessLimits } from '@levee/cluster';
import type { ClusterView, ControlTopics, DigestTail, HeartbeatView } from '@levee/journal';
import type { Clock, Logger, NewId, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { BarrierRhythm } from './barriers/barrier-rhythm';
import { BarrierNumbers } from './barriers/barriers';
import { Effects } from './effects';
import { PlanDriver, type PlanDriverLimits } from './plans/plan-driver';
import type { Reign } from './reign';
import { FreezeWatch } from './watches/freeze-watch';
import { ForeignRecords } from './watches/foreign-records';
import { GrownBinlogs } from './watches/grown-binlogs';
import { NodeWatch } from './watches/node-watch';
import { SeenWatch } from './watches/seen-watch';
import { SourceWatch } from './watches/source-watch';

export interface DutiesOptions {
  readonly reign: Reign;
  readonly topics: ControlTopics;
  readonly heartbeats: HeartbeatView;
  readonly digests: DigestTail;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly newId: NewId;
  readonly instance: string;
  readonly incarnation: string;
  /** Without it nobody watches the nodes. */
  readonly liveness: LivenessLimits | undefined;
  readonly barrierMs: number;
  readonly plans: PlanDriverLimits;
  /** Incarnations of all that may write, where no other process can. */
  readonly onlyWriters?: (() => readonly string[] | undefined) | undefined;
  readonly writerGoneMs?: number | undefined;
}

/** What a master does beside deciding, from the begin of a reign to its end. */
export class Duties {
  readonly effects: Effects;
  readonly watch: NodeWatch | undefined;
  readonly barriers: BarrierRhythm;
  readonly plans: PlanDriver;
  readonly foreign: ForeignRecords;
  readonly grown: GrownBinlogs;
  private readonly seen: SeenWatch;
  private readonly sources: SourceWatch;
  private readonly freezes: FreezeWatch;

  constructor(log: Log, view: ClusterView, options: DutiesOptions) {
    const { liveness, barrierMs, plans, ...shared } = options;
    const numbers = new BarrierNumbers(options.clock);
    this.effects = new Effects(log, view, { ...shared, numbers });
    this.watch = liveness && new NodeWatch(log, view, { ...shared, limits: liveness });
    this.barriers = new BarrierRhythm(log, view, { ...shared, numbers, everyMs: barrierMs });
    this.seen = new SeenWatch(view, shared);
    this.sources = new SourceWatch(log, view, shared);
    this.freezes = new FreezeWatch(log, view, shared);
    this.foreign = new ForeignRecords(log, view, shared);
    this.grown = new GrownBinlogs(log, view, shared);
    this.plans = new PlanDriver(log, view, { ...shared, numbers, limits: plans });
  }

  start(): void {
    this.effects.start();
    this.watch?.start();
    this.barriers.start();
    this.plans.start();
    this.foreign.start();
    this.grown.start();
    this.seen.start();
    this.sources.start();
    this.freezes.start();
  }

  async stop(): Promise<void> {
    this.barriers.stop();
    await Promise.all([
      this.effects.stop(),
      this.watch?.stop(),
      this.plans.stop(),
      this.foreign.stop(),
      this.grown.stop(),
      this.seen.stop(),
      this.sources.stop(),
      this.freezes.stop(),
    ]);
  }
}
