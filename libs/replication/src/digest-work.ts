import { type Pace, type PartitionDigest, type Replica, ReplicaSnapshot } from '@levee/chunk-store';
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

/** Digests of several partitions of one replica, between whose barriers nothing was written to it: one scan for all. */
interface Scan {
  readonly replica: Replica;
  readonly snapshot: ReplicaSnapshot;
  /** Of the replica when the snapshot was taken. */
  readonly dataWrites: number;
  readonly works: DigestWork[];
}

/** Digests at barriers: the snapshot is taken at once, the scan waits its turn and gives way to everything else. */
export class DigestQueue {
  private readonly waiting: Scan[] = [];
  private running = false;
  private readonly stopping = new AbortController();
  readonly counts = { computed: 0, scans: 0, dropped: 0, failed: 0 };

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
    const { replica, partition } = work;
    const { dataWrites } = replica.stats;
    const same = this.waiting.find((scan) => scan.replica === replica && scan.dataWrites === dataWrites);
    if (same !== undefined && same.works.every((other) => other.partition !== partition)) {
      same.works.push(work);
      return;
    }
    this.waiting.push({ replica, snapshot: ReplicaSnapshot.take(replica), dataWrites, works: [work] });
    if (!this.running) void this.run();
  }

  close(): void {
    this.stopping.abort();
  }

  private async run(): Promise<void> {
    this.running = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      try {
        if (!this.stopping.signal.aborted) await this.compute(next);
      } catch (error) {
        const { chunkId } = next.replica.identity;
        this.counts.failed += next.works.length;
        this.options.logger.warn({ error: messageOf(error), chunkId }, 'a digest failed');
        if (failureCode(error) === 'REPLICA_DAMAGED') next.works[0]?.hosted.damaged(error);
      } finally {
        await next.snapshot.close().catch(() => undefined);
      }
    }
    this.running = false;
  }

  private async compute({ works, snapshot }: Scan): Promise<void> {
    const { clock, pace = clock } = this.options;
    const { signal } = this.stopping;
    const barriersMs = new Map(works.map(({ partition, timeMs }) => [partition, timeMs]));
    this.counts.scans++;
    const digests = await snapshot.digests(barriersMs, pace, signal);
    if (signal.aborted) return;
    for (const work of works) {
      const found = digests.get(work.partition);
      if (found !== undefined) this.publish(work, found);
    }
  }

  private publish(work: DigestWork, { digest, keys }: PartitionDigest): void {
    const { clock } = this.options;
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
