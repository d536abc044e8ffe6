import type { ReplicaIdentity, SnapshotReader } from '@levee/chunk-store';
import { bornOf, creationIdOf, creationOfChunk } from '@levee/cluster';
import type { DigestOrder, NamespaceState } from '@levee/events';
import { type ApplyBudget, ApplyPace, type PartitionFeed } from '@levee/follow';
import { asPartition, ByteRate, Semaphore } from '@levee/kernel';
import { copyLimits } from '../copy/copy-limits';
import { CopyPlaces } from '../copy/copy-places';
import { CopySessions } from '../copy/copy-sessions';
import type { RemoteWorld } from '../copy/piece-stream';
import { Sweeps } from '../digests/sweeps';
import type { IoScheduler } from '../io/io-scheduler';
import type { NodeIdentity } from '../node-identity';
import { nodeLimits } from '../node-limits';
import { type Assignment, isServingRole } from './assignment';
import { HostedReplica } from './hosted-replica';
import type { HostedWorld, HostWorld } from './hosted-world';
import { LeftReplicas } from './left/left-replicas';
import { NamespaceReplicas } from './namespace-replicas';
import { NodeFeeds } from './node-feeds';
import { WaitBudget } from './position-waits';
import type { RecordOutbox } from './record-outbox';
import { Retentions } from './retentions';

export interface ReplicaHostOptions extends HostWorld, RemoteWorld {
  readonly identity: NodeIdentity;
  /** Where copies of bad records go. */
  readonly quarantine: RecordOutbox;
  /** Of what copies are made. */
  readonly reader: SnapshotReader;
  /** How often replicas are written; may be shared with other nodes of the process. */
  readonly applies: ApplyBudget;
  /** Most bytes a second that copies put into this node's units; 0 = no limit (the default). */
  readonly copyBytesPerSecond?: number | undefined;
}

/** Every replica of this node: opened and closed as decisions say, found by slot and by chunk. */
export class ReplicaHost {
  private readonly hosted = new Map<string, HostedReplica>();
  /** By creation of a namespace: its name may be that of another one later. */
  private byCreation = new Map<string, NamespaceReplicas>();
  /** A chunk that moves from one unit of a node to another has two here. */
  private byChunk = new Map<string, HostedReplica[]>();
  private readonly world: HostedWorld;
  readonly feeds: NodeFeeds;
  readonly copies: CopySessions;
  /** Of decisions that the journal lost. */
  readonly left: LeftReplicas;
  readonly io: IoScheduler;
  readonly sweeps: Sweeps;
  private readonly waits: WaitBudget;
  private readonly maxStaleness = new Map<string, number>();
  private readonly closing = new Map<string, Promise<void>>();
  private stopped = false;

  constructor(private readonly options: ReplicaHostOptions) {
    const { clock, timers, logger, log, io, logClock, identity, reader } = options;
    const pace: ApplyPace = new ApplyPace(options.applies, timers, () => this.waits.inUse > 0);
    const retentions = new Retentions(log, clock);
    const maxStalenessMs = (creation: string): number => this.maxStaleness.get(creation) ?? Infinity;
    this.io = io;
    this.waits = new WaitBudget(() => pace.hurry());
    this.copies = new CopySessions({ incarnation: identity.incarnation, reader, timers, logger });
    this.feeds = new NodeFeeds({ ...options, nodeId: identity.nodeId, pace, maxStalenessMs });
    this.sweeps = new Sweeps({ clock, timers, logger, logClock, io, retentions, all: () => this.all });
    this.world = {
      ...options,
      remote: options,
      copies: this.copies,
      copyPlaces: new CopyPlaces(copyLimits.fromPeersMax),
      copyRate: new ByteRate(options.copyBytesPerSecond ?? 0, clock, timers),
      hostedIn: (key) => this.hosted.get(key),
      retentions,
      uncounted: (hosted) => this.sweeps.soon(hosted),
      waits: this.waits,
      rebuilds: new Semaphore(nodeLimits.rebuildsMax),
      feedOf: (of, partition) => this.feeds.of(of, partition),
    };
    this.left = new LeftReplicas(this.world, options.clusterId);
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

  /** Of a creation of a namespace, such as `shop.orders#1`. */
  at(creation: string, slot: number): HostedReplica | undefined {
    return this.byCreation.get(creation)?.at(slot);
  }

  /** As the decisions say by which its replicas here are open. */
  namespaceOf(creation: string): NamespaceState | undefined {
    return this.byCreation.get(creation)?.any?.assignment.namespace;
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
      this.maxStaleness.set(creationIdOf(namespace), namespace.maxStalenessMs ?? Infinity);
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

  /** Topics of others are served, in which nobody writes barriers. */
  get hostsBound(): boolean {
    for (const { identity } of this.hosted.values()) if (identity.sourceTopicId !== undefined) return true;
    return false;
  }

  /** Digests of a topic of others are wanted; `timeMs`: log time of the order. */
  digestAt({ namespace, number, digestPlan, chunks, positions }: DigestOrder, timeMs: number): void {
    const feeds = new Map<PartitionFeed, number>();
    for (const hosted of this.hosted.values()) {
      const { identity, assignment } = hosted;
      if (assignment.namespace.name !== namespace || assignment.namespace.number !== number) continue;
      for (const { partition, nextOffset } of positions)
        if (hosted.holdsPartition(partition)) feeds.set(this.feeds.of(identity, asPartition(partition)), nextOffset);
    }
    for (const [feed, nextOffset] of feeds) feed.digestAt({ digestPlan, chunks, nextOffset, timeMs });
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
    this.feeds.close();
    await Promise.all([...this.hosted.values()].map((each) => each.close()));
    await Promise.all(this.closing.values());
    await this.left.close();
  }

  private index(): void {
    const groups = new Map<string, HostedReplica[]>();
    this.byChunk = new Map();
    for (const hosted of this.hosted.values()) {
      const { chunkId } = hosted.identity;
      const creation = creationOfChunk(chunkId);
      this.byChunk.set(chunkId, [...(this.byChunk.get(chunkId) ?? []), hosted]);
      const group = groups.get(creation);
      if (group === undefined) groups.set(creation, [hosted]);
      else group.push(hosted);
    }
    this.byCreation = new Map([...groups].map(([creation, group]) => [creation, new NamespaceReplicas(group)]));
  }

  private identityOf({ chunk, namespace, unitId, generation }: Assignment): ReplicaIdentity {
    const { chunkId, slotStart, slotEnd } = chunk;
    const { binlog, partitions, hashAlgorithm, recordFormat, sourceTopicId, hiddenAfterMs } = namespace;
    const { clusterId } = this.options;
    return {
      clusterId,
      namespace: bornOf(namespace).name,
      binlog,
      chunkId,
      unitId,
      generation,
      slotStart,
      slotEnd,
      partitions,
      hashAlgorithm,
      recordFormat,
      ...(sourceTopicId === null ? {} : { sourceTopicId }),
      ...(hiddenAfterMs === null ? {} : { hiddenAfterMs }),
    };
  }
}

/** Of two replicas of one chunk, the one that answers for it: readable first, then what routes name. */
function rank({ readable, assignment }: HostedReplica): number {
  return (readable ? 2 : 0) + (isServingRole(assignment.role) ? 1 : 0);
}
