import {
  asOffset,
  asPartition,
  assert,
  type Clock,
  failureCode,
  InvariantViolation,
  type Logger,
  messageOf,
  type Offset,
  type Partition,
  silentLogger,
  type Timers,
} from '@levee/kernel';
import {
  type Appended,
  type FencedWriter,
  type Log,
  type LogBatch,
  type LogCondition,
  LogFailure,
  type LogPosition,
  type LogRecord,
  logLimits,
  type PartitionOffsets,
  type PassedStretch,
  systemClock,
  systemTimers,
  type TailOptions,
  type TopicDescription,
  type TopicSpec,
} from '@levee/log';
import { admit } from './admission';
import { compactPartition, moveStart } from './cleaner';
import { damageFor } from './damage';
import { EmbeddedTail, topicMissing } from './embedded-tail';
import { nextEpoch } from './epoch';
import { closedFailure, failing, writeFailed } from './failures';
import { LogFolder } from './folder';
import { GroupCommit } from './group-commit';
import { metaKey } from './keys';
import { embeddedLimits } from './limits';
import { loadCounter, loadPartition, loadTopics, topicLogOf } from './load';
import { offsetAtTime } from './offset-at';
import type { EmbeddedLogOptions, EmbeddedLogStats } from './options';
import { passOver } from './pass-over';
import type { PartitionLog, TopicLog } from './partition-log';
import { encodeCounter } from './registers';
import { reserveOf, withReserve } from './reserve';
import { slotOf } from './slot';
import { LevelStore } from './store/level-store';
import { type LogStore, put, type StoreWrite } from './store/log-store';
import { checkAgrees, checkSpec, describe, isOf, rulesOf } from './topic';
import { createTopic, removeTopic, storeTopic } from './topic-store';
import { Upkeep } from './upkeep';
import { fencedWriterOf, takeWriter, type WriterClaim } from './writers';

/** The log in one process: durable on disk without anything to install, or in memory for tests. */
export class EmbeddedLog implements Log {
  private readonly topics = new Map<string, TopicLog>();
  private readonly commits: GroupCommit;
  private readonly tails = new Set<EmbeddedTail>();
  private epoch = 0;
  private generation = 0;
  private closing: Promise<void> | undefined;
  private broken: LogFailure | undefined;
  private reopening: Promise<void> = Promise.resolve();
  /** Changes of topics, writers and cleanings, one after the other. */
  private changes: Promise<unknown> = Promise.resolve();
  private readonly upkeep: Upkeep;

  private constructor(
    private readonly store: LogStore,
    readonly description: string,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly logger: Logger,
    private readonly options: EmbeddedLogOptions,
    private readonly folder: LogFolder | undefined,
  ) {
    this.commits = new GroupCommit(store, clock, timers, {
      epoch: () => this.epoch,
      onFailure: (failure, ended) => this.breakDown(failure, ended),
    });
    const world = {
      store,
      clock,
      timers,
      logger,
      topics: () => this.topics.values(),
      generation: () => this.generation,
      demandUsable: () => this.demandUsable(),
      closed: () => this.closing !== undefined,
      keepReserve: () => reserveOf(options)?.keep(),
    };
    this.upkeep = new Upkeep(world, options.cleanEveryMs ?? embeddedLimits.cleanEveryMs);
  }

  /** Fails with LOG_UNAVAILABLE naming the process that has the folder open. */
  static open(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
    return withReserve(options, () => EmbeddedLog.openNow(options));
  }

  private static async openNow(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
    const { location, db, clock = systemClock, timers = systemTimers, logger = silentLogger } = options;
    const given = options.store ?? (db === undefined ? undefined : new LevelStore(db));
    assert((location === undefined) !== (given === undefined), 'the log is given a folder or a storage');
    const folder = location === undefined ? undefined : await LogFolder.take(location, logger);
    try {
      const store = given ?? (await (folder as LogFolder).store(options.fileLimits));
      const name = location === undefined ? 'embedded in memory' : `embedded ${location}`;
      const log = new EmbeddedLog(store, name, clock, timers, logger, options, folder);
      try {
        await store.open();
        await log.load();
        await log.upkeep.run(() => log.upkeep.checkSuspects());
        await log.upkeep.run(() => log.upkeep.check(embeddedLimits.checkBytesAtOpen));
        log.upkeep.schedule();
      } catch (error) {
        await store.close().catch(() => undefined);
        throw error;
      }
      return log;
    } catch (error) {
      await folder?.release();
      throw error;
    }
  }

  append(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended> {
    return this.enqueue(topic, partition, records, undefined);
  }

  tail(topic: string, partition: Partition, from: LogPosition, options: TailOptions = {}): AsyncIterable<LogBatch> {
    const world = {
      store: this.store,
      clock: this.clock,
      timers: this.timers,
      closed: () => this.closing !== undefined,
      generation: () => this.generation,
      onEnd: (tail: EmbeddedTail) => this.tails.delete(tail),
      told: (partition: PartitionLog, error: unknown) => this.upkeep.told(partition, error),
    };
    return {
      [Symbol.asyncIterator]: (): AsyncIterator<LogBatch> => {
        const found = this.topics.get(topic)?.partitions[partition];
        if (found === undefined || !isOf(found.topic.stored, options.topicId))
          return failing(topicMissing(topic, partition));
        const tail = new EmbeddedTail(world, found, from, options);
        this.tails.add(tail);
        return tail;
      },
    };
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.change(async () => {
      const missing: TopicSpec[] = [];
      for (const spec of specs) {
        checkSpec(spec);
        const existing = this.topics.get(spec.name);
        if (existing === undefined) missing.push(spec);
        else checkAgrees(spec, existing.stored);
      }
      for (const spec of missing) {
        const stored = await createTopic(this.store, spec, this.clock.nowMs());
        this.topics.set(spec.name, topicLogOf(stored));
      }
    });
  }

  describeTopics(names?: readonly string[]): Promise<TopicDescription[]> {
    const found = names === undefined ? [...this.topics.values()] : names.map((name) => this.topics.get(name));
    return Promise.resolve(found.filter((topic) => topic !== undefined).map((topic) => describe(topic.stored)));
  }

  /** One process, no brokers, no transactions: what can be wrong is that something confirmed cannot be read. */
  examine(topics: readonly string[]): Promise<LogCondition> {
    const damage = topics.flatMap((topic) => this.topics.get(topic)?.partitions.flatMap(damageFor) ?? []);
    return Promise.resolve({ brokers: [], weakPartitions: [], openTransactions: [], damage });
  }

  passOver(topic: string, partition: Partition, stretch: PassedStretch): Promise<void> {
    const found = this.topics.get(topic)?.partitions[partition];
    if (found === undefined) return Promise.reject(topicMissing(topic, partition));
    const pass = async (): Promise<void> => {
      const appended = await passOver(this.store, found, stretch, this.epoch);
      if (appended !== undefined) this.commits.adopt(found, appended);
      this.logger.warn({ partition: found.name, ...stretch }, 'a stretch of the log is passed over from now on');
    };
    // Beside no cleaning, no change and no append.
    return this.upkeep.run(() => this.change(() => this.commits.hold(pass)));
  }

  /** Replaces the named settings of a topic; what {@link ensureTopics} refused can be mended with it. */
  alterTopic(name: string, settings: Readonly<Record<string, string>>): Promise<void> {
    return this.change(async () => {
      const topic = this.topics.get(name);
      if (topic === undefined) throw topicMissing(name);
      const stored = { ...topic.stored, settings: { ...topic.stored.settings, ...settings } };
      checkSpec(stored);
      await storeTopic(this.store, stored);
      topic.stored = stored;
      topic.rules = rulesOf(stored.settings);
    });
  }

  deleteTopics(names: readonly string[]): Promise<void> {
    return this.change(async () => {
      for (const name of names) {
        const topic = this.topics.get(name);
        if (topic === undefined) continue;
        topic.deleted = true;
        this.topics.delete(name);
        for (const partition of topic.partitions) this.commits.failPartition(partition, topicMissing(name));
        await this.commits.settled();
        await removeTopic(this.store, topic.stored);
        for (const partition of topic.partitions) partition.wake();
      }
    });
  }

  async offsets(topic: string): Promise<PartitionOffsets[]> {
    return this.partitionsOf(topic).map((partition) => ({
      partition: asPartition(partition.number),
      startOffset: asOffset(partition.start),
      endOffset: asOffset(partition.end),
      cleanedBelow: asOffset(Math.max(partition.boundTo, partition.cleanedTo)),
    }));
  }

  async offsetAt(topic: string, partition: Partition, timeMs: number): Promise<Offset> {
    const found = this.partitionsOf(topic)[partition];
    if (found === undefined) throw topicMissing(topic, partition);
    try {
      return await offsetAtTime(this.store, found, timeMs);
    } catch (error) {
      if (failureCode(error) !== 'RECORD_CORRUPT') throw error;
      // The cleaner may have replaced entries between two looks: look again while it rests.
      return this.upkeep.run(() => offsetAtTime(this.store, found, timeMs));
    }
  }

  async fencedWriter(id: string): Promise<FencedWriter> {
    const identity = await this.change(() => takeWriter(this.store, id));
    return fencedWriterOf(id, identity, (claim, ...to) => this.enqueue(...to, claim));
  }

  /** Cleans a compacted topic now, whatever is cleanable, and resolves with the number of records dropped. */
  compact(topic: string): Promise<number> {
    const partitions = this.partitionsOf(topic);
    return this.upkeep.run(async () => {
      let dropped = 0;
      for (const partition of partitions)
        dropped += await compactPartition(this.store, partition, this.upkeep.cleaningNow(true));
      return dropped;
    });
  }

  /** Removes every record below `startOffset`, as retention does. Resolves with the partition's start. */
  deleteRecordsBefore(topic: string, partition: Partition, startOffset: Offset): Promise<Offset> {
    const found = this.partitionsOf(topic)[partition];
    if (found === undefined) return Promise.reject(topicMissing(topic, partition));
    return this.upkeep.run(async () => {
      await moveStart(this.store, found, startOffset);
      return asOffset(found.start);
    });
  }

  stats(): EmbeddedLogStats {
    const { syncs, appends, records, queuedBytes } = this.commits.stats;
    return { syncs, appends, records, queuedBytes, tails: this.tails.size, epoch: this.epoch };
  }

  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  private enqueue(
    topic: string,
    number: Partition,
    records: readonly LogRecord[],
    writer: WriterClaim | undefined,
  ): Promise<Appended> {
    if (this.closing !== undefined) return Promise.reject(closedFailure(this.description));
    if (this.broken !== undefined) return Promise.reject(this.broken);
    const partition = this.topics.get(topic)?.partitions[number];
    if (partition === undefined) return Promise.reject(topicMissing(topic, number));
    const bytes = admit(partition, records, this.commits.stats.queuedBytes, writer);
    if (typeof bytes !== 'number') return Promise.reject(bytes);
    return new Promise((resolve, reject) => {
      this.commits.add(partition, { records, bytes, resolve, reject });
    });
  }

  private partitionsOf(topic: string): readonly PartitionLog[] {
    const found = this.topics.get(topic);
    if (found === undefined) throw topicMissing(topic);
    return found.partitions;
  }

  /** One change of the database's own records after the other. */
  private change<T>(work: () => Promise<T>): Promise<T> {
    const result = this.changes.then(async () => {
      this.demandUsable();
      try {
        return await work();
      } catch (error) {
        if (error instanceof LogFailure || error instanceof InvariantViolation || this.closing !== undefined)
          throw error;
        this.breakDown(writeFailed(error), Promise.resolve());
        throw this.broken ?? error;
      }
    });
    this.changes = result.catch(() => undefined);
    return result;
  }

  private demandUsable(): void {
    if (this.closing !== undefined) throw closedFailure(this.description);
    if (this.broken !== undefined) throw this.broken;
  }

  /** Reads the database and begins a new leader epoch. */
  private async load(): Promise<void> {
    const { store, logger, folder } = this;
    for (const trouble of store.troubles())
      logger.warn({ log: this.description, trouble }, 'damage to the log was found');
    const writes: StoreWrite[] = [];
    const loaded = new Map<string, TopicLog>();
    for (const stored of await loadTopics(store, logger)) {
      const known = this.topics.get(stored.name);
      const topic = known?.stored.number === stored.number ? known : topicLogOf(stored);
      loaded.set(stored.name, topic);
      for (const partition of topic.partitions) await loadPartition(store, partition, writes, logger);
    }
    const { value, count } = await loadCounter(store, 'epoch');
    this.epoch = nextEpoch([value, folder?.epoch ?? 0, this.epoch], this.clock.nowMs());
    writes.push(put(metaKey('epoch', slotOf(count + 1)), encodeCounter(this.epoch, count + 1)));
    await store.write(writes);
    const openedAtMs = Math.floor(this.clock.nowMs());
    await folder?.own({ openedAtMs, doors: this.options.doors ?? {}, epoch: this.epoch });
    const before = [...this.topics.values()];
    this.topics.clear();
    for (const [name, topic] of loaded) this.topics.set(name, topic);
    this.generation++;
    for (const topic of before) {
      topic.deleted = this.topics.get(topic.stored.name) !== topic;
      for (const partition of topic.partitions) partition.wake();
    }
  }

  /**
   * A write failed: whether it is there only the database can tell, so it is opened again and read. Until then
   * appends fail definitely; tails wait.
   */
  private breakDown(failure: LogFailure, ended: Promise<void>): void {
    if (this.broken !== undefined) return;
    this.broken = new LogFailure(
      'LOG_UNAVAILABLE',
      `${this.description} is being opened again after a failed write (${failure.message}): try again soon`,
      { cause: failure },
    );
    this.logger.error({ log: this.description, error: failure.message }, 'a write failed, the log is opened again');
    this.commits.failQueued(this.broken);
    const attempt = (): void => {
      if (this.closing !== undefined) return;
      this.reopening = this.reopen().catch((error: unknown) => {
        this.logger.error({ log: this.description, error: messageOf(error) }, 'the log cannot be opened again yet');
        this.timers.after(embeddedLimits.reopenMs, attempt);
      });
    };
    ended.then(attempt, attempt);
  }

  private async reopen(): Promise<void> {
    await this.store.close();
    if (this.closing !== undefined) return;
    await this.store.open();
    this.commits.forgetRecent();
    await this.load();
    this.broken = undefined;
    this.logger.info({ log: this.description, epoch: this.epoch }, 'the log is open again');
  }

  private async shutDown(): Promise<void> {
    this.upkeep.stop();
    for (const tail of [...this.tails]) tail.end();
    const late = new LogFailure('LOG_UNAVAILABLE', `${this.description} was closed before this append was written`);
    let cancelDeadline = (): void => undefined;
    const deadline = new Promise<void>((resolve) => (cancelDeadline = this.timers.after(logLimits.closeMs, resolve)));
    await Promise.race([Promise.all([this.commits.idle(), this.changes, this.upkeep.settled()]), deadline]);
    cancelDeadline();
    this.commits.failQueued(late);
    // [safety] An opening makes and removes files: the folder is let go of behind it, since the next owner does so too.
    await this.reopening;
    await this.store.close();
    await this.folder?.release();
  }
}
