import { readdirSync, realpathSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HeldHere } from '@levee/kernel';
import { ClassicLevel } from 'classic-level';

/** Holds a folder for this process, until it is released or the process ends, however it ends. */
export interface HeldLock {
  release(): Promise<void>;
}

/**
 * [safety] LevelDB opens and closes the lock file of a second attempt before it refuses it, and the operating system
 * drops all locks of a process on a file when it closes that file: anybody could take the folder.
 */
const heldHere = new HeldHere();

/**
 * Takes the lock in `folder`; `undefined` when another process, or this one, has it. Node.js cannot lock files, LevelDB
 * can: so the lock is that of a database nothing is ever written to. What is left of it from last time is removed
 * before, but for the lock file itself: a damaged file there would stop every start, and it holds nothing.
 */
export async function takeLock(folder: string): Promise<HeldLock | undefined> {
  await mkdir(folder, { recursive: true });
  // By whichever name: two names of one folder have one lock file.
  const place = realpathSync(folder);
  const lock = await heldHere.hold(place, () => openLock(place));
  return lock && { release: () => lock.close() };
}

async function openLock(folder: string): Promise<ClassicLevel | undefined> {
  for (let attempt = 1; ; attempt++) {
    for (const name of readdirSync(folder))
      if (name !== 'LOCK') rmSync(join(folder, name), { recursive: true, force: true });
    const lock = new ClassicLevel(folder);
    try {
      await lock.open();
      return lock;
    } catch (error) {
      const { cause } = error as { cause?: Error & { code?: string } };
      if (cause?.code === 'LEVEL_LOCKED') return undefined;
      // Another process that starts in this moment may have removed what this one had just made. What is wrong, such
      // as a full disk, stands in the cause alone.
      if (attempt === attemptsMax) throw cause ?? error;
    }
  }
}

const attemptsMax = 3;
