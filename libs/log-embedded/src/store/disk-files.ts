import { constants, write, writev } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AppendFile, LogFiles } from './log-files';

const writePieces = promisify(writev);

/** As it is, for a call made thousands of times a second: `promisify` and file handles take longer than the write. */
function writePiece(fd: number, piece: Buffer, position: number): Promise<{ readonly bytesWritten: number }> {
  return new Promise((resolve, reject) => {
    write(fd, piece, 0, piece.length, position, (error, bytesWritten) => {
      if (error === null) resolve({ bytesWritten });
      else reject(error);
    });
  });
}

/** One call instead of two, for a journal that is written thousands of times a second; elsewhere it means less. */
const syncedWrites = process.platform === 'linux' ? constants.O_DSYNC : 0;
/** Files kept open for reading. */
const openMax = 64;
/** The operating system takes at most 1,024 pieces at once. */
const piecesMax = 1000;

/** The files of a folder on disk. */
export class DiskFiles implements LogFiles {
  /** By name, the longest unused first. */
  private readonly reading = new Map<string, ReadFile>();

  constructor(private readonly folder: string) {}

  async list(): Promise<Array<{ name: string; bytes: number }>> {
    const files: Array<{ name: string; bytes: number }> = [];
    for (const entry of await readdir(this.folder, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const { name } = entry;
      const found = await unlessMissing(stat(join(this.folder, name)));
      if (found !== undefined) files.push({ name, bytes: found.size });
    }
    return files;
  }

  async read(name: string): Promise<Buffer | undefined> {
    return unlessMissing(readFile(join(this.folder, name)));
  }

  async readAt(name: string, position: number, length: number): Promise<Buffer | undefined> {
    const file = this.opened(name);
    file.users++;
    try {
      const handle = await file.handle;
      if (handle === undefined) return undefined;
      const bytes = Buffer.allocUnsafe(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } catch (error) {
      this.letGo(name, file);
      throw error;
    } finally {
      file.users--;
      if (file.gone && file.users === 0) await closeQuietly(file);
    }
  }

  async create(name: string, { synced }: { readonly synced: boolean }): Promise<AppendFile> {
    const path = join(this.folder, name);
    const mode = constants.O_WRONLY | (synced ? syncedWrites : 0);
    const handle = await open(path, mode | constants.O_CREAT | constants.O_TRUNC);
    try {
      await this.syncFolder();
    } catch (error) {
      await handle.close();
      throw error;
    }
    const own = synced && syncedWrites !== 0 ? await open(path, mode).catch(() => undefined) : undefined;
    const room = own === undefined ? undefined : new ReservedRoom(own);
    let position = 0;
    const append = async (pieces: readonly Buffer[]): Promise<void> => {
      if (room !== undefined && !room.covers(position + sizeOf(pieces))) await room.filled();
      for (let at = 0; at < pieces.length; at += piecesMax)
        position = await writeAll(handle.fd, pieces.slice(at, at + piecesMax), position);
      room?.keepAhead(position);
      if (synced && syncedWrites === 0) await handle.datasync();
    };
    const close = async (): Promise<void> => {
      await room?.close();
      await handle.close();
    };
    return { append, sync: () => handle.datasync(), close };
  }

  async write(name: string, bytes: Buffer): Promise<void> {
    const draft = join(this.folder, `${name}.new`);
    const handle = await open(draft, 'w');
    try {
      await handle.writeFile(bytes);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(draft, join(this.folder, name));
    await this.syncFolder();
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, name), { force: true });
    const file = this.reading.get(name);
    if (file !== undefined) this.letGo(name, file);
  }

  async close(): Promise<void> {
    for (const [name, file] of [...this.reading]) this.letGo(name, file);
    await Promise.resolve();
  }

  private opened(name: string): ReadFile {
    const known = this.reading.get(name);
    this.reading.delete(name);
    const file = known ?? { handle: unlessMissing(open(join(this.folder, name), 'r')), users: 0, gone: false };
    this.reading.set(name, file);
    if (known === undefined)
      file.handle.then(
        (handle) => handle ?? this.letGo(name, file),
        () => this.letGo(name, file),
      );
    if (this.reading.size > openMax) {
      const [oldest] = this.reading;
      if (oldest !== undefined) this.letGo(...oldest);
    }
    return file;
  }

  private letGo(name: string, file: ReadFile): void {
    if (this.reading.get(name) === file) this.reading.delete(name);
    if (file.gone) return;
    file.gone = true;
    if (file.users === 0) void closeQuietly(file);
  }

  private async syncFolder(): Promise<void> {
    if (process.platform === 'win32') return;
    const handle = await open(this.folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/**
 * Zeros ahead of what is written to a file that is synced at every write: a write into them changes the content of the
 * file alone, one behind its end also its size and its blocks, and takes the file system twice the time. They are no
 * frame, so a reader passes over them.
 * [safety] In a handle of their own: what became of pages that could not be written back Linux tells each handle once,
 * whoever asks first. Of one handle the zeros would be told of the failure, and the content beside them of success.
 */
class ReservedRoom {
  /** Zeros reach up to here, or content does. */
  private end = 0;
  private filling: Promise<void> | undefined;
  private refused = false;

  constructor(private readonly handle: FileHandle) {}

  covers(end: number): boolean {
    return end <= this.end;
  }

  /** What is under way must not come over what is written later. */
  filled(): Promise<void> {
    return this.filling ?? Promise.resolve();
  }

  async close(): Promise<void> {
    await this.filled();
    await this.handle.close();
  }

  /** A disk that has no room for it may still have some for content. */
  keepAhead(position: number): void {
    this.end = Math.max(this.end, position);
    if (this.filling !== undefined || this.refused || this.end - position > roomLowBytes) return;
    const from = this.end;
    this.filling = writeAll(this.handle.fd, [zeros], from)
      .then((end) => void (this.end = end))
      .catch(() => void (this.refused = true))
      .finally(() => (this.filling = undefined));
  }
}

const zeros = Buffer.alloc(1024 * 1024);
/** With less room ahead more is made, beside the writes. */
const roomLowBytes = 256 * 1024;

const sizeOf = (pieces: readonly Buffer[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** A file kept open for reading. */
interface ReadFile {
  readonly handle: Promise<FileHandle | undefined>;
  users: number;
  /** Closed as soon as nobody reads it. */
  gone: boolean;
}

async function closeQuietly({ handle }: ReadFile): Promise<void> {
  await handle.then((found) => found?.close()).catch(() => undefined);
}

/** A call may take a part of the pieces only. Returns where the file ends then. */
async function writeAll(fd: number, pieces: readonly Buffer[], from: number): Promise<number> {
  let position = from;
  let left = pieces;
  while (left.length > 0) {
    const [first] = left as readonly [Buffer, ...Buffer[]];
    let { bytesWritten } = await (left.length === 1
      ? writePiece(fd, first, position)
      : writePieces(fd, left, position));
    position += bytesWritten;
    const rest: Buffer[] = [];
    for (const piece of left) {
      if (bytesWritten < piece.length) rest.push(bytesWritten === 0 ? piece : piece.subarray(bytesWritten));
      bytesWritten = Math.max(0, bytesWritten - piece.length);
    }
    left = rest;
  }
  return position;
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
