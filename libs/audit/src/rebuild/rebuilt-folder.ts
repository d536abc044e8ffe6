import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLevelDb } from '@levee/chunk-store';
import type { HashAlgorithm } from '@levee/keyspace';
import { Failure, messageOf } from '@levee/kernel';
import { FoldStore } from '../fold-store';

/** What a rebuilt folder holds: a namespace's state at one position of each partition. */
export interface RebuiltManifest {
  readonly format: 1;
  readonly clusterId: string;
  readonly namespace: string;
  readonly binlog: string;
  /** The very topic that is read; absent in folders of older versions. */
  readonly topicId?: string;
  readonly partitions: number;
  readonly hashAlgorithm: HashAlgorithm;
  /** Chunks that served when it was made. */
  readonly chunks: readonly { readonly chunkId: string; readonly slotStart: number; readonly slotEnd: number }[];
  /** The time that was asked for, ms since 1970; `null`: the ends as they were. */
  readonly atMs: number | null;
  /** Next offset of each partition: everything below is in it. */
  readonly positions: readonly number[];
  /** When reading began, by the clock of who read, ms since 1970. */
  readonly begunAtMs?: number;
  /** How far the log's cleaner said it had been, by partition, when reading began; null: it does not say. */
  readonly cleanedBelow?: readonly (number | null)[];
  /** It holds whole records, with their times and headers. */
  readonly keepsRecords?: boolean;
  /** False while it is being made: given again, the work goes on. */
  readonly whole: boolean;
}

const manifestFile = 'manifest.json';

/** A folder with a manifest, and a database for each partition. */
export class RebuiltFolder {
  constructor(
    readonly folder: string,
    readonly manifest: RebuiltManifest,
  ) {}

  /** Fails with NOT_REBUILT: there is none, or it was not finished. */
  static async open(folder: string): Promise<RebuiltFolder> {
    const manifest = await RebuiltFolder.manifestIn(folder);
    if (manifest?.whole !== true)
      throw new Failure('NOT_REBUILT', `${folder} holds no rebuilt namespace, or one that is not finished`);
    return new RebuiltFolder(folder, manifest);
  }

  static async manifestIn(folder: string): Promise<RebuiltManifest | undefined> {
    let text: string;
    try {
      text = await readFile(join(folder, manifestFile), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const manifest = JSON.parse(text) as RebuiltManifest;
      if (manifest.format === 1) return manifest;
    } catch (error) {
      throw new Failure('NOT_REBUILT', `${folder}: its manifest cannot be read: ${messageOf(error)}`);
    }
    throw new Failure('NOT_REBUILT', `${folder}: its manifest is of another version`);
  }

  /** Written beside, then put in its place: it is the old one or the new one. */
  async write(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const path = join(this.folder, manifestFile);
    await writeFile(`${path}.new`, `${JSON.stringify(this.manifest, null, 2)}\n`);
    await rename(`${path}.new`, path);
  }

  async partition(number: number): Promise<FoldStore> {
    return FoldStore.open(await openLevelDb(join(this.folder, `p${String(number).padStart(4, '0')}`)));
  }
}
