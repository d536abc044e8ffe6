import type { HeardLevel } from '@levee/cluster';
import type { Command, CommandOutcome } from '@levee/events';
import type { ClusterView, ControlTopics } from '@levee/journal';
import {
  asOffset,
  asPartition,
  assert,
  type Clock,
  Failure,
  failureCode,
  type Logger,
  messageOf,
  type NewId,
  Pause,
  type Term,
  type Timers,
} from '@levee/kernel';
import { systemNewId, type Log } from '@levee/log';
import { appendPatiently } from './append-patiently';
import { decideBatch, type Decide, type DecisionBatch, type PendingCommand } from './decision-batch';
import { Projections } from './projections';
import type { Taken } from './take-over';

const reignLimits = {
  /** A master that does not get its own decisions back in this time does not know whether it still is one. */
  readBackMs: 10_000,
  commandsQueueMax: 16_384,
} as const;

export interface ReignOptions {
  readonly topics: ControlTopics;
  readonly view: ClusterView;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly instance: string;
  readonly decide?: Decide;
  /** See `BatchOptions`. */
  readonly heard?: () => Iterable<HeardLevel>;
  /** See `DecideContext`. */
  readonly planObserveMs?: number;
  readonly newId?: NewId;
}

interface Waiting extends PendingCommand {
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * One term of a master: decide, record, read back, adopt (DESIGN section 5). One batch of decisions is in flight at a
 * time. Whatever leaves it in doubt, a fence, an unknown outcome, a decision that does not come back, ends the reign:
 * the next one, here or elsewhere, finds the truth in the journal.
 */
export class Reign {
  readonly projections: Projections;
  /** Resolves, with the reason, when this master has to give up. */
  readonly ended: Promise<string>;
  private readonly queue: Waiting[] = [];
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private finish: (reason: string) => void = () => undefined;
  private over: string | undefined;
  private deciding = false;
  private batches = 0;

  constructor(
    log: Log,
    private readonly taken: Taken,
    private readonly options: ReignOptions,
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
    this.ended = new Promise((resolve) => (this.finish = resolve));
    this.projections = new Projections(log, taken.writer, options.view, options);
  }

  get term(): Term {
    return this.taken.term;
  }

  get isOver(): boolean {
    return this.over !== undefined;
  }

  /** Fences the compacted topics, founds the cluster when this is its first reign, and starts writing projections. */
  async begin(): Promise<void> {
    try {
      await this.projections.fence(this.taken.claim);
      this.projections.run().catch((error: unknown) => this.end(`projections: ${messageOf(error)}`));
      if (this.options.view.state.clusterId === undefined)
        await this.own('InitCluster', { clusterId: this.taken.claim.clusterId });
    } catch (error) {
      this.end(messageOf(error));
      throw error;
    }
  }

  /** Resolves when every command has been adopted; fails with FENCED when the reign ended before, LIMIT when full. */
  async decide(commands: readonly PendingCommand[]): Promise<void> {
    if (this.queue.length + commands.length > reignLimits.commandsQueueMax)
      throw new Failure(
        'LIMIT',
        `${this.queue.length} commands wait already, the limit is ${reignLimits.commandsQueueMax}`,
      );
    await Promise.all(commands.map((command) => this.enqueue(command)));
  }

  /** A command of the master itself: it has no offset in `levee.commands`. */
  async own(kind: string, payload: unknown): Promise<CommandOutcome> {
    const command: Command = {
      id: (this.options.newId ?? systemNewId)(),
      kind,
      payload: JSON.stringify(payload),
      principal: `master ${this.options.instance}`,
      submittedAtMs: this.options.clock.nowMs(),
    };
    await this.enqueue({ command, offset: -1 });
    const outcome = this.options.view.state.outcome(command.id);
    assert(outcome, `I7: the outcome of ${kind} ${command.id} is in the state once it is adopted`);
    return outcome;
  }

  /** Gives up: nothing is decided after this. What is in flight may still come into force. */
  end(reason: string): void {
    if (this.over !== undefined) return;
    this.over = reason;
    this.stopping.abort();
    this.projections.stop();
    const left = this.queue.splice(0);
    for (const waiting of left) waiting.failed(this.fenced());
    this.taken.writer.close().catch(() => undefined);
    this.finish(reason);
  }

  /** Ends in good order: lets the batch in flight and its projections be written, at most `deadlineMs`. */
  async handOver(deadlineMs: number): Promise<void> {
    const { view, clock } = this.options;
    const giveUpAt = clock.monotonicMs() + deadlineMs;
    const busy = (): boolean => this.deciding || this.queue.length > 0 || this.projections.seq < view.seq;
    while (!this.isOver && busy() && clock.monotonicMs() < giveUpAt) await this.pause.for(10);
    this.end('handed over');
  }

  stats(): { term: number; batches: number; queued: number; projectedSeq: number } {
    const projectedSeq = this.projections.seq;
    return { term: this.term, batches: this.batches, queued: this.queue.length, projectedSeq };
  }

  private enqueue(pending: PendingCommand): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isOver) {
        reject(this.fenced());
        return;
      }
      this.queue.push({ ...pending, done: resolve, failed: reject });
      if (!this.deciding) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.deciding = true;
    try {
      // Commands that arrived in this turn share the first batch.
      await Promise.resolve();
      let decisionBytesMax: number | undefined;
      while (this.queue.length > 0 && !this.isOver) {
        const batch = this.nextBatch(decisionBytesMax);
        decisionBytesMax = undefined;
        try {
          await this.record(batch);
        } catch (error) {
          if (failureCode(error) !== 'TOO_LARGE' || this.isOver) throw error;
          // Definite: nothing was written. Decide again, refusing what is as large as the largest of these.
          decisionBytesMax = Math.max(...batch.decisions.map(({ events }) => sizeOf(events))) - 1;
          continue;
        }
        for (const waiting of this.queue.splice(0, batch.taken)) waiting.done();
      }
    } catch (error) {
      this.options.logger.warn({ error, term: this.term }, 'giving up the claim');
      this.end(messageOf(error));
    } finally {
      this.deciding = false;
    }
  }

  private nextBatch(decisionBytesMax: number | undefined): DecisionBatch {
    const { view, clock, topics, decide, planObserveMs, heard } = this.options;
    return decideBatch(view.journal, this.queue, {
      nowMs: clock.nowMs(),
      term: this.term,
      topicPrefix: topics.prefix,
      ...(decide === undefined ? {} : { decide }),
      ...(heard === undefined ? {} : { heard }),
      ...(planObserveMs === undefined ? {} : { planObserveMs }),
      ...(decisionBytesMax === undefined ? {} : { decisionBytesMax }),
    });
  }

  /** Appends the batch and waits until the journal gives it back with no higher claim before it (I7). */
  private async record(batch: DecisionBatch): Promise<void> {
    const { view, topics, logger } = this.options;
    const target = { topic: topics.journal, partition: asPartition(0) };
    const { records } = batch;
    const { nextOffset } = view.journal.position;
    const { baseOffset } = await appendPatiently(this.taken.writer, target, { records, pause: this.pause, logger });
    if (baseOffset < nextOffset)
      throw new Failure(
        'JOURNAL_SHORT',
        view.shortBecause(`it was read to offset ${nextOffset} and took the next record at ${baseOffset}`),
      );
    await view.readTo(asOffset(baseOffset + records.length), reignLimits.readBackMs);
    if (view.term !== this.term) throw new Failure('FENCED', `term ${view.term} was claimed after ${this.term}`);
    // I7: a decision counts when it was taken into force, not when it stands somewhere in the journal.
    const last = batch.decisions.at(-1)?.seq;
    if (view.seq !== last || view.journal.position.previousSha256 !== batch.sha256)
      throw new Failure(
        'FENCED',
        `decision ${last} of term ${this.term}, read back at offset ${baseOffset}, did not come into force: ` +
          `the journal stands at another decision ${view.seq}`,
      );
    this.batches += 1;
  }

  private fenced(): Failure {
    return new Failure('FENCED', `this master no longer serves term ${this.term}: ${this.over}`);
  }
}

const sizeOf = (events: readonly Uint8Array[]): number => events.reduce((sum, bytes) => sum + bytes.length, 0);
