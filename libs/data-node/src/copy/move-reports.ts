import type { HeartbeatMove } from '@levee/events';
import { type ClusterView, type ControlTopics, submit } from '@levee/journal';
import { type Clock, type Logger, messageOf, type NewId, pause, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { NodeIdentity } from '../node-identity';
import { nodeLimits } from '../node-limits';
import type { HostedReplica } from '../replica/hosted-replica';
import type { ReplicaHost } from '../replica/replica-host';
import { copyLimits } from './copy-limits';
import type { MoveOrder } from './move-order';

export interface MoveReportsOptions {
  readonly identity: NodeIdentity;
  readonly host: ReplicaHost;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly timers: Timers;
  readonly newId: NewId;
  readonly logger: Logger;
}

/** What a report says beside who and what it is about. */
interface Finding {
  readonly step: 'copy' | 'catchUp';
  readonly failure?: { readonly code: string; readonly message: string };
}

/**
 * Tells the master how far the replicas are that running plans make here: whenever the state says less than is true,
 * again until it says so. Nothing is remembered: what is true is looked up in the replica, what is known in the state.
 */
export class MoveReports {
  private readonly running = new Set<string>();
  private readonly stopping = new AbortController();
  /** Records behind the ends of their partitions, by replica. */
  private lags = new Map<HostedReplica, number>();
  private cancel: () => void = () => undefined;
  private looking = false;

  constructor(
    private readonly log: Log,
    private readonly topics: ControlTopics,
    private readonly view: ClusterView,
    private readonly options: MoveReportsOptions,
  ) {}

  /** After every decision; goes on by itself while replicas are being made. */
  check(): void {
    if (this.looking || this.stopping.signal.aborted) return;
    this.cancel();
    this.cancel = () => undefined;
    if (this.moving().length === 0) return;
    this.looking = true;
    void this.look().finally(() => {
      this.looking = false;
      if (!this.stopping.signal.aborted)
        this.cancel = this.options.timers.after(copyLimits.reportMs, () => this.check());
    });
  }

  /** For heartbeats. */
  moves(): HeartbeatMove[] {
    return this.moving().map(([hosted, { planId, step }]) => {
      const { chunkId, unitId, generation } = hosted.identity;
      const { recordsCopied, bytesCopied, bytesTotal } = hosted.copy.progress;
      const lagRecords = this.lags.get(hosted) ?? -1;
      return { planId, chunkId, unitId, generation, step, recordsCopied, bytesCopied, bytesTotal, lagRecords };
    });
  }

  stop(): void {
    this.stopping.abort();
    this.cancel();
  }

  private moving(): [HostedReplica, MoveOrder][] {
    const found: [HostedReplica, MoveOrder][] = [];
    for (const hosted of this.options.host.all) {
      const { move, role } = hosted.assignment;
      if (move !== undefined && role === 'learner') found.push([hosted, move]);
    }
    return found;
  }

  private async look(): Promise<void> {
    const moving = this.moving();
    const lags = new Map<HostedReplica, number>();
    for (const [hosted, order] of moving) {
      const finding = await this.findingOf(hosted, order, lags);
      if (finding !== undefined) this.tell(hosted, order, finding);
    }
    this.lags = lags;
  }

  /** What is true and not in the state yet. */
  private async findingOf(
    hosted: HostedReplica,
    order: MoveOrder,
    lags: Map<HostedReplica, number>,
  ): Promise<Finding | undefined> {
    const step = order.step === 'copy' ? 'copy' : 'catchUp';
    if (hosted.moveFailure !== undefined) return { step, failure: hosted.moveFailure };
    if (hosted.state !== 'following') return undefined;
    const behind = await this.behind(hosted);
    if (behind === undefined) return undefined;
    lags.set(
      hosted,
      behind.reduce((sum, each) => sum + each, 0),
    );
    if (order.step === 'copy') return { step };
    const caughtUp = behind.every((each) => each <= order.maxLagRecords) && !hosted.rewound;
    return order.step === 'catchUp' && caughtUp ? { step } : undefined;
  }

  /** Records behind the end, for each partition; `undefined` when the log does not say. */
  private async behind(hosted: HostedReplica): Promise<number[] | undefined> {
    try {
      const ends = await this.log.offsets(hosted.identity.binlog);
      return ends
        .filter(({ partition }) => hosted.holdsPartition(partition))
        .map(({ partition, endOffset }) => Math.max(0, endOffset - hosted.nextOffset(partition)));
    } catch (error) {
      this.options.logger.debug({ chunkId: hosted.chunkId, error: messageOf(error) }, 'the ends cannot be read');
      return undefined;
    }
  }

  private tell(hosted: HostedReplica, order: MoveOrder, finding: Finding): void {
    const key = `${order.planId}/${order.attempt}/${hosted.assignment.key}`;
    if (this.running.has(key)) return;
    this.running.add(key);
    void this.report(hosted, order, finding).finally(() => this.running.delete(key));
  }

  private async report(hosted: HostedReplica, order: MoveOrder, { step, failure }: Finding): Promise<void> {
    const { identity, clock, newId, logger, timers } = this.options;
    const { unitId, generation } = hosted.identity;
    const { recordsCopied, bytesCopied, from, followedFrom } = hosted.copy.progress;
    const { partitions } = hosted;
    const positions = partitions
      .slice(0, copyLimits.positionsTold)
      .map((partition) => ({ partition, nextOffset: hosted.nextOffset(partition) }));
    const lagRecords = this.lags.get(hosted) ?? -1;
    const payload = {
      planId: order.planId,
      attempt: order.attempt,
      unitId,
      generation,
      storeId: identity.storeId,
      incarnation: identity.incarnation,
      step,
      ...(failure === undefined ? {} : { failure }),
      recordsCopied,
      bytesCopied,
      evidence: {
        from,
        snapshot: followedFrom.slice(0, copyLimits.positionsTold),
        restarts: hosted.copy.restarts,
        lagRecords,
        partitions: partitions.length,
        positions,
      },
    };
    const command = { kind: 'ReportPlanStep', payload, principal: `node ${identity.nodeId}` };
    try {
      const id = await submit(this.log, this.topics, command, clock, newId);
      const outcome = await this.view.outcome(id, nodeLimits.registerDeadlineMs);
      if (outcome.rejectionCode === null) return;
      logger.warn({ ...payload, rejection: outcome.rejectionMessage }, 'the report of a plan was refused');
    } catch (error) {
      logger.warn({ planId: order.planId, step, error: messageOf(error) }, 'the report of a plan was not decided');
    }
    await pause(timers, copyLimits.reportRetryMs, this.stopping.signal);
  }
}
