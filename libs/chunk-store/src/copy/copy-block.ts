import { ChunkStoreFailure } from '../chunk-store-failure';

/**
 * Entries of a replica as they travel: `keyLength u16 | storedLength u32 | database key | stored value`, little
 * endian, one after another. Key and stored value lie next to each other, as the checksum of a stored value runs.
 */
export interface CopyBlock {
  readonly bytes: Buffer;
  readonly entries: number;
  /** The snapshot holds nothing behind it. */
  readonly last: boolean;
}

const entryHeaderBytes = 6;

export class CopyBlockWriter {
  private slab: Buffer;
  private at = 0;
  entries = 0;

  constructor(private readonly bytesMax: number) {
    // Never a part of a shared pool: a block may go to another thread with its buffer.
    this.slab = Buffer.allocUnsafeSlow(bytesMax);
  }

  /** Whether an entry still fits; the first always does. */
  takes(databaseKey: Buffer, stored: Buffer): boolean {
    return this.at === 0 || this.at + entryHeaderBytes + databaseKey.length + stored.length <= this.bytesMax;
  }

  /** Returns where database key and stored value begin in `bytes`. */
  add(databaseKey: Buffer, stored: Buffer): number {
    const size = entryHeaderBytes + databaseKey.length + stored.length;
    if (this.at + size > this.slab.length) {
      const larger = Buffer.allocUnsafeSlow(this.at + size);
      larger.set(this.slab.subarray(0, this.at));
      this.slab = larger;
    }
    const { slab } = this;
    let p = this.at;
    slab[p] = databaseKey.length;
    slab[p + 1] = databaseKey.length >>> 8;
    slab[p + 2] = stored.length;
    slab[p + 3] = stored.length >>> 8;
    slab[p + 4] = stored.length >>> 16;
    slab[p + 5] = stored.length >>> 24;
    p += entryHeaderBytes;
    slab.set(databaseKey, p);
    slab.set(stored, p + databaseKey.length);
    this.at += size;
    this.entries++;
    return p;
  }

  get bytes(): Buffer {
    return this.slab.subarray(0, this.at);
  }

  finish(last: boolean): CopyBlock {
    return { bytes: this.bytes, entries: this.entries, last };
  }
}

/** Cursor over a block: `while (entries.next()) use(entries.start, entries.valueStart, entries.end)`. */
export class CopyEntries {
  /** Of the database key in `bytes`. */
  start = 0;
  /** Of the stored value, where the key ends. */
  valueStart = 0;
  end = 0;

  constructor(readonly bytes: Buffer) {}

  /** Throws COPY_BROKEN when the block is not made of whole entries. */
  next(): boolean {
    const { bytes } = this;
    const at = this.end;
    if (at === bytes.length) return false;
    if (at + entryHeaderBytes > bytes.length) throw broken(bytes.length);
    const keyLength = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    const storedLength = bytes.readUInt32LE(at + 2);
    this.start = at + entryHeaderBytes;
    this.valueStart = this.start + keyLength;
    this.end = this.valueStart + storedLength;
    if (this.end > bytes.length) throw broken(bytes.length);
    return true;
  }
}

function broken(length: number): ChunkStoreFailure {
  return new ChunkStoreFailure('COPY_BROKEN', `a block of ${length} bytes of a copy does not end with a whole entry`);
}
