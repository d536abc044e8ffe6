import { open as openFile, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** `undefined` when the file is missing or empty. */
export async function readText(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(ignoreMissing);
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}

/** Written aside, synced, renamed: after a power loss the file is the old one or the new one. */
export async function writeDurably(folder: string, name: string, text: string): Promise<void> {
  const aside = join(folder, `${name}.new`);
  const file = await openFile(aside, 'w');
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, join(folder, name));
  const directory = await openFile(folder, 'r');
  await directory.sync().finally(() => directory.close());
}

export function ignoreMissing(error: unknown): undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
