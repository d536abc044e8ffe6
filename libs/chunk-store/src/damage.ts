import { messageOf } from '@levee/kernel';
import { causesOf } from './causes';
import { ChunkStoreFailure } from './chunk-store-failure';
import { diskRefusal } from './disk-refusal';

/** A file is gone, or the device cannot read or write it: in LevelDB's words for what the system said. */
const lostFile = /no such file or directory|input\/output error|structure needs cleaning|bad message/i;
/** The engine's code for what it found wrong itself, wherever it was asked: get, iterator, batch, open, compaction. */
const corruption = 'LEVEL_CORRUPTION';

/**
 * The one judge of damage: what an error of the engine, of a read, a write, a scan or a copy says about the files of a
 * replica. REPLICA_DAMAGED: stop serving, set the files aside, build anew. `undefined` when it says nothing about them.
 */
export function damageOf(error: unknown): ChunkStoreFailure | undefined {
  if (diskRefusal(error) !== undefined) return undefined;
  for (const each of causesOf(error)) {
    if (each instanceof ChunkStoreFailure) {
      if (each.code === 'REPLICA_DAMAGED') return each;
      continue;
    }
    const { code } = each as { readonly code?: unknown };
    const text = messageOf(each);
    if (code === corruption || (code === 'LEVEL_IO_ERROR' && lostFile.test(text)))
      return new ChunkStoreFailure('REPLICA_DAMAGED', `the database is damaged: ${text}`, { cause: error });
  }
  return undefined;
}
