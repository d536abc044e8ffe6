import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Runs while processes make and remove what is looked at: what is gone is not there. */
function unlessGone<T>(look: () => T, gone: T): T {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return gone;
    throw error;
  }
}

/** Paths of all files in a folder and below, also while processes work there. */
export function filesBelow(folder: string): string[] {
  const entries = unlessGone<Dirent[]>(() => readdirSync(folder, { withFileTypes: true }), []);
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}

/** What is in a file; nothing once it was removed. */
export const bytesOf = (file: string): Buffer => unlessGone(() => readFileSync(file), Buffer.alloc(0));
