import { damageOf, type Replica, type ReplicaIdentity } from '@levee/chunk-store';
import type { FeedMember } from '@levee/follow';
import { assert, defined, messageOf, type Offset, type Partition } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import type { LogFailure } from '@levee/log';
import { ReplicaCopy } from '../copy/replica-copy';
import { LogHoles } from '../holes/log-holes';
import { nodeLimits } from '../node-limits';
import { letGoKept } from '../witness/give-up-unit';
import { LogCuts } from '../witness/log-cuts';
import { rebuildSource } from '../witness/rebuild-source';
import { type Assignment, type HostedState, isReadableRole, isServingRole } from './assignment';
import { ChunkQuota } from './chunk-quota';
import { overdueOf } from './completeness';
import { reasonOf } from './describe-replica';
import { HostedDatabase } from './hosted-database';
import { HostedPlaces } from './hosted-places';
import type { HostedWorld } from './hosted-world';
import { openReplica } from './open-replica';
import { openVerdict } from './open-verdict';
import { notSwept, type ReplicaCounts, type Swept } from './replica-load';

/** One assigned replica: opened, fed, made readable when that is proven, rebuilt when it is wrong. */
export class HostedReplica implements FeedMember {
  private standing: HostedState = 'opening';
  /** Why it is not what it should be, in words. */
  problem: string | undefined;
  private readonly database: HostedDatabase;
  readonly places: HostedPlaces;
  /** What it holds and the log lost. */
  readonly cuts: LogCuts;
  /** What it needs and the log does not give any more. */
  readonly holes: LogHoles;
  /** How its unit is filled while it is a learner of a plan. */
  readonly copy: ReplicaCopy;
  /** Why it cannot do what its plan asks of it. */
  moveFailure: { readonly code: string; readonly message: string } | undefined;
  /** It holds a part of a copy, and no plan says how to go on. */
  private waitsForPlan = false;
  private complete = false;
  /** The disk took no more, whatever room the unit has. */
  private refused = false;
  private filesDamaged = false;
  private work: Promise<void> = Promise.resolve();
  private cancelRetry: () => void = () => undefined;
  rebuilds = 0;
  readonly quota: ChunkQuota;
  swept: Swept = notSwept;

  constructor(
    private readonly world: HostedWorld,
    public assignment: Assignment,
    readonly identity: ReplicaIdentity,
  ) {
    const { slotStart, slotEnd, partitions } = identity;
    this.database = new HostedDatabase(world, () => this.assignment);
    this.quota = new ChunkQuota(identity.chunkId, () => world.clock.monotonicMs());
    this.places = new HostedPlaces(partitionsOf(slotStart, slotEnd, partitions), world.waits);
    this.cuts = new LogCuts(world, this.places, identity, this);
    this.holes = new LogHoles(world, this.places, identity, this);
    this.copy = new ReplicaCopy(world, { identity, assignment: () => this.assignment, peers: this.holes });
  }

  get state(): HostedState {
    return this.standing;
  }

  /** [safety] Closed it stays: what was under way would take up again beside its successor, and close its database. */
  private set state(to: HostedState) {
    if (!this.isClosed) this.standing = to;
  }

  private get isClosed(): boolean {
    return this.standing === 'closed';
  }

  get chunkId(): string {
    return this.identity.chunkId;
  }

  get current(): Replica | undefined {
    return this.database.current;
  }

  get replica(): Replica {
    return defined(this.current, `an open replica of ${this.chunkId}`);
  }

  get counts(): ReplicaCounts {
    return this.database.counts;
  }

  /** Above the hard limit of its unit, or on a full disk: it stands still at its position until there is room. */
  get full(): boolean {
    return this.refused || (this.current?.space.full ?? false);
  }

  get storedBytes(): number {
    return this.current?.sizeBytes ?? 0;
  }

  get partitions(): readonly Partition[] {
    return this.places.partitions;
  }

  /** [safety] True once it has applied everything that the log held after the decision, and is not rewound (I13). */
  get readable(): boolean {
    return this.complete;
  }

  /** It has seen later records than it holds now, itself or as a snapshot that it was copied from (I13). */
  get rewound(): boolean {
    return this.partitions.some((partition) => this.current?.rewoundAt(partition) !== false);
  }

  /** Why it is not readable, in words. */
  get reason(): string {
    return reasonOf(this);
  }

  /** Everything below is applied; 0 while it is not open. */
  nextOffset(partition: number): number {
    return this.current?.nextOffset(partition) ?? 0;
  }

  holdsPartition(partition: number): boolean {
    return this.places.at(partition) !== undefined;
  }

  /** Milliseconds since the replica last stood at the end of the partition, infinite before the first time. */
  ageMs(partition: number, nowMonotonicMs: number): number {
    return nowMonotonicMs - (this.places.at(partition)?.atEndMs ?? -Infinity);
  }

  /** Calls `reached` once `nextOffset` is applied; the returned function ends the wait. `undefined`: too many wait. */
  whenApplied(partition: number, nextOffset: number, reached: () => void): (() => void) | undefined {
    const place = this.places.at(partition);
    assert(place !== undefined, `I9: ${this.chunkId} has no slot in partition ${partition}`);
    return place.waits.add(nextOffset, reached);
  }

  open(): void {
    this.later(() => this.openNow());
  }

  /** The assignment of the same unit generation, as a later decision says it. */
  reassign(assignment: Assignment): void {
    const served = isServingRole(this.assignment.role);
    this.assignment = assignment;
    if (assignment.move === undefined) this.moveFailure = undefined;
    this.goOnWaiting();
    if (served || !isServingRole(assignment.role)) return this.review();
    // A learner that becomes a replica, or a retired one called back: what was appended before the decision comes first.
    this.places.forgetEnds();
    this.complete = false;
    this.later(() => this.readEnds());
  }

  close(): Promise<void> {
    if (this.state !== 'closed') {
      this.state = 'closed';
      this.complete = false;
      this.cancelRetry();
      this.copy.stop();
      this.cuts.stop();
      this.detach();
      this.work = this.work.then(() => this.closeDatabase());
    }
    return this.work;
  }

  // FeedMember

  mayGoOn(partition: Partition): boolean {
    const overdue = this.state === 'following' ? overdueOf(this.world, this, partition) : undefined;
    if (overdue !== undefined) this.mustRebuild(overdue);
    return this.state === 'following';
  }

  advanced(partition: Partition, atEndMs: number | undefined): void {
    const place = this.places.at(partition);
    if (place === undefined || this.state !== 'following') return;
    if (this.current?.failure !== undefined) return this.failed(this.current.failure);
    place.trouble = undefined;
    if (!this.full) this.problem = undefined;
    if (atEndMs !== undefined) place.atEndMs = Math.max(atEndMs, place.atEndMs ?? atEndMs);
    if (place.hole !== undefined) this.holes.passed(partition, this.nextOffset(partition));
    place.waits.advance(this.nextOffset(partition));
    if (!this.complete) this.review();
  }

  readonly logLost = (partition: Partition, failure: LogFailure): void => this.cuts.judge(partition, failure);

  readonly unreadable = (partition: Partition, failure: LogFailure): void => this.holes.met(partition, failure);

  follow(partition: Partition): void {
    if (this.state === 'following') this.world.feedOf(this.identity, partition).attach(this);
  }

  failed(error: unknown): void {
    if (this.isClosed) return;
    this.world.logger.error({ error, chunkId: this.chunkId, unitId: this.assignment.unitId }, 'a replica failed');
    const { todo, code, problem } = openVerdict(error);
    if (todo === 'rebuild') return this.mustRebuild(problem, true);
    this.problem = problem;
    this.detach();
    if (todo === 'standStill') return this.standStill();
    if (code === 'UNIT_FULL') {
      // It stands still at its position and says so; what it holds can still be read by who accepts its age.
      return this.retry(async () => {
        await this.current?.space.measure();
        if (this.state === 'following') this.attach();
      });
    }
    this.complete = false;
    this.state = 'opening';
    this.retry(() => this.reopen());
  }

  /** While its database is open it can still be read; opened anew on a disk without room it could not. */
  private standStill(): void {
    const { chunkId, problem } = this;
    if (!this.refused) this.world.logger.error({ chunkId, problem }, 'a replica stands still until its disk has room');
    this.refused = true;
    this.retry(() => this.world.rebuilds.pass(() => this.reopen()));
  }

  private async reopen(): Promise<void> {
    if (this.isClosed) return;
    if (!(await this.world.disk.hasRoom())) return this.standStill();
    this.complete = false;
    this.state = 'opening';
    await this.closeDatabase();
    await this.openNow();
  }

  trouble(partition: Partition, problem: string | undefined): void {
    const place = this.places.at(partition);
    if (place !== undefined) place.trouble = problem;
  }

  wantsDigest(chunks: readonly string[]): boolean {
    return chunks.length === 0 || chunks.includes(this.chunkId);
  }

  barrier(partition: Partition, digestPlan: string, barrier: { offset: Offset; timeMs: number }): void {
    if (this.state !== 'following' || this.replica.rewoundAt(partition)) return;
    // Older than the history window: compaction may have taken what the state at the barrier was made of.
    if (this.world.logClock.bestMs() - barrier.timeMs > this.assignment.namespace.historyWindowMs) return;
    this.world.digests.add({ hosted: this, replica: this.replica, partition, digestPlan, ...barrier });
  }

  /** A reader met `error` in it; true when that is damage: it has stopped serving then, and is built anew. */
  damagedBy(error: unknown): boolean {
    const damage = damageOf(error);
    if (damage !== undefined) this.mustRebuild(messageOf(damage), true);
    return damage !== undefined;
  }

  /**
   * Gives up what this very unit generation holds, whose files may be `damaged`, and starts from offset 0: only once the
   * log is seen to hold all of it (I14), for it may be the last copy, or a peer to hold what the log does not; else it
   * stays, for people to decide. What was given up is kept until the replica is whole again.
   */
  mustRebuild(reason: string, damaged = false): void {
    this.filesDamaged ||= damaged;
    if (this.state === 'closed' || this.state === 'rebuilding') return;
    const { chunkId, unitId } = this.identity;
    this.world.logger.warn({ chunkId, unitId, reason }, 'rebuilding a replica from the log');
    this.complete = false;
    this.state = 'rebuilding';
    this.problem = reason;
    this.cancelRetry();
    this.detach();
    this.places.forgetAll();
    this.later(() => this.world.rebuilds.pass(() => this.rebuildNow(reason)));
  }

  private async rebuildNow(reason: string): Promise<void> {
    if (this.state !== 'rebuilding' && this.state !== 'stuck') return;
    const source = await rebuildSource(this.world, this, reason, this.filesDamaged);
    if (this.isClosed) return;
    if (source.from === undefined) {
      const { chunkId, state } = this;
      this.problem = source.problem;
      this.state = 'stuck';
      if (state !== 'stuck')
        this.world.logger.error({ chunkId, ...source }, 'a replica can neither be trusted nor rebuilt');
      // People may restore the topic: then it goes on by itself.
      return this.retry(() => this.rebuildNow(reason));
    }
    const { from, giveUp } = source;
    await this.closeDatabase();
    await giveUp();
    this.filesDamaged = false;
    this.holes.copies = from === 'peer';
    this.rebuilds++;
    if (this.isClosed) return;
    this.state = 'opening';
    // A copy takes its own turn.
    if (from === 'log') await this.openNow();
    else this.open();
  }

  private async openNow(): Promise<void> {
    if (this.isClosed || this.current !== undefined) return;
    const { role } = this.assignment;
    await this.world.retentions.learn(this.identity.binlog);
    if (this.isClosed) return;
    this.state = role === 'learner' ? 'loading' : 'opening';
    const db = await this.copy.open(role === 'learner' || this.holes.copies, () => {
      this.state = 'loading';
      this.holes.copies = role !== 'learner';
    });
    this.waitsForPlan = db === undefined;
    if (db === undefined) {
      this.problem = 'a part is copied; its plan does not go on';
      return this.goOnWaiting();
    }
    this.database.current = await openReplica(this.world, db, this);
    if (this.isClosed) return;
    this.holes.filled(this.replica);
    for (const partition of this.partitions) {
      const overdue = overdueOf(this.world, this, partition);
      // A witness of the partition only stands where it is.
      if (overdue !== undefined && (await this.cuts.look(partition)) === undefined) return this.mustRebuild(overdue);
    }
    this.state = 'following';
    this.refused = false;
    this.problem = undefined;
    this.attach();
    await this.readEnds();
  }

  /** What waits for a plan goes on when there is one, or when it is no learner any more: then the log fills it. */
  private goOnWaiting(): void {
    const { move, role } = this.assignment;
    if (this.waitsForPlan && (move !== undefined || role !== 'learner')) this.open();
  }

  private attach(): void {
    for (const partition of this.partitions) if (this.cuts.at(partition) === undefined) this.follow(partition);
  }

  /** [safety] Reads the ends that must be applied before anything is served. */
  private async readEnds(): Promise<void> {
    await this.places.learnEndsWhile(() => this.state === 'following', this.world, this.identity);
    this.review();
  }

  review(): void {
    const replica = this.current;
    this.complete =
      this.state === 'following' &&
      replica !== undefined &&
      isReadableRole(this.assignment.role) &&
      this.places.reachedBy(replica);
    if (!this.complete) return;
    if (this.swept.atPosition < 0) this.world.uncounted(this);
    if (!this.cuts.any) letGoKept(this.world, this.identity);
  }

  private detach(): void {
    for (const partition of this.partitions) this.world.feedOf(this.identity, partition).detach(this);
  }

  private async closeDatabase(): Promise<void> {
    this.swept = { ...this.swept, atPosition: -1 };
    this.places.forgetAll();
    this.cuts.forget();
    await this.database.close();
  }

  /** One thing after another; a failure is tried again, a replica of somebody else is left alone. */
  private later(step: () => Promise<void>): void {
    this.work = this.work.then(step).catch((error: unknown) => {
      if (this.isClosed) return;
      const { todo, code, problem } = openVerdict(error);
      const { chunkId, world } = this;
      this.problem = problem;
      // What is being rebuilt may be damaged: it must not be opened again before it is cleared.
      if (this.state === 'rebuilding') return this.retry(() => this.rebuildNow(problem));
      if (todo === 'rebuild') return this.mustRebuild(problem, true);
      if (code !== undefined && this.assignment.move !== undefined) this.moveFailure = { code, message: problem };
      if (todo === 'standStill') return this.standStill();
      if (todo === 'stuck') {
        this.state = 'stuck';
        return world.logger.error({ error, chunkId }, 'a replica cannot be opened; its files are left alone');
      }
      world.logger.warn({ error, chunkId }, 'a replica could not be opened; trying again');
      this.retry(() => this.openNow());
    });
  }

  private retry(step: () => Promise<void>): void {
    if (this.isClosed) return;
    this.cancelRetry();
    this.cancelRetry = this.world.timers.after(nodeLimits.rebuildBackoffMs, () => this.later(step));
  }
}
