import type { ReplicaCopy } from '../../copy/replica-copy';
import { nodeLimits } from '../../node-limits';
import type { Candidate } from '../../witness/clear-gate';
import { rebuildSource } from '../../witness/rebuild-source';
import type { Assignment } from '../assignment';
import { overdueOf } from '../completeness';
import type { HostedDatabase } from '../hosted-database';
import type { HostedWorld } from '../hosted-world';
import { openReplica } from '../open-replica';
import { openVerdict } from '../open-verdict';
import { isOpen, type LifeEvent, type LifeWork, type ReplicaLife } from './replica-life';

/** The replica that is worked on. */
export interface LivingReplica extends Candidate {
  readonly life: ReplicaLife;
  readonly assignment: Assignment;
  readonly database: HostedDatabase;
  readonly copy: ReplicaCopy;
  /** False when the event says nothing to the replica as it is now. */
  take(event: LifeEvent): boolean;
  /** Whether it may be read has to be judged anew. */
  review(): void;
  /** What the database had reached is forgotten with it. */
  closeDatabase(): Promise<void>;
}

/** What `replicaNext` asks to be done for a hosted replica: one piece of work after another, and the pauses between. */
export class ReplicaWork {
  private queue: Promise<void> = Promise.resolve();
  private endPause: () => void = () => undefined;

  constructor(
    private readonly world: HostedWorld,
    private readonly of: LivingReplica,
  ) {}

  begin(work: LifeWork): void {
    this.queue = this.queue
      .then(() => this.perform(work))
      .catch((error: unknown) => {
        const moves = this.of.assignment.move !== undefined;
        this.of.take({ type: 'WorkFailed', moves, ...openVerdict(error) });
      });
  }

  /** After all other work. */
  close(): void {
    this.queue = this.queue.then(() => this.of.closeDatabase());
  }

  /** Resolves when everything is done that was asked for. */
  get done(): Promise<void> {
    return this.queue;
  }

  pause(): void {
    this.cancelPause();
    this.endPause = this.world.timers.after(nodeLimits.rebuildBackoffMs, () => this.of.take({ type: 'PauseOver' }));
  }

  cancelPause(): void {
    this.endPause();
  }

  private perform(work: LifeWork): Promise<void> {
    const { rebuilds } = this.world;
    switch (work) {
      case 'open':
        return this.open();
      case 'reopen':
        return this.reopen();
      case 'reopenInTurn':
        return rebuilds.run(() => this.reopen());
      case 'measure':
        return this.measure();
      case 'readEnds':
        return this.readEnds();
      case 'rebuild':
        return this.rebuild();
      case 'rebuildInTurn':
        return rebuilds.run(() => this.rebuild());
    }
  }

  private async open(): Promise<void> {
    const { world, of } = this;
    if (of.life.phase !== 'opening') return;
    if (of.current === undefined) await this.openDatabase();
    const replica = of.current;
    // What has to be rebuilt by now is open all the same: what it holds says whether it may be cleared.
    if (replica === undefined || of.life.phase !== 'opening') return;
    of.holes.filled(replica);
    for (const { partition } of of.places.all) {
      const reason = overdueOf(world, { replica }, partition);
      // A witness of the partition only stands where it is.
      if (reason !== undefined && (await of.cuts.look(partition)) === undefined)
        return void of.take({ type: 'RebuildAsked', reason, damaged: false });
    }
    if (of.take({ type: 'Opened' })) await this.readEnds();
  }

  /** Fills its unit first, where others do that; there is none while nobody says how. */
  private async openDatabase(): Promise<void> {
    const { world, of } = this;
    const { identity, holes, places } = of;
    const learns = of.assignment.role === 'learner';
    await world.retentions.learn(identity.binlog);
    if (!of.take({ type: 'OpeningBegun', loads: learns })) return;
    const db = await of.copy.open(learns || holes.copies, () => {
      of.take({ type: 'FillingBegun' });
      holes.copies = !learns;
    });
    if (db === undefined) return void of.take({ type: 'PartFound', fills: fillsUnit(of.assignment) });
    of.database.current = await openReplica(world, db, {
      identity,
      assignment: of.assignment,
      partitions: places.partitions,
    });
  }

  private async reopen(): Promise<void> {
    const { of } = this;
    if (!(await this.world.disk.hasRoom())) return void of.take({ type: 'NoRoomFound' });
    if (!of.take({ type: 'ReopeningBegun' })) return;
    await of.closeDatabase();
    await this.open();
  }

  private async measure(): Promise<void> {
    await this.of.current?.space.measure();
    this.of.take({ type: 'Measured' });
  }

  /** [safety] Reads the ends that must be applied before anything is served. */
  private async readEnds(): Promise<void> {
    const { of } = this;
    await of.places.learnEndsWhile(() => isOpen(of.life), this.world, of.identity);
    of.review();
  }

  /**
   * Gives up what this very unit generation holds and starts from offset 0: only once the log is seen to hold all of it
   * (I14), for it may be the last copy, or a peer to hold what the log does not; else it stays, for people to decide.
   * What was given up is kept until the replica is whole again.
   */
  private async rebuild(): Promise<void> {
    const { of } = this;
    if (!isToBeRebuilt(of)) return;
    const source = await rebuildSource(this.world, of, of.life.reason, of.life.damaged);
    if (source.from === undefined) return void of.take({ type: 'NoSourceFound', problem: source.problem });
    if (!isToBeRebuilt(of)) return;
    const { from, giveUp } = source;
    await of.closeDatabase();
    await giveUp();
    of.holes.copies = from === 'peer';
    if (of.take({ type: 'GivenUp', from }) && from === 'log') await this.open();
  }
}

/** A plan says how its unit is filled, or the log fills it. */
export const fillsUnit = ({ move, role }: Pick<Assignment, 'move' | 'role'>): boolean =>
  move !== undefined || role !== 'learner';

const isToBeRebuilt = ({ life: { phase } }: LivingReplica): boolean => phase === 'rebuilding' || phase === 'hindered';
