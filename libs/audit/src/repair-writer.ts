import { crc32cNative, HeadedValue } from '@levee/codec';
import { asPartition, Failure } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';
import { type FoldPlace, foldPartition } from './fold-partition';
import type { FoldStore } from './fold-store';

const repairLimits = { batchRecordsMax: 500, batchBytesMax: 512 * 1024 } as const;

/**
 * [safety] Appends what a repair found, unless the key has got a newer record meanwhile: before each batch the fold is
 * brought up to the log's end and looked at again. What comes between that look and the append, from a producer that
 * was not stopped, is found by its offset and named.
 */
export class RepairWriter {
  private records: { readonly key: Buffer; readonly value: Buffer | null; readonly headers: LogRecord['headers'] }[] =
    [];
  private bytes = 0;
  written = 0;
  /** Keys that somebody wrote in the moment of the append. */
  readonly overtaken: Buffer[] = [];

  constructor(
    private readonly log: Log,
    private readonly place: FoldPlace,
    private readonly store: FoldStore,
    private readonly cutOffset: number,
  ) {}

  /** `record` in the format of the namespace; null deletes. */
  async add(key: Buffer, record: Buffer | HeadedValue | null): Promise<void> {
    const { value, headers } = record instanceof HeadedValue ? record : { value: record, headers: [] };
    // Entries point into the block that they came in.
    this.records.push({ key: Buffer.from(key), value: value && Buffer.from(value), headers });
    this.bytes += key.length + (record?.length ?? 0);
    if (this.records.length >= repairLimits.batchRecordsMax || this.bytes >= repairLimits.batchBytesMax)
      await this.flush();
  }

  finish(): Promise<void> {
    return this.flush();
  }

  private async flush(): Promise<void> {
    const waiting = this.records;
    this.records = [];
    this.bytes = 0;
    if (waiting.length === 0) return;
    await this.foldToEnd();
    const records: LogRecord[] = [];
    for (const { key, value, headers = [] } of waiting) {
      const last = await this.store.get(key);
      if (last === undefined || last.offset < this.cutOffset)
        records.push(headers.length === 0 ? { key, value } : { key, value, headers });
    }
    if (records.length === 0) return;
    const expected = this.store.nextOffset;
    const { baseOffset } = await this.log.append(this.place.topic, asPartition(this.place.partition), records);
    this.written += records.length;
    if (baseOffset > expected) {
      await foldPartition(this.log, this.place, this.store, { toOffset: baseOffset });
      for (const { key } of records) {
        const last = await this.store.get(key as Buffer);
        if (last !== undefined && last.offset >= expected) this.overtaken.push(key as Buffer);
      }
    }
    const folded = records.map(({ key, value }, i) => ({
      key: key as Buffer,
      offset: baseOffset + i,
      tombstone: value === null,
      expiresAtMs: 0,
      crc: value === null ? 0 : crc32cNative(value),
    }));
    await this.store.write(folded, baseOffset + records.length);
  }

  private async foldToEnd(): Promise<void> {
    const bounds = await this.log.offsets(this.place.topic);
    const end = bounds.find(({ partition }) => partition === this.place.partition)?.endOffset;
    if (end === undefined || end < this.store.nextOffset)
      throw new Failure(
        'NOT_PROVABLE',
        `${this.place.topic} partition ${this.place.partition} ends at ${end} now, before ${this.store.nextOffset}`,
      );
    await foldPartition(this.log, this.place, this.store, { toOffset: end });
  }
}
