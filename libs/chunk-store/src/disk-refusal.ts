import { messageOf } from '@levee/kernel';
import { ChunkStoreFailure } from './chunk-store-failure';

/** What the system says, in LevelDB's words or Node's, when a write was refused that says nothing about the data. */
const refusals = [
  ['DISK_FULL', 'the disk is full', /no space left on device|disk quota exceeded|file too large/i],
  [
    'DISK_REFUSES',
    'the disk cannot be written',
    /too many open files|read-only file system|permission denied|cannot allocate memory/i,
  ],
] as const;

const causesMax = 8;

/**
 * The disk took no more, or let nobody write: what it holds is as good as before, and it may heal. `undefined` when
 * neither the error nor a cause of it says so.
 */
export function diskRefusal(error: unknown): ChunkStoreFailure | undefined {
  let at: unknown = error;
  for (let depth = 0; depth < causesMax && at instanceof Error; depth++) {
    if (at instanceof ChunkStoreFailure && (at.code === 'DISK_FULL' || at.code === 'DISK_REFUSES')) return at;
    const text = messageOf(at);
    const found = refusals.find(([, , words]) => words.test(text));
    if (found !== undefined) return new ChunkStoreFailure(found[0], `${found[1]}: ${text}`, { cause: error });
    at = at.cause;
  }
  return undefined;
}
