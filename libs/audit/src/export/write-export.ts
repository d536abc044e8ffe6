import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RecordFormatName } from '@levee/codec';
import { Digest, Failure, hash128 } from '@levee/kernel';
import { digestedParts } from '../digested-parts';
import type { FoldStore } from '../fold-store';
import { type ContainerCodec, containerLimits, encodeBlock, encodeHeader, packed, stored } from './container';
import { type CarriedRecord, encodeExported, exportedRecordSchema } from './exported-record';
import { markOf } from './export-reading';
import { type ExportedPartition, type ExportManifest, manifestKey } from './manifest';
import { sealRecord, SealSums } from './seal';

interface WorkOptions {
  readonly signal: AbortSignal;
  /** How many keys are done. */
  readonly onKeys?: (keys: number) => void;
}

const signalEvery = 1_000;

/** What lives in a fold that keeps whole records, by ascending key: neither deleted nor expired by `judgedAtMs`. */
export async function* livingRecords(
  store: FoldStore,
  { partition, judgedAtMs }: { readonly partition: number; readonly judgedAtMs: number },
  counts: { deleted: number; expired: number } = { deleted: 0, expired: 0 },
): AsyncGenerator<CarriedRecord> {
  for await (const { key, offset, tombstone, expiresAtMs, raw, beside } of store.all())
    if (tombstone) counts.deleted++;
    else if (expiresAtMs > 0 && expiresAtMs <= judgedAtMs) counts.expired++;
    else if (raw === undefined || raw === null || beside === undefined)
      throw new Failure('NOT_REBUILT', `what was folded does not hold whole records: remove it, and begin again`);
    else yield { partition, offset, key, raw, expiresAtMs, ...beside };
}

/** What a partition of an export holds. Fails with INTERRUPTED. */
export async function countPartition(
  store: FoldStore,
  of: { readonly partition: number; readonly judgedAtMs: number; readonly recordFormat: RecordFormatName },
  { signal, onKeys }: WorkOptions,
): Promise<Omit<ExportedPartition, 'nextOffset'>> {
  const counts = { deleted: 0, expired: 0 };
  const digest = new Digest();
  let keys = 0;
  for await (const record of livingRecords(store, of, counts)) {
    digest.add(hash128(digestedParts(record, of.recordFormat)));
    if (++keys % signalEvery !== 0) continue;
    onKeys?.(keys);
    if (signal.aborted) throw new Failure('INTERRUPTED', 'counting was ended');
  }
  return { partition: of.partition, keys, ...counts, digest: digest.toHex() };
}

/**
 * Writes an Avro object container file: it gets its name when it is whole and durable, and is at `unfinished` until then.
 * The same manifest and records make the same file. Fails with INTERRUPTED, and as the disk does.
 */
export async function writeExport(
  { path, unfinished }: { readonly path: string; readonly unfinished: string },
  {
    manifest,
    records,
    codec,
  }: {
    readonly manifest: ExportManifest;
    /** By partition, and in it by ascending key. */
    readonly records: AsyncIterable<CarriedRecord>;
    readonly codec: ContainerCodec;
  },
  { signal, onKeys }: WorkOptions,
): Promise<{ readonly bytes: number }> {
  const file = await open(unfinished, 'w');
  try {
    const writing = new ContainerWriting(file, codec, manifest);
    await writing.begin();
    let keys = 0;
    for await (const record of records) {
      await writing.add(record);
      if (++keys % signalEvery !== 0) continue;
      onKeys?.(keys);
      if (signal.aborted) throw new Failure('INTERRUPTED', 'writing was ended');
    }
    if (keys !== manifest.keys)
      throw new Failure('NOT_REBUILT', `${keys} keys are there, and ${manifest.keys} were counted: begin again`);
    const bytes = await writing.end();
    await file.sync();
    await file.close();
    await rename(unfinished, path);
    await syncFolder(dirname(path));
    return { bytes };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

class ContainerWriting {
  private readonly sums = new SealSums();
  private readonly mark: Buffer;
  private readonly told: Buffer;
  private bodies: Buffer[] = [];
  private bodyBytes = 0;
  private bytes = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly codec: ContainerCodec,
    private readonly manifest: ExportManifest,
  ) {
    this.told = Buffer.from(JSON.stringify(manifest));
    this.mark = markOf(this.told);
  }

  async begin(): Promise<void> {
    const metadata = {
      'avro.schema': Buffer.from(JSON.stringify(exportedRecordSchema)),
      'avro.codec': Buffer.from(this.codec),
      [manifestKey]: this.told,
    };
    await this.write(encodeHeader(metadata, this.mark));
  }

  async add(record: CarriedRecord): Promise<void> {
    const body = encodeExported(record, this.manifest.settings.recordFormat);
    if (this.bodyBytes > 0 && this.bodyBytes + body.length > containerLimits.blockBytes) await this.closeBlock();
    this.bodies.push(body);
    this.bodyBytes += body.length;
    if (this.bodies.length >= containerLimits.blockRecordsMax) await this.closeBlock();
  }

  async end(): Promise<number> {
    await this.closeBlock();
    const body = encodeExported(sealRecord(this.sums.value), 'raw');
    await this.write(encodeBlock(1, stored(body, this.codec), this.mark));
    return this.bytes;
  }

  private async closeBlock(): Promise<void> {
    if (this.bodies.length === 0) return;
    const data = await packed(Buffer.concat(this.bodies), this.codec);
    await this.write(encodeBlock(this.bodies.length, data, this.mark));
    this.bodies = [];
    this.bodyBytes = 0;
  }

  private async write(part: Buffer): Promise<void> {
    this.sums.add(part);
    await this.file.appendFile(part);
    this.bytes += part.length;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
