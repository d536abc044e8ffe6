import { type Clock, type Logger, messageOf, type Timers } from '@levee/kernel';
import { type Cleaning, compactPartition, expirePartition } from './cleaner';
import { type Damage, damageOf, damageWithin, noteDamage } from './damage';
import { corrupt } from './entry-reader';
import { embeddedLimits } from './limits';
import type { PartitionLog, TopicLog } from './partition-log';
import type { LogStore } from './store/log-store';

export interface UpkeepWorld {
  readonly store: LogStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly topics: () => Iterable<TopicLog>;
  /** Grows whenever the partitions were read anew from the database. */
  readonly generation: () => number;
  /** Throws while the log cannot be worked on. */
  readonly demandUsable: () => void;
  readonly closed: () => boolean;
  /** Room for opening the log on a full disk. */
  readonly keepReserve: () => Promise<void> | undefined;
}

/** What keeps the log in order beside appends and reads: cleaning, and looking for damage. One piece of work at a time. */
export class Upkeep {
  private work: Promise<unknown> = Promise.resolve();
  private cancelTimer: () => void = () => undefined;
  /** Of the round of checks under way: topic, partition, offset. */
  private checked: readonly [topic: string, partition: number, offset: number] | undefined;

  constructor(
    private readonly world: UpkeepWorld,
    private readonly everyMs: number,
  ) {}

  /** One piece of work after the other. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.work.then(() => {
      this.world.demandUsable();
      return work();
    });
    this.work = result.catch(() => undefined);
    return result;
  }

  settled(): Promise<unknown> {
    return this.work;
  }

  cleaningNow(forced: boolean): Cleaning {
    const { clock, closed, generation } = this.world;
    const begun = generation();
    return { nowMs: clock.nowMs(), forced, cancelled: () => closed() || generation() !== begun };
  }

  /** Cleans and checks again and again; an interval of 0 means: only when asked. */
  schedule(): void {
    if (this.everyMs === 0 || this.world.closed()) return;
    this.cancelTimer = this.world.timers.after(this.everyMs, () => {
      this.cleanAll()
        .then(() => this.run(() => this.reclaim()))
        .then(() => this.run(() => this.check(embeddedLimits.checkBytesPerRound)))
        .then(() => this.world.keepReserve())
        .catch((error: unknown) => this.failed('upkeep of the log', error))
        .finally(() => this.schedule());
    });
  }

  stop(): void {
    this.cancelTimer();
  }

  /** What cannot be cleaned, because of damage say, does not stop the others. */
  async cleanAll(): Promise<void> {
    for (const topic of this.world.topics())
      for (const partition of topic.partitions) {
        if (this.world.closed()) return;
        try {
          await this.run(async () => {
            const cleaning = this.cleaningNow(false);
            await expirePartition(this.world.store, partition, cleaning.nowMs);
            await compactPartition(this.world.store, partition, cleaning);
          });
        } catch (error) {
          if (!(await this.found(partition, error))) this.failed(`cleaning ${partition.name}`, error);
        }
      }
  }

  /** Space of what cleaning and retention dropped. */
  reclaim(): Promise<void> {
    return this.world.store.reclaim(this.cleaningNow(true).cancelled);
  }

  /** Reads stretches that may be lost, and notes what is. */
  async checkSuspects(): Promise<void> {
    const partitions = new Map<string, PartitionLog>();
    for (const { stored, partitions: all } of this.world.topics())
      for (const partition of all) partitions.set(`${stored.number}/${partition.number}`, partition);
    for (const { topic, partition: number, from, to } of this.world.store.suspects()) {
      const partition = partitions.get(`${topic}/${number}`);
      if (partition === undefined) continue;
      const range = { from: Math.max(from, partition.start), until: Math.min(to, partition.end) };
      this.note(partition, range, await damageWithin(this.world.store, partition, range));
    }
  }

  /** Reads on from where the last check stopped, about `bytesMax`, and notes what cannot be read. */
  async check(bytesMax: number): Promise<void> {
    let left = bytesMax;
    const [fromTopic, fromPartition, fromOffset] = this.checked ?? ['', 0, 0];
    for (const topic of [...this.world.topics()].sort((a, b) => (a.stored.name < b.stored.name ? -1 : 1))) {
      const { name } = topic.stored;
      if (name < fromTopic) continue;
      for (const partition of topic.partitions) {
        const { number, start, end } = partition;
        if (name === fromTopic && number < fromPartition) continue;
        const from = name === fromTopic && number === fromPartition ? Math.max(fromOffset, start) : start;
        let until = from;
        const breath = (bytes: number, reached: number): boolean => {
          left -= bytes;
          until = reached;
          return left > 0 && !this.world.closed();
        };
        const found = await damageWithin(this.world.store, partition, { from, until: end }, { breath });
        if (until < end && left > 0) until = end;
        this.note(partition, { from, until }, found);
        if (left > 0 && !this.world.closed()) continue;
        this.checked = [name, number, until];
        return;
      }
    }
    this.checked = undefined;
  }

  /** Notes the damage that `error` is about, if it is about damage. */
  async found(partition: PartitionLog, error: unknown): Promise<Damage | undefined> {
    const damage = await damageOf(this.world.store, partition, error).catch(() => undefined);
    if (damage !== undefined) this.note(partition, { from: damage.from, until: damage.to }, [damage]);
    return damage;
  }

  /** As {@link found}; resolves with the error that tells the whole stretch. */
  async told(partition: PartitionLog, error: unknown): Promise<unknown> {
    const damage = await this.found(partition, error);
    return damage === undefined ? error : corrupt(partition, damage.from, damage.what, damage.to);
  }

  private note(partition: PartitionLog, range: { from: number; until: number }, found: Damage[]): void {
    const before = partition.damage;
    noteDamage(partition, range, found);
    for (const { from, to, what } of partition.damage)
      if (!before.some((known) => known.from <= from && known.to >= to))
        this.world.logger.error(
          { partition: partition.name, from, to, what },
          'a confirmed stretch of the log is lost or damaged: levee doctor says what can be done',
        );
  }

  private failed(what: string, error: unknown): void {
    this.world.logger.warn({ error: messageOf(error) }, `${what} failed, it goes on later`);
  }
}
