import type { ClusterKey } from '@levee/auth';
import { ttlRefused } from '@levee/cluster';
import type { HeadedValue } from '@levee/codec';
import { type Clock, type Logger, type Offset, type Partition, pause, type Random, type Timers } from '@levee/kernel';
import { decodeSessionToken, type Session } from '@levee/keyspace';
import type { Log } from '@levee/log';
import type { Network } from '@levee/wire';
import type { EngineContext } from './engine-context';
import { ExpiryClock } from './expiry-clock';
import type { Append, FenceWaiter, PointRead } from './operations';
import { LostPositions } from './reads/lost-positions';
import { Reads } from './reads/reads';
import { absentNamespace, goneNamespace } from './routes/absent-namespace';
import { NamespaceEngines, type ClusterReader } from './routes/namespace-engines';
import type { NamespaceStore } from './routes/namespace-store';
import { NodeLinks } from './routes/node-link';
import { KeyCounts } from './scans/key-count';
import { Ranges } from './scans/ranges';
import {
  appendRefusal,
  fenceRefusal,
  keyProblem,
  raise,
  readRefusal,
  seenPosition,
  stopOf,
  ttlProblem,
  valueProblem,
} from './refusals';
import { Semaphore } from './semaphore';
import { StoreFailure } from './store-errors';
import { type StoreStats, storeStats } from './store-stats';
import { StoreTimes } from './store-times';
import { checkStoreLimits, storeLimits, type StoreLimits } from './store-limits';
import type { AckWaiter } from './writes/ack-waiter';
import { AppendTurns, type WaitingAppend } from './writes/append-turns';
import { ChunkLoads } from './writes/chunk-loads';
import { WriteCounts } from './writes/write-counts';
import { WriteStops } from './writes/write-stops';

export interface StoreOptions {
  /** Name of this process in its fence records: unique among those alive. */
  readonly producer: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly limits?: Partial<StoreLimits>;
  readonly network?: Network;
  /** Why this process may not write at the moment, in words. */
  readonly mayNotWrite?: () => string | undefined;
  /** Proves to nodes that this process is of their cluster. */
  readonly clusterKey?: ClusterKey | undefined;
}

/**
 * The smart client: follows routes, appends writes to the log, reads from replicas. Doors are built around it; it has
 * no promise per operation. `namespace` first, then `read` and `append` with what it returned.
 */
export class Store {
  readonly links: NodeLinks;
  readonly limits: StoreLimits;
  readonly ranges: Ranges;
  readonly counts: KeyCounts;
  readonly lost: LostPositions;
  readonly flushTurns: Semaphore;
  readonly times: StoreTimes;
  private readonly context: EngineContext;
  private readonly reads: Reads;
  private readonly appendTurns: AppendTurns;
  private readonly engines: NamespaceEngines;
  /** Partitions that stand still since their log lost something; followed once `followWitnesses` was called. */
  readonly stops: WriteStops;
  /** Fed by whoever hears the heartbeats; without it no chunk is ever too full. */
  readonly loads: ChunkLoads;
  private readonly expiryClock: ExpiryClock;
  private closing = false;

  constructor(
    log: Log,
    private readonly view: ClusterReader,
    private readonly options: StoreOptions,
  ) {
    const limits = { ...storeLimits, ...options.limits };
    checkStoreLimits(limits);
    this.limits = limits;
    this.loads = new ChunkLoads(options.clock);
    const { clock, timers, random, logger } = options;
    const { network, clusterKey, mayNotWrite = () => undefined } = options;
    this.expiryClock = new ExpiryClock(clock);
    const expiryNowMs = (): number => this.expiryNowMs();
    const times = (this.times = new StoreTimes(clock));
    const counts = new WriteCounts();
    this.context = { clock, timers, random, logger, limits, times, counts, expiryNowMs, isPatient: true, mayNotWrite };
    this.links = new NodeLinks({ logger, clock, timers, random, clusterKey, ...(network && { network }) });
    this.lost = new LostPositions(this.context, (...fence) => this.fence(...fence));
    this.reads = new Reads(this.context, this.lost);
    this.ranges = new Ranges(this.context, this.lost);
    this.counts = new KeyCounts(this.ranges, clock, limits);
    const { flushesAtOnceMax: atOnceMax, flushesWaitingMax: waitingMax, readTurnMs: waitMsMax } = limits;
    this.flushTurns = new Semaphore('flushes', { atOnceMax, waitingMax, waitMsMax }, timers);
    this.appendTurns = new AppendTurns(limits, { clock, timers }, (one) => this.give(one));
    const { context, links, appendTurns, loads } = this;
    const changed = (): void => this.engines.stopsChanged();
    const stops = (this.stops = new WriteStops(context, view, () => links.all(), changed));
    const { producer } = options;
    this.engines = new NamespaceEngines(view, { context, log, links, appendTurns, loads, stops, producer });
  }

  /** `undefined` while there is none of this name that is active. The object changes when it is created anew. */
  namespace(name: string): NamespaceStore | undefined {
    return this.engines.get(name)?.namespace;
  }

  /** Why `namespace` gave nothing. */
  absence(name: string): StoreFailure {
    return absentNamespace(this.view.state, name);
  }

  /** Wall clock for expiry. */
  expiryNowMs(): number {
    return this.expiryClock.nowMs();
  }

  monotonicMs(): number {
    return this.options.clock.monotonicMs();
  }

  /** Adds a session token, if there is one, to a session that is then told, or says why it is not valid here. */
  joinSession(session: Session, token: string | undefined): StoreFailure | undefined {
    const clockMsMax = this.expiryNowMs() + this.limits.sessionClockAheadMsMax;
    session.letGoOfClock(clockMsMax);
    if (token === undefined) return undefined;
    const decoded = decodeSessionToken(token);
    const wrong = 'problem' in decoded ? decoded : session.merge(decoded, clockMsMax);
    return wrong && new StoreFailure('LVSESSION', wrong.problem);
  }

  /** Reads one key; `read` is called back exactly once, never before this returns. */
  read(namespace: NamespaceStore, read: PointRead): void {
    if (read.slot < 0) namespace.place(read);
    const refusal = this.closing ? stopping() : readRefusal(namespace, read, this.reads.outstanding, this.limits);
    if (refusal) return process.nextTick(() => read.failed(refusal));
    this.reads.begin();
    read.minOffset = raise(read.minOffset, seenPosition(namespace, read));
    if (read.consistency !== 'strong') return this.reads.enter(namespace, read);
    const beganAtMs = this.options.clock.monotonicMs();
    this.fence(namespace, read.partition, {
      deadlineAtMs: beganAtMs + this.limits.appendMs,
      fenced: (nextOffset) => {
        this.times.fence.over(beganAtMs, undefined);
        const { session, partition } = read;
        const lost = this.lost.judge(namespace, { partition, nextOffset: read.minOffset, session }, nextOffset);
        if (lost) {
          this.reads.outstanding--;
          return read.failed(lost);
        }
        read.minOffset = raise(read.minOffset, nextOffset);
        this.reads.enter(namespace, read);
      },
      fenceFailed: (failure) => {
        this.times.fence.over(beganAtMs, failure.code);
        this.reads.outstanding--;
        read.failed(failure);
      },
    });
  }

  /** The time of a write runs from now on, however long it waits before it is given to `append`. */
  startTime(append: Append): void {
    append.deadlineAtMs = this.options.clock.monotonicMs() + this.limits.appendMs;
  }

  /** Writes one key; `append` is called back exactly once, never before this returns. */
  append(namespace: NamespaceStore, append: Append): void {
    if (append.deadlineAtMs === 0) this.startTime(append);
    namespace.place(append);
    const refusal = this.closing ? stopping() : appendRefusal(namespace, append, this.limits);
    if (refusal) return process.nextTick(() => append.failed(refusal));
    this.appendTurns.enter({ namespace, append });
  }

  /** It may have waited for its turn meanwhile. */
  private give({ namespace, append }: WaitingAppend): void {
    const engine = this.engines.of(namespace);
    const failure = engine ? (namespace.frozen ?? stopOf(namespace, append)) : goneNamespace(namespace.name);
    if (engine && !failure) return engine.appends.add(append);
    process.nextTick(() => {
      this.appendTurns.over(append);
      append.failed(failure as StoreFailure);
    });
  }

  /** A position of `partition` that covers everything acknowledged before the call. */
  fence(namespace: NamespaceStore, partition: Partition, waiter: FenceWaiter): void {
    const engine = this.engines.of(namespace);
    const refusal = fenceRefusal(namespace, partition);
    if (refusal) return process.nextTick(() => waiter.fenceFailed(refusal));
    if (engine) return engine.appends.fence(partition, waiter);
    process.nextTick(() => waiter.fenceFailed(goneNamespace(namespace.name)));
  }

  /** As `fence`, with as much time as the log has for a write. */
  fenceOf(namespace: NamespaceStore, partition: Partition): Promise<Offset> {
    const deadlineAtMs = this.options.clock.monotonicMs() + this.limits.appendMs;
    return new Promise((resolve, reject) =>
      this.fence(namespace, partition, { deadlineAtMs, fenced: resolve, fenceFailed: reject }),
    );
  }

  /**
   * Waits until positions are applied as `waiter.ack` asks, at most `waitMs`; a failure that is returned says why
   * nothing is waited for.
   */
  awaitApplied(namespace: NamespaceStore, waiters: readonly AckWaiter[], waitMs: number): StoreFailure | undefined {
    const engine = this.engines.of(namespace);
    if (engine) return engine.ackWaits.addNamed(waiters, waitMs);
    return goneNamespace(namespace.name);
  }

  pause(ms: number): Promise<void> {
    return pause(this.options.timers, ms);
  }

  /** The record that sets `key`, or why the value is refused. `expiresAtMs` null = as late as the namespace allows. */
  encode(
    namespace: NamespaceStore,
    key: Buffer,
    { value, expiresAtMs }: { readonly value: Buffer; readonly expiresAtMs: number | null },
  ): Buffer | HeadedValue | StoreFailure {
    const problem = this.valueProblem(value) ?? this.expiryProblem(namespace, expiresAtMs);
    if (problem) return problem;
    const { maxTtlMs } = namespace.state;
    const latestMs = maxTtlMs === null ? null : this.expiryNowMs() + maxTtlMs;
    return namespace.format.encode(key, value, expiresAtMs ?? latestMs);
  }

  /** Why nothing may be kept for so long in a namespace. */
  expiryProblem(namespace: NamespaceStore, expiresAtMs: number | null): StoreFailure | undefined {
    const { maxTtlMs, sourceTopic, writable } = namespace.state;
    if (expiresAtMs === null) return undefined;
    if (sourceTopic !== null && writable)
      return new StoreFailure('LVUNSUPPORTED', `${ttlRefused(sourceTopic)}; nothing was written`);
    if (maxTtlMs === null) return undefined;
    return ttlProblem(namespace.name, maxTtlMs, expiresAtMs - this.expiryNowMs());
  }

  valueProblem(value: Buffer): StoreFailure | undefined {
    return valueProblem(value, this.limits);
  }

  /** Why a key is refused before anything is done with it. */
  keyProblem(key: Uint8Array): StoreFailure | undefined {
    return keyProblem(key, this.limits);
  }

  /** Whoever has much under way waits before it begins more: others shall find room. */
  get busy(): boolean {
    return this.reads.outstanding * busyParts > this.limits.readsMax || this.appendTurns.busy;
  }

  /** After the view has booted: its first state came without decisions. */
  refreshNow(): void {
    this.engines.refreshNow();
  }

  /** Asks the nodes again and again which partitions stand still. */
  followWitnesses(): void {
    this.stops.start();
  }

  stats(): StoreStats {
    const { counts, limits } = this.context;
    return storeStats(this.engines.all(), limits, { reads: this.reads.stats(), counts, waiting: this.appendTurns });
  }

  /** What is on its way; after `close` nothing comes to it. */
  get writing(): Pick<NamespaceEngines, 'settled' | 'freezesSettled'> {
    return this.engines;
  }

  /** Takes no new work, lets what is under way finish for `drainMs`, then hangs up. */
  async close(drainMs: number): Promise<void> {
    this.closing = true;
    this.engines.stopFollowing();
    this.stops.stop();
    const endAtMs = this.options.clock.monotonicMs() + drainMs;
    const busy = (): boolean => this.reads.outstanding > 0 || this.appendTurns.records > 0;
    while (busy() && this.options.clock.monotonicMs() < endAtMs) await this.pause(5);
    this.reads.close();
    this.appendTurns.clear(stopping());
    for (const { appends } of this.engines.all()) appends.close();
    this.links.close();
  }
}

const stopping = (): StoreFailure => new StoreFailure('LVSTOPPING', 'this process is shutting down');

/** Of what may wait at most, one part is enough to be busy. */
const busyParts = 4;
