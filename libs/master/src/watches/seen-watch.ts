import {
  type ClusterView,
  type ControlTopics,
  furthestAhead,
  type HeartbeatView,
  seenBy,
  type Witness,
} from '@levee/journal';
import { Failure, failureCode, type Logger, messageOf, type Timers } from '@levee/kernel';
import type { Reign } from '../reign';
import { Rounds } from '../rounds';

const seenWatchLimits = { lookMs: 500, readDeadlineMs: 10_000 } as const;

/**
 * While its master reigns, hears what others have seen of the journal: a node that comes late with a disk that knows
 * more than the journal holds is a witness, and the reign on that journal ends.
 */
export class SeenWatch {
  private readonly rounds: Rounds;

  constructor(
    private readonly view: ClusterView,
    private readonly options: {
      readonly reign: Pick<Reign, 'isOver' | 'end'>;
      readonly topics: Pick<ControlTopics, 'journal'>;
      readonly heartbeats: Pick<HeartbeatView, 'all'>;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {
    this.rounds = new Rounds(options, seenWatchLimits.lookMs, () => this.round());
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  private async round(): Promise<void> {
    const { reign, logger } = this.options;
    try {
      await this.look();
    } catch (error) {
      if (failureCode(error) !== 'JOURNAL_SHORT')
        return logger.debug({ error }, 'what others have seen of the journal could not be compared');
      logger.error({ error }, 'a process has seen more of the journal than it holds: this reign ends');
      reign.end(messageOf(error));
    }
  }

  private async look(): Promise<void> {
    if (this.ahead() === undefined) return;
    const heard = [...this.witnesses()];
    // They may have read what this view has not: what they had seen by now must be in the journal.
    await this.view.readToEnd(seenWatchLimits.readDeadlineMs);
    const { position } = this.view.journal;
    const witness = furthestAhead(heard, position);
    if (witness !== undefined) throw new Failure('JOURNAL_SHORT', this.view.shortBecause(seenBy(witness)));
  }

  private ahead(): Witness | undefined {
    return furthestAhead(this.witnesses(), this.view.journal.position);
  }

  private *witnesses(): Generator<Witness> {
    const { clusterId } = this.view;
    for (const { beat, seen } of this.options.heartbeats.all())
      if (seen !== undefined && seen.clusterId === clusterId)
        yield { seq: seen.seq, term: seen.term, who: `${beat.kind} ${beat.id}` };
  }
}
