/**
 * The folder of a log as its storage sees it: flat names, so that a disk that loses power can be played in tests.
 * Not promised: that what was not synced is there, or not there, after power loss.
 */
export interface LogFiles {
  list(): Promise<Array<{ readonly name: string; readonly bytes: number }>>;
  /** The whole file; `undefined` when there is none. Fails when the disk cannot read it: see {@link readCopy}. */
  read(name: string): Promise<Buffer | undefined>;
  /** At most `length` bytes from `position`; fewer at the end of the file; `undefined` when there is no such file. */
  readAt(name: string, position: number, length: number): Promise<Buffer | undefined>;
  /** A new, empty file whose name is durable when it resolves. With `synced` every append is durable when it resolves. */
  create(name: string, options: { readonly synced: boolean }): Promise<AppendFile>;
  /** A whole file, durable with its name when it resolves; before that there is none of this name. */
  write(name: string, bytes: Buffer): Promise<void>;
  /** May come back after power loss. A missing one is no error. */
  remove(name: string): Promise<void>;
  /** Lets go of files that are kept open for reading. */
  close(): Promise<void>;
}

export interface AppendFile {
  append(pieces: readonly Buffer[]): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Why the disk cannot read a file. */
export class Unreadable {
  constructor(readonly cause: unknown) {}
}

/**
 * One of two copies. [safety] What the disk cannot read now it may read in a moment: who has nothing whole in the other
 * copy fails with the cause, and does not go on as if there was nothing here.
 */
export function readCopy(files: LogFiles, name: string): Promise<Buffer | Unreadable | undefined> {
  return files.read(name).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return new Unreadable(error);
    throw error;
  });
}
