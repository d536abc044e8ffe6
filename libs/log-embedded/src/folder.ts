import { statSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, messageOf } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { type HeldLock, takeLock } from './folder-lock';
import { migrate } from './migration';
import { DiskFiles } from './store/disk-files';
import { type FileLimits, FileStore } from './store/file-store';
import { type LogFiles, readCopy, Unreadable } from './store/log-files';
import type { LogStore } from './store/log-store';
import { storeFileOf } from './store/names';
import { findFiles, unusable } from './store/recovery';

/** Who has the folder open, for the message a second opener gets; and that it is in use at all. */
export interface FolderOwner {
  readonly pid: number;
  readonly openedAtMs: number;
  /** Name and address of every door of the owner, such as `http: http://127.0.0.1:7380`. */
  readonly doors: Readonly<Record<string, string>>;
  /** Leader epoch of that opening; kept outside the store too, so that losing it cannot repeat it. */
  readonly epoch: number;
  /** While the files of a new log are being made. */
  readonly isNew?: boolean;
}

/**
 * In place of the database of older versions: without it they would begin an empty log, and a cluster, beside ours.
 * LevelDB cannot open a file.
 */
const noWayBack =
  'The log of this folder is kept in the files beside this one. Versions that kept it in LevelDB, in a folder of this\n' +
  'name, cannot read it: start the newer version again.\n';

const ownerFile = 'owner.json';
const entriesName = 'entries';

/** `damaged`: there is one, and it cannot be read. */
async function readOwner(files: LogFiles): Promise<FolderOwner | 'damaged' | undefined> {
  const bytes = await readCopy(files, ownerFile);
  if (bytes === undefined) return undefined;
  if (bytes instanceof Unreadable) return 'damaged';
  try {
    const owner = JSON.parse(bytes.toString()) as FolderOwner;
    return Number.isSafeInteger(owner.epoch) ? owner : 'damaged';
  } catch {
    return 'damaged';
  }
}

const writeOwner = (files: LogFiles, owner: FolderOwner): Promise<void> =>
  files.write(ownerFile, Buffer.from(JSON.stringify(owner)));

/** Whether a log was ever in this folder, however damaged: who only reads one is not to begin one. Changes nothing. */
export async function holdsLog(location: string): Promise<boolean> {
  const names = await readdir(location).catch(() => []);
  return names.some((name) => name === ownerFile || name === entriesName || storeFileOf(name) !== undefined);
}

/** The folder of a log on disk, held by this process. */
export class LogFolder {
  private constructor(
    private readonly location: string,
    private readonly files: LogFiles,
    private readonly lock: HeldLock,
    private readonly owner: FolderOwner | 'damaged' | undefined,
    private readonly logger: Logger,
  ) {}

  /** Fails with LOG_UNAVAILABLE: it cannot be made, or another process has it, which the message names. */
  static async take(location: string, logger: Logger): Promise<LogFolder> {
    try {
      await mkdir(location, { recursive: true });
    } catch (cause) {
      const what = `cannot make the folder of the log, ${location}: ${messageOf(cause)}`;
      throw new LogFailure('LOG_UNAVAILABLE', what, { cause });
    }
    const files = new DiskFiles(location);
    let lock: HeldLock | undefined;
    let owner: FolderOwner | 'damaged' | undefined;
    try {
      lock = await takeLock(join(location, 'lock'));
      owner = await readOwner(files);
    } catch (cause) {
      await lock?.release();
      throw new LogFailure('LOG_UNAVAILABLE', `cannot open the log in ${location}: ${messageOf(cause)}`, { cause });
    }
    if (lock !== undefined) return new LogFolder(location, files, lock, owner, logger);
    throw inUse(location, owner === 'damaged' ? undefined : owner);
  }

  /** The leader epoch that the owner's file knows, 0 when it knows none. */
  get epoch(): number {
    return typeof this.owner === 'object' ? this.owner.epoch : 0;
  }

  /**
   * The store in this folder. A new one only where our own file says, or nothing says otherwise, that the folder was
   * never used (I14): files that are missing in a folder that was in use are a loss to be named.
   */
  async store(limits?: FileLimits): Promise<LogStore> {
    const { location, files, logger, owner } = this;
    const found = await findFiles(files);
    const entries = join(location, entriesName);
    const there = statSync(entries, { throwIfNoEntry: false });
    const hasOld = there?.isDirectory() === true;
    const isNew = (owner === undefined || (typeof owner === 'object' && owner.isNew === true)) && !hasOld;
    if (found.checkpoints.length === 0 && !isNew && !hasOld)
      throw unusable(`${location} was in use, and its checkpoints are missing`);
    if (isNew && owner === undefined)
      await writeOwner(files, { pid: process.pid, openedAtMs: 0, doors: {}, epoch: 0, isNew: true });
    if (hasOld && found.checkpoints.length > 0)
      logger.warn(
        { entries },
        'a log of an older version lies beside the one in use: it is left alone, and may be removed',
      );
    else if (hasOld) {
      await migrate(entries, files, logger);
      await rm(entries, { recursive: true, force: true });
    }
    if (!hasOld || found.checkpoints.length === 0) await writeFile(entries, noWayBack);
    const onTrouble = (trouble: string): void =>
      logger.error({ location, trouble }, 'the log has trouble with its disk');
    return new FileStore(files, { isNew, limits, onTrouble });
  }

  /** Says who has the folder open. */
  own(owner: Omit<FolderOwner, 'pid'>): Promise<void> {
    return writeOwner(this.files, { pid: process.pid, ...owner });
  }

  release(): Promise<void> {
    return this.lock.release();
  }
}

function inUse(location: string, owner: FolderOwner | undefined): LogFailure {
  const doors = Object.entries(owner?.doors ?? {}).map(([name, address]) => `${name} ${address}`);
  const who = owner === undefined ? 'another process' : `process ${owner.pid}`;
  return new LogFailure(
    'LOG_UNAVAILABLE',
    `the log in ${location} is open in ${who}${doors.length === 0 ? '' : ` (${doors.join(', ')})`}: ` +
      'use that one, stop it first, or choose another folder',
    { details: { ...owner } },
  );
}
