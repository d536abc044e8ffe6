import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { messageOf } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import type { LogDatabase } from './database';

/** Who has the folder open: for the message a second opener gets. LevelDB's own lock decides, this only informs. */
export interface FolderOwner {
  readonly pid: number;
  readonly openedAtMs: number;
  /** Name and address of every door of the owner, such as `http: http://127.0.0.1:7380`. */
  readonly doors: Readonly<Record<string, string>>;
  /** Leader epoch of that opening; kept outside the database too, so that losing the database's tail cannot repeat it. */
  readonly epoch: number;
}

const ownerFile = (location: string): string => join(location, 'owner.json');

export async function readOwner(location: string): Promise<FolderOwner | undefined> {
  try {
    return JSON.parse(await readFile(ownerFile(location), 'utf8')) as FolderOwner;
  } catch {
    return undefined;
  }
}

export async function writeOwner(location: string, owner: FolderOwner): Promise<void> {
  const draft = `${ownerFile(location)}.new`;
  await writeFile(draft, JSON.stringify(owner), { flush: true });
  await rename(draft, ownerFile(location));
}

export async function openFolder(location: string): Promise<LogDatabase> {
  try {
    await mkdir(location, { recursive: true });
  } catch (error) {
    throw new LogFailure('LOG_UNAVAILABLE', `cannot make the folder of the log, ${location}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const db = new ClassicLevel<Buffer, Buffer>(join(location, 'entries'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    // Values are mostly incompressible binary and read once, near the end: what is saved is not worth the time.
    compression: false,
    cacheSize: 4 * 1024 * 1024,
    writeBufferSize: 16 * 1024 * 1024,
    maxFileSize: 16 * 1024 * 1024,
  });
  try {
    await db.open();
  } catch (error) {
    throw await openingFailed(location, error);
  }
  return db as unknown as LogDatabase;
}

async function openingFailed(location: string, error: unknown): Promise<LogFailure> {
  const cause = error instanceof Error ? (error.cause as { code?: string; message?: string } | undefined) : undefined;
  if (cause?.code !== 'LEVEL_LOCKED')
    return new LogFailure(
      'LOG_UNAVAILABLE',
      `cannot open the log in ${location}: ${cause?.message ?? messageOf(error)}`,
      {
        cause: error,
      },
    );
  const owner = await readOwner(location);
  const doors = Object.entries(owner?.doors ?? {}).map(([name, address]) => `${name} ${address}`);
  const who = owner === undefined ? 'another process' : `process ${owner.pid}`;
  return new LogFailure(
    'LOG_UNAVAILABLE',
    `the log in ${location} is open in ${who}${doors.length === 0 ? '' : ` (${doors.join(', ')})`}: ` +
      'use that one, stop it first, or choose another folder',
    { cause: error, details: { ...owner } },
  );
}
