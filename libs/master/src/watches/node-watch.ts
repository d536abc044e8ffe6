import {
  followersBehind,
  Liveness,
  type FollowerBehind,
  type LivenessFinding,
  type LivenessLimits,
} from '@levee/cluster';
import { decodeAs } from '@levee/codec';
import { type ClusterView, type ControlTopics, type HeartbeatView, MaintenanceEnds } from '@levee/journal';
import { asPartition, type Clock, failureCode, type Logger, messageOf, RareWarning, type Timers } from '@levee/kernel';
import { endOf, followTopic, type Log, type LogBatch } from '@levee/log';
import type { Reign } from '../reign';

export interface NodeWatchOptions {
  readonly reign: Pick<Reign, 'own' | 'isOver'>;
  readonly topics: ControlTopics;
  /** For the positions of followers. */
  readonly heartbeats: Pick<HeartbeatView, 'latest'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Name and run of this master: its own heartbeats prove that the log carries them. */
  readonly instance: string;
  readonly incarnation: string;
  readonly limits: LivenessLimits;
}

const nodeWatchLimits = {
  retryMs: 200,
  /** A command that was refused is not given again at once. */
  refusedMs: 5_000,
  /** Looks per heartbeat. */
  looksPerHeartbeat: 3,
} as const;

export interface NodeWatchStats {
  readonly suspected: number;
  readonly lost: number;
  readonly revived: number;
  readonly storms: number;
}

/**
 * Watches the nodes while its master reigns: follows the heartbeats and gives the commands that follow from them. What
 * it has heard is soft state; each decision carries what it rests on.
 */
export class NodeWatch {
  private readonly liveness: Liveness;
  private readonly ends: MaintenanceEnds;
  private readonly stopping = new AbortController();
  private readonly underWay = new Set<string>();
  /** Monotonic time before which a command is not tried again. */
  private readonly refusedUntilMs = new Map<string, number>();
  private readonly lookMs: number;
  private lookedAtMs = -Infinity;
  private running: Promise<void> | undefined;
  private alarm: string | undefined;
  private readonly counts = { suspected: 0, lost: 0, revived: 0, storms: 0 };

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: NodeWatchOptions,
  ) {
    this.liveness = new Liveness(options.instance, options.limits);
    this.ends = new MaintenanceEnds(log, view, options);
    this.lookMs = Math.max(10, Math.floor(options.limits.heartbeatMs / nodeWatchLimits.looksPerHeartbeat));
  }

  /** The storm brake holds, in words. */
  get problem(): string | undefined {
    return this.alarm;
  }

  stats(): NodeWatchStats {
    return { ...this.counts };
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.ends.stop();
    await this.running;
  }

  private async run(): Promise<void> {
    const { topics, logger, clock, timers } = this.options;
    const heartbeats = { topic: topics.heartbeats, partition: asPartition(0) };
    const warning = new RareWarning(logger, clock);
    const saying = 'the heartbeats cannot be followed: silence of nodes does not count meanwhile';
    this.ends.start();
    await followTopic(this.log, heartbeats, {
      signal: this.stopping.signal,
      timers,
      tail: () => ({ idleMs: this.lookMs, gatherMs: this.lookMs / 2 }),
      retryMs: () => nodeWatchLimits.retryMs,
      start: async () => {
        if (this.endsWithReign()) return undefined;
        this.liveness.interrupted();
        return endOf(this.log, heartbeats);
      },
      onBatch: (batch) => {
        if (!this.endsWithReign()) this.observe(batch);
      },
      onFailure: ({ error }) => {
        warning.warn(messageOf(error), { error }, saying);
        return 'again';
      },
    });
  }

  private endsWithReign(): boolean {
    if (this.options.reign.isOver) this.stopping.abort();
    return this.stopping.signal.aborted;
  }

  private observe(batch: LogBatch): void {
    const nowMs = this.options.clock.monotonicMs();
    for (const { value } of batch.records) if (value !== null) this.hear(value, nowMs);
    if (batch.nextOffset >= batch.endOffset) this.liveness.atEnd(nowMs);
    // Many processes make many batches: what follows from them is looked at in its own rhythm.
    if (nowMs - this.lookedAtMs < this.lookMs) return;
    this.lookedAtMs = nowMs;
    this.act(nowMs);
  }

  private hear(value: Buffer, nowMs: number): void {
    try {
      const { kind, id, incarnation, errors } = decodeAs('Heartbeat', value);
      if (kind === 'node') this.liveness.heard({ nodeId: id, incarnation }, nowMs);
      if (kind === 'master' && incarnation === this.options.incarnation) this.liveness.heardSelf();
      for (const error of errors) this.liveness.reported(`${kind} ${id}`, error, nowMs);
    } catch (error) {
      this.options.logger.debug({ error }, 'a heartbeat cannot be read');
    }
  }

  private act(nowMs: number): void {
    const { findings, storm } = this.liveness.findings(this.view.state.nodes(), nowMs);
    this.sound(storm);
    for (const { kind, payload } of findings)
      this.submit(kind, { ...payload, ...this.lags(kind, payload.nodeId) }, nowMs);
    for (const nodeId of this.ends.due()) this.submit('EndMaintenance', { nodeId }, nowMs);
  }

  /** Who leads next may depend on how far the followers are. */
  private lags(kind: LivenessFinding['kind'], nodeId: string): { readonly behind?: readonly FollowerBehind[] } {
    if (kind === 'ReviveNode') return {};
    const { heartbeats } = this.options;
    return { behind: followersBehind(this.view.state, nodeId, (id) => heartbeats.latest('node', id)?.positions ?? []) };
  }

  private sound(storm: ReturnType<Liveness['findings']>['storm']): void {
    const before = this.alarm;
    this.alarm =
      storm &&
      `${storm.silent.length} of ${storm.watched} nodes are silent at once (${storm.silent.slice(0, 20).join(', ')}): ` +
        'none is given up; look at the network and at Kafka';
    if (before === undefined && storm !== undefined) {
      this.counts.storms++;
      this.options.logger.error({ ...storm }, 'too many nodes are silent at once: none is given up');
    }
    if (before !== undefined && storm === undefined) this.options.logger.info({}, 'the nodes are heard again');
  }

  private submit(
    kind: LivenessFinding['kind'] | 'EndMaintenance',
    payload: { readonly nodeId: string },
    nowMs: number,
  ): void {
    const key = `${kind} ${payload.nodeId}`;
    if (this.underWay.has(payload.nodeId) || nowMs < (this.refusedUntilMs.get(key) ?? -Infinity)) return;
    this.underWay.add(payload.nodeId);
    void this.give(kind, payload)
      .then((accepted) => {
        if (accepted) this.refusedUntilMs.delete(key);
        else this.refusedUntilMs.set(key, nowMs + nodeWatchLimits.refusedMs);
      })
      .finally(() => this.underWay.delete(payload.nodeId));
  }

  /** False when it was refused or could not be decided. */
  private async give(kind: LivenessFinding['kind'] | 'EndMaintenance', payload: object): Promise<boolean> {
    const { reign, logger } = this.options;
    try {
      const outcome = await reign.own(kind, payload);
      if (outcome.rejectionCode !== null) {
        logger.warn({ kind, ...payload, reason: outcome.rejectionMessage }, 'a decision about a node was refused');
        return false;
      }
      if (kind === 'SuspectNode') this.counts.suspected++;
      if (kind === 'LoseNode') this.counts.lost++;
      if (kind === 'ReviveNode') this.counts.revived++;
      logger[kind === 'SuspectNode' || kind === 'LoseNode' ? 'warn' : 'info'](
        { kind, ...payload },
        'node decided upon',
      );
      return true;
    } catch (error) {
      if (failureCode(error) !== 'FENCED')
        logger.warn({ kind, ...payload, error: messageOf(error) }, 'a decision about a node was not taken');
      return false;
    }
  }
}
