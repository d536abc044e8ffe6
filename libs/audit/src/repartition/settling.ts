import { asOffset, asPartition, defined, Failure, failureCode } from '@levee/kernel';
import type { FencedWriter, LogRecord } from '@levee/log';
import type { AuditWorld } from '../verify/walk-partition';
import { Certainty, type Cleaning } from './certainty';
import { homeHeader, homeMark } from './home-mark';
import { judgeKey, type Judgement, type Place, type StayReason, stayReasons } from './judge-key';
import { KeyStandings } from './key-standings';
import { readOn, unread } from './read-on';
import type { Settled } from './settled';
import type { StrayKey, Strays } from './strays';

const settleLimits = {
  /** Keys that are looked for in one reading of a partition, and their bytes. */
  keysMax: 50_000,
  keyBytesMax: 32 * 1024 * 1024,
  batchBytes: 512 * 1024,
  batchRecordsMax: 500,
  /** A key that others go on writing at the same moment is left after so many rounds, and told. */
  roundsMax: 10,
  /** Places of records that are told of each reason. */
  examplesMax: 3,
  markBytes: 96,
} as const;

interface SettleOptions {
  readonly cleaning: Cleaning;
  /** Strays go home, too, that a deletion may have followed of which nothing is left. */
  readonly beyondTombstones: boolean;
  /** Without it nothing is written. */
  readonly writing?: {
    readonly writer: FencedWriter;
    /** By partition: all below is read before anything is written there. */
    readonly positions: readonly number[];
    /** Asked before each append: fails unless portals' writes are still frozen. */
    readonly check: () => void;
  };
  /** Nothing comes home: what was overtaken is put last again, and that is all. */
  readonly restoresOnly?: boolean;
}

/** Keys of one partition that are at work. */
interface Work {
  readonly partition: number;
  readonly standings: KeyStandings;
  readonly judge: (of: StrayKey) => Judgement;
  /** Those that no batch has room for. */
  readonly tooLarge: Set<StrayKey>;
  /** Something was written of them, and it is not known yet that it has overtaken nothing. */
  readonly atRisk: Set<StrayKey>;
}

interface Planned {
  readonly of: StrayKey;
  readonly judgement: Judgement;
  readonly record: LogRecord;
}

/**
 * Judges every key of `strays` by what its own partition holds, and brings home what belongs there. [safety] What a partition
 * holds is read up to its end immediately before each append, and once more behind it: what was written in between is newer,
 * and is put last again, before anything else is written.
 */
export class Settling {
  private readonly counts = { keys: 0, home: 0, restored: 0, contested: 0 };
  private readonly stays = Object.fromEntries(stayReasons.map((why) => [why, 0])) as Record<StayReason, number>;
  private readonly examples: Partial<Record<Judgement, string[]>> = {};
  private work: Work | undefined;

  constructor(
    private readonly world: AuditWorld,
    private readonly strays: Strays,
    private readonly options: SettleOptions,
  ) {}

  /** Fails as {@link readOn} and the writer do; then it may be begun again. */
  async run(): Promise<Settled> {
    const { world, strays } = this;
    let some: StrayKey[] = [];
    let bytes = 0;
    for await (const each of strays.keys(world.clock.nowMs())) {
      const [first] = some;
      const isFull = some.length >= settleLimits.keysMax || bytes >= settleLimits.keyBytesMax;
      if (first !== undefined && (isFull || first.partition !== each.partition)) {
        await this.settle(first.partition, some);
        some = [];
        bytes = 0;
      }
      some.push(each);
      bytes += each.key.length * 2;
    }
    if (some[0] !== undefined) await this.settle(some[0].partition, some);
    return this.settled();
  }

  private settled(): Settled {
    const { strays, counts } = this;
    const stays = { ...this.stays, tooLarge: this.stays.tooLarge + strays.tooLarge };
    return { ...counts, stays, outdone: strays.records - strays.tooLarge - counts.keys, examples: this.examples };
  }

  /** Of a settling that has failed: keys that may hold an older record than one that somebody else wrote at that moment. */
  get atRisk(): number {
    return this.work?.atRisk.size ?? 0;
  }

  /** [safety] Ends what `ended` has begun: looks behind its last append, and puts last again what that overtook. */
  async restoreBehind(ended: Settling): Promise<number> {
    const { work } = ended;
    if (work === undefined || work.atRisk.size === 0) return 0;
    const { partition, standings, atRisk } = work;
    standings.appendedTo = Math.max(standings.appendedTo, this.options.writing?.positions[partition] ?? 0);
    await this.readOn(work);
    const judge = this.judgeWith(partition, standings);
    await this.append(
      { ...work, judge },
      [...atRisk].filter((each) => judge(each) === 'restore'),
    );
    for (const each of atRisk) if (judge(each) !== 'restore') atRisk.delete(each);
    return this.counts.restored;
  }

  /** Keys of one partition. */
  private async settle(partition: number, keys: readonly StrayKey[]): Promise<void> {
    const { world, strays, options } = this;
    const [bounds] = (await world.log.offsets(strays.binlog.binlog)).filter((each) => each.partition === partition);
    const namesProducers = defined(bounds, `offsets of partition ${partition}`).cleanedBelow === undefined;
    const reading = { namesProducers, nowMs: () => world.clock.nowMs() };
    const standings = new KeyStandings(strays.binlog, partition, reading, keysOf(keys));
    standings.appendedTo = options.writing?.positions[partition] ?? 0;
    await this.readOn({ partition, standings });
    const judge = this.judgeWith(partition, standings);
    const of: Work = { partition, standings, judge, tooLarge: new Set(), atRisk: new Set() };
    this.work = of;
    this.counts.keys += keys.length;
    const work: StrayKey[] = [];
    for (const each of keys) {
      const judgement = judge(each);
      this.show(judgement, each);
      if (options.writing !== undefined && this.isWork(judgement)) work.push(each);
      else this.count(judgement);
    }
    let left = work;
    for (let round = 0; left.length > 0 && round < settleLimits.roundsMax; round++) {
      // What is hidden from readers now comes first.
      for (const first of ['restore', 'bringHome'])
        await this.append(
          of,
          left.filter((each) => judge(each) === first),
        );
      await this.readOn(of);
      left = left.filter((each) => !of.tooLarge.has(each) && this.isWork(judge(each)));
    }
    for (const each of work) {
      const judgement = of.tooLarge.has(each) ? 'tooLarge' : judge(each);
      if (this.isWork(judgement)) this.counts.contested++;
      else if (judgement === 'atHome') this.counts.home++;
      else this.count(judgement);
    }
  }

  private isWork(judgement: Judgement): boolean {
    return judgement === 'restore' || (judgement === 'bringHome' && this.options.restoresOnly !== true);
  }

  private count(judgement: Judgement): void {
    if (judgement === 'bringHome') this.counts.home++;
    else if (judgement === 'restore') this.counts.restored++;
    else this.stays[judgement]++;
  }

  private show(judgement: Judgement, { newest: { partition, offset } }: StrayKey): void {
    const shown = (this.examples[judgement] ??= []);
    if (shown.length < settleLimits.examplesMax) shown.push(`${partition}:${offset}`);
  }

  private judgeWith(partition: number, standings: KeyStandings): (of: StrayKey) => Judgement {
    const { world, strays, options } = this;
    const progress = strays.progress.map((so, at) => (at === partition ? standings.so : so));
    const certainty = new Certainty(progress, options.cleaning, world.clock.nowMs());
    return ({ key, newest, partitions }) => {
      const standing = standings.of(key);
      const held = standing.isHeld ? [...partitions, partition] : partitions;
      return judgeKey(newest, standing, options.beyondTombstones || certainty.isCertain(newest.timeMs, held));
    };
  }

  private async readOn({ partition, standings }: Pick<Work, 'partition' | 'standings'>): Promise<void> {
    const { world, strays } = this;
    const topic = strays.binlog.binlog;
    const bounds = await world.log.offsets(topic);
    const { startOffset = 0, endOffset = 0 } = bounds.find((each) => each.partition === partition) ?? {};
    // Of what was appended here all is read, whatever the log says of its end.
    const toOffset = Math.max(endOffset, standings.appendedTo);
    await readOn(world, { topic, partition, startOffset, toOffset }, standings.so, (records, batch) =>
      standings.take(records, batch),
    );
  }

  /** Batch after batch. [safety] What one has overtaken is put last again before the next one is written. */
  private async append(of: Work, keys: readonly StrayKey[], round = 0): Promise<void> {
    for await (const batch of this.batches(of, keys)) {
      const overtaken = await this.flush(of, batch);
      if (overtaken.length > 0 && round < settleLimits.roundsMax) await this.append(of, overtaken, round + 1);
    }
  }

  private async *batches(of: Work, keys: readonly StrayKey[]): AsyncGenerator<readonly Planned[]> {
    let batch: Planned[] = [];
    let bytes = 0;
    for (const each of keys) {
      const judgement = of.judge(each);
      if (!this.isWork(judgement)) continue;
      const record = await this.recordOf(of, each, judgement);
      if (record === undefined) continue;
      const size = sizeOf(record);
      if (bytes + size > settleLimits.batchBytes || batch.length >= settleLimits.batchRecordsMax) {
        if (batch.length > 0) yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push({ of: each, judgement, record });
      bytes += size;
    }
    if (batch.length > 0) yield batch;
  }

  /** Gives what it has overtaken. */
  private async flush(of: Work, batch: readonly Planned[]): Promise<StrayKey[]> {
    await this.readOn(of);
    // Somebody may have written them since they were judged.
    const still = batch.filter((each) => of.judge(each.of) === each.judgement);
    if (still.length === 0) return [];
    if (!(await this.write(of, still))) {
      for (const each of still) of.tooLarge.add(each.of);
      return [];
    }
    this.counts.restored += still.filter(({ judgement }) => judgement === 'restore').length;
    await this.readOn(of);
    const overtaken = still.map((each) => each.of).filter((each) => of.judge(each) === 'restore');
    for (const each of still) if (!overtaken.includes(each.of)) of.atRisk.delete(each.of);
    return overtaken;
  }

  /** False: the log takes no record of this size, of which there is one then. */
  private async write({ partition, standings, atRisk }: Work, planned: readonly Planned[]): Promise<boolean> {
    const { world, strays, options } = this;
    const { signal } = world;
    const { writer, check } = defined(options.writing, 'what writes');
    if (signal.aborted) throw new Failure('INTERRUPTED', `repartitioning ${strays.binlog.name} was ended`);
    // What somebody wrote is put last again whoever has ended the freeze: nothing else shows it to readers.
    if (planned.some(({ judgement }) => judgement === 'bringHome')) check();
    const records = planned.map(({ record }) => record);
    for (const { of } of planned) atRisk.add(of);
    try {
      const { baseOffset } = await writer.append(strays.binlog.binlog, asPartition(partition), records);
      standings.appendedTo = baseOffset + records.length;
    } catch (error) {
      if (failureCode(error) !== 'TOO_LARGE' || records.length > 1) throw error;
      for (const { of, judgement } of planned) if (judgement === 'bringHome') atRisk.delete(of);
      return false;
    }
    await world.rate?.pass(
      records.reduce((sum, each) => sum + sizeOf(each), 0),
      signal,
    );
    return true;
  }

  private async recordOf(
    { partition, standings }: Work,
    of: StrayKey,
    judgement: Judgement,
  ): Promise<LogRecord | undefined> {
    const { producerId } = defined(this.options.writing, 'what writes').writer;
    const marked = ({ value, headers }: Pick<LogRecord, 'value' | 'headers'>, from: Place): LogRecord => ({
      ...{ key: of.key, value },
      headers: [...(headers ?? []).filter(({ key }) => key !== homeHeader), homeMark({ ...from, producerId })],
    });
    if (judgement === 'bringHome') return marked(await this.strays.record(of.at), of.newest);
    const own = standings.ownPlace(of.key);
    if (judgement !== 'restore' || own === undefined) return undefined;
    const found = await this.recordAt(partition, own.offset);
    return found && marked(found, own);
  }

  private async recordAt(partition: number, offset: number): Promise<Pick<LogRecord, 'value' | 'headers'> | undefined> {
    const so = { ...unread(), next: offset };
    let found: Pick<LogRecord, 'value' | 'headers'> | undefined;
    const place = { topic: this.strays.binlog.binlog, partition, startOffset: 0, toOffset: asOffset(offset + 1) };
    await readOn(this.world, place, so, (records) => {
      const record = records.find((each) => each.offset === offset);
      if (record === undefined) return;
      // It points into the buffer of its batch.
      const headers = record.headers.map(({ key, value }) => ({ key, value: Buffer.from(value) }));
      found = { value: record.value && Buffer.from(record.value), headers };
    });
    return found;
  }
}

function* keysOf(keys: readonly StrayKey[]): Generator<Buffer> {
  for (const { key } of keys) yield key;
}

const sizeOf = ({ key, value, headers = [] }: LogRecord): number =>
  headers.reduce(
    (sum, header) => sum + header.key.length + header.value.length,
    (key?.length ?? 0) + (value?.length ?? 0) + settleLimits.markBytes,
  );
