import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { Failure } from '@levee/kernel';

/**
 * One process per data folder. LevelDB's own file lock decides, since the operating system releases it however the
 * holder dies; the note beside it only tells people who the holder is.
 */
export class FolderLock {
  private constructor(
    private readonly folder: string,
    private readonly lock: ClassicLevel,
  ) {}

  /** Fails with FOLDER_IN_USE, which quotes the holder's note. */
  static async take(folder: string): Promise<FolderLock> {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'lock');
    let lock = new ClassicLevel(path);
    try {
      await lock.open().catch((error: unknown) => {
        if (isHeld(error)) throw error;
        // It holds nothing: a damaged one is made anew.
        rmSync(path, { recursive: true, force: true });
        return (lock = new ClassicLevel(path)).open();
      });
    } catch (cause) {
      if (!isHeld(cause)) throw cause;
      throw new Failure(
        'FOLDER_IN_USE',
        `another process works in ${folder}: ${holder(folder)}. Stop it, or set LEVEE_DATA_DIR to another folder`,
        { cause },
      );
    }
    rmSync(noteIn(folder), { force: true });
    return new FolderLock(folder, lock);
  }

  /** Says who holds the folder and what it serves; readable by people and by tests. */
  note(content: Readonly<Record<string, unknown>>): void {
    writeFileSync(noteIn(this.folder), `${JSON.stringify({ pid: process.pid, ...content }, undefined, 2)}\n`);
  }

  async release(): Promise<void> {
    rmSync(noteIn(this.folder), { force: true });
    await this.lock.close();
  }
}

function isHeld(error: unknown): boolean {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  return code === 'LEVEL_LOCKED' || (cause !== undefined && isHeld(cause));
}

const noteIn = (folder: string): string => join(folder, 'doors.json');

function holder(folder: string): string {
  try {
    const note = JSON.parse(readFileSync(noteIn(folder), 'utf8')) as { pid?: number; http?: string };
    return `process ${note.pid}${note.http === undefined ? '' : `, whose HTTP door is ${note.http}`}`;
  } catch {
    return 'one that is still starting';
  }
}
