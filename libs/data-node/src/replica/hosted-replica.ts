import { damageOf, type Replica, type ReplicaIdentity } from '@levee/chunk-store';
import type { FeedMember } from '@levee/follow';
import { isProofId } from '@levee/journal';
import { assert, defined, messageOf, type Offset, type Partition } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import type { LogFailure } from '@levee/log';
import { ReplicaCopy } from '../copy/replica-copy';
import { LogHoles } from '../holes/log-holes';
import { letGoKept } from '../witness/give-up-unit';
import { LogCuts } from '../witness/log-cuts';
import { type Assignment, isReadableRole, isServingRole } from './assignment';
import { ChunkQuota } from './chunk-quota';
import { overdueOf } from './completeness';
import { HostedDatabase } from './hosted-database';
import { HostedPlaces } from './hosted-places';
import type { HostedWorld } from './hosted-world';
import {
  type HostedState,
  hostedStateOf,
  isOpen,
  type LifeEffect,
  type LifeEvent,
  type MoveFailure,
  newLife,
  type ReplicaLife,
} from './life/replica-life';
import { replicaNext } from './life/replica-next';
import { fillsUnit, type LivingReplica, ReplicaWork } from './life/replica-work';
import { tellLife } from './life/tell-life';
import { openVerdict } from './open-verdict';
import { reasonOf } from './reason-of';
import { notSwept, type ReplicaCounts, type Swept } from './replica-load';

/** One assigned replica: opened, fed, made readable when that is proven, rebuilt when it is wrong. */
export class HostedReplica implements FeedMember, LivingReplica {
  life: ReplicaLife = newLife;
  readonly database: HostedDatabase;
  readonly places: HostedPlaces;
  /** What it holds and the log lost. */
  readonly cuts: LogCuts;
  /** What it needs and the log does not give any more. */
  readonly holes: LogHoles;
  /** How its unit is filled while it is a learner of a plan. */
  readonly copy: ReplicaCopy;
  readonly quota: ChunkQuota;
  swept: Swept = notSwept;
  private readonly work: ReplicaWork;

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
    this.work = new ReplicaWork(world, this);
  }

  get state(): HostedState {
    return hostedStateOf(this.life);
  }

  /** Why it is not what it should be, in words. */
  get problem(): string | undefined {
    return this.life.problem;
  }

  /** Why it cannot do what its plan asks of it. */
  get moveFailure(): MoveFailure | undefined {
    return this.life.moveFailure;
  }

  get rebuilds(): number {
    return this.life.rebuilds;
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
    return this.life.refused || (this.current?.space.full ?? false);
  }

  get storedBytes(): number {
    return this.current?.sizeBytes ?? 0;
  }

  get partitions(): readonly Partition[] {
    return this.places.partitions;
  }

  /** [safety] True once it has applied everything that the log held after the decision, and is not rewound (I13). */
  get readable(): boolean {
    return this.life.readable;
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
    this.take({ type: 'Started' });
  }

  /** The assignment of the same unit generation, as a later decision says it. */
  reassign(assignment: Assignment): void {
    const servesAnew =
      (!isServingRole(this.assignment.role) && isServingRole(assignment.role)) || isFilled(this.assignment, assignment);
    this.assignment = assignment;
    const moves = assignment.move !== undefined;
    this.take({ type: 'Reassigned', fills: fillsUnit(assignment), moves, servesAnew });
  }

  close(): Promise<void> {
    this.take({ type: 'CloseAsked' });
    return this.work.done;
  }

  /** What this very unit generation holds is given up for something better; its files may be `damaged`. */
  mustRebuild(reason: string, damaged = false): void {
    this.take({ type: 'RebuildAsked', reason, damaged });
  }

  /** A reader met `error` in it; true when that is damage: it has stopped serving then, and is built anew. */
  damagedBy(error: unknown): boolean {
    const damage = damageOf(error);
    if (damage !== undefined) this.mustRebuild(messageOf(damage), true);
    return damage !== undefined;
  }

  review(): void {
    const replica = this.current;
    const complete =
      replica !== undefined &&
      isOpen(this.life) &&
      isReadableRole(this.assignment.role) &&
      this.places.reachedBy(replica);
    if (complete || this.readable) this.take({ type: 'Reviewed', complete });
  }

  // FeedMember

  mayGoOn(partition: Partition): boolean {
    const overdue = this.life.phase === 'following' ? overdueOf(this.world, this, partition) : undefined;
    if (overdue !== undefined) this.mustRebuild(overdue);
    return this.life.phase === 'following';
  }

  advanced(partition: Partition, atEndMs: number | undefined): void {
    const place = this.places.at(partition);
    if (place === undefined || this.life.phase !== 'following') return;
    if (this.current?.failure !== undefined) return this.failed(this.current.failure);
    place.trouble = undefined;
    if (this.problem !== undefined && !this.full) this.take({ type: 'Applied' });
    if (atEndMs !== undefined) place.atEndMs = Math.max(atEndMs, place.atEndMs ?? atEndMs);
    if (place.hole !== undefined) this.holes.passed(partition, this.nextOffset(partition));
    place.waits.advance(this.nextOffset(partition));
    if (!this.readable) this.review();
  }

  readonly logLost = (partition: Partition, failure: LogFailure): void => this.cuts.judge(partition, failure);

  readonly unreadable = (partition: Partition, failure: LogFailure): void => this.holes.met(partition, failure);

  follow(partition: Partition): void {
    if (this.life.phase === 'following') this.world.feedOf(this.identity, partition).attach(this);
  }

  failed(error: unknown): void {
    if (this.life.phase === 'closed') return;
    this.world.logger.error({ error, chunkId: this.chunkId, unitId: this.assignment.unitId }, 'a replica failed');
    this.take({ type: 'WriteFailed', ...openVerdict(error) });
  }

  trouble(partition: Partition, problem: string | undefined): void {
    const place = this.places.at(partition);
    if (place !== undefined) place.trouble = problem;
  }

  wantsDigest(chunks: readonly string[]): boolean {
    return chunks.length === 0 || chunks.includes(this.chunkId);
  }

  barrier(partition: Partition, digestPlan: string, barrier: { offset: Offset; timeMs: number }): void {
    if (this.life.phase !== 'following' || this.replica.rewoundAt(partition)) return;
    // Older than the history window: compaction may have taken what the state at the barrier was made of.
    if (this.world.logClock.bestMs() - barrier.timeMs > this.assignment.namespace.historyWindowMs) return;
    if (isProofId(digestPlan)) this.world.scrubSoon(this);
    this.world.digests.add({ hosted: this, replica: this.replica, partition, digestPlan, ...barrier });
  }

  // LivingReplica

  take(event: LifeEvent): boolean {
    const next = replicaNext(this.life, event);
    if (next === undefined) return false;
    this.life = next.life;
    for (const effect of next.effects) this.perform(effect, event);
    return true;
  }

  async closeDatabase(): Promise<void> {
    this.swept = { ...this.swept, atPosition: -1 };
    this.places.forgetAll();
    this.cuts.forget();
    await this.database.close();
  }

  private perform(effect: LifeEffect, event: LifeEvent): void {
    switch (effect) {
      case 'pause':
        return this.work.pause();
      case 'cancelPause':
        return this.work.cancelPause();
      case 'stop':
        this.copy.stop();
        return this.cuts.stop();
      case 'close':
        return this.work.close();
      case 'attach':
        for (const partition of this.partitions) if (this.cuts.at(partition) === undefined) this.follow(partition);
        return;
      case 'detach':
        for (const partition of this.partitions) this.world.feedOf(this.identity, partition).detach(this);
        return;
      case 'forgetPlaces':
        return this.places.forgetAll();
      case 'forgetEnds':
        return this.places.forgetEnds();
      case 'review':
        return this.review();
      case 'noteWhole':
        if (this.swept.atPosition < 0) this.world.uncounted(this);
        if (!this.cuts.any) letGoKept(this.world, this.identity);
        return;
      case 'tellRebuild':
      case 'tellNoRoom':
      case 'tellHindered':
      case 'tellStuck':
      case 'tellRetry':
        return tellLife(this.world.logger, this, { effect, event });
      default:
        return this.work.begin(effect);
    }
  }
}

/** [safety] A fork was empty when its replicas learned where its log ends; once it serves, they learn it anew (I13). */
function isFilled({ namespace: before }: Assignment, { namespace: now }: Assignment): boolean {
  return now.forkedFrom !== null && before.state === 'creating' && now.state === 'active';
}
