import { open as openFile, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32cNative } from '@levee/codec';
import { ChunkStoreFailure } from './chunk-store-failure';

/** `undefined` when the file is missing or empty. */
export async function readText(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => ignoreMissing(withPath(error, path)));
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

/**
 * As `writeDurably`, with a checksum, and a second time beside it: whichever of the two is lost or damaged, the other
 * says what was written.
 */
export async function writeSealed(folder: string, name: string, text: string): Promise<void> {
  const sealed = `${text}\n${sealOf(text)}`;
  await writeDurably(folder, name, sealed);
  await writeDurably(folder, `${name}.copy`, sealed);
}

/**
 * What `writeSealed` wrote, or, in `name`, `writeDurably` before there were seals; the one that is lost or damaged is
 * written again. `undefined` when there is neither; DISK_DAMAGED when none of what is there can be trusted.
 */
export async function readSealed(folder: string, name: string): Promise<string | undefined> {
  const failures: unknown[] = [];
  const [first, copy] = [
    await readOne(join(folder, name), failures),
    await readOne(join(folder, `${name}.copy`), failures),
  ];
  if (first === undefined && copy === undefined) return undefined;
  const unsealed = copy === undefined && first?.includes(sealMark) === false ? first : undefined;
  const text = [first, copy].map(unseal).find((each) => each !== undefined) ?? unsealed;
  if (text === undefined && failures.length > 0) throw failures[0];
  if (text === undefined)
    throw new ChunkStoreFailure(
      'DISK_DAMAGED',
      `${join(folder, name)} and its copy are damaged: bring one of them back, or empty the folder, and what it held ` +
        'is built anew from the log',
    );
  if (first !== copy) await writeSealed(folder, name, text);
  return text;
}

/** [safety] A copy that the disk cannot read is not missing (I14), and may be there again in a moment. */
const readOne = (path: string, failures: unknown[]): Promise<string | undefined> =>
  readText(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error;
    failures.push(error);
    return unread;
  });

function unseal(text: string | undefined): string | undefined {
  const at = text?.lastIndexOf('\n') ?? -1;
  const inside = text?.slice(0, Math.max(0, at));
  return inside !== undefined && text?.slice(at + 1) === sealOf(inside) ? inside : undefined;
}

const sealMark = 'crc32c ';
/** In place of what cannot be read: sealed, and not rightly. */
const unread = `\n${sealMark}`;

function sealOf(text: string): string {
  return sealMark + crc32cNative(Buffer.from(text)).toString(16).padStart(8, '0');
}

/** Node names no path when it is a read that fails. */
function withPath(error: unknown, path: string): unknown {
  return typeof error === 'object' && error !== null && !('path' in error) ? Object.assign(error, { path }) : error;
}

export function ignoreMissing(error: unknown): undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
