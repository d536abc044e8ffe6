import {
  dataKey,
  type DigestSource,
  type PartitionDigest,
  type Replica,
  ReplicaSnapshot,
  type SnapshotReader,
} from '@levee/chunk-store';
import { encode } from '@levee/codec';
import {
  assert,
  type Clock,
  defined,
  type Logger,
  messageOf,
  type Offset,
  type Partition,
  type Timers,
} from '@levee/kernel';
import type { NodeIdentity } from '../node-identity';
import { nodeLimits } from '../node-limits';
import type { RecordOutbox } from '../replica/record-outbox';

/** Whom a digest is of. */
export interface DigestedReplica {
  readonly chunkId: string;
  /** The scan met `error` in it; true when that is damage. */
  damagedBy(error: unknown): boolean;
}

export interface DigestWork {
  readonly hosted: DigestedReplica;
  readonly replica: Replica;
  readonly partition: Partition;
  readonly digestPlan: string;
  readonly offset: Offset;
  /** Append time of the barrier. */
  readonly timeMs: number;
}

/**
 * Barriers of one replica that are digested in one scan of a snapshot taken behind the last of them, corrected for what
 * was written between each barrier and that one. Keys of all partitions lie mixed in a replica, so a scan for each
 * would read everything once for each.
 */
class Gathering {
  readonly works = new Map<Partition, DigestWork>();
  private readonly snapshots = new Map<Partition, ReplicaSnapshot>();
  private readonly dirty;
  private newest: ReplicaSnapshot | undefined;
  private source: Promise<DigestSource> | undefined;

  constructor(readonly replica: Replica) {
    this.dirty = replica.dirtyKeys.begin();
  }

  takes({ replica, partition }: DigestWork): boolean {
    return this.replica === replica && this.dirty.goesOn && !this.works.has(partition);
  }

  /** Between two writes. */
  add(work: DigestWork): void {
    assert(this.takes(work), 'I11: a digest is of the state at its own barrier');
    this.newest = ReplicaSnapshot.take(this.replica);
    this.works.set(work.partition, work);
    this.snapshots.set(work.partition, this.newest);
  }

  get isWhole(): boolean {
    return this.works.size === this.replica.partitions.length || !this.dirty.goesOn;
  }

  /** Nothing joins any more. */
  end(reader: SnapshotReader): void {
    this.source = this.sourceOf(reader);
    this.source.catch(() => undefined);
  }

  async digests(signal: AbortSignal): Promise<ReadonlyMap<Partition, PartitionDigest>> {
    const source = await defined(this.source, 'a gathering that is scanned has ended');
    await source.scan(new Map([...this.works].map(([partition, { timeMs }]) => [partition, timeMs])), signal);
    for (const [partition, snapshot] of this.snapshots) {
      const names = [...this.dirty.of(partition)];
      for (let from = 0; from < names.length && !signal.aborted; from += takenBackAtOnce) {
        const keys = names.slice(from, from + takenBackAtOnce).map((name) => dataKey(Buffer.from(name, 'latin1')));
        await source.takeBack(partition, keys, await snapshot.stored(keys));
      }
    }
    return source.totals();
  }

  async close(): Promise<void> {
    this.replica.dirtyKeys.forget(this.dirty);
    const source = await this.source?.catch(() => undefined);
    await source?.close().catch(() => undefined);
    for (const snapshot of this.snapshots.values()) await snapshot.close().catch(() => undefined);
  }

  /** A snapshot of now, if everything is known that was written since the barriers; else that of the last barrier. */
  private async sourceOf(reader: SnapshotReader): Promise<DigestSource> {
    const newest = defined(this.newest, 'a gathering has a barrier');
    try {
      const source = await reader.digest(this.replica).catch(() => undefined);
      // What the snapshot may hold has been noted when every write before this one is done.
      await this.replica.settled();
      if (source !== undefined && this.dirty.goesOn) return source;
      await source?.close();
      return reader.digestIn(newest);
    } finally {
      this.replica.dirtyKeys.forget(this.dirty);
    }
  }
}

const takenBackAtOnce = 256;

/** A digest that this process has told. */
export interface ToldDigest {
  readonly digestPlan: string;
  readonly offset: Offset;
  readonly digest: string;
}

/** Digests at barriers: the snapshot is taken at once, the scan waits its turn and gives way to everything else. */
export class DigestQueue {
  /** Still joined by barriers of further partitions; the value stops waiting for them. */
  private readonly gatherings = new Map<Gathering, () => void>();
  private readonly ready: Gathering[] = [];
  private running = false;
  private readonly stopping = new AbortController();
  /** What was told of replicas that are open, by partition: the last of each. */
  private readonly told = new WeakMap<Replica, Map<Partition, ToldDigest>>();
  readonly counts = { computed: 0, scans: 0, dropped: 0, failed: 0 };

  constructor(
    private readonly identity: NodeIdentity,
    private readonly outbox: RecordOutbox,
    private readonly options: {
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
      readonly reader: SnapshotReader;
    },
  ) {}

  /** To be called between two writes of the replica. */
  add(work: DigestWork): void {
    if (this.stopping.signal.aborted) return void this.counts.dropped++;
    let gathering = [...this.gatherings.keys()].find((each) => each.takes(work));
    if (gathering === undefined) {
      if (this.gatherings.size + this.ready.length >= nodeLimits.digestsWaitingMax) return this.drop(work);
      gathering = new Gathering(work.replica);
    }
    gathering.add(work);
    this.gatherings.get(gathering)?.();
    const ended = gathering;
    this.gatherings.set(
      ended,
      this.options.timers.after(nodeLimits.digestGatherMs, () => this.end(ended)),
    );
    if (gathering.isWhole) this.end(gathering);
  }

  /** What was told last of this very replica, as it has been open since. */
  lastOf(replica: Replica, partition: Partition): ToldDigest | undefined {
    return this.told.get(replica)?.get(partition);
  }

  close(): void {
    this.stopping.abort();
    for (const gathering of [...this.gatherings.keys()]) this.end(gathering);
  }

  private drop({ hosted: { chunkId }, offset }: DigestWork): void {
    this.counts.dropped++;
    this.options.logger.warn({ chunkId, offset }, 'too many digests wait: one is left out');
  }

  private end(gathering: Gathering): void {
    this.gatherings.get(gathering)?.();
    if (!this.gatherings.delete(gathering)) return;
    gathering.end(this.options.reader);
    this.ready.push(gathering);
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    for (let next = this.ready.shift(); next !== undefined; next = this.ready.shift()) {
      try {
        if (!this.stopping.signal.aborted) await this.compute(next);
      } catch (error) {
        if (this.stopping.signal.aborted) continue;
        const { chunkId } = next.replica.identity;
        this.counts.failed += next.works.size;
        this.options.logger.warn({ error: messageOf(error), chunkId }, 'a digest failed');
        const [work] = next.works.values();
        work?.hosted.damagedBy(error);
      } finally {
        await next.close();
      }
    }
    this.running = false;
  }

  private async compute(gathering: Gathering): Promise<void> {
    const { signal } = this.stopping;
    this.counts.scans++;
    const digests = await gathering.digests(signal);
    if (signal.aborted) return;
    for (const work of gathering.works.values()) {
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
    const told = this.told.get(work.replica) ?? new Map<Partition, ToldDigest>();
    this.told.set(work.replica, told.set(work.partition, { digestPlan: work.digestPlan, offset: work.offset, digest }));
    this.outbox.add({ key: Buffer.from(key), value });
  }
}
