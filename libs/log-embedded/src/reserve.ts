import { randomBytes } from 'node:crypto';
import { open, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, messageOf, silentLogger } from '@levee/kernel';
import { embeddedLimits } from './limits';
import type { EmbeddedLogOptions } from './options';

const name = 'reserve';
const pieceBytes = 1024 * 1024;

/**
 * Room on the disk of a log, kept in a file that holds nothing. A log that filled its own disk could not be opened any
 * more, since opening writes: then the file goes, the log opens, what it holds is read, and people see what is wrong.
 */
export class Reserve {
  private readonly path: string;

  constructor(
    private readonly location: string,
    private readonly logger: Logger,
    private readonly bytes: number = embeddedLimits.reserveBytes,
  ) {
    this.path = join(location, name);
  }

  /** Opens what may need the reserve: a second time without it, when the first one ends for want of room. */
  async opened<T>(openOnce: () => Promise<T>): Promise<T> {
    try {
      return await openOnce();
    } catch (error) {
      if (!isFull(error) || !(await this.giveUp())) throw error;
      this.logger.error(
        { location: this.location, bytes: this.bytes, error: messageOf(error) },
        'the disk of the log is full: the room that was kept for this is given up, once; free some space',
      );
      return openOnce();
    }
  }

  /** Makes it where it is missing and there is room for much more. */
  async keep(): Promise<void> {
    if ((await sizeOf(this.path)) === this.bytes) return;
    const { bavail, bsize } = await statfs(this.location);
    if (bavail * bsize < this.bytes * embeddedLimits.reserveFreeShare) return;
    // Other bytes than zero: some file systems keep no room for those.
    const piece = randomBytes(Math.min(pieceBytes, this.bytes));
    const file = await open(this.path, 'w');
    try {
      for (let written = 0; written < this.bytes; written += piece.length)
        await file.write(piece, 0, Math.min(piece.length, this.bytes - written));
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  private async giveUp(): Promise<boolean> {
    if ((await sizeOf(this.path)) === 0) return false;
    await rm(this.path, { force: true });
    return true;
  }
}

/** Opens what stands on the disk of a log, with the room that it keeps where that is full. */
export function withReserve<T>(options: EmbeddedLogOptions, openOnce: () => Promise<T>): Promise<T> {
  return reserveOf(options)?.opened(openOnce) ?? openOnce();
}

/** Of a log in a folder. */
export function reserveOf({ location, logger = silentLogger, reserveBytes }: EmbeddedLogOptions): Reserve | undefined {
  return location === undefined ? undefined : new Reserve(location, logger, reserveBytes);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function isFull(error: unknown): boolean {
  for (let each = error, depth = 0; each instanceof Error && depth < 8; each = each.cause, depth++)
    if ((each as NodeJS.ErrnoException).code === 'ENOSPC' || /no space left on device/i.test(each.message)) return true;
  return false;
}
