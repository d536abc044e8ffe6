import {
  type EngineBudget,
  type NodeDisk,
  type ReplicaIdentity,
  type SnapshotReader,
  type ValueBudget,
} from '@levee/chunk-store';
import { encode } from '@levee/codec';
import { ApplyBudget, ApplyPace, type BadReason, followLimits, type LogClock, PartitionFeed } from '@levee/follow';
import { ByteRate, type Clock, type Logger, type Partition, type Random, type Timers } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';
import type { Network, NetworkBudget } from '@levee/wire';
import { copyLimits } from '../copy/copy-limits';
import { CopyPlaces } from '../copy/copy-places';
import { CopySessions } from '../copy/copy-sessions';
import type { DigestQueue, NodeIdentity } from '../digests/digest-work';
import { Sweeps } from '../digests/sweeps';
import { IoScheduler } from '../io/io-scheduler';
import { snapshotReader } from '../io/snapshot-reader';
import { nodeLimits } from '../node-limits';
import { type Assignment, isServingRole } from './assignment';
import { HostedReplica } from './hosted-replica';
import type { HostedWorld } from './hosted-world';
import { LeftReplicas } from './left/left-replicas';
import { WaitBudget } from './position-waits';
import type { RecordOutbox } from './record-outbox';
import { Retentions } from './retentions';
import { Turnstile } from './turnstile';

export interface ReplicaHostOptions {
  readonly clusterId: string;
  readonly identity: NodeIdentity;
  readonly disk: NodeDisk;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly logClock: LogClock;
  readonly budget: EngineBudget;
  readonly values: ValueBudget;
  readonly digests: DigestQueue;
  readonly quarantine: RecordOutbox;
  readonly network?: Network | undefined;
  readonly random?: Random | undefined;
  /** See `HostedWorld.clearingHeld`; never held by default. */
  readonly clearingHeld?: (() => string | undefined) | undefined;
  /** Room for what is on its way from others; without it nothing is counted. */
  readonly buffers?: NetworkBudget | undefined;
  /** Shared with other background work of the node; its own by default. */
  readonly io?: IoScheduler | undefined;
  /** Of what copies are made; by default one that reads in turns with all else. */
  readonly reader?: SnapshotReader | undefined;
  /** Shared with other nodes of the process; its own by default. */
  readonly applies?: ApplyBudget | undefined;
  /** Most bytes a second that copies put into this node's units; 0 = no limit (the default). */
  readonly copyBytesPerSecond?: number | undefined;
}

/** The replicas of one namespace on this node, by slot. */
class NamespaceReplicas {
  private starts: number[] = [];
  private hosted: HostedReplica[] = [];

  constructor(replicas: readonly HostedReplica[]) {
    const sorted = [...replicas].sort((a, b) => a.identity.slotStart - b.identity.slotStart);
    this.starts = sorted.map((each) => each.identity.slotStart);
    this.hosted = sorted;
  }

  /**
   * The readable replica of a slot, of those that routes name rather than a retired one, else any; floor search, since
   * replicas of a split may overlap their parent.
   */
  at(slot: number): HostedReplica | undefined {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] as number) <= slot) low = middle + 1;
      else high = middle;
    }
    let found: HostedReplica | undefined;
    for (let i = low - 1; i >= 0; i--) {
      const each = this.hosted[i] as HostedReplica;
      if (slot >= each.identity.slotEnd) continue;
      if (each.readable && isServingRole(each.assignment.role)) return each;
      if (found === undefined || (each.readable && !found.readable)) found = each;
    }
    return found;
  }
}

/** Every replica of this node: opened and closed as decisions say, found by slot and by chunk. */
export class ReplicaHost {
  private readonly hosted = new Map<string, HostedReplica>();
  private byNamespace = new Map<string, NamespaceReplicas>();
  /** A chunk that moves from one unit of a node to another has two here. */
  private byChunk = new Map<string, HostedReplica[]>();
  private readonly feeds = new Map<string, PartitionFeed>();
  private readonly world: HostedWorld;
  readonly copies: CopySessions;
  /** Of decisions that the journal lost. */
  readonly left: LeftReplicas;
  readonly io: IoScheduler;
  private readonly waits = new WaitBudget(() => this.pace.hurry());
  private readonly pace: ApplyPace;
  private readonly maxStaleness = new Map<string, number>();
  private readonly closing = new Map<string, Promise<void>>();
  readonly sweeps: Sweeps;
  private stopped = false;

  constructor(private readonly options: ReplicaHostOptions) {
    const applies = options.applies ?? new ApplyBudget(options.clock);
    this.pace = new ApplyPace(applies, options.timers, () => this.waits.inUse > 0);
    const { clock, timers, logger, log, identity, clusterId, network, random, buffers } = options;
    this.io = options.io ?? new IoScheduler({ clock, timers });
    const reader = options.reader ?? snapshotReader(this.io, undefined);
    this.copies = new CopySessions({ incarnation: identity.incarnation, reader, timers, logger });
    const retentions = new Retentions(log, clock);
    const { logClock } = options;
    const all = (): Iterable<HostedReplica> => this.all;
    this.sweeps = new Sweeps({ clock, timers, logger, logClock, io: this.io, retentions, all });
    this.world = {
      ...options,
      io: this.io,
      copies: this.copies,
      copyPlaces: new CopyPlaces(copyLimits.fromPeersMax),
      copyRate: new ByteRate(options.copyBytesPerSecond ?? 0, clock, timers),
      remote: { clusterId, clock, timers, logger, network, random, buffers },
      clearingHeld: options.clearingHeld ?? (() => undefined),
      hostedIn: (key) => this.hosted.get(key),
      retentions,
      uncounted: (hosted) => this.sweeps.soon(hosted),
      waits: this.waits,
      rebuilds: new Turnstile(nodeLimits.rebuildsMax),
      feedOf: (identity, partition) => this.feedOf(identity, partition),
    };
    this.left = new LeftReplicas(this.world, clusterId);
    this.sweeps.start();
  }

  get all(): Iterable<HostedReplica> {
    return this.hosted.values();
  }

  get size(): number {
    return this.hosted.size;
  }

  get waiting(): number {
    return this.waits.inUse;
  }

  /** In `<unitId>@<generation>`. */
  in(key: string): HostedReplica | undefined {
    return this.hosted.get(key);
  }

  at(namespace: string, slot: number): HostedReplica | undefined {
    return this.byNamespace.get(namespace)?.at(slot);
  }

  chunk(chunkId: string): HostedReplica | undefined {
    const found = this.byChunk.get(chunkId);
    if (found === undefined || found.length === 1) return found?.[0];
    return found.reduce((best, each) => (rank(each) > rank(best) ? each : best));
  }

  /** Makes what is open be what is assigned. Idempotent; safe to call after every decision. */
  adopt(assignments: readonly Assignment[]): void {
    if (this.stopped) return;
    for (const { namespace } of assignments)
      this.maxStaleness.set(namespace.name, namespace.maxStalenessMs ?? Infinity);
    const wanted = new Map(assignments.map((each) => [each.key, each]));
    let changed = false;
    for (const [key, hosted] of this.hosted)
      if (!wanted.has(key)) {
        this.hosted.delete(key);
        this.closeLater(key, hosted);
        changed = true;
      }
    for (const [key, assignment] of wanted) {
      const known = this.hosted.get(key);
      if (known !== undefined) {
        known.reassign(assignment);
        continue;
      }
      const hosted = new HostedReplica(this.world, assignment, this.identityOf(assignment));
      this.hosted.set(key, hosted);
      changed = true;
      const before = this.closing.get(key);
      if (before === undefined) hosted.open();
      else void before.then(() => hosted.open());
    }
    if (changed) this.index();
  }

  /** One that was closed before may still be at it: the unit is free when both are done. */
  private closeLater(key: string, hosted: HostedReplica): void {
    const closed = Promise.all([this.closing.get(key), hosted.close()]).then(() => {
      if (this.closing.get(key) === closed) this.closing.delete(key);
    });
    this.closing.set(key, closed);
  }

  /** Resolves when nothing of this unit generation is open any more. */
  async closed(key: string): Promise<void> {
    await this.closing.get(key);
  }

  async close(): Promise<void> {
    this.stopped = true;
    this.sweeps.stop();
    this.io.close();
    this.copies.close();
    for (const feed of this.feeds.values()) feed.close();
    await Promise.all([...this.hosted.values()].map((each) => each.close()));
    await Promise.all(this.closing.values());
    await this.left.close();
  }

  feedCounts(): {
    records: number;
    bytes: number;
    batches: number;
    badRecords: number;
    restarts: number;
    feeds: number;
  } {
    const sum = { records: 0, bytes: 0, batches: 0, badRecords: 0, restarts: 0, feeds: this.feeds.size };
    for (const { counts } of this.feeds.values())
      for (const name of ['records', 'bytes', 'batches', 'badRecords', 'restarts'] as const) sum[name] += counts[name];
    return sum;
  }

  private index(): void {
    const groups = new Map<string, HostedReplica[]>();
    this.byChunk = new Map();
    for (const hosted of this.hosted.values()) {
      const { namespace, chunkId } = hosted.identity;
      this.byChunk.set(chunkId, [...(this.byChunk.get(chunkId) ?? []), hosted]);
      const group = groups.get(namespace);
      if (group === undefined) groups.set(namespace, [hosted]);
      else group.push(hosted);
    }
    this.byNamespace = new Map([...groups].map(([namespace, group]) => [namespace, new NamespaceReplicas(group)]));
  }

  private identityOf({ chunk, namespace, unitId, generation }: Assignment): ReplicaIdentity {
    const { chunkId, slotStart, slotEnd } = chunk;
    const { name, binlog, partitions, hashAlgorithm } = namespace;
    const { clusterId } = this.options;
    return {
      clusterId,
      namespace: name,
      binlog,
      chunkId,
      unitId,
      generation,
      slotStart,
      slotEnd,
      partitions,
      hashAlgorithm,
    };
  }

  private feedOf(identity: ReplicaIdentity, partition: Partition): PartitionFeed {
    const key = `${identity.binlog}/${partition}`;
    const known = this.feeds.get(key);
    if (known !== undefined) return known;
    const { log, clock, timers, logger, logClock } = this.options;
    const { clusterId, namespace, binlog, partitions, hashAlgorithm } = identity;
    const place = { clusterId, namespace, binlog, partitions, partition };
    const onBadRecord = (record: StoredRecord, problem: { reason: BadReason; message: string }): void =>
      this.quarantine(record, { topic: binlog, partition, ...problem });
    const idleMs = (): number => this.idleMs(namespace);
    const { pace } = this;
    const shared = { place, hashAlgorithm, partition, clock, timers, logger, logClock, pace, idleMs, onBadRecord };
    const feed = new PartitionFeed(log, shared);
    this.feeds.set(key, feed);
    return feed;
  }

  /** A replica at rest must prove that it stands at the end more often than its namespace lets it be stale. */
  private idleMs(namespace: string): number {
    const maxStalenessMs = this.maxStaleness.get(namespace) ?? Infinity;
    return Math.max(followLimits.feedIdleMsMin, Math.min(followLimits.feedIdleMs, Math.floor(maxStalenessMs / 4)));
  }

  private quarantine(
    record: StoredRecord,
    place: { topic: string; partition: Partition; reason: BadReason; message: string },
  ): void {
    const { identity, clock, quarantine, logger } = this.options;
    const valueMax = nodeLimits.quarantinedValueBytesMax;
    logger.warn({ ...place, offset: record.offset }, 'a record of a binlog goes to quarantine');
    quarantine.add({
      key: Buffer.from(`${place.topic}/${place.partition}/${record.offset}`),
      value: encode('Quarantined', {
        ...place,
        offset: record.offset,
        nodeId: identity.nodeId,
        key: record.key === null ? null : Buffer.from(record.key.subarray(0, valueMax)),
        value: record.value === null ? null : Buffer.from(record.value.subarray(0, valueMax)),
        quarantinedAtMs: clock.nowMs(),
      }),
    });
  }
}

/** Of two replicas of one chunk, the one that answers for it: readable first, then what routes name. */
function rank({ readable, assignment }: HostedReplica): number {
  return (readable ? 2 : 0) + (isServingRole(assignment.role) ? 1 : 0);
}
