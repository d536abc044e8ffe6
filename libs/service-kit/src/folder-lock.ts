import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, type Logger, messageOf } from '@levee/kernel';
import { type HeldLock, takeLock, withReserve } from '@levee/log-embedded';

interface FolderRoom {
  /** Of the embedded log on the same disk. */
  readonly logFolder?: string;
  readonly logger?: Logger | undefined;
}

/**
 * One process per data folder. LevelDB's own file lock decides, since the operating system releases it however the
 * holder dies; the note beside it only tells people who the holder is.
 */
export class FolderLock {
  private constructor(
    private readonly folder: string,
    private readonly lock: HeldLock,
  ) {}

  /**
   * Fails with FOLDER_IN_USE, which quotes the holder's note, and with FOLDER_UNUSABLE. On a full disk it takes some room:
   * `logFolder` may keep that.
   */
  static async take(folder: string, { logFolder, logger }: FolderRoom = {}): Promise<FolderLock> {
    let lock: HeldLock | undefined;
    try {
      mkdirSync(folder, { recursive: true });
      const taken = (): Promise<HeldLock | undefined> => takeLock(join(folder, 'lock'));
      lock = await (logFolder === undefined ? taken() : withReserve({ location: logFolder, logger }, taken));
    } catch (cause) {
      throw new Failure(
        'FOLDER_UNUSABLE',
        `${folder} cannot be used: ${messageOf(cause)}; mend that, or set LEVEE_DATA_DIR to another folder`,
        { cause },
      );
    }
    if (lock === undefined)
      throw new Failure(
        'FOLDER_IN_USE',
        `another process works in ${folder}: ${holder(folder)}. Stop it, or set LEVEE_DATA_DIR to another folder`,
      );
    rmSync(noteIn(folder), { force: true });
    return new FolderLock(folder, lock);
  }

  /**
   * Says who holds the folder and what it serves; readable by people and by tests. Why it could not, in words: nothing
   * rests on the note, so a full disk must not end a process that serves.
   */
  note(content: Readonly<Record<string, unknown>>): string | undefined {
    try {
      writeFileSync(noteIn(this.folder), `${JSON.stringify({ pid: process.pid, ...content }, undefined, 2)}\n`);
      return undefined;
    } catch (error) {
      rmSync(noteIn(this.folder), { recursive: true, force: true });
      return messageOf(error);
    }
  }

  async release(): Promise<void> {
    rmSync(noteIn(this.folder), { force: true });
    await this.lock.release();
  }
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
