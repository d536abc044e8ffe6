import { Digest, hash128, type Hash128 } from '@levee/kernel';

/** Bytes of every entity by its key in the compacted topics; `undefined` = not there. */
export interface Entities {
  get(key: string): Buffer | undefined;
}

/**
 * Encoded entities and their digest: the sum modulo 2^128 of hash128(key, bytes). The bytes are the ones the journal
 * holds, never encoded anew, so that a later schema version cannot change the digest of what did not change.
 */
export class EntityTable implements Entities {
  private readonly bytesByKey = new Map<string, Buffer>();
  private readonly sum = new Digest();

  get size(): number {
    return this.bytesByKey.size;
  }

  get digest(): string {
    return this.sum.toHex();
  }

  get(key: string): Buffer | undefined {
    return this.bytesByKey.get(key);
  }

  entries(): IterableIterator<[string, Buffer]> {
    return this.bytesByKey.entries();
  }

  /** `bytes` must outlive the table; `undefined` removes the entity. */
  set(key: string, bytes: Buffer | undefined): void {
    change(this.sum, key, { from: this.bytesByKey.get(key), to: bytes });
    if (bytes === undefined) this.bytesByKey.delete(key);
    else this.bytesByKey.set(key, bytes);
  }

  draft(): EntityDraft {
    return new EntityDraft(this, this.sum.copy());
  }
}

/** Changes over a table that stays as it is: costs what it changes. */
export class EntityDraft implements Entities {
  private readonly changed = new Map<string, Buffer | undefined>();

  constructor(
    private readonly base: Entities,
    private readonly sum: Digest,
  ) {}

  get digest(): string {
    return this.sum.toHex();
  }

  get(key: string): Buffer | undefined {
    return this.changed.has(key) ? this.changed.get(key) : this.base.get(key);
  }

  set(key: string, bytes: Buffer | undefined): void {
    change(this.sum, key, { from: this.get(key), to: bytes });
    this.changed.set(key, bytes);
  }
}

const scratch: Hash128 = new Uint32Array(4);

function change(sum: Digest, key: string, bytes: { from: Buffer | undefined; to: Buffer | undefined }): void {
  const keyBytes = Buffer.from(key);
  if (bytes.from !== undefined) sum.subtract(hash128([keyBytes, bytes.from], scratch));
  if (bytes.to !== undefined) sum.add(hash128([keyBytes, bytes.to], scratch));
}
