import { LoopReader, type ReaderThread, type SnapshotReader, ThreadReader } from '@levee/chunk-store';
import type { IoScheduler } from './io-scheduler';

/** Reads whole replicas, in turns of the scheduler: in the thread, or without one in this event loop. */
export function snapshotReader(io: IoScheduler, thread: ReaderThread | undefined): SnapshotReader {
  const paces = { copy: io.pace('copy'), digest: io.pace('digest') };
  return thread === undefined ? new LoopReader(paces) : new ThreadReader(thread, paces);
}
