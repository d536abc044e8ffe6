import type { AbstractDatabaseOptions } from 'abstract-level';
import { type DatabaseOptions, MemoryLevel } from 'memory-level';
import type { CrashDisk, WayToDisk, Write, WriteOperation } from './crash-disk';

/** The protected half of abstract-level, which its typings leave out. */
interface Storage {
  _batch(operations: readonly StoredOperation[], options: { readonly sync?: boolean }): Promise<void>;
}

type StoredOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

const memory = MemoryLevel.prototype as unknown as Storage;

/** A memory-level whose content comes from, and survives on, a {@link CrashDisk}. Made by `disk.open()`. */
export class CrashLevel<K = Buffer, V = Buffer> extends MemoryLevel<K, V> {
  private powered = true;

  constructor(
    private readonly disk: CrashDisk,
    options: AbstractDatabaseOptions<K, V>,
    private readonly way: WayToDisk,
  ) {
    super({ ...options, storeEncoding: 'buffer' } as DatabaseOptions<K, V>);
  }

  /** For {@link CrashDisk.powerLoss}. */
  cutPower(): void {
    this.powered = false;
  }

  protected async _open(): Promise<void> {
    this.demandPower();
    const operations = [...this.disk.readable()].map(([name, value]): StoredOperation => ({
      type: 'put',
      key: Buffer.from(name, 'latin1'),
      value,
    }));
    await memory._batch.call(this, operations, {});
  }

  protected async _put(key: Buffer, value: Buffer, options: { sync?: boolean }): Promise<void> {
    await this._batch([{ type: 'put', key, value }], options);
  }

  protected async _del(key: Buffer, options: { sync?: boolean }): Promise<void> {
    await this._batch([{ type: 'del', key }], options);
  }

  protected async _batch(operations: readonly StoredOperation[], options: { sync?: boolean }): Promise<void> {
    this.demandPower();
    const write: Write = operations.map((operation): WriteOperation =>
      operation.type === 'put'
        ? { type: 'put', key: Buffer.from(operation.key), value: Buffer.from(operation.value) }
        : { type: 'del', key: Buffer.from(operation.key) },
    );
    let written: Promise<unknown> = Promise.resolve();
    await this.way(contentOf(write), () => {
      const stored = memory._batch.call(this, operations, {});
      written = Promise.all([stored, this.disk.written(write, options.sync === true)]);
    });
    await written;
    this.demandPower();
  }

  protected async _clear(options: object): Promise<void> {
    const operations: StoredOperation[] = [];
    const range = { ...options, keyEncoding: 'buffer' as const };
    for await (const key of this.keys<Buffer>(range)) operations.push({ type: 'del', key });
    await this._batch(operations, {});
  }

  private demandPower(): void {
    if (!this.powered) throw new Error('the power is lost: open the disk again');
  }
}

function contentOf(write: Write): Uint8Array {
  return Buffer.concat(write.flatMap(({ key, value }) => (value === undefined ? key : [key, value])));
}
