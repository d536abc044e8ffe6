import { Breather } from '@levee/chunk-store';
import { type ByteRate, type Clock, defined, Digest, Failure, hash128, type Hash128 } from '@levee/kernel';
import { hashOf, slotOf, type SlotRange } from '@levee/keyspace';
import type { Log } from '@levee/log';
import { bytesOf, type FoldPlace, foldPartition, type FoldTarget } from '../fold-partition';
import { digestedParts } from '../digested-parts';
import type { FoldedRecord } from '../fold-store';
import { KeyTable } from './key-table';

/** What the log says of the keys of one chunk in one partition; equal to the digest of a replica that holds it. */
export interface LogDigest {
  readonly digest: string;
  readonly keys: number;
}

export interface FoldedChunk extends SlotRange {
  readonly chunkId: string;
}

export interface DigestFoldOptions {
  /** The digests cover what lies before it: the offset of a barrier. */
  readonly toOffset: number;
  /** What has expired by then does not count: the append time of the barrier. */
  readonly timeMs: number;
  readonly chunks: readonly FoldedChunk[];
  readonly tableBytesMax: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Holds the reading back. */
  readonly rate: ByteRate;
  /** Bytes that were read. */
  readonly onBytes: (bytes: number) => void;
}

const limits = {
  /** Small: a batch is decoded in one go, next to whatever else the process does. */
  readBytes: 64 * 1024,
  /** One more than the highest first word of a hash. */
  hashesEnd: 2 ** 32,
  /** A narrower pass has too few keys for what does not fit to be anything but a mistake. */
  narrowest: 2 ** 10,
} as const;

/**
 * The digests of chunks in one partition, from its log alone: what replicas should hold at the barrier. Memory is bounded
 * by `tableBytesMax` whatever the partition holds: keys that do not fit are left to a further pass over the log, divided
 * by their hashes. Fails as `foldPartition` does.
 */
export async function foldDigests(
  log: Log,
  place: FoldPlace,
  options: DigestFoldOptions,
): Promise<ReadonlyMap<string, LogDigest>> {
  const { toOffset, signal, rate, onBytes } = options;
  const sums = new Map(options.chunks.map(({ chunkId }) => [chunkId, { digest: new Digest(), keys: 0 }]));
  let width: number = limits.hashesEnd;
  for (let from = 0; from < limits.hashesEnd;) {
    const pass = new DigestPass(place, options, { from, to: Math.min(from + width, limits.hashesEnd) });
    await foldPartition(log, place, pass, {
      toOffset,
      signal,
      keepsValues: true,
      bytesMax: limits.readBytes,
      onBatch: async (batch) => {
        const bytes = bytesOf(batch);
        onBytes(bytes);
        await rate.pass(bytes, signal);
      },
    });
    pass.addTo(sums);
    width = pass.to - from;
    from = pass.to;
  }
  return new Map([...sums].map(([chunkId, { digest, keys }]) => [chunkId, { digest: digest.toHex(), keys }]));
}

/** One reading of the partition: the keys whose hashes have their first word in `[from, to)`. */
class DigestPass implements FoldTarget {
  nextOffset = 0;
  to: number;
  private readonly from: number;
  private readonly table: KeyTable;
  private readonly breather: Breather;
  private readonly key: Hash128 = new Uint32Array(4);
  private readonly record: Hash128 = new Uint32Array(4);

  constructor(
    private readonly place: FoldPlace,
    private readonly options: DigestFoldOptions,
    range: { readonly from: number; readonly to: number },
  ) {
    this.from = range.from;
    this.to = range.to;
    this.table = new KeyTable(options.tableBytesMax);
    this.breather = new Breather(options.clock);
  }

  async write(records: readonly FoldedRecord[], nextOffset: number): Promise<void> {
    for (const record of records) {
      if (this.breather.tired()) await this.breather.breathe();
      this.take(record);
    }
    this.nextOffset = nextOffset;
  }

  addTo(sums: DigestSums): void {
    addDigests(sums, this.table, this.options);
  }

  private take(record: FoldedRecord): void {
    const { hashAlgorithm, partitions } = this.place;
    const { key, tombstone, expiresAtMs } = record;
    hash128([key], this.key);
    const firstWord = this.key[0] as number;
    if (firstWord < this.from || firstWord >= this.to) return;
    if (tombstone) return this.table.delete(this.key);
    const slot = slotOf(hashOf(key, hashAlgorithm), partitions);
    if (chunkOver(this.options.chunks, slot) === undefined) return;
    hash128(digestedParts(record, this.place.recordFormat), this.record);
    while (!this.table.set(this.key, this.record, slot, expiresAtMs)) {
      this.narrow();
      if (firstWord >= this.to) return;
    }
  }

  private narrow(): void {
    const width = this.to - this.from;
    if (width <= limits.narrowest)
      throw new Failure('NOT_PROVABLE', `${this.options.tableBytesMax} bytes do not hold what one pass needs`);
    this.to = this.from + Math.ceil(width / 2);
    this.table.keepBelow(this.to);
  }
}

/** By chunk: the sum over its keys, and how many there are. */
export type DigestSums = ReadonlyMap<string, { readonly digest: Digest; keys: number }>;

/** Adds what a table holds and what had not expired at `timeMs`. */
export function addDigests(
  sums: DigestSums,
  table: KeyTable,
  { timeMs, chunks }: { readonly timeMs: number; readonly chunks: readonly FoldedChunk[] },
): void {
  table.forEach((record, slot, expiresAtMs) => {
    if (expiresAtMs !== 0 && expiresAtMs <= timeMs) return;
    const { chunkId } = defined(chunkOver(chunks, slot), `the chunk over slot ${slot}`);
    const sum = defined(sums.get(chunkId), `the sum of chunk ${chunkId}`);
    sum.digest.add(record);
    sum.keys++;
  });
}

export const chunkOver = (chunks: readonly FoldedChunk[], slot: number): FoldedChunk | undefined =>
  chunks.find(({ slotStart, slotEnd }) => slotStart <= slot && slot < slotEnd);
