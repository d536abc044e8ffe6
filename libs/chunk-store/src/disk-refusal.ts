import { messageOf } from '@levee/kernel';
import { causesOf } from './causes';
import { ChunkStoreFailure } from './chunk-store-failure';

/** What the system says, in LevelDB's words or Node's, when a write was refused that says nothing about the data. */
const refusals = [
  ['DISK_FULL', 'the disk is full', /no space left on device|disk quota exceeded|file too large/i],
  [
    'DISK_REFUSES',
    'the disk cannot be written',
    /too many open files|read-only file system|permission denied|operation not permitted|cannot allocate memory/i,
  ],
] as const;

/**
 * The disk took no more, or let nobody write: what it holds is as good as before, and it may heal. `undefined` when
 * neither the error nor a cause of it says so.
 */
export function diskRefusal(error: unknown): ChunkStoreFailure | undefined {
  for (const each of causesOf(error)) {
    if (each instanceof ChunkStoreFailure && (each.code === 'DISK_FULL' || each.code === 'DISK_REFUSES')) return each;
    const text = messageOf(each);
    const found = refusals.find(([, , words]) => words.test(text));
    if (found !== undefined) return new ChunkStoreFailure(found[0], `${found[1]}: ${text}`, { cause: error });
  }
  return undefined;
}
