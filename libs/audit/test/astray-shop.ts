import { encodePut } from '@levee/codec';
import { binlogSpec } from '@levee/journal';
import { asOffset, asPartition, isReservedKey, type Partition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import type { FencedWriter, Log, LogRecord, StoredRecord } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { ClusterScript } from '../../cluster/test/cluster-script';
import { type AuditWorld, Repartitioning, type Settled, takeOverRepartition } from '../src';
import { readHomeMark } from '../src/repartition/home-mark';
import { bent, journalOf, logWith } from './scripted-journal';

export const partitions = 4;
export const doubtMs = 5_000;
export const rightOf = (key: string): number => partitionOf(hashOf(Buffer.from(key), 'murmur2'), partitions);

interface Written {
  readonly key: string;
  readonly partition: number;
  readonly offset: number;
  /** By the clock of the partition. */
  readonly atMs: number;
  readonly order: number;
  /** null deletes. */
  readonly value: string | null;
  readonly expiresAtMs: number | null;
}

interface Run {
  readonly isDry?: boolean;
  /** Gets what became of that. */
  readonly mends?: { atRisk: number; restored: number };
  readonly signal?: AbortSignal;
  readonly check?: () => void;
}

/** A binlog whose clocks are given, to which right and wrong producers write, with all that they wrote. */
export class Shop {
  readonly written: Written[] = [];
  /** By how much the clock of each partition is fast. */
  skewsMs: readonly number[] = Array.from({ length: partitions }, () => 0);

  private constructor(
    readonly log: EmbeddedLog,
    readonly clock: { nowMs: number },
    private readonly worldOf: (log: Log) => AuditWorld,
    readonly binlog: string,
  ) {}

  static async open(): Promise<Shop> {
    const script = new ClusterScript().nodes(3);
    script.namespace('shop', { chunks: 2, replicas: 3, partitions });
    const namespace = script.state.namespace('shop')!;
    const { log, clock, worldOf } = await logWith(journalOf(script));
    await log.ensureTopics([binlogSpec(namespace)]);
    return new Shop(log, clock, worldOf, namespace.binlog);
  }

  async write(key: string, partition: number, value: string | null, expiresAtMs: number | null = null): Promise<void> {
    const bytes = Buffer.from(key);
    const record = { key: bytes, value: value === null ? null : encodePut(bytes, Buffer.from(value), expiresAtMs) };
    const skewMs = this.skewsMs[partition] ?? 0;
    this.clock.nowMs += skewMs;
    const { nowMs: atMs } = this.clock;
    const { baseOffset: offset } = await this.log.append(this.binlog, asPartition(partition), [record]);
    this.clock.nowMs -= skewMs;
    this.written.push({ key, partition, offset, atMs, order: this.written.length, value, expiresAtMs });
  }

  /** One run; `log` stands between it and the log. `mends`: when it fails, what it overtook is put last again. */
  async run(
    log: Log = this.log,
    { isDry = false, mends, signal, check = () => undefined }: Run = {},
  ): Promise<Settled> {
    const world = { ...this.worldOf(log), ...(signal && { signal }) };
    const beyondTombstones = false;
    const question = { name: 'shop', binlog: this.binlog, beyondTombstones };
    const repartitioning = await Repartitioning.open(world, question);
    let writer: FencedWriter | undefined;
    try {
      await repartitioning.read();
      if (isDry) return await repartitioning.look();
      const taken = await takeOverRepartition(log, { binlog: this.binlog, partitions });
      ({ writer } = taken);
      await repartitioning.read(taken.positions);
      return await repartitioning.bringHome(taken, check);
    } catch (error) {
      if (mends === undefined) throw error;
      const again = await takeOverRepartition(this.log, { binlog: this.binlog, partitions });
      mends.atRisk = repartitioning.atRisk;
      mends.restored = await repartitioning.restoreBehind(again, new AbortController().signal);
      await again.writer.close();
      throw error;
    } finally {
      await writer?.close();
      await repartitioning.close();
    }
  }

  async records(partition: number): Promise<StoredRecord[]> {
    const found: StoredRecord[] = [];
    const stop = new AbortController();
    const bounds = (await this.log.offsets(this.binlog)).find((each) => each.partition === partition);
    const from = { nextOffset: bounds?.startOffset ?? asOffset(0), leaderEpoch: -1 };
    for await (const batch of this.log.tail(this.binlog, asPartition(partition), from, { signal: stop.signal })) {
      found.push(...batch.records.map((each) => ({ ...each, value: each.value && Buffer.from(each.value) })));
      if (batch.nextOffset >= batch.endOffset) break;
    }
    stop.abort();
    return found;
  }

  /** What each key is read as, now: by its own partition alone. */
  async reads(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const values = this.written.filter(({ value }) => value !== null);
    const byBytes = new Map(values.map((of) => [encoded(of).toString('latin1'), of]));
    for (let partition = 0; partition < partitions; partition++)
      for (const { key, value } of await this.records(partition)) {
        const name = key?.toString() ?? '';
        if (key === null || isReservedKey(key) || rightOf(name) !== partition) continue;
        const known = value === null ? undefined : byBytes.get(value.toString('latin1'));
        if (known === undefined || isExpired(known, this.clock.nowMs)) found.delete(name);
        else found.set(name, known.value as string);
      }
    return found;
  }

  /** What keys are to be read as whose last record is later than those of all other partitions, without a doubt. */
  wanted(): Map<string, string | undefined> {
    const found = new Map<string, string | undefined>();
    for (const key of new Set(this.written.map((of) => of.key))) {
      const lasts = new Map(this.written.filter((each) => each.key === key).map((each) => [each.partition, each]));
      const clear = [...lasts.values()].find((one) => isClear(one, [...lasts.values()]));
      if (clear === undefined) continue;
      const isThere = clear.value !== null && !isExpired(clear, this.clock.nowMs);
      found.set(key, isThere ? (clear.value as string) : undefined);
    }
    return found;
  }

  /** What was written of which a record in a right partition speaks: there, or where it was brought from. */
  saidBy({ key, headers }: Pick<LogRecord, 'key' | 'headers'>, offset?: number): Written | undefined {
    const { partition, offset: from } = readHomeMark(headers ?? []) ?? { partition: rightOf(String(key)), offset };
    return this.written.find((each) => each.partition === partition && each.offset === from);
  }

  /** Keys whose right partition ends with an older record than one that it held before: by when they were written. */
  async gone(): Promise<string[]> {
    const last = new Map<string, { readonly order: number; readonly newest: number }>();
    for (let partition = 0; partition < partitions; partition++)
      for (const record of await this.records(partition)) {
        const key = String(record.key);
        if (record.key === null || isReservedKey(record.key) || rightOf(key) !== partition) continue;
        const { order } = this.saidBy(record, record.offset) as Written;
        last.set(key, { order, newest: Math.max(order, last.get(key)?.newest ?? order) });
      }
    return [...last].filter(([, { order, newest }]) => order < newest).map(([key]) => key);
  }
}

/** Later than each last one of the other partitions, whatever their clocks say. */
export const isClear = (one: Written, lasts: readonly Written[]): boolean =>
  lasts.every(({ partition, atMs }) => partition === one.partition || atMs < one.atMs - doubtMs);

const encoded = ({ key, value, expiresAtMs }: Written): Buffer =>
  encodePut(Buffer.from(key), Buffer.from(value ?? ''), expiresAtMs);
const isExpired = ({ expiresAtMs }: Written, nowMs: number): boolean => expiresAtMs !== null && expiresAtMs <= nowMs;

type AppendOf = FencedWriter['append'];

/** The log, with something in the place of each append of a fenced writer that says what belongs to users. */
export function between(log: Log, append: (own: AppendOf, ...to: Parameters<AppendOf>) => ReturnType<AppendOf>): Log {
  return bent(log, {
    fencedWriter: async (id: string) => {
      const writer = await log.fencedWriter(id);
      return {
        ...{ producerId: writer.producerId, epoch: writer.epoch, close: () => writer.close() },
        append: (topic: string, partition: Partition, records: readonly LogRecord[]) =>
          records.some(({ key }) => key !== null && isReservedKey(key))
            ? writer.append(topic, partition, records)
            : append((...to) => writer.append(...to), topic, partition, records),
      };
    },
  });
}

export const elsewhere = (key: string, by = 1): number => (rightOf(key) + by) % partitions;
