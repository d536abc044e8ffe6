import type { ClusterState } from '@levee/cluster';
import type { Claim, CommandOutcome } from '@levee/events';
import {
  asPartition,
  asSeq,
  asTerm,
  type Clock,
  Failure,
  failureCode,
  InvariantViolation,
  type Logger,
  messageOf,
  type Offset,
  Pause,
  RareWarning,
  type Seq,
  type Term,
  type Timers,
  Waits,
} from '@levee/kernel';
import { followTopic, type Log, type LogBatch, type StoredRecord } from '@levee/log';
import { bootFold, type BootReport } from './fold/boot';
import { JournalFold, type Adopted } from './fold/journal-fold';
import { holeIn, holeWords } from './fold/journal-holes';
import {
  findState,
  furthestOutside,
  holeSentence,
  isAhead,
  missingFrom,
  type OutsideWitness,
  seenBy,
  shortSentence,
  type Witness,
} from './fold/witness';
import { MetHole } from './fold/met-hole';
import { Freshness } from './freshness';
import { foreignRecord, keepForeign, type ForeignRecord } from './record/foreign-record';
import { missingControlTopics, type ControlTopics } from './topics/control-topics';
import { viewLimits } from './view-limits';
import { ViewListeners } from './view-listeners';

/**
 * The state of the cluster as this process knows it: boots from the compacted topics' checkpoint, then follows the
 * journal, decision by decision. Portals, data nodes, standby masters and the command line read through it.
 */
export class ClusterView {
  private fold = new JournalFold();
  private bootReport: BootReport | undefined;
  private foreignSeen: ForeignRecord[] = [];
  private readonly told: ViewListeners;
  private readonly waits: Waits;
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private running: Promise<void> | undefined;
  private trouble: string | undefined = 'the journal was not read yet';
  private leaderEpoch = -1;
  private journalEnd = 0;
  private readonly freshness: Freshness;
  private shortage: string | undefined;
  private isDetached = false;
  private readonly hole = new MetHole(viewLimits.holePatienceMs);
  private readonly bootWarning: RareWarning;
  private readonly topicsWarning: RareWarning;
  /** End of the journal up to which a repaired one was looked for. */
  private searchedTo = -1;
  /** Who has seen what the journal lacks; it lacks nothing once the fold has got there. */
  private witness: Witness | undefined;
  /** Who stands outside the log and has seen the journal: what disks have kept. */
  private readonly outside: OutsideWitness[] = [];

  constructor(
    private readonly log: Log,
    private readonly topics: ControlTopics,
    private readonly options: { readonly logger: Logger; readonly clock: Clock; readonly timers: Timers },
  ) {
    this.told = new ViewListeners(options.logger);
    this.freshness = new Freshness(options.clock);
    this.bootWarning = new RareWarning(options.logger, options.clock);
    this.topicsWarning = new RareWarning(options.logger, options.clock);
    this.waits = new Waits(options.timers);
    this.pause = new Pause(options.timers, this.stopping.signal);
  }

  /**
   * What disks have kept of the journal. Told before `start` it is known before anybody can claim on a journal that
   * has lost what they have seen.
   */
  know(witnesses: readonly OutsideWitness[]): void {
    this.outside.push(...witnesses);
    if (this.bootReport !== undefined) this.compareOutside();
  }

  /**
   * Resolves at the journal's end as of the call. Waits, however long, for topics that do not exist yet; `close` ends
   * the wait with STOPPING.
   */
  async start(): Promise<void> {
    for (;;) {
      if (this.stopping.signal.aborted) throw stopped();
      try {
        const doubts = { clock: this.options.clock, warning: this.topicsWarning };
        const { fold, report, foreign } = await bootFold(this.log, this.topics, doubts);
        this.fold = fold;
        this.foreignSeen = foreign;
        this.witness = report.witness;
        this.isDetached = report.detached;
        this.hole.begin(report.hole);
        this.becomeShort(report.short);
        this.compareOutside();
        this.bootReport = report;
        break;
      } catch (error) {
        if (error instanceof InvariantViolation) throw error;
        const isMissing = failureCode(error) === 'TOPIC_MISSING';
        this.trouble = `cannot read the control topics: ${isMissing ? missingControlTopics : messageOf(error)}`;
        if (isMissing) this.options.logger.debug({ error }, this.trouble);
        else this.bootWarning.warn(messageOf(error), { error }, 'waiting for the control topics');
        await this.pause.for(viewLimits.retryMs);
      }
    }
    this.trouble = undefined;
    this.freshness.stands();
    this.waits.poll();
    this.running = this.follow();
  }

  /** Lookups of namespaces, nodes, units, chunks and routes. Changes only between two turns of the event loop. */
  get state(): ClusterState {
    return this.fold.state;
  }

  /** Of the last decision adopted; 0 = none. */
  get seq(): Seq {
    return asSeq(this.fold.position.seq);
  }

  /** Highest claim seen; 0 = none. */
  get term(): Term {
    return asTerm(this.fold.position.term);
  }

  /** The claim in force, when it was read since the boot. */
  get claim(): Claim | undefined {
    return this.fold.claim;
  }

  get clusterId(): string | undefined {
    return this.fold.state.clusterId ?? this.fold.claim?.clusterId;
  }

  /** Why this view may be behind, in words; `undefined` while it follows the journal. */
  get problem(): string | undefined {
    return this.shortage ?? this.trouble;
  }

  /**
   * Why the journal is known to have lost its end, in words. While it is, this view stands where it stood, or where the
   * compacted topics are: reads and writes of data go on, nobody may decide or clear anything.
   */
  get short(): string | undefined {
    return this.shortage;
  }

  /** The alarm, in words, when `what` shows that the journal has lost its end. */
  shortBecause(what: string): string {
    return shortSentence({ log: this.log, journal: this.topics.journal }, this.fold.position, what);
  }

  /** Called when the journal is found to have lost its end; the returned function ends it. */
  onShort(listener: (why: string) => void): () => void {
    return this.told.losses.add(listener);
  }

  /** Records of the journal that were there at the last look and are not folded yet. */
  get recordsBehind(): number {
    return Math.max(0, this.journalEnd - this.fold.position.nextOffset);
  }

  /** For how long there may be decisions that are not heard of here; nobody decides on a journal that is short. */
  get unheardMs(): number {
    return this.shortage === undefined ? this.freshness.ageMs : 0;
  }

  get boot(): BootReport | undefined {
    return this.bootReport;
  }

  /** The fold itself, for the master and for audits; nobody else may change it. */
  get journal(): JournalFold {
    return this.fold;
  }

  /** Called after the state has changed; the returned function ends it. A listener that throws is logged. */
  onDecision(listener: (adopted: Adopted) => void): () => void {
    return this.told.decisions.add(listener);
  }

  onClaim(listener: (claim: Claim) => void): () => void {
    return this.told.claims.add(listener);
  }

  /** The last ones of those that were passed over since this process read the journal, oldest first. */
  get foreign(): readonly ForeignRecord[] {
    return this.foreignSeen;
  }

  /** Called with each record that was passed over because it fits nowhere. */
  onForeign(listener: (record: ForeignRecord) => void): () => void {
    return this.told.foreign.add(listener);
  }

  /** Resolves when everything appended to the journal before the call is folded. Fails with DEADLINE, STOPPING. */
  async readToEnd(deadlineMs: number): Promise<void> {
    const { nextOffset } = this.fold.position;
    const { endOffset = nextOffset } = (await this.log.offsets(this.topics.journal))[0] ?? {};
    if (endOffset < nextOffset)
      throw new Failure(
        'JOURNAL_SHORT',
        this.shortBecause(`it was read to offset ${nextOffset} and ends at ${endOffset}`),
      );
    await this.readTo(endOffset, deadlineMs);
  }

  /** Resolves when the journal is folded up to `nextOffset`. Fails with DEADLINE, STOPPING, JOURNAL_SHORT. */
  async readTo(nextOffset: Offset, deadlineMs: number): Promise<void> {
    const isThere = (): boolean => this.fold.position.nextOffset >= nextOffset;
    await this.until(
      () => (isThere() || this.isStopped ? true : undefined),
      deadlineMs,
      `reading the journal to offset ${nextOffset}`,
    );
    if (!isThere()) throw new Failure('JOURNAL_SHORT', this.shortage ?? 'the journal has lost its end');
  }

  /** What became of a command; waits for its decision. Fails with DEADLINE: unknown, it may still be decided. */
  async outcome(commandId: string, deadlineMs: number): Promise<CommandOutcome> {
    return this.until(() => this.state.outcome(commandId), deadlineMs, `the decision of command ${commandId}`);
  }

  /** Waits for any condition on the state, looked at after every batch of the journal. Fails with DEADLINE, STOPPING. */
  async until<T>(look: () => T | undefined, deadlineMs: number, what: string): Promise<T> {
    if (this.stopping.signal.aborted) throw stopped();
    return this.waits.until(look, deadlineMs, what);
  }

  stats() {
    const { seq, term, nextOffset } = this.fold.position;
    const { voidRecords, foreignRecords } = this.fold.chain;
    return { seq, term, journalOffset: nextOffset, entities: this.fold.table.size, voidRecords, foreignRecords };
  }

  async close(): Promise<void> {
    this.stopping.abort();
    this.trouble = 'closed';
    this.waits.failAll(stopped());
    await this.running;
  }

  /** Tails the journal until closed. A log out of order is retried at the same place: a state never falls. */
  private async follow(): Promise<void> {
    const journal = { topic: this.topics.journal, partition: asPartition(0) };
    await followTopic(this.log, journal, {
      signal: this.stopping.signal,
      timers: this.options.timers,
      tail: () => ({ idleMs: viewLimits.idleMs }),
      retryMs: () => (this.isStopped ? viewLimits.shortRetryMs : viewLimits.retryMs),
      start: async () => {
        if (this.isDetached) await this.attachAgain();
        // Where the fold stands: a batch that failed may be folded in part.
        return { nextOffset: this.fold.position.nextOffset, leaderEpoch: this.leaderEpoch };
      },
      onBatch: (batch) => this.take(batch),
      onFailure: ({ error }) => {
        this.interrupted(error);
        return error instanceof InvariantViolation ? 'stop' : 'again';
      },
    });
  }

  private interrupted(error: unknown): void {
    this.detachAfter(error);
    this.meetHole(error);
    const trouble = `the journal cannot be followed: ${messageOf(error)}`;
    if (trouble !== this.trouble)
      this.options.logger.error({ error, ...this.stats() }, 'the journal cannot be followed');
    this.trouble = trouble;
    if (error instanceof InvariantViolation) this.waits.failAll(error);
  }

  /**
   * The journal no longer holds what this view has read. It may grow past the same offset again with other records, and
   * those must not be taken for the next ones: from here on only its SHA-256 lets the view go on.
   */
  private detachAfter(error: unknown): void {
    const code = failureCode(error);
    if (code !== 'OFFSET_OUT_OF_RANGE' && code !== 'LOG_TRUNCATED') return;
    this.isDetached = true;
    const { seq, term } = this.fold.position;
    if (this.witness === undefined || isAhead({ seq, term }, this.witness))
      this.witness = { seq, term, who: 'this process' };
    this.becomeShort(this.shortBecause(`it no longer holds that: ${messageOf(error)}`));
  }

  /** Nothing is read on until people have mended the journal. */
  private get isStopped(): boolean {
    return this.isDetached || (this.hole.isOpen && this.shortage !== undefined);
  }

  /** What comes next is in force and cannot be read: nobody may decide anything on top of what came before. */
  private meetHole(error: unknown): void {
    const hole = holeIn(error);
    if (hole === undefined || this.isDetached) return;
    const stays = this.hole.meet(hole, this.options.clock.monotonicMs());
    if (this.shortage !== undefined || !stays) return;
    const of = { log: this.log, journal: this.topics.journal };
    this.becomeShort(holeSentence(of, this.fold.position, holeWords(of.journal, hole)));
  }

  /** Goes on where it stood once the journal holds that again, or where a repaired journal came to the same state. */
  private async attachAgain(): Promise<void> {
    const { position, digest } = this.fold;
    const { clock } = this.options;
    const { journal } = this.topics;
    const missing = await missingFrom(this.log, journal, { position, clock });
    if (missing !== undefined) {
      const { endOffset = 0 } = (await this.log.offsets(journal))[0] ?? {};
      // A fold of the whole journal costs something: once for each end.
      const isNew = endOffset !== this.searchedTo;
      const same = isNew ? await findState(this.log, journal, { position, digest, clock }) : undefined;
      this.searchedTo = endOffset;
      if (same === undefined) throw new Failure('JOURNAL_SHORT', missing);
      this.fold.chain.moveTo(same);
      this.options.logger.warn({ ...same }, 'the journal was repaired: going on where it came to the same state');
    }
    this.leaderEpoch = -1;
    this.isDetached = false;
    this.settle();
    this.waits.poll();
  }

  /** The journal lacks nothing any more once this view, attached to it, has seen as much as any witness. */
  private settle(): void {
    if (this.isDetached || !this.hole.pass(this.fold.position.nextOffset) || this.shortage === undefined) return;
    const isOutside = this.outside.some((each) => each === this.witness);
    if (!isOutside && this.witness !== undefined && isAhead(this.witness, this.fold.position)) return;
    this.witness = furthestOutside(this.outside, this.fold.position);
    if (this.witness === undefined) this.becomeShort(undefined);
  }

  private compareOutside(): void {
    const further = furthestOutside(this.outside, this.fold.position);
    if (further === undefined) return;
    if (this.witness === undefined || isAhead(further, this.witness)) this.witness = further;
    if (this.shortage === undefined) this.becomeShort(this.shortBecause(seenBy(further)));
  }

  private becomeShort(why: string | undefined): void {
    const before = this.shortage;
    this.shortage = why;
    if (why === undefined) {
      if (before !== undefined) this.options.logger.info({}, 'the journal holds everything again');
      return;
    }
    if (before === undefined) this.options.logger.error({ ...this.stats() }, why);
    this.told.losses.tell(why);
    this.waits.poll();
  }

  private take(batch: LogBatch): void | Promise<void> {
    this.leaderEpoch = batch.leaderEpoch;
    this.journalEnd = batch.endOffset;
    this.adopt(batch);
    this.freshness.take(batch);
    this.trouble = undefined;
    if (batch.records.length >= viewLimits.recordsPerTurn) return new Promise((resolve) => setImmediate(resolve));
  }

  private adopt(batch: LogBatch): void {
    for (const record of batch.records) {
      const folded = this.fold.apply(record);
      if (folded.kind === 'adopted') this.told.decisions.tell(folded.adopted);
      else if (folded.kind === 'claim') this.told.claims.tell(folded.claim);
      else if (folded.kind === 'void')
        this.options.logger.warn({ ...folded, offset: record.offset }, 'a record of a deposed master is void');
      else this.meet(record, folded.why);
    }
    this.fold.chain.passTo(batch.nextOffset);
    this.settle();
    this.waits.poll();
  }

  private meet(record: StoredRecord, why: string): void {
    const foreign = keepForeign(this.foreignSeen, foreignRecord(record, why));
    this.options.logger.warn({ offset: record.offset, why }, 'a foreign record of the journal is passed over');
    this.told.foreign.tell(foreign);
  }
}

const stopped = (): Failure => new Failure('STOPPING', 'this process is stopping; ask another one');
