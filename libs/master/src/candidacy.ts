import type { HeardLevel } from '@levee/cluster';
import { decodeAs, encode } from '@levee/codec';
import { featureLevel } from '@levee/events';
import { type ClusterView, type ControlTopics, heardLevels, seenHeaders } from '@levee/journal';
import {
  asPartition,
  assert,
  type Clock,
  failureCode,
  type Logger,
  messageOf,
  type NewId,
  Pause,
  type Random,
  RareWarning,
  type Timers,
  Waits,
} from '@levee/kernel';
import { endOf, followTopic, systemNewId, type Log, type LogBatch, type LogHeader } from '@levee/log';
import { fillCommands } from './commands-end';
import type { Decide, PendingCommand } from './decision-batch';
import { Reign } from './reign';
import { SilenceWindow } from './silence-window';
import { takeOver } from './take-over';

export interface CandidacyLimits {
  readonly heartbeatMs: number;
  /** Silence of the active master after which a standby claims. */
  readonly silenceMs: number;
  /** The broker forgets an idle writer identity after 7 days: claim again long before. */
  readonly reclaimMs: number;
}

export const defaultCandidacyLimits: CandidacyLimits = {
  heartbeatMs: 300,
  silenceMs: 1_200,
  reclaimMs: 12 * 3_600_000,
};

const limits = {
  backoffMsMin: 200,
  backoffMsMax: 5_000,
  /** A reign of this long was no failure: the next backoff is short again. */
  settledMs: 30_000,
  waitForMasterMs: 60_000,
  handOverMs: 5_000,
} as const;

export interface CandidacyOptions {
  readonly topics: ControlTopics;
  readonly view: ClusterView;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Name of this master in claims and heartbeats. */
  readonly instance: string;
  /** host:port of this master's HTTP door, known once it listens. */
  readonly address: () => string;
  /** True where no other process can hold the log (the embedded log's folder lock): no silence is awaited. */
  readonly claimAtOnce: boolean;
  readonly limits?: CandidacyLimits;
  readonly decide?: Decide;
  /** See `BatchOptions`. */
  readonly heard?: () => Iterable<HeardLevel>;
  /** See `DecideContext`. */
  readonly planObserveMs?: number;
  readonly newId?: NewId;
}

export type Role = 'standby' | 'claiming' | 'active';

/**
 * Becomes the master when there is none, and stands by when there is. Being wrong about that is harmless: only the
 * claim decides, and a deposed master's decisions are void.
 */
export class Candidacy {
  readonly incarnation: string;
  private current: Reign | undefined;
  private currentRole: Role = 'standby';
  private refusal: string | undefined;
  /** Why the log takes nothing of this master; `undefined` when it does, or another one is heard. */
  private unwritten: string | undefined;
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private readonly waits: Waits;
  private readonly window: SilenceWindow;
  private readonly warning: RareWarning;
  private readonly timing: CandidacyLimits;
  private readonly reignListeners = new Set<(reign: Reign) => void>();
  private running: Promise<void> | undefined;
  private serving: Promise<void> | undefined;
  private failuresInARow = 0;
  private backoffMs: number;
  private lastMaster: { readonly id: string; readonly address: string; readonly heardAtMs: number } | undefined;

  constructor(
    private readonly log: Log,
    private readonly options: CandidacyOptions,
  ) {
    this.incarnation = (options.newId ?? systemNewId)();
    this.timing = options.limits ?? defaultCandidacyLimits;
    assert(this.timing.heartbeatMs * 3 < this.timing.silenceMs, 'a master survives two lost heartbeats');
    this.pause = new Pause(options.timers, this.stopping.signal);
    this.waits = new Waits(options.timers);
    this.warning = new RareWarning(options.logger, options.clock);
    this.backoffMs = this.nextBackoffMs();
    this.window = new SilenceWindow({ silenceMs: this.timing.silenceMs, gapMsMax: this.timing.silenceMs / 2 });
  }

  /** Why nobody may or can reign, in words that name the mend; `undefined` = nothing is known to stand in the way. */
  get problem(): string | undefined {
    return this.refusal ?? this.unwritten;
  }

  get role(): Role {
    return this.currentRole;
  }

  /** The reign of this master while it serves. */
  get reign(): Reign | undefined {
    return this.currentRole === 'active' && this.current?.isOver === false ? this.current : undefined;
  }

  /** The active master as last heard of, this one included. */
  get master(): { readonly id: string; readonly address: string; readonly heardAtMs: number } | undefined {
    return this.lastMaster;
  }

  onReign(listener: (reign: Reign) => void): () => void {
    this.reignListeners.add(listener);
    return () => void this.reignListeners.delete(listener);
  }

  /** Begins to watch; the view must have been started. */
  start(): void {
    this.options.view.onClaim((claim) => {
      this.window.heard();
      if (this.current !== undefined && claim.term > this.current.term)
        this.current.end(`term ${claim.term} was claimed by ${claim.instance}`);
      this.waits.poll();
    });
    this.options.view.onDecision(() => this.waits.poll());
    this.options.view.onShort((why) => this.current?.end(why));
    this.running = this.options.claimAtOnce ? this.claimAtOnce() : this.watch();
  }

  /**
   * Resolves when every one of these commands has been decided, by this master or by another. While this one stands by
   * it waits for the active master's decisions, so that a promotion finds the commands at hand and none twice.
   */
  async decide(commands: readonly PendingCommand[]): Promise<void> {
    const { view } = this.options;
    for (;;) {
      const left = commands.filter(({ offset }) => offset > view.journal.position.commandsOffset);
      const last = left.at(-1);
      if (last === undefined || this.stopping.signal.aborted) return;
      const reign = this.reign;
      try {
        if (reign !== undefined) await reign.decide(left);
        else await this.waits.until(() => this.decidedOrReigning(last.offset), limits.waitForMasterMs, 'a decision');
      } catch (error) {
        const code = failureCode(error);
        if (code !== 'FENCED' && code !== 'DEADLINE' && code !== 'STOPPING') throw error;
      }
    }
  }

  /** Hands over: what is in flight is finished and projected, then the heartbeats stop. */
  async close(): Promise<void> {
    this.stopping.abort();
    await this.current?.handOver(limits.handOverMs);
    this.waits.poll();
    await this.running;
  }

  private decidedOrReigning(offset: number): true | undefined {
    const decided = this.options.view.journal.position.commandsOffset >= offset;
    return decided || this.reign !== undefined || this.stopping.signal.aborted ? true : undefined;
  }

  private async claimAtOnce(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.serveOnce();
      await this.pause.for(this.backoffMs);
    }
  }

  /** Follows the heartbeats until closed, claiming whenever they were silent for long enough. */
  private async watch(): Promise<void> {
    const { topics, logger, clock, timers } = this.options;
    const heartbeats = { topic: topics.heartbeats, partition: asPartition(0) };
    const warning = new RareWarning(logger, clock);
    const idleMs = Math.max(10, Math.floor(this.timing.silenceMs / 8));
    await followTopic(this.log, heartbeats, {
      signal: this.stopping.signal,
      timers,
      tail: () => ({ idleMs, gatherMs: idleMs / 2 }),
      retryMs: () => limits.backoffMsMin,
      start: () => endOf(this.log, heartbeats),
      onBatch: (batch) => this.observe(batch),
      onFailure: ({ error }) => {
        this.window.behind();
        warning.warn(messageOf(error), { error }, 'the heartbeats cannot be followed; trying again');
        return 'again';
      },
    });
    await this.serving;
  }

  private observe(batch: LogBatch): void {
    for (const { value } of batch.records) this.hear(value);
    if (batch.nextOffset >= batch.endOffset) this.window.atEnd(this.options.clock.monotonicMs());
    else this.window.behind();
    if (this.serving !== undefined || !this.window.isOver(this.backoffMs)) return;
    this.serving = this.serveOnce().finally(() => {
      this.serving = undefined;
      this.window.heard();
    });
  }

  private hear(value: Buffer | null): void {
    if (value === null) return;
    try {
      const heartbeat = decodeAs('Heartbeat', value);
      if (heartbeat.kind !== 'master') return;
      const { id, address } = heartbeat;
      this.lastMaster = { id, address, heardAtMs: this.options.clock.nowMs() };
      this.unwritten = undefined;
      if (heartbeat.incarnation !== this.incarnation) this.window.heard();
    } catch (error) {
      this.options.logger.debug({ error }, 'a heartbeat cannot be read');
    }
  }

  /** Claims and serves until the reign ends; claims again at once when it only grew old. */
  private async serveOnce(): Promise<void> {
    let again = true;
    while (again && !this.stopping.signal.aborted) {
      const beganAtMs = this.options.clock.monotonicMs();
      again = (await this.claimAndServe()) === reclaimed;
      const failed = this.options.clock.monotonicMs() - beganAtMs < limits.settledMs && !again;
      this.failuresInARow = failed ? this.failuresInARow + 1 : 0;
      this.backoffMs = this.nextBackoffMs();
    }
  }

  private nextBackoffMs(): number {
    const rangeMs = Math.min(limits.backoffMsMax, limits.backoffMsMin * 2 ** this.failuresInARow);
    return rangeMs * this.options.random.next();
  }

  private async claimAndServe(): Promise<string> {
    const { view, topics, instance, clock, logger } = this.options;
    this.currentRole = 'claiming';
    try {
      const taken = await takeOver(this.log, topics, {
        view,
        instance,
        clock,
        newId: this.options.newId ?? systemNewId,
      });
      // A master that has just started has heard nobody yet.
      const before = await heardLevels(this.log, topics, clock);
      const reign = new Reign(this.log, taken, { ...this.options, heard: () => this.heard(before) });
      this.current = reign;
      const stopHeartbeats = this.sendHeartbeats();
      const cancelReclaim = this.options.timers.after(this.timing.reclaimMs, () => reign.end(reclaimed));
      try {
        await reign.begin();
        await fillCommands(this.log, topics, { commandsOffset: view.journal.position.commandsOffset, logger });
        this.currentRole = 'active';
        this.refusal = undefined;
        this.unwritten = undefined;
        logger.info({ term: reign.term, seq: view.seq }, 'serving as master');
        for (const listener of this.reignListeners) listener(reign);
        this.waits.poll();
        if (this.stopping.signal.aborted) reign.end('stopping');
        return await reign.ended;
      } catch (error) {
        // A listener that threw leaves duties undone: nobody may go on deciding without them.
        reign.end(`the reign could not begin: ${messageOf(error)}`);
        throw error;
      } finally {
        cancelReclaim();
        stopHeartbeats();
        this.current = undefined;
      }
    } catch (error) {
      this.refused(error);
      return messageOf(error);
    } finally {
      this.currentRole = 'standby';
      if (!this.stopping.signal.aborted) logger.info({ term: view.term }, 'standing by');
    }
  }

  /** Those heard before this reign, unless they were heard since. */
  private heard(before: ReadonlyMap<string, HeardLevel>): Iterable<HeardLevel> {
    const levels = new Map(before);
    for (const each of this.options.heard?.() ?? []) levels.set(each.process, each);
    return levels.values();
  }

  private refused(error: unknown): void {
    const code = failureCode(error);
    const isAlarm = code === 'JOURNAL_SHORT' || code === 'COMMANDS_SHORT';
    const said = this.refusal;
    this.refusal = isAlarm ? messageOf(error) : undefined;
    if (code === 'LOG_UNAVAILABLE' || code === 'OUTCOME_UNKNOWN') this.unwritten = takesNothing(error);
    if (isAlarm && said === undefined) this.options.logger.error({ error }, 'the claim did not succeed');
    else this.warning.warn(messageOf(error), { error }, 'the claim did not succeed');
  }

  /** One at a time: a slow log must not pile them up. */
  private sendHeartbeats(): () => void {
    const { timers, logger, topics } = this.options;
    const stop = new AbortController();
    const pause = new Pause(timers, stop.signal);
    const loop = async (): Promise<void> => {
      let failures = 0;
      while (!stop.signal.aborted) {
        try {
          await this.log.append(topics.heartbeats, asPartition(0), [
            { key: Buffer.from(this.options.instance), value: this.heartbeat(), headers: this.seen() },
          ]);
          failures = 0;
          this.unwritten = undefined;
        } catch (error) {
          // One alone is no trouble: a leader that changes costs one.
          if (++failures > 1) this.unwritten = takesNothing(error);
          logger.warn({ error }, 'a heartbeat was not written');
        }
        await pause.for(this.timing.heartbeatMs);
      }
    };
    void loop();
    return () => stop.abort();
  }

  private seen(): LogHeader[] {
    const { view } = this.options;
    return seenHeaders({ seq: view.seq, term: view.term, clusterId: view.clusterId });
  }

  private heartbeat(): Buffer {
    const { instance, address, clock } = this.options;
    return encode('Heartbeat', {
      kind: 'master',
      id: instance,
      incarnation: this.incarnation,
      address: address(),
      sentAtMs: clock.nowMs(),
      featureLevel,
      positions: [],
      loads: [],
      moves: [],
      freeDiskBytes: -1,
      errors: [],
    });
  }
}

const reclaimed = 'claiming again';

const takesNothing = (error: unknown): string => `the log takes no writes of this master: ${messageOf(error)}`;
