import type { LivenessLimits } from '@levee/cluster';
import type { Clock, Logger, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { BarrierRhythm } from './barrier-rhythm';
import { BarrierNumbers } from './barriers';
import type { ClusterView } from './cluster-view';
import type { ControlTopics } from './control-topics';
import { Effects } from './effects';
import type { HeartbeatView } from './heartbeat-view';
import { NodeWatch } from './node-watch';
import type { Reign } from './reign';

export interface DutiesOptions {
  readonly reign: Reign;
  readonly topics: ControlTopics;
  readonly heartbeats: HeartbeatView;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly instance: string;
  readonly incarnation: string;
  /** Without it nobody watches the nodes. */
  readonly liveness: LivenessLimits | undefined;
  readonly barrierMs: number;
}

/** What a master does beside deciding, from the begin of a reign to its end. */
export class Duties {
  readonly effects: Effects;
  readonly watch: NodeWatch | undefined;
  readonly barriers: BarrierRhythm;

  constructor(log: Log, view: ClusterView, options: DutiesOptions) {
    const { liveness, barrierMs, ...shared } = options;
    const numbers = new BarrierNumbers(options.clock);
    this.effects = new Effects(log, view, { ...shared, numbers });
    this.watch = liveness && new NodeWatch(log, view, { ...shared, limits: liveness });
    this.barriers = new BarrierRhythm(log, view, { ...shared, numbers, everyMs: barrierMs });
  }

  start(): void {
    this.effects.start();
    this.watch?.start();
    this.barriers.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.effects.stop(), this.watch?.stop(), this.barriers.stop()]);
  }
}
