import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32cNative } from '@levee/codec';
import { Digest, Failure, failureCode, hash128, isReservedKey, messageOf } from '@levee/kernel';
import { digestedParts } from '../digested-parts';
import { belongs } from '../fold-partition';
import { AvroReader, damaged } from './avro-bytes';
import {
  type ContainerCodec,
  containerLimits,
  decodeHeader,
  encodeBlock,
  markBytes,
  stored,
  unpacked,
} from './container';
import { type CarriedRecord, decodeExported, encodeExported } from './exported-record';
import { type ExportManifest, manifestKey, readManifest } from './manifest';
import { sealIn, sealRecord, SealSums } from './seal';

/** Of two numbers at the head of a block. */
const headBytesMax = 20;
const sha256Bytes = 32;

/**
 * One reading of an export from its start to its end: every block, record, count and digest is held against what the
 * manifest and the seal say. It fails with NOT_AN_EXPORT, or with EXPORT_DAMAGED and the place; only when `records` has
 * ended is all of it known to be right. Memory is bounded by a block, and 12 bytes a block.
 */
export class ExportReading {
  private position: number;
  private readonly sums = new SealSums();
  /** Where the parts begin: the header, and the blocks. */
  private readonly starts = [0];
  /** What the seal says; there once `records` has ended. */
  seal: Buffer | undefined;

  private constructor(
    private readonly file: FileHandle,
    readonly path: string,
    readonly bytes: number,
    readonly manifest: ExportManifest,
    private readonly form: { readonly codec: ContainerCodec; readonly mark: Buffer },
    header: Buffer,
  ) {
    this.position = header.length;
    this.sums.add(header);
  }

  static async open(path: string): Promise<ExportReading> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const { metadata, mark, length, bytes } = await headerOf(file, size);
      const told = metadata.get(manifestKey);
      if (told === undefined)
        throw new Failure('NOT_AN_EXPORT', `it has no ${manifestKey} in its metadata: it is of somebody else`);
      const manifest = readManifest(told);
      if (!mark.equals(markOf(told))) throw damaged('has a mark that is not that of its manifest');
      const codec = metadata.get('avro.codec')?.toString('utf8') ?? 'null';
      if (codec !== 'deflate' && codec !== 'null') throw damaged(`is packed by ${codec}: this version reads deflate`);
      return new ExportReading(file, path, size, manifest, { codec, mark }, bytes.subarray(0, length));
    } catch (error) {
      await file.close();
      throw at(`${path}: its header`, error);
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /**
   * By partition, and in it by ascending key. `known`: what the seal said in an earlier reading; then a file that has
   * changed since is recognised before a record of the changed block is given. `onBytes` hears how far it is.
   */
  async *records({
    known,
    onBytes,
  }: {
    readonly known?: Buffer;
    readonly onBytes?: (bytes: number) => Promise<void> | void;
  } = {}): AsyncGenerator<CarriedRecord> {
    const totals = new Totals(this.manifest);
    for (;;) {
      const start = this.position;
      const where = `${this.path}: block ${this.starts.length} at byte ${start}`;
      if (start >= this.bytes)
        throw new Failure('EXPORT_DAMAGED', `${this.path} ends at byte ${start} without its seal`);
      try {
        const block = await this.block(known);
        const reader = new AvroReader(block.body);
        for (let left = block.count; left > 0; left--) {
          const record = decodeExported(reader, this.manifest.settings.recordFormat);
          const seal = sealIn(record);
          if (seal !== undefined) return this.end(seal, block.bytes, totals);
          totals.take(record);
          yield record;
        }
        if (!reader.atEnd) throw damaged('holds more than its records');
        this.sums.add(block.bytes);
        this.starts.push(start);
        await onBytes?.(this.position);
      } catch (error) {
        throw at(where, error);
      }
    }
  }

  private async block(
    known: Buffer | undefined,
  ): Promise<{ readonly count: number; readonly body: Buffer; readonly bytes: Buffer }> {
    const { codec, mark } = this.form;
    const start = this.position;
    const head = new AvroReader(await bytesAt(this.file, start, Math.min(headBytesMax, this.bytes - start)));
    const count = head.natural(Number.MAX_SAFE_INTEGER);
    const length = head.natural(containerLimits.blockBytesMax);
    if (count === 0) throw damaged('has no records');
    const end = start + head.at + length + markBytes;
    if (end > this.bytes) throw damaged(`should end at byte ${end}, and the file ends at ${this.bytes}`);
    const bytes = await bytesAt(this.file, start, end - start);
    if (!bytes.subarray(-markBytes).equals(mark)) throw damaged('does not end with the mark of the file');
    const at4 = sha256Bytes + 4 * this.starts.length;
    if (known !== undefined && at4 + 4 <= known.length && known.readUInt32BE(at4) !== crc32cNative(bytes) >>> 0)
      throw damaged('has changed since it was checked');
    const body = await unpacked(bytes.subarray(head.at, head.at + length), codec);
    this.position = end;
    return { count, body, bytes };
  }

  /** The seal holds all before it; of itself, it is written in one way only. */
  private end(seal: Buffer, block: Buffer, totals: Totals): void {
    const { codec, mark } = this.form;
    const body = encodeExported(sealRecord(seal), 'raw');
    if (!block.equals(encodeBlock(1, stored(body, codec), mark))) throw damaged('is not written as a seal is');
    const part = this.sums.firstDifference(seal);
    if (part >= 0) {
      const start = this.starts[part];
      const what = part === 0 ? 'its header' : `block ${part} at byte ${start}`;
      throw new Failure(
        'EXPORT_DAMAGED',
        `${this.path}: ${start === undefined ? 'its seal' : what} is not what was sealed`,
      );
    }
    if (this.position !== this.bytes)
      throw new Failure('EXPORT_DAMAGED', `${this.path} goes on behind its seal, from byte ${this.position} on`);
    totals.end();
    this.seal = Buffer.from(seal);
  }
}

/** The mark that stands behind each block: of the manifest, so that the same export is the same file. */
export const markOf = (manifest: Buffer): Buffer =>
  createHash('sha256').update(manifest).digest().subarray(0, markBytes);

/** What the records are, held against the manifest. */
class Totals {
  private partition = 0;
  private lastKey: Buffer | undefined;
  private keys = 0;
  private digest = new Digest();

  constructor(private readonly manifest: ExportManifest) {}

  take(record: CarriedRecord): void {
    const { partition, key } = record;
    const { settings } = this.manifest;
    const of = { partition, partitions: settings.partitions, hashAlgorithm: settings.hashAlgorithm };
    if (partition < this.partition || partition >= settings.partitions) throw damaged(`is out of order`);
    while (this.partition < partition) this.endPartition();
    if (this.lastKey !== undefined && Buffer.compare(this.lastKey, key) >= 0) throw damaged('has keys out of order');
    if (isReservedKey(key) || !belongs(key, { ...of, topic: '', recordFormat: settings.recordFormat }))
      throw damaged(`has a key that is not of partition ${partition}`);
    this.lastKey = Buffer.from(key);
    this.keys++;
    this.digest.add(hash128(digestedParts(record, settings.recordFormat)));
  }

  end(): void {
    while (this.partition < this.manifest.settings.partitions) this.endPartition();
  }

  private endPartition(): void {
    const said = this.manifest.partitions[this.partition];
    const digest = this.digest.toHex();
    if (said === undefined || said.keys !== this.keys || said.digest !== digest)
      throw damaged(
        `is behind partition ${this.partition} of ${this.keys} keys with digest ${digest}, where the manifest says ` +
          `${said?.keys} keys with ${said?.digest}`,
      );
    this.partition++;
    this.lastKey = undefined;
    this.keys = 0;
    this.digest = new Digest();
  }
}

async function headerOf(
  file: FileHandle,
  size: number,
): Promise<ReturnType<typeof decodeHeader> & { readonly bytes: Buffer }> {
  for (let length = 64 * 1024; ; length *= 4) {
    const bytes = await bytesAt(file, 0, Math.min(size, length));
    try {
      return { ...decodeHeader(bytes), bytes };
    } catch (error) {
      const isAll = length >= size || length >= containerLimits.headerBytesMax;
      if (isAll || failureCode(error) !== 'EXPORT_DAMAGED') throw error;
    }
  }
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(bytes, read, length - read, position + read);
    if (bytesRead === 0) throw damaged('ends early');
    read += bytesRead;
  }
  return bytes;
}

/** Damage with its place; what has one, and what is none, as it is. */
function at(where: string, error: unknown): unknown {
  const code = failureCode(error);
  if (
    (code !== 'EXPORT_DAMAGED' && code !== 'NOT_AN_EXPORT') ||
    messageOf(error).includes(where.split(':')[0] as string)
  )
    return error;
  return new Failure(code, `${where} ${messageOf(error)}`, { cause: error });
}
