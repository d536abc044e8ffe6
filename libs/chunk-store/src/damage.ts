import { messageOf } from '@levee/kernel';
import { ChunkStoreFailure } from './chunk-store-failure';
import { diskRefusal } from './disk-refusal';

/** A file is gone, or the device cannot read or write it: in LevelDB's words for what the system said. */
const lostFile = /no such file or directory|input\/output error|structure needs cleaning|bad message/i;
/** The engine's code for what it found wrong itself, wherever it was asked: get, iterator, batch, open, compaction. */
const corruption = 'LEVEL_CORRUPTION';

const causesMax = 8;

/**
 * The one judge of damage: what an error of the engine, of a read, a write, a scan or a copy says about the files of a
 * replica. REPLICA_DAMAGED: stop serving, set the files aside, build anew. `undefined` when it says nothing about them.
 */
export function damageOf(error: unknown): ChunkStoreFailure | undefined {
  if (diskRefusal(error) !== undefined) return undefined;
  let at: unknown = error;
  for (let depth = 0; depth < causesMax && at instanceof Error; depth++) {
    if (at instanceof ChunkStoreFailure) {
      if (at.code === 'REPLICA_DAMAGED') return at;
    } else {
      const { code } = at as { readonly code?: unknown };
      const text = messageOf(at);
      if (code === corruption || (code === 'LEVEL_IO_ERROR' && lostFile.test(text)))
        return new ChunkStoreFailure('REPLICA_DAMAGED', `the database is damaged: ${text}`, { cause: error });
    }
    at = at.cause;
  }
  return undefined;
}
