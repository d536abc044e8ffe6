import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Clock, type Logger, messageOf, type Timers } from '@levee/kernel';
import type { CopyPosition } from '../copy/copy-position';
import { ChunkStoreFailure, type ChunkStoreFailureCode } from '../chunk-store-failure';
import type { FilesChecked, FilesToCheck } from '../leveldb-files/check-files';
import { type FromReader, type OpenRequest, readerLimits, type ReaderRequest, type ToReader } from './reader-messages';

export interface ReaderThreadOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Of the thread, as Node takes them. */
  readonly execArgv?: readonly string[];
}

export interface OpenedReading {
  readonly reading: number;
  readonly positions: readonly CopyPosition[];
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type OpenWhat = Without<OpenRequest, 'reading'>;

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** What the thread asks for at the end of a slice; the next one begins when it resolves. */
export type SliceOver = (bytes: number) => Promise<void>;

/**
 * A second thread of this process that reads whole databases, so that what serves clients has its event loop for
 * itself. It begins with the first request at the latest. When it ends before it is closed, everything that was open in
 * it fails, and the next request begins another one.
 */
export class ReaderThread {
  private worker: Worker | undefined;
  private ended: Promise<void> = Promise.resolve();
  private readonly waiting = new Map<number, Waiting>();
  private readonly slices = new Map<number, SliceOver>();
  private lastId = 0;
  /** Never begins anew with another thread: what was open in the one before must not be taken for something else. */
  private lastReading = 0;
  private heardMs = 0;
  /** Slices that wait for this process to let them go on. */
  private owed = 0;
  private cancelWatch: (() => void) | undefined;
  private closed = false;
  readonly counts = { starts: 0, failures: 0 };

  constructor(private readonly options: ReaderThreadOptions) {}

  /** Beside what its process does now, so that the first request need not wait for a thread to begin. */
  begin(): void {
    if (!this.closed) this.running();
  }

  /** Fails with a code of a ChunkStoreFailure; READER_GONE when the thread is. */
  ask(request: ReaderRequest): Promise<unknown> {
    if (this.closed) return Promise.reject(gone('it was closed'));
    const worker = this.running();
    return new Promise<unknown>((resolve, reject) => {
      const id = ++this.lastId;
      // A thread that was asked nothing owed no sign of life.
      if (this.waiting.size === 0) this.heardMs = this.options.clock.monotonicMs();
      this.waiting.set(id, { resolve, reject });
      worker.postMessage({ to: 'ask', id, request } satisfies ToReader);
      this.watch();
    });
  }

  /** A reading, and the positions inside its snapshot if it is a copy. */
  async open(what: OpenWhat): Promise<OpenedReading> {
    const reading = ++this.lastReading;
    const positions = (await this.ask({ ...what, reading })) as readonly CopyPosition[];
    return { reading, positions };
  }

  /** As `checkFiles`, behind everything asked before. */
  async check(
    location: string,
    what: FilesToCheck,
    over: SliceOver,
    signal: AbortSignal | undefined,
  ): Promise<FilesChecked> {
    const reading = ++this.lastReading;
    const stop = (): void => void this.closeReading(reading);
    this.onSlice(reading, over);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return (await this.ask({ kind: 'check', reading, location, what })) as FilesChecked;
    } finally {
      signal?.removeEventListener('abort', stop);
      this.slices.delete(reading);
    }
  }

  /** Until the reading is closed. */
  onSlice(reading: number, over: SliceOver): void {
    this.slices.set(reading, over);
  }

  async closeReading(reading: number): Promise<void> {
    this.slices.delete(reading);
    if (this.worker !== undefined) await this.ask({ kind: 'close', reading }).catch(() => undefined);
  }

  /** Resolves when nothing of this database is open in the thread any more, at the latest when the thread has ended. */
  async release(location: string): Promise<void> {
    if (this.worker !== undefined) await this.ask({ kind: 'release', location }).catch(() => undefined);
    if (this.worker === undefined) await this.ended;
  }

  /** What it has open ends with READER_GONE. Close it after the databases, each of which waits for its release. */
  async close(): Promise<void> {
    this.closed = true;
    this.cancelWatch?.();
    await this.worker?.terminate();
    await this.ended;
  }

  private running(): Worker {
    if (this.worker !== undefined) return this.worker;
    const { execArgv, clock, logger } = this.options;
    const worker = new Worker(join(__dirname, `reader-worker${extname(__filename)}`), {
      name: 'levee reader',
      resourceLimits: {
        maxOldGenerationSizeMb: readerLimits.heapMiB,
        maxYoungGenerationSizeMb: readerLimits.youngGenerationMiB,
      },
      ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    });
    this.counts.starts++;
    this.heardMs = clock.monotonicMs();
    let problem: unknown;
    worker.on('message', (message: FromReader) => this.heard(worker, message));
    worker.on('messageerror', (error) => (problem = error));
    worker.on('error', (error) => (problem = error));
    this.ended = new Promise((resolve) =>
      worker.on('exit', (code) => {
        resolve();
        if (this.worker === worker)
          this.lost(problem === undefined ? `it ended with code ${code}` : messageOf(problem));
      }),
    );
    worker.unref();
    if (!this.closed) logger.debug({}, 'the reader thread begins');
    this.worker = worker;
    return worker;
  }

  private heard(worker: Worker, message: FromReader): void {
    if (worker !== this.worker) return;
    this.heardMs = this.options.clock.monotonicMs();
    if (message.to === 'slice') {
      void this.sliceOver(worker, message.reading, message.bytes);
      return;
    }
    const waiting = this.waiting.get(message.id);
    if (!this.waiting.delete(message.id)) return;
    if (message.to === 'answer') waiting?.resolve(message.value as never);
    else waiting?.reject(failureOf(message.code, message.message));
  }

  private async sliceOver(worker: Worker, reading: number, bytes: number): Promise<void> {
    this.owed++;
    try {
      await this.slices.get(reading)?.(bytes);
    } finally {
      this.owed--;
      this.heardMs = this.options.clock.monotonicMs();
      if (worker === this.worker) worker.postMessage({ to: 'goOn', reading } satisfies ToReader);
    }
  }

  private lost(why: string): void {
    this.worker = undefined;
    this.owed = 0;
    const { size } = this.waiting;
    for (const { reject } of this.waiting.values()) reject(gone(why));
    this.waiting.clear();
    this.slices.clear();
    if (this.closed) return;
    this.counts.failures++;
    this.options.logger.warn({ why, asked: size }, 'the reader thread ended; the next copy or digest begins another');
  }

  /** A thread that owes answers is heard of now and then. */
  private watch(): void {
    if (this.cancelWatch !== undefined) return;
    const { clock, timers } = this.options;
    this.cancelWatch = timers.after(readerLimits.silentMs / 3, () => {
      this.cancelWatch = undefined;
      if (this.waiting.size === 0 || this.worker === undefined) return;
      const silentMs = clock.monotonicMs() - this.heardMs;
      if (this.owed === 0 && silentMs > readerLimits.silentMs) {
        void this.worker.terminate();
        this.lost(`it was silent for ${Math.round(silentMs)} ms`);
      } else this.watch();
    });
  }
}

function gone(why: string): ChunkStoreFailure {
  return new ChunkStoreFailure('READER_GONE', `the reader thread is gone: ${why}`);
}

function failureOf(code: string | undefined, message: string): Error {
  return code === undefined ? new Error(message) : new ChunkStoreFailure(code as ChunkStoreFailureCode, message);
}
