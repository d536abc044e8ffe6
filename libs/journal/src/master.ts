import { nextEffects, type LivenessLimits } from '@levee/cluster';
import { failureCode, messageOf, type Clock, type Logger, type NewId, type Random, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { binlogSpec } from './binlog';
import { Candidacy, type CandidacyLimits } from './candidacy';
import { ClusterView } from './cluster-view';
import { controlTopicSpecs, defaultControlPolicy, type ControlPolicy, type ControlTopics } from './control-topics';
import type { Decide, PendingCommand } from './decision-batch';
import { Effects } from './effects';
import { NodeWatch } from './node-watch';
import { Pause } from './pause';
import { binlogLoss, durabilityAdvice } from './topic-policy';
import type { Reign } from './reign';

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
  /** When silent nodes are suspect and lost; without it nobody watches them. */
  readonly liveness?: LivenessLimits;
  /** Names of incarnations, claims and commands; system by default. */
  readonly newId?: NewId;
}

export const masterLimits = { topicCheckMs: 60_000, topicRetryMs: 1_000 } as const;

/** A master without doors: makes and checks topics, follows the journal, stands by or serves, performs effects. */
export class Master {
  readonly view: ClusterView;
  readonly candidacy: Candidacy;
  /** Resolves when the topics exist and the journal has been read; never fails, but may never come. */
  readonly ready: Promise<void>;
  private becomeReady: () => void = () => undefined;
  private effects: Effects | undefined;
  private watch: NodeWatch | undefined;
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private checking: Promise<void> | undefined;
  private advice: readonly string[] = [];
  private topicTrouble: string | undefined = 'the topics were not checked yet';

  constructor(
    private readonly log: Log,
    private readonly options: MasterOptions,
  ) {
    this.ready = new Promise((resolve) => (this.becomeReady = resolve));
    this.pause = new Pause(options.timers, this.stopping.signal);
    this.view = new ClusterView(log, options.topics, options);
    this.candidacy = new Candidacy(log, { ...options, view: this.view });
    this.candidacy.onReign((reign) => this.performEffectsOf(reign));
    this.candidacy.onReign((reign) => this.watchNodesOf(reign));
  }

  /** Resolves once the topics exist and the journal is read; serving comes later. */
  async start(): Promise<void> {
    while (!this.stopping.signal.aborted && !(await this.checkTopics()))
      await this.pause.for(masterLimits.topicRetryMs);
    try {
      await this.view.start();
    } catch (error) {
      if (failureCode(error) !== 'STOPPING') throw error;
    }
    if (this.stopping.signal.aborted) return;
    this.candidacy.start();
    this.becomeReady();
    this.checking = this.checkAgain();
  }

  /** Why the topics are not as they must be, naming the mend; `undefined` when they are. */
  get topicProblem(): string | undefined {
    return this.topicTrouble;
  }

  /** Settings of topics that let acknowledged records be lost when brokers fail, each with its mend. */
  get topicAdvice(): readonly string[] {
    return this.advice;
  }

  get effectProblem(): string | undefined {
    return this.effects?.problem;
  }

  /** Why silent nodes are not given up; `undefined` when nothing is unusual, or another master watches. */
  get nodesProblem(): string | undefined {
    return this.watch?.problem;
  }

  /** What became of nodes since this master began to reign. */
  watchStats(): ReturnType<NodeWatch['stats']> | undefined {
    return this.watch?.stats();
  }

  /** See `Candidacy.decide`. */
  decide(commands: readonly PendingCommand[]): Promise<void> {
    return this.candidacy.decide(commands);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.effects?.stop();
    await this.watch?.stop();
    await this.candidacy.close();
    await this.view.close();
    await this.checking;
    // Who waits for readiness must not keep a process alive whose start was cut short.
    this.becomeReady();
  }

  private performEffectsOf(reign: Reign): void {
    const effects = new Effects(this.log, this.view, { ...this.options, reign });
    this.effects = effects;
    effects.start();
    void reign.ended.then(async () => {
      await effects.stop();
      if (this.effects === effects) this.effects = undefined;
    });
  }

  private watchNodesOf(reign: Reign): void {
    const { liveness, ...options } = this.options;
    if (liveness === undefined) return;
    const { incarnation } = this.candidacy;
    const watch = new NodeWatch(this.log, this.view, { ...options, reign, incarnation, limits: liveness });
    this.watch = watch;
    watch.start();
    void reign.ended.then(async () => {
      await watch.stop();
      if (this.watch === watch) this.watch = undefined;
    });
  }

  private async checkAgain(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.pause.for(masterLimits.topicCheckMs);
      if (!this.stopping.signal.aborted) await this.checkTopics();
    }
  }

  /** Control topics are made when missing; a binlog is made by its namespace's creation alone, and only checked here. */
  private async checkTopics(): Promise<boolean> {
    const { topics, policy, logger } = this.options;
    // A binlog that is being adjusted is the business of that effect.
    const adjusting = new Set(nextEffects(this.view.state).map(({ binlog }) => binlog));
    const binlogs = [...this.view.state.namespaces()]
      .filter(({ state, binlog }) => state === 'active' && !adjusting.has(binlog))
      .map(binlogSpec);
    try {
      await this.log.ensureTopics(controlTopicSpecs(topics, policy ?? defaultControlPolicy));
      const names = [...controlTopicSpecs(topics), ...binlogs].map(({ name }) => name);
      const descriptions = await this.log.describeTopics(names);
      const found = new Set(descriptions.map(({ name }) => name));
      await this.log.ensureTopics(binlogs.filter(({ name }) => found.has(name)));
      const losses = await Promise.all(binlogs.map((spec) => binlogLoss(this.log, spec, found)));
      this.topicTrouble = losses.find((loss) => loss !== undefined);
      this.advice = descriptions.flatMap(durabilityAdvice);
    } catch (error) {
      this.topicTrouble = messageOf(error);
      logger.error({ error, code: failureCode(error) }, 'the topics are not as they must be');
    }
    return this.topicTrouble === undefined;
  }
}
