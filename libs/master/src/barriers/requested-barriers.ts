import type { Adopted, ClusterView, ControlTopics } from '@levee/journal';
import { asPartition, type Clock, type Logger, messageOf, Pause, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { askForDigests } from './ask-for-digests';
import { partitionsTouched, writeBarriers, type BarrierNumbers } from './barriers';

const requestedBarrierLimits = {
  /** All namespaces together. */
  queueMax: 1_024,
  retryMs: 1_000,
  /** Who asked for a barrier does not wait longer for it. */
  giveUpMs: 60_000,
} as const;

interface RequestedBarrier {
  readonly id: string;
  readonly namespace: string;
  readonly digest: boolean;
  readonly chunks: readonly string[];
  /** Empty: all that these chunks touch. */
  readonly partitions: readonly number[];
  readonly giveUpAtMs: number;
}

/**
 * Writes the barriers that commands ask for. Each is asked for once, by whoever waits for it, and is not made up for
 * after a takeover. Every namespace has a lane of its own: a binlog that takes nothing holds up nobody else's barriers.
 */
export class RequestedBarriers {
  /** By namespace; a lane that is empty is taken out. */
  private readonly lanes = new Map<string, RequestedBarrier[]>();
  private readonly troubles = new Map<string, string>();
  private readonly stopping = new AbortController();
  private readonly pause: Pause;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly topics: Pick<ControlTopics, 'digests'>;
      readonly numbers: BarrierNumbers;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
  }

  /** Why a barrier is not written at the moment, in words. */
  get problem(): string | undefined {
    for (const [namespace, why] of this.troubles) return `no barrier can be written for namespace ${namespace}: ${why}`;
    return undefined;
  }

  /** An append that hangs is not waited for: it ends with the log. */
  stop(): void {
    this.stopping.abort();
    this.lanes.clear();
  }

  take({ decision }: Adopted): void {
    if (decision.command.kind !== 'RequestBarrier' || decision.rejectionCode !== null) return;
    // A repeated command got its recorded outcome and asks for nothing new.
    if (decision.events.length === 0 || this.stopping.signal.aborted) return;
    const waiting = [...this.lanes.values()].reduce((sum, { length }) => sum + length, 0);
    if (waiting >= requestedBarrierLimits.queueMax) {
      this.options.logger.warn({ commandId: decision.command.id }, 'too many barriers wait; this one is left out');
      return;
    }
    const asked = JSON.parse(decision.command.payload) as Partial<RequestedBarrier> & { id: string; namespace: string };
    const { id, namespace, digest = false, chunks = [], partitions = [] } = asked;
    const giveUpAtMs = this.options.clock.monotonicMs() + requestedBarrierLimits.giveUpMs;
    const barrier = { id, namespace, digest, chunks, partitions, giveUpAtMs };
    const lane = this.lanes.get(namespace);
    if (lane !== undefined) lane.push(barrier);
    else {
      this.lanes.set(namespace, [barrier]);
      void this.run(namespace);
    }
  }

  private async run(namespace: string): Promise<void> {
    const { logger, clock } = this.options;
    for (;;) {
      const lane = this.lanes.get(namespace);
      const barrier = lane?.[0];
      if (barrier === undefined) break;
      try {
        await this.write(barrier);
        lane?.shift();
        this.troubles.delete(namespace);
      } catch (error) {
        if (clock.monotonicMs() >= barrier.giveUpAtMs) {
          logger.warn({ error, namespace, id: barrier.id }, 'a barrier was asked for and could not be written in time');
          lane?.shift();
          continue;
        }
        this.troubles.set(namespace, messageOf(error));
        await this.pause.for(requestedBarrierLimits.retryMs);
      }
    }
    this.lanes.delete(namespace);
    this.troubles.delete(namespace);
  }

  private async write(barrier: RequestedBarrier): Promise<void> {
    const namespace = this.view.state.namespace(barrier.namespace);
    const clusterId = this.view.clusterId;
    if (namespace?.state !== 'active' || clusterId === undefined) return;
    // A chunk that has gone meanwhile has no replica that could answer.
    const chunks = barrier.chunks.flatMap((chunkId) => this.view.state.chunk(chunkId) ?? []);
    const all = Array.from({ length: namespace.partitions }, (_, i) => asPartition(i));
    const touched = barrier.chunks.length === 0 ? all : partitionsTouched(chunks, namespace);
    const wanted = new Set(barrier.partitions);
    const partitions = wanted.size === 0 ? touched : touched.filter((partition) => wanted.has(partition));
    const request = { clusterId, namespace, partitions };
    if (barrier.digest) {
      const digest = { id: barrier.id, chunks: barrier.chunks };
      return askForDigests(this.log, { ...request, digest }, this.options);
    }
    const { numbers, clock } = this.options;
    if (namespace.sourceTopic === null)
      await writeBarriers(this.log, { ...request, number: numbers.next(), nowMs: clock.nowMs() });
  }
}
