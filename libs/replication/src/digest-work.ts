import { type Pace, type Replica, ReplicaSnapshot } from '@levee/chunk-store';
import { encode } from '@levee/codec';
import { type Clock, failureCode, type Logger, messageOf, type Offset, type Partition } from '@levee/kernel';
import type { HostedReplica } from './hosted-replica';
import { nodeLimits } from './node-limits';
import type { RecordOutbox } from './record-outbox';

export interface DigestWork {
  readonly hosted: HostedReplica;
  readonly replica: Replica;
  readonly partition: Partition;
  readonly digestPlan: string;
  readonly offset: Offset;
  /** Append time of the barrier. */
  readonly timeMs: number;
}

export interface NodeIdentity {
  readonly nodeId: string;
  readonly storeId: string;
  readonly incarnation: string;
}

/** Digests at barriers: the snapshot is taken at once, the scan waits its turn and gives way to everything else. */
export class DigestQueue {
  private readonly waiting: { readonly work: DigestWork; readonly snapshot: ReplicaSnapshot }[] = [];
  private running = false;
  private readonly stopping = new AbortController();
  readonly counts = { computed: 0, dropped: 0, failed: 0 };

  constructor(
    private readonly identity: NodeIdentity,
    private readonly outbox: RecordOutbox,
    private readonly options: { readonly clock: Clock; readonly logger: Logger; readonly pace?: Pace },
  ) {}

  /** To be called between two writes of the replica. */
  add(work: DigestWork): void {
    if (this.waiting.length >= nodeLimits.digestsWaitingMax || this.stopping.signal.aborted) {
      this.counts.dropped++;
      this.options.logger.warn(
        { chunkId: work.hosted.chunkId, offset: work.offset },
        'too many digests wait: one is left out',
      );
      return;
    }
    this.waiting.push({ work, snapshot: ReplicaSnapshot.take(work.replica) });
    if (!this.running) void this.run();
  }

  close(): void {
    this.stopping.abort();
  }

  private async run(): Promise<void> {
    this.running = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      const { work, snapshot } = next;
      try {
        if (!this.stopping.signal.aborted) await this.compute(work, snapshot);
      } catch (error) {
        this.counts.failed++;
        this.options.logger.warn({ error: messageOf(error), chunkId: work.hosted.chunkId }, 'a digest failed');
        if (failureCode(error) === 'REPLICA_DAMAGED') work.hosted.damaged(error);
      } finally {
        await snapshot.close().catch(() => undefined);
      }
    }
    this.running = false;
  }

  private async compute(work: DigestWork, snapshot: ReplicaSnapshot): Promise<void> {
    const { clock, pace = clock } = this.options;
    const { signal } = this.stopping;
    const { digest, keys } = await snapshot.digest(work.partition, work.timeMs, pace, signal);
    if (signal.aborted) return;
    const { namespace, chunkId, unitId, generation } = work.replica.identity;
    const key = `${chunkId}/${work.partition}/${work.offset}/${this.identity.nodeId}`;
    const value = encode('ReplicaDigest', {
      namespace,
      chunkId,
      partition: work.partition,
      digestPlan: work.digestPlan,
      barrierOffset: work.offset,
      digest,
      keys,
      ...this.identity,
      unitId,
      generation,
      computedAtMs: clock.nowMs(),
    });
    this.counts.computed++;
    this.outbox.add({ key: Buffer.from(key), value });
  }
}
