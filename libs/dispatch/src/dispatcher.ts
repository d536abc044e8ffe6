import {
  judge,
  LoadRates,
  planHealing,
  type FindingTimes,
  type HealingPolicy,
  type HealingRound,
  type Proposal,
} from '@levee/cluster';
import { type CommandOutcome, featureLevel, type Heartbeat } from '@levee/events';
import {
  ClusterView,
  type ControlTopics,
  HeartbeatLoop,
  HeartbeatView,
  type JournalSeen,
  submit,
} from '@levee/journal';
import { messageOf, type Clock, type Logger, type NewId, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { proposalId, proposalRetryMs } from './command-id';
import { proposalText, RoundMemory, type Note } from './round-memory';

export interface DispatcherConfig {
  /** Name of this dispatcher among those alive. */
  readonly instance: string;
  readonly topics: ControlTopics;
  readonly heartbeatMs: number;
  /** Time between two rounds. */
  readonly intervalMs: number;
  readonly policy: HealingPolicy;
}

export interface DispatcherWorld {
  readonly log: Log;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly newId: NewId;
}

const dispatcherLimits = {
  /** How long the decision of a proposal is waited for. */
  outcomeMs: 10_000,
  /** A dispatcher that came before this one in the order of names leads; silent for so many heartbeats it does not. */
  leaderSilentBeats: 5,
  /** Proposals of this process whose keys are remembered. */
  keysMax: 10_000,
} as const;

/** Why the dispatcher thinks what it thinks about something; every list is oldest first. */
export interface DispatcherAnswer {
  readonly subject: string;
  readonly dispatcher: string;
  readonly policyVersion: number;
  /** When the last round was, in milliseconds since 1970-01-01T00:00:00Z; `null` = none yet. */
  readonly roundAtMs: number | null;
  /** `what` and `evidence` (JSON text) of each. */
  readonly reasons: readonly {
    readonly atMs: number;
    readonly what: string;
    readonly evidence: string;
    readonly trigger: string;
    readonly code: string;
    readonly rounds: number;
    readonly planId: string | null;
  }[];
}

/**
 * Watches state and loads, and proposes plans that heal and balance. It owns no truth: what it has heard is soft, what
 * it proposes the master decides, and another dispatcher may do the same at the same time. It can die at any moment.
 */
export class Dispatcher {
  readonly view: ClusterView;
  private readonly heartbeats: HeartbeatView;
  private readonly rates: LoadRates;
  private readonly beats: HeartbeatLoop;
  private readonly memory = new RoundMemory();
  private readonly incarnation: string;
  private readonly asked = new Map<string, number>();
  private readonly counts = { rounds: 0, proposed: 0, accepted: 0, refused: 0, unanswered: 0 };
  private findings: FindingTimes = new Map();
  private last: HealingRound | undefined;
  private lastAtMs: number | undefined;
  private tookMs = 0;
  private address = '';
  private isClosed = false;
  private cancel: () => void = () => undefined;
  private starting: Promise<void> | undefined;
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly config: DispatcherConfig,
    private readonly world: DispatcherWorld,
  ) {
    const { log, clock, timers, logger, newId } = world;
    const { topics, heartbeatMs: everyMs } = config;
    this.incarnation = newId();
    this.rates = new LoadRates(config.policy.rateHalfLifeMs);
    this.view = new ClusterView(log, topics, { logger, clock, timers });
    this.heartbeats = new HeartbeatView(log, topics, { logger, clock, timers });
    this.heartbeats.onHeartbeat((beat) => {
      if (beat.kind === 'node') this.rates.heard(beat, clock.monotonicMs());
    });
    const seen = (): JournalSeen => this.view.journal.position;
    const options = { log, topic: topics.heartbeats, everyMs, clock, timers, logger, seen };
    this.beats = new HeartbeatLoop(options, () => this.heartbeat());
  }

  /** host:port of the HTTP door, told in heartbeats from now on. */
  announce(address: string): void {
    this.address = address;
  }

  /** Begins in the background: waits for the control topics, however long, until `close`. */
  start(): void {
    this.starting ??= this.view.start().then(
      () => {
        if (this.isClosed) return;
        this.heartbeats.start();
        this.beats.start();
        this.next();
      },
      (error: unknown) => {
        if (!this.isClosed) this.world.logger.error({ error }, 'the dispatcher could not start');
      },
    );
  }

  /** Why it cannot work now, in words. */
  readyProblem(): string | undefined {
    return this.view.problem ?? this.heartbeats.problem;
  }

  /** Another dispatcher leads: this one watches. Soft: two that lead at once propose the same under the same ids. */
  get isStandby(): boolean {
    const silentMsMax = this.config.heartbeatMs * dispatcherLimits.leaderSilentBeats;
    for (const { beat } of this.heartbeats.all('dispatcher')) {
      if (beat.id >= this.config.instance) continue;
      const silentMs = this.heartbeats.silentMs('dispatcher', beat.id);
      if (silentMs !== undefined && silentMs < silentMsMax) return true;
    }
    return false;
  }

  /** What it thinks of a chunk, node or plan: judged by the last round's figures, and what earlier rounds noted. */
  explain(subject: string): DispatcherAnswer {
    const { policy, instance } = this.config;
    const now = this.last === undefined ? [] : judge(this.last.survey, this.last.findings, subject);
    const atMs = this.lastAtMs ?? this.world.clock.nowMs();
    const reasons = [
      ...this.memory.about(subject).map(reasonOf),
      ...now.map(({ trigger, message, facts }) => ({
        atMs,
        what: `${trigger}: ${message}`,
        evidence: JSON.stringify(facts),
        trigger,
        code: 'JUDGED',
        rounds: 1,
        planId: null,
      })),
    ];
    return { subject, dispatcher: instance, policyVersion: policy.version, roundAtMs: this.lastAtMs ?? null, reasons };
  }

  /** The newest notes, oldest first. */
  latest(count: number): DispatcherAnswer['reasons'] {
    return this.memory.latest(count).map(reasonOf);
  }

  stats(): Record<string, number> {
    const { counts, last, tookMs } = this;
    const found = Object.entries(last?.counts.findings ?? {}).map(([trigger, count]) => [
      `found_${snake(trigger)}`,
      count,
    ]);
    return {
      ...counts,
      standby: this.isStandby ? 1 : 0,
      round_ms: Math.round(tookMs),
      reasons: last?.reasons.length ?? 0,
      ...(Object.fromEntries(found) as Record<string, number>),
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.cancel();
    await this.beats.stop();
    await this.view.close();
    await this.heartbeats.close();
    await this.starting;
    await Promise.all(this.underWay);
  }

  private next(): void {
    if (this.isClosed) return;
    this.cancel = this.world.timers.after(this.config.intervalMs, () => {
      try {
        this.round();
      } catch (error) {
        this.world.logger.error({ error }, 'a round of the dispatcher failed');
      }
      this.next();
    });
  }

  private round(): void {
    // What was heard long ago, or not heard, is no ground to act on.
    if (this.readyProblem() !== undefined || this.heartbeats.atEndMonotonicMs === undefined) return;
    // A state that lacks what was proposed a moment ago would have it proposed again, with another chunk.
    if (this.underWay.size > 0) return;
    const { clock } = this.world;
    const { state } = this.view;
    this.rates.keepOnly((nodeId) => state.node(nodeId) !== undefined);
    const startedMs = clock.monotonicMs();
    const nowMs = clock.nowMs();
    const round = planHealing({ state, loads: this.rates, policy: this.config.policy, nowMs, findings: this.findings });
    this.tookMs = clock.monotonicMs() - startedMs;
    this.findings = round.findings;
    this.last = round;
    this.lastAtMs = nowMs;
    this.counts.rounds++;
    for (const reason of round.reasons) this.memory.keep(reason, nowMs);
    if (this.isStandby) return;
    for (const proposal of round.proposals) this.ask(proposal, nowMs);
  }

  private ask(proposal: Proposal, nowMs: number): void {
    const askedAtMs = this.asked.get(proposal.key);
    if (askedAtMs !== undefined && Math.abs(nowMs - askedAtMs) < proposalRetryMs) return;
    this.asked.delete(proposal.key);
    this.asked.set(proposal.key, nowMs);
    for (const oldest of this.asked.keys()) {
      if (this.asked.size <= dispatcherLimits.keysMax) break;
      this.asked.delete(oldest);
    }
    const asking: Promise<void> = this.propose(proposal, nowMs).finally(() => this.underWay.delete(asking));
    this.underWay.add(asking);
  }

  private async propose({ key, subject, payload }: Proposal, nowMs: number): Promise<void> {
    const { log, clock, logger, newId } = this.world;
    const { topics, instance } = this.config;
    const { trigger, evidence: facts } = payload;
    const what = proposalText(payload);
    const id = proposalId(key, nowMs);
    this.counts.proposed++;
    const note = this.memory.keep({ subject, trigger, code: 'PROPOSED', message: `proposed: ${what}`, facts }, nowMs);
    try {
      const command = { kind: 'ProposePlan', payload, principal: `dispatcher ${instance}`, id };
      await submit(log, topics, command, clock, newId);
      const outcome = await this.view.outcome(id, dispatcherLimits.outcomeMs);
      this.decided(outcome, { subject, trigger, what, facts, note });
    } catch (error) {
      this.counts.unanswered++;
      if (!this.isClosed) logger.warn({ reason: messageOf(error), proposal: what }, 'a proposal got no answer');
    }
  }

  private decided(
    outcome: CommandOutcome,
    about: Pick<Note, 'subject' | 'trigger' | 'facts'> & { readonly what: string; readonly note: Note },
  ): void {
    const { note, what, ...rest } = about;
    if (outcome.rejectionCode === null) {
      this.counts.accepted++;
      note.planId = `p${outcome.seq}`;
      this.world.logger.info({ planId: note.planId, trigger: rest.trigger, ...rest.subject }, `proposed: ${what}`);
      return;
    }
    this.counts.refused++;
    const message = `refused: ${what}: ${outcome.rejectionMessage ?? ''}`;
    this.memory.keep({ ...rest, code: outcome.rejectionCode, message }, this.world.clock.nowMs());
    this.world.logger.info({ code: outcome.rejectionCode, trigger: rest.trigger, ...rest.subject }, message);
  }

  private heartbeat(): Heartbeat {
    return {
      kind: 'dispatcher',
      id: this.config.instance,
      incarnation: this.incarnation,
      address: this.address,
      sentAtMs: this.world.clock.nowMs(),
      featureLevel,
      positions: [],
      loads: [],
      moves: [],
      freeDiskBytes: -1,
      errors: [],
    };
  }
}

function reasonOf(note: Note): DispatcherAnswer['reasons'][number] {
  const { atMs, trigger, code, message, facts, rounds, firstAtMs, planId } = note;
  const again = rounds === 1 ? '' : ` (${rounds} rounds, since ${new Date(firstAtMs).toISOString()})`;
  const came = planId === undefined ? '' : ` as ${planId}`;
  const what = `${trigger} ${code}: ${message}${came}${again}`;
  return { atMs, what, evidence: JSON.stringify(facts), trigger, code, rounds, planId: planId ?? null };
}

const snake = (word: string): string => word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
