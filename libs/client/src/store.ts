import { encodePut } from '@levee/codec';
import {
  asOffset,
  isReservedKey,
  type Clock,
  type Logger,
  type Offset,
  type Partition,
  type Random,
  type Timers,
} from '@levee/kernel';
import { decodeSessionToken, type Session } from '@levee/keyspace';
import type { Log } from '@levee/log';
import type { Network } from '@levee/wire';
import type { EngineContext } from './engine-context';
import type { Append, FenceWaiter, PointRead } from './operations';
import { LostPositions } from './reads/lost-positions';
import { Reads } from './reads/reads';
import { absentNamespace, goneNamespace } from './routes/absent-namespace';
import { NamespaceEngines, type ClusterReader } from './routes/namespace-engines';
import type { NamespaceStore } from './routes/namespace-store';
import { NodeLinks } from './routes/node-link';
import { KeyCounts } from './scans/key-count';
import { Ranges } from './scans/ranges';
import { Semaphore } from './semaphore';
import { StoreFailure, TooLargeFailure } from './store-errors';
import { checkStoreLimits, storeLimits, type StoreLimits } from './store-limits';
import type { AckWaiter } from './writes/ack-waits';
import { AppendTurns, type WaitingAppend } from './writes/append-turns';
import { ChunkLoads } from './writes/chunk-loads';
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
  private readonly context: EngineContext;
  private readonly reads: Reads;
  private readonly appendTurns: AppendTurns;
  private readonly engines: NamespaceEngines;
  /** Partitions that stand still since their log lost something; followed once `followWitnesses` was called. */
  readonly stops: WriteStops;
  /** Fed by whoever hears the heartbeats; without it no chunk is ever too full. */
  readonly loads: ChunkLoads;
  private expiryMs = 0;
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
    this.context = { clock, timers, random, logger, limits, expiryNowMs: () => this.expiryNowMs() };
    const { network } = options;
    this.links = new NodeLinks({ logger, clock, timers, random, ...(network && { network }) });
    this.lost = new LostPositions(this.context, (...fence) => this.fence(...fence));
    this.reads = new Reads(this.context, this.lost);
    this.ranges = new Ranges(this.context, this.lost);
    this.counts = new KeyCounts(this.ranges, clock, limits);
    const { flushesAtOnceMax: atOnceMax, flushesWaitingMax: waitingMax, readTurnMs: waitMsMax } = limits;
    this.flushTurns = new Semaphore('flushes', { atOnceMax, waitingMax, waitMsMax }, timers);
    this.appendTurns = new AppendTurns(limits, { clock, timers }, (one) => this.give(one));
    const { context, links, appendTurns, loads } = this;
    this.stops = new WriteStops(
      context,
      view,
      () => links.all(),
      () => this.engines.stopsChanged(),
    );
    const { stops } = this;
    this.engines = new NamespaceEngines(view, {
      context,
      log,
      links,
      appendTurns,
      loads,
      stops,
      producer: options.producer,
    });
  }

  /** `undefined` while there is none of this name that is active. The object changes when it is created anew. */
  namespace(name: string): NamespaceStore | undefined {
    return this.engines.get(name)?.namespace;
  }

  /** Why `namespace` gave nothing. */
  absence(name: string): StoreFailure {
    return absentNamespace(this.view.state, name);
  }

  /** Wall clock for expiry; never falls. */
  expiryNowMs(): number {
    this.expiryMs = Math.max(this.expiryMs, this.options.clock.nowMs());
    return this.expiryMs;
  }

  monotonicMs(): number {
    return this.options.clock.monotonicMs();
  }

  /** Adds a session token to a session, or says why it is not valid here. */
  joinSession(session: Session, token: string): StoreFailure | undefined {
    const decoded = decodeSessionToken(token);
    const clockMsMax = this.expiryNowMs() + this.limits.sessionClockAheadMsMax;
    const wrong = 'problem' in decoded ? decoded : session.merge(decoded, clockMsMax);
    return wrong && new StoreFailure('LVSESSION', wrong.problem);
  }

  /** Reads one key; `read` is called back exactly once, never before this returns. */
  read(namespace: NamespaceStore, read: PointRead): void {
    if (read.slot < 0) namespace.place(read);
    const refusal = this.readRefusal(namespace, read);
    if (refusal) return process.nextTick(() => read.failed(refusal));
    this.reads.begin();
    read.minOffset = raise(read.minOffset, seenPosition(namespace, read));
    if (read.consistency !== 'strong') return this.reads.enter(namespace, read);
    const deadlineAtMs = this.options.clock.monotonicMs() + this.limits.appendMs;
    this.fence(namespace, read.partition, {
      deadlineAtMs,
      fenced: (nextOffset) => {
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
    const refusal = this.appendRefusal(namespace, append);
    if (refusal) return process.nextTick(() => append.failed(refusal));
    this.appendTurns.enter({ namespace, append });
  }

  /** It may have waited for its turn meanwhile. */
  private give({ namespace, append }: WaitingAppend): void {
    const engine = this.engines.of(namespace);
    const failure = engine ? stopOf(namespace, append) : goneNamespace(namespace.name);
    if (engine && !failure) return engine.appends.add(append);
    process.nextTick(() => {
      this.appendTurns.over(append);
      append.failed(failure as StoreFailure);
    });
  }

  /** A position of `partition` that covers everything acknowledged before the call. */
  fence(namespace: NamespaceStore, partition: Partition, waiter: FenceWaiter): void {
    const engine = this.engines.of(namespace);
    const stop = namespace.stops?.get(partition);
    if (stop) return process.nextTick(() => waiter.fenceFailed(new StoreFailure('LVSTOPPED', stop.message)));
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
    return new Promise((resolve) => this.options.timers.after(ms, resolve));
  }

  /** The record that sets `key`, or why the value is refused. `expiresAtMs` null = as late as the namespace allows. */
  encode(
    namespace: NamespaceStore,
    key: Buffer,
    { value, expiresAtMs }: { readonly value: Buffer; readonly expiresAtMs: number | null },
  ): Buffer | StoreFailure {
    const problem = this.valueProblem(value) ?? this.expiryProblem(namespace, expiresAtMs);
    if (problem) return problem;
    const { maxTtlMs } = namespace.state;
    return encodePut(key, value, expiresAtMs ?? (maxTtlMs === null ? null : this.expiryNowMs() + maxTtlMs));
  }

  /** Why nothing may be kept for so long in a namespace. */
  expiryProblem({ name, state: { maxTtlMs } }: NamespaceStore, expiresAtMs: number | null): StoreFailure | undefined {
    if (maxTtlMs === null || expiresAtMs === null) return undefined;
    const ttlMs = expiresAtMs - this.expiryNowMs();
    if (ttlMs <= maxTtlMs) return undefined;
    return new StoreFailure(
      'LVLIMIT',
      `a time to live of ${ttlMs} ms: at most ${maxTtlMs} ms in ${name} (maxTtlMs); ask for less, or for none, which gives the most`,
    );
  }

  valueProblem(value: Buffer): StoreFailure | undefined {
    const { valueBytesMax } = this.limits;
    if (value.length <= valueBytesMax) return undefined;
    return new TooLargeFailure(`a value of ${value.length} bytes: at most ${valueBytesMax} bytes; store it in parts`);
  }

  /** Why a key is refused before anything is done with it. */
  keyProblem(key: Uint8Array): StoreFailure | undefined {
    const { keyBytesMax } = this.limits;
    if (key.length > keyBytesMax)
      return new TooLargeFailure(`a key of ${key.length} bytes: at most ${keyBytesMax} bytes`);
    if (key[0] === 0 && isReservedKey(key))
      return new StoreFailure('LVRESERVED', `keys beginning with 00 'levee' 00 are not for users`);
    return undefined;
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

  stats(): Readonly<Record<string, number | Readonly<Record<string, number>>>> {
    const appends: Record<string, number> = {};
    for (const { appends: each, ackWaits } of this.engines.all())
      for (const [name, n] of [...Object.entries(each.stats()), ...Object.entries(ackWaits.stats())])
        appends[name] = (appends[name] ?? 0) + n;
    const { bytes, records } = this.appendTurns;
    const capacity = { chunksFull: this.chunksFull() };
    return {
      capacity,
      reads: this.reads.stats(),
      appends: { ...appends, waitingBytes: bytes, waitingRecords: records },
    };
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

  /** Chunks that take no values at the moment. */
  private chunksFull(): number {
    let full = 0;
    for (const { namespace } of this.engines.all())
      for (const { load } of namespace.table?.all ?? [])
        if (load.storedBytes > namespace.softLimitBytes(this.limits.chunkSoftShare)) full++;
    return full;
  }

  private readRefusal(namespace: NamespaceStore, read: PointRead): StoreFailure | undefined {
    if (this.closing) return stopping();
    if (namespace.gone) return namespace.gone;
    const problem = this.keyProblem(read.key);
    if (problem) return problem;
    const stop = namespace.stops?.get(read.partition);
    if (stop && read.consistency !== 'eventual') {
      const needed = read.consistency === 'strong' ? Infinity : seenPosition(namespace, read);
      if (needed > stop.cutOffset) return new StoreFailure('LVSTOPPED', stop.message);
    }
    const limited = namespace.refusal(read.slot);
    if (limited !== undefined) return new StoreFailure('LVLIMIT', limited);
    if (this.reads.outstanding < this.limits.readsMax || (read.line && read.line.size === 0)) return undefined;
    return new StoreFailure(
      'LVLIMIT',
      `${this.reads.outstanding} reads are under way, at most ${this.limits.readsMax}`,
    );
  }

  private appendRefusal(namespace: NamespaceStore, append: Append): StoreFailure | undefined {
    if (this.closing) return stopping();
    const problem = append.isSweep ? undefined : this.keyProblem(append.key);
    if (problem) return problem;
    const stop = stopOf(namespace, append);
    if (stop) return stop;
    const limited = namespace.refusal(append.slot);
    if (limited !== undefined) return new StoreFailure('LVLIMIT', limited);
    const full = append.record && namespace.takeRoom(append, this.limits.chunkSoftShare);
    return full ? new StoreFailure('LVFULL', full) : undefined;
  }
}

const stopping = (): StoreFailure => new StoreFailure('LVSTOPPING', 'this process is shutting down');

function stopOf(namespace: NamespaceStore, { partition }: Append): StoreFailure | undefined {
  const stop = namespace.stops?.get(partition);
  return stop && new StoreFailure('LVSTOPPED', `${stop.message}; nothing was written`);
}

/** Of what may wait at most, one part is enough to be busy. */
const busyParts = 4;

/** How far a replica must be for what was written and seen before: by the session, and for a session read by everybody here. */
function seenPosition(namespace: NamespaceStore, read: PointRead): Offset {
  const { consistency, session, partition } = read;
  if (consistency === 'eventual') return asOffset(0);
  const seen = session?.nextOffset(partition) ?? asOffset(0);
  return consistency === 'strong' ? seen : raise(seen, namespace.writes.positionOf(read));
}

const raise = (a: Offset, b: Offset): Offset => asOffset(Math.max(a, b));
