import { journalSeenBelow, type NodeDisk } from '@levee/chunk-store';
import type { ClusterView, JournalSeen, OutsideWitness } from '@levee/journal';
import { type Logger, messageOf, type Timers } from '@levee/kernel';

const journalMemoryLimits = { everyMs: 1_000 } as const;

/** What the disks of the nodes below `parent` have kept; see `ClusterView.know` and `journalSeenBelow`. */
export async function diskWitnesses(parent: string, onDamaged?: (error: unknown) => void): Promise<OutsideWitness[]> {
  const seen = await journalSeenBelow(parent, onDamaged);
  return seen.map(({ folder, ...each }) => ({ ...each, who: `the disk of node ${folder}` }));
}

/**
 * Keeps on the node's disk how far it has seen the journal, at most once a second and when it stops: when the log loses
 * its end with all topics in it, the disks are the only ones who know.
 */
export class JournalMemory {
  private cancel: (() => void) | undefined;
  private unlisten: () => void = () => undefined;
  private stopped = false;
  private writing: Promise<void> = Promise.resolve();
  private disk: NodeDisk | undefined;

  constructor(
    private readonly view: ClusterView,
    private readonly options: { readonly timers: Timers; readonly logger: Logger },
  ) {}

  /** The furthest that this node knows of, by reading or by its disk. */
  seen(): JournalSeen {
    const { seq, term, clusterId } = this.view.journal.position;
    const kept = this.disk?.journalSeen;
    return { seq: Math.max(seq, kept?.seq ?? 0), term: Math.max(term, kept?.term ?? 0), clusterId };
  }

  /** `disk` belongs to this cluster. */
  start(disk: NodeDisk): void {
    if (this.stopped) return;
    this.disk = disk;
    this.unlisten = this.view.onDecision(() => this.plan());
    this.plan();
  }

  /** Resolves when nothing is written any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.unlisten();
    this.cancel?.();
    await this.writing;
    await this.remember();
  }

  private plan(): void {
    if (this.stopped || this.disk?.rememberJournal === undefined) return;
    this.cancel ??= this.options.timers.after(journalMemoryLimits.everyMs, () => {
      // A decision that comes while this is written is written after it; however long a disk takes, one round waits.
      this.writing = this.writing.then(() => {
        this.cancel = undefined;
        return this.remember();
      });
    });
  }

  private async remember(): Promise<void> {
    const { seq, term } = this.seen();
    const kept = this.disk?.journalSeen;
    if (kept !== undefined && kept.seq >= seq && kept.term >= term) return;
    try {
      await this.disk?.rememberJournal?.({ seq, term });
    } catch (error) {
      this.options.logger.warn(
        { error: messageOf(error) },
        'how far the journal was seen could not be kept on the disk',
      );
    }
  }
}
