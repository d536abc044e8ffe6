import { asPartition } from '@levee/kernel';
import { systemClock } from '@levee/log';
import type { Pace } from '../breather';
import { ChunkStoreFailure } from '../chunk-store-failure';
import type { CopyPosition } from '../copy/copy-position';
import { SnapshotCopy } from '../copy/snapshot-copy';
import { checkFiles, type FilesChecked, type FilesToCheck } from '../leveldb-files/check-files';
import { openLevelDbAgain, type ReplicaDatabase } from '../engine';
import { type OpenRequest, readerLimits, type ReadBlock, type ReaderRequest } from './reader-messages';
import { viewOf } from './replica-view';
import { type CopySource, digestOf, type DigestSource } from './snapshot-reader';

type Check = Pick<Reading, 'slices' | 'stopping'>;

interface Reading {
  readonly location: string;
  readonly source: CopySource | DigestSource;
  readonly stopping: AbortController;
  readonly slices: Slices;
}

interface Answer {
  readonly value: unknown;
  readonly transfer: ArrayBuffer[];
}

/** What the reader thread has open: databases that its process has open too, and readings in them. */
export class Readings {
  private readonly databases = new Map<string, Promise<ReplicaDatabase>>();
  private readonly readings = new Map<number, Reading>();
  private readonly checks = new Map<number, Check>();

  constructor(private readonly sliceOver: (reading: number, bytes: number) => void) {}

  goOn(reading: number): void {
    (this.readings.get(reading) ?? this.checks.get(reading))?.slices.goOn();
  }

  async answer(request: ReaderRequest): Promise<Answer> {
    switch (request.kind) {
      case 'copy':
      case 'digest':
        return { value: await this.begin(request), transfer: [] };
      case 'check':
        return { value: await this.check(request.reading, request.location, request.what), transfer: [] };
      case 'next': {
        const { bytes, entries, last } = await this.copy(request.reading).next(request.bytesMax);
        // One block, one buffer: nothing else lies in it.
        return { value: { bytes, entries, last } satisfies ReadBlock, transfer: [bytes.buffer as ArrayBuffer] };
      }
      case 'scan': {
        const { stopping } = this.reading(request.reading);
        const barriers = new Map(request.barriers.map(([partition, timeMs]) => [asPartition(partition), timeMs]));
        await this.digest(request.reading).scan(barriers, stopping.signal);
        if (stopping.signal.aborted) throw closed(request.reading);
        return nothing;
      }
      case 'takeBack': {
        const { reading, partition, databaseKeys, then } = request;
        await this.digest(reading).takeBack(
          asPartition(partition),
          databaseKeys.map(asBuffer),
          then.map((stored) => stored && asBuffer(stored)),
        );
        return nothing;
      }
      case 'totals':
        return { value: await this.digest(request.reading).totals(), transfer: [] };
      case 'close':
        await this.close(request.reading);
        return nothing;
      case 'release':
        await this.release(request.location);
        return nothing;
    }
  }

  /** Positions inside the snapshot of a copy. */
  private async begin(request: OpenRequest): Promise<readonly CopyPosition[]> {
    const { reading, location, identity } = request;
    let database = this.databases.get(location);
    if (database === undefined) {
      this.databases.set(location, (database = openLevelDbAgain(location)));
      database.catch(() => this.databases.delete(location));
    }
    const view = viewOf(await database, identity);
    const slices = new Slices((bytes) => this.sliceOver(reading, bytes));
    const source =
      request.kind === 'copy' ? await SnapshotCopy.open(view, request.range, systemClock) : digestOf(view, slices);
    this.readings.set(reading, { location, source, stopping: new AbortController(), slices });
    return 'positions' in source ? source.positions : [];
  }

  private async check(reading: number, location: string, what: FilesToCheck): Promise<FilesChecked> {
    // Nobody is served from a unit that is closed, and somebody waits to be: it tells how far it is and goes on.
    const slices = new Slices((bytes) => this.sliceOver(reading, bytes), what.state === 'open');
    const stopping = new AbortController();
    this.checks.set(reading, { slices, stopping });
    return checkFiles(location, what, slices, stopping.signal).finally(() => this.checks.delete(reading));
  }

  private reading(id: number): Reading {
    const found = this.readings.get(id);
    if (found === undefined) throw closed(id);
    return found;
  }

  private copy(id: number): CopySource {
    return this.reading(id).source as CopySource;
  }

  private digest(id: number): DigestSource {
    return this.reading(id).source as DigestSource;
  }

  private async close(id: number): Promise<void> {
    const check = this.checks.get(id);
    check?.stopping.abort();
    check?.slices.end();
    const found = this.readings.get(id);
    if (found === undefined) return;
    this.readings.delete(id);
    found.stopping.abort();
    found.slices.end();
    await found.source.close();
  }

  private async release(location: string): Promise<void> {
    const database = this.databases.get(location);
    if (database === undefined) return;
    this.databases.delete(location);
    const open = await database.catch(() => undefined);
    const mine = [...this.readings].filter(([, reading]) => reading.location === location);
    await Promise.allSettled(mine.map(([id]) => this.close(id)));
    await open?.close();
  }
}

/** A scan's slices: behind each it waits until it may go on, unless it is told not to. */
class Slices implements Pace {
  private bytes = 0;
  private readonly waiting: (() => void)[] = [];
  private ended = false;

  constructor(
    private readonly over: (bytes: number) => void,
    private readonly waits = true,
  ) {}

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  async giveWay(bytes: number): Promise<void> {
    this.bytes += bytes;
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.bytes < readerLimits.sliceBytes || this.ended) return;
    this.passed(0);
    if (!this.waits) return;
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  passed(bytes: number): void {
    this.over(this.bytes + bytes);
    this.bytes = 0;
  }

  goOn(): void {
    this.waiting.shift()?.();
  }

  end(): void {
    this.ended = true;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

const nothing: Answer = { value: undefined, transfer: [] };

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function closed(reading: number): ChunkStoreFailure {
  return new ChunkStoreFailure('REPLICA_CLOSED', `reading ${reading} was closed`);
}
