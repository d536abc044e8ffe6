import type { CopyPosition, Replica, ReplicaIdentity } from '@levee/chunk-store';
import { messageOf, type Partition } from '@levee/kernel';
import type { LogFailure } from '@levee/log';
import type { PieceOrder, SourceReplica } from '../copy/move-order';
import { nodeLimits } from '../node-limits';
import type { Assignment } from '../replica/assignment';
import type { HostedPlaces } from '../replica/hosted-places';
import type { HostedWorld } from '../replica/hosted-world';
import { originLoss } from '../witness/origin-loss';
import { type LogHole, holeText, holesOf, isPast, isReadable } from './log-hole';
import { askPeer, pieceOf, vetPeer } from './peers';

/** The replica that the log cannot fill. */
export interface HoleReplica {
  /** While it is open. */
  readonly current: Replica | undefined;
  readonly assignment: Assignment;
  /** Builds it anew, from a peer where the log cannot. */
  mustRebuild(reason: string): void;
}

/** Another replica of the chunk, and why it does not help; `null`: it does. */
export interface PeerAnswer {
  readonly nodeId: string;
  readonly unitId: string;
  readonly says: string | null;
}

/** For people: where a replica waits, and what the others of its chunk said last. */
export interface HoleReport {
  readonly binlog: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number | null;
  readonly why: string;
  readonly peers: readonly PeerAnswer[];
}

/**
 * [safety] A replica that needs what its log does not give any more: removed at its start, or damaged further on. It is
 * filled by a copy of a replica that is past all of that, never by what is behind the hole alone: it would lack keys
 * and give deleted ones. While nobody can be copied it waits, keeps what it has, and says so.
 */
export class LogHoles {
  /** Its unit is, or is to be, filled from its peers. */
  copies = false;
  private answers: readonly PeerAnswer[] = [];
  /** The log cannot fill its unit. */
  private needed = false;
  /** As of the last look. */
  private known: readonly LogHole[] = [];
  private metAtMs: number | undefined;
  private askedAtMs = -Infinity;
  private asking = false;

  constructor(
    private readonly world: HostedWorld,
    private readonly places: HostedPlaces,
    private readonly identity: ReplicaIdentity,
    private readonly of: HoleReplica,
  ) {}

  /** In front of which it stands, and how its peers can help. */
  get report(): HoleReport | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    const { toOffset = null, ...place } = first;
    return { binlog: this.identity.binlog, ...place, toOffset, peers: this.answers };
  }

  get problem(): string | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    const { binlog, chunkId } = this.identity;
    return `${chunkId} waits: ${holeText(binlog, first)}${this.unfit}`;
  }

  /** Which peers cannot be copied, and why; empty while none is known. */
  get unfit(): string {
    const unfit = this.answers.flatMap(({ unitId, says }) => (says === null ? [] : [`${unitId}: ${says}`]));
    return unfit.length === 0 ? '' : `; no other replica of it can be copied (${unfit.join('; ')})`;
  }

  /** Its peers were asked, and nobody can be copied. */
  get hopeless(): boolean {
    return this.report !== undefined && this.askedAtMs > -Infinity && this.answers.every(({ says }) => says !== null);
  }

  /** How its unit is filled: from its peers, in the order to try them. */
  get pieces(): readonly PieceOrder[] {
    return [pieceOf(this.identity, this.peers)];
  }

  private get first(): LogHole | undefined {
    return (
      this.places.all.find(({ hole }) => hole !== undefined)?.hole ??
      (this.needed || this.copies ? this.known[0] : undefined)
    );
  }

  private get peers(): readonly SourceReplica[] {
    return this.of.assignment.peers?.() ?? [];
  }

  /**
   * A tail met what cannot be read, right where the replica stands. It may be a broker's passing trouble, so a peer is
   * looked for only when it is met again a while later.
   */
  met(partition: Partition, failure: LogFailure): void {
    const place = this.places.at(partition);
    const replica = this.of.current;
    if (place === undefined || replica === undefined) return;
    const nowMs = this.world.clock.monotonicMs();
    const to = failure.details['to'];
    const fromOffset = replica.nextOffset(partition);
    if (place.hole?.fromOffset !== fromOffset) this.metAtMs = nowMs;
    const toOffset = typeof to === 'number' && to > fromOffset ? to : undefined;
    place.hole = { partition, fromOffset, toOffset, why: failure.message };
    if (this.asking || nowMs - (this.metAtMs ?? nowMs) < nodeLimits.holeProvenMs) return;
    if (nowMs - this.askedAtMs < nodeLimits.holeLookMs) return;
    this.asking = true;
    void this.look().finally(() => (this.asking = false));
  }

  /** A look at the log has met it, before the replica did. */
  found(hole: LogHole): void {
    const place = this.places.at(hole.partition);
    if (place !== undefined) place.hole = hole;
  }

  /** The replica has come as far as this. */
  passed(partition: Partition, nextOffset: number): void {
    const place = this.places.at(partition);
    if (place?.hole === undefined || !isPast(place.hole, nextOffset)) return;
    place.hole = undefined;
    this.needed = false;
  }

  /** The unit is filled: what it holds says what is behind it. */
  filled(replica: Replica): void {
    this.copies = this.needed = false;
    for (const { partition } of this.places.all) this.passed(partition, replica.nextOffset(partition));
  }

  /** Why the log cannot fill an empty unit, in words. */
  async loss(): Promise<string | undefined> {
    // What it lacks comes first: a beginning that is gone cannot be compared either.
    return (await this.hole()) ?? originLoss(this.world, this.identity, this.places.partitions);
  }

  /** What of it cannot be read, in words. */
  async hole(): Promise<string | undefined> {
    const [first] = await this.all();
    return first && holeText(this.identity.binlog, first);
  }

  /** Whether one of its peers can be copied. */
  async findPeer(): Promise<boolean> {
    this.askedAtMs = this.world.clock.monotonicMs();
    this.needed = true;
    const holes = await this.all();
    const answers: PeerAnswer[] = [];
    // One that helps is enough.
    for (const source of this.peers) {
      const says = await askPeer(this.world, this.identity, source, holes).then(() => null, messageOf);
      answers.push({ nodeId: source.nodeId, unitId: source.unitId, says });
      if (says === null) break;
    }
    this.answers = answers;
    return answers.at(-1)?.says === null;
  }

  /** So that people see from the start why it is copied. */
  async begun(): Promise<void> {
    await this.all().catch(() => undefined);
  }

  /** See `vetPeer`; for each snapshot that is copied from. */
  async vet(source: SourceReplica, positions: readonly CopyPosition[]): Promise<void> {
    await vetPeer(this.world, this.identity, await this.all(), positions);
    this.note(source, null);
  }

  /** A copy from it was cut, or never began. */
  refused(source: SourceReplica, error: unknown): void {
    this.askedAtMs = this.world.clock.monotonicMs();
    this.note(source, messageOf(error));
  }

  private note({ nodeId, unitId }: SourceReplica, says: string | null): void {
    this.answers = [...this.answers.filter((each) => each.unitId !== unitId), { nodeId, unitId, says }];
  }

  private async look(): Promise<void> {
    const { chunkId, binlog } = this.identity;
    try {
      const found = await this.findPeer();
      const { problem } = this;
      if (problem === undefined) return;
      if (found) return this.of.mustRebuild(problem);
      this.world.logger.error({ chunkId, binlog, problem }, 'a replica needs what its log does not give any more');
    } catch (error) {
      this.world.logger.warn({ chunkId, binlog, error: messageOf(error) }, 'the peers of a replica cannot be asked');
    }
  }

  /** What the log says, and what was met and is so still: who stands in front of it may not ask by itself. */
  private async all(): Promise<readonly LogHole[]> {
    const met: LogHole[] = [];
    for (const place of this.places.all) {
      const { hole } = place;
      if (hole === undefined) continue;
      if (await isReadable(this.world.log, this.identity, hole)) place.hole = undefined;
      else met.push(hole);
    }
    this.known = [...met, ...(await holesOf(this.world.log, this.identity, this.places.partitions))];
    return this.known;
  }
}
