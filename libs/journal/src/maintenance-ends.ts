import { maintenanceLimits } from '@levee/cluster';
import { decode } from '@levee/codec';
import type { Decision } from '@levee/events';
import { asPartition, messageOf, type Clock, type Logger, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { ClusterView } from './cluster-view';
import type { ControlTopics } from './control-topics';
import { Pause } from './pause';
import { readToEnd } from './read-topic';

const limits = { readMs: 60_000, retryMs: 1_000 } as const;

/**
 * When each maintenance ends. The state says only that a node is in one; for how long is in the decision that began it,
 * so a master that starts to reign reads the stretch of the journal in which that can stand.
 */
export class MaintenanceEnds {
  /** Wall clock ms. */
  private readonly untilMs = new Map<string, number>();
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private complete = false;
  private unlisten: () => void = () => undefined;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly topics: ControlTopics;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
  }

  start(): void {
    this.unlisten = this.view.onDecision(({ decision }) => this.take(decision));
    if (this.maintained().length === 0) this.complete = true;
    else void this.read();
  }

  stop(): void {
    this.stopping.abort();
    this.unlisten();
  }

  /** Nodes whose maintenance is over. */
  due(): string[] {
    const nowMs = this.options.clock.nowMs();
    return this.maintained().filter((nodeId) => {
      const untilMs = this.untilMs.get(nodeId);
      // Begun longer ago than any maintenance may last: its decision was not found.
      return untilMs === undefined ? this.complete : nowMs >= untilMs;
    });
  }

  /** When the maintenance of this node ends, wall clock ms; `undefined` when it is in none, or that was not read yet. */
  endOf(nodeId: string): number | undefined {
    return this.view.state.node(nodeId)?.state === 'maintenance' ? this.untilMs.get(nodeId) : undefined;
  }

  private maintained(): string[] {
    return [...this.view.state.nodes()].filter(({ state }) => state === 'maintenance').map(({ nodeId }) => nodeId);
  }

  private take(decision: Decision): void {
    const { kind, payload } = decision.command;
    if (kind !== 'MaintainNode' || decision.rejectionCode !== null) return;
    const { nodeId, forMs } = JSON.parse(payload) as { nodeId: string; forMs: number };
    // A repetition during the maintenance was accepted and changed nothing: its one event is the outcome.
    const began = decision.events.some((bytes) => decode(bytes).name === 'NodeState');
    if (began) this.untilMs.set(nodeId, decision.decidedAtMs + forMs);
  }

  private async read(): Promise<void> {
    const { topics, clock, logger } = this.options;
    const partition = asPartition(0);
    while (!this.stopping.signal.aborted)
      try {
        const from = await this.log.offsetAt(topics.journal, partition, clock.nowMs() - maintenanceLimits.forMsMax);
        const onBatch = ({ records }: { records: readonly { readonly value: Buffer | null }[] }): void => {
          for (const { value } of records) {
            const decoded = value === null ? undefined : decode(value);
            if (decoded?.name === 'Decision') this.take(decoded.record);
          }
        };
        await readToEnd(this.log, topics.journal, { clock, deadlineMs: limits.readMs, from, onBatch });
        this.complete = true;
        return;
      } catch (error) {
        logger.warn({ error: messageOf(error) }, 'the journal could not be searched for the end of a maintenance');
        await this.pause.for(limits.retryMs);
      }
  }
}
