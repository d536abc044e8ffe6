import { messageOf } from '@levee/kernel';
import { causesOf } from './causes';
import { ChunkStoreFailure } from './chunk-store-failure';

const folderMissing = new Set(['ENOTDIR', 'EEXIST']);

/**
 * A file stands where a folder must be, or a folder where a file must be: somebody put it there, so nothing is cleared or
 * made anew for it. `undefined` when neither the error nor a cause of it says so.
 */
export function wrongKind(error: unknown): ChunkStoreFailure | undefined {
  for (const each of causesOf(error)) {
    const { code, path } = each as { readonly code?: unknown; readonly path?: unknown };
    if (typeof code !== 'string' || (code !== 'EISDIR' && !folderMissing.has(code))) continue;
    const text = messageOf(each);
    const what = code === 'EISDIR' ? 'a folder stands where a file must be' : 'a file stands where a folder must be';
    const where = typeof path !== 'string' || text.includes(path) ? '' : ` (${path})`;
    const mend = 'nothing was changed: move it away and keep it, or bring back what was there';
    return new ChunkStoreFailure('DISK_REFUSES', `${what}: ${text}${where}; ${mend}`, { cause: error });
  }
  return undefined;
}
