import { type Clock, failureCode } from '@levee/kernel';
import type { Log } from '@levee/log';
import { deleteRetentionMsDefault } from '../node-limits';

/** Retention is asked for anew this often: people may change it. */
const freshMs = 60_000;

/** How long tombstones stay in each binlog for sure: what its topic says, never above what a binlog is made with. */
export class Retentions {
  private readonly found = new Map<string, { readonly ms: number; readonly atMs: number }>();

  constructor(
    private readonly log: Pick<Log, 'describeTopics'>,
    private readonly clock: Clock,
  ) {}

  /** As last seen. */
  of(binlog: string): number {
    return this.found.get(binlog)?.ms ?? deleteRetentionMsDefault;
  }

  /** Asks the topic unless that was done a moment ago. Fails as `Log.describeTopics` does. */
  async learn(binlog: string): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const known = this.found.get(binlog);
    if (known !== undefined && nowMs - known.atMs < freshMs) return;
    this.found.set(binlog, { ms: await this.ask(binlog), atMs: nowMs });
  }

  private async ask(binlog: string): Promise<number> {
    try {
      const [topic] = await this.log.describeTopics([binlog]);
      const told = Number(topic?.settings['delete.retention.ms'] ?? NaN);
      return Number.isFinite(told) && told >= 0 ? Math.min(told, deleteRetentionMsDefault) : deleteRetentionMsDefault;
    } catch (error) {
      // It is being made: nothing can be missing from it yet.
      if (failureCode(error) === 'TOPIC_MISSING') return deleteRetentionMsDefault;
      throw error;
    }
  }
}
