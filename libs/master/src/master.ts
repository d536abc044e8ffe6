import type { HeardLevel, LivenessLimits } from '@levee/cluster';
import {
  ClusterView,
  type ControlPolicy,
  type ControlTopics,
  defaultControlPolicy,
  DigestTail,
  HeartbeatView,
} from '@levee/journal';
import {
  type Clock,
  failureCode,
  type Histogram,
  type Logger,
  type NewId,
  Pause,
  type Random,
  type Timers,
} from '@levee/kernel';
import { systemNewId, type Log } from '@levee/log';
import { barrierLimits, type BarrierStats } from './barriers/barrier-rhythm';
import { Candidacy, type CandidacyLimits } from './candidacy';
import type { Decide, PendingCommand } from './decision-batch';
import { Duties } from './duties';
import { planDriverLimits, type PlanDriverStats } from './plans/plan-driver';
import type { Reign } from './reign';
import type { NodeWatchStats } from './watches/node-watch';
import { TopicWatch } from './watches/topic-watch';

export interface MasterOptions {
  readonly topics: ControlTopics;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Unique name of this master. */
  readonly instance: string;
  /** host:port of its HTTP door, known once it listens. */
  readonly address: () => string;
  /** See `CandidacyOptions.claimAtOnce`. */
  readonly claimAtOnce: boolean;
  readonly policy?: ControlPolicy;
  readonly limits?: CandidacyLimits;
  readonly decide?: Decide;
  /** Time between two checks of the topics; default `masterLimits.topicCheckMs`. */
  readonly topicCheckMs?: number;
  /** When silent nodes are suspect and lost; without it nobody watches them. */
  readonly liveness?: LivenessLimits;
  /** Time between two barriers of a partition that is written to; default `barrierLimits.everyMs`. */
  readonly barrierMs?: number;
  /** A plan without progress for so long has failed; default `planDriverLimits.stallMs`. */
  readonly planStallMs?: number;
  /** For proposals that do not say how long a rollback stays possible; default as `@levee/cluster` has it. */
  readonly planObserveMs?: number;
  /** See `WritersHeard`; default `writerLimits.goneAfterMs`. */
  readonly writerGoneMs?: number;
  /** Names of incarnations, claims and commands; system by default. */
  readonly newId?: NewId;
}

export const masterLimits = {
  topicCheckMs: 60_000,
  topicRetryMs: 1_000,
  /** While something is wrong: what was mended is to be seen soon. */
  topicTroubleMs: 5_000,
} as const;

/** A master without doors: makes and checks topics, follows the journal, stands by or serves, performs effects. */
export class Master {
  readonly view: ClusterView;
  readonly candidacy: Candidacy;
  /** Followed by standbys too, so that a new reign knows at once what the processes said last. */
  readonly heartbeats: HeartbeatView;
  /** Resolves when the topics exist and the journal has been read; never fails, but may never come. */
  readonly ready: Promise<void>;
  /** Set where nobody outside this process can write: the incarnations of all portals. */
  onlyWriters: readonly string[] | undefined;
  private becomeReady: () => void = () => undefined;
  private duties: Duties | undefined;
  private readonly digests: DigestTail;
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private checking: Promise<void> | undefined;
  private readonly topicWatch: TopicWatch;

  constructor(
    private readonly log: Log,
    private readonly options: MasterOptions,
  ) {
    this.ready = new Promise((resolve) => (this.becomeReady = resolve));
    this.pause = new Pause(options.timers, this.stopping.signal);
    this.view = new ClusterView(log, options.topics, options);
    this.topicWatch = new TopicWatch(log, this.view, { ...options, policy: options.policy ?? defaultControlPolicy });
    this.heartbeats = new HeartbeatView(log, options.topics, options);
    this.candidacy = new Candidacy(log, { ...options, view: this.view, heard: () => levelsHeard(this.heartbeats) });
    this.digests = new DigestTail(log, options.topics, options);
    this.candidacy.onReign((reign) => this.serve(reign));
  }

  /** Resolves once the topics exist and the journal is read; serving comes later. */
  async start(): Promise<void> {
    while (!this.stopping.signal.aborted && !(await this.topicWatch.check()))
      await this.pause.for(masterLimits.topicRetryMs);
    try {
      await this.view.start();
    } catch (error) {
      if (failureCode(error) !== 'STOPPING') throw error;
    }
    if (this.stopping.signal.aborted) return;
    this.heartbeats.start();
    this.candidacy.start();
    this.becomeReady();
    this.checking = this.checkAgain();
  }

  /** Why the topics are not as they must be, naming the mend; `undefined` when they are. */
  get topicProblem(): string | undefined {
    return this.topicWatch.problem;
  }

  /** Settings of topics that let acknowledged records be lost when brokers fail, each with its mend. */
  get topicAdvice(): readonly string[] {
    return this.topicWatch.advice;
  }

  topicStats(): ReturnType<TopicWatch['stats']> {
    return this.topicWatch.stats();
  }

  get effectProblem(): string | undefined {
    return this.duties?.effects.problem;
  }

  /** Why silent nodes are not given up; `undefined` when nothing is unusual, or another master watches. */
  get nodesProblem(): string | undefined {
    return this.duties?.watch?.problem;
  }

  /** What became of nodes since this master began to reign. */
  watchStats(): NodeWatchStats | undefined {
    return this.duties?.watch?.stats();
  }

  /** Plans that do not get on without a person, in words; `undefined` when there are none, or another master reigns. */
  get plansProblem(): string | undefined {
    return this.duties?.plans.problem;
  }

  planStats(): PlanDriverStats | undefined {
    return this.duties?.plans.stats();
  }

  /** How long barriers took to every replica, since this master began to reign. */
  get barrierTimes(): Histogram | undefined {
    return this.duties?.barriers.times;
  }

  barrierStats(): BarrierStats | undefined {
    return this.duties?.barriers.stats();
  }

  /** See `Candidacy.decide`. */
  decide(commands: readonly PendingCommand[]): Promise<void> {
    return this.candidacy.decide(commands);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.duties?.stop();
    await this.candidacy.close();
    await this.heartbeats.close();
    await this.digests.close();
    await this.view.close();
    await this.checking;
    // Who waits for readiness must not keep a process alive whose start was cut short.
    this.becomeReady();
  }

  private serve(reign: Reign): void {
    const { newId = systemNewId, liveness, barrierMs, planStallMs, ...options } = this.options;
    const { heartbeats, digests, candidacy } = this;
    const duties = new Duties(this.log, this.view, {
      ...options,
      newId,
      liveness,
      reign,
      heartbeats,
      digests,
      incarnation: candidacy.incarnation,
      barrierMs: barrierMs ?? barrierLimits.everyMs,
      plans: { stallMs: planStallMs ?? planDriverLimits.stallMs },
      onlyWriters: () => this.onlyWriters,
    });
    this.duties = duties;
    duties.start();
    void reign.ended.then(async () => {
      await duties.stop();
      if (this.duties === duties) this.duties = undefined;
    });
  }

  private async checkAgain(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const everyMs = this.options.topicCheckMs ?? masterLimits.topicCheckMs;
      const isWell = this.topicWatch.problem === undefined;
      await this.pause.for(isWell ? everyMs : Math.min(everyMs, masterLimits.topicTroubleMs));
      if (!this.stopping.signal.aborted) await this.topicWatch.check();
    }
  }
}

/** Everybody heard of in the last ten minutes but data nodes, which are registered. */
function* levelsHeard(heartbeats: HeartbeatView): Generator<HeardLevel> {
  for (const { beat } of heartbeats.all())
    if (beat.kind !== 'node') yield { process: `${beat.kind} ${beat.id}`, featureLevel: beat.featureLevel };
}
