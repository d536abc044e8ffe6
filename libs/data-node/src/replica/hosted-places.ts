import type { Replica, ReplicaIdentity } from '@levee/chunk-store';
import { followLimits } from '@levee/follow';
import { messageOf, type Partition, pause } from '@levee/kernel';
import type { PartitionOffsets } from '@levee/log';
import type { HostedPlace } from './hosted-place';
import type { HostedWorld } from './hosted-world';
import { PositionWaits, type WaitBudget } from './position-waits';

/** The partitions that a hosted replica follows, and how far it must have come before it may be read. */
export class HostedPlaces {
  readonly all: readonly HostedPlace[];
  private readonly byPartition = new Map<number, HostedPlace>();
  /** How often other ends came to count: an answer to an earlier question says nothing of them. */
  private questions = 0;

  constructor(
    readonly partitions: readonly Partition[],
    waits: WaitBudget,
  ) {
    this.all = partitions.map((partition) => ({
      partition,
      waits: new PositionWaits(waits),
      atEndMs: undefined,
      mustReach: undefined,
      trouble: undefined,
      cut: undefined,
      hole: undefined,
    }));
    for (const place of this.all) this.byPartition.set(place.partition, place);
  }

  at(partition: number): HostedPlace | undefined {
    return this.byPartition.get(partition);
  }

  /** False until every end that was asked for after the decision is known. */
  get endsKnown(): boolean {
    return this.all.every(({ mustReach }) => mustReach !== undefined);
  }

  /** Another decision counts from now on: the ends must be read after it. */
  forgetEnds(): void {
    this.questions++;
    for (const place of this.all) place.mustReach = undefined;
  }

  /** Another database is opened: what the one before it had reached is nothing that this one has. */
  forgetAll(): void {
    this.forgetEnds();
    for (const place of this.all) place.atEndMs = undefined;
  }

  /** Asks the log where the partitions end, again and again until it has said so of all of them. */
  async learnEndsWhile(
    goesOn: () => boolean,
    { log, logger, timers }: Pick<HostedWorld, 'log' | 'logger' | 'timers'>,
    { binlog, chunkId }: Pick<ReplicaIdentity, 'binlog' | 'chunkId'>,
  ): Promise<void> {
    while (goesOn() && !this.endsKnown) {
      try {
        await this.learnEnds(() => log.offsets(binlog));
      } catch (error) {
        logger.debug({ chunkId, error: messageOf(error) }, 'waiting for the binlog');
      }
      if (goesOn() && !this.endsKnown) await pause(timers, followLimits.feedRetryMinMs * 4);
    }
  }

  /** [safety] An answer counts only if it was asked for after the decision (I13); else `endsKnown` stays false. */
  async learnEnds(ask: () => Promise<readonly PartitionOffsets[]>): Promise<void> {
    const { questions } = this;
    const ends = await ask();
    if (questions !== this.questions) return;
    for (const { partition, endOffset } of ends) {
      const place = this.byPartition.get(partition);
      if (place !== undefined) place.mustReach ??= endOffset;
    }
  }

  /**
   * [safety] Every end was reached, and nothing is missing that was here before (I13). Where the log was cut the replica
   * stands beyond every end there is.
   */
  reachedBy(replica: Replica): boolean {
    return this.all.every(
      ({ partition, mustReach, atEndMs, cut }) =>
        (cut !== undefined ||
          (mustReach !== undefined && atEndMs !== undefined && replica.nextOffset(partition) >= mustReach)) &&
        !replica.rewoundAt(partition),
    );
  }

  /** Which partition is not far enough, as ` (partition 3 at 17 of 20)`; empty when none is known to be. */
  behindOf(replica: Replica): string {
    const behind = this.all.find(({ partition, mustReach }) => replica.nextOffset(partition) < (mustReach ?? 0));
    if (behind === undefined) return '';
    const { partition, mustReach } = behind;
    return ` (partition ${partition} at ${replica.nextOffset(partition)} of ${mustReach})`;
  }
}
