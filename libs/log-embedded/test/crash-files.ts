import type { AppendFile, LogFiles } from '../src/store/log-files';
import { dice as diceOf } from '../../../test/support/seed';

interface StoredFile {
  /** What is on the platter, and what only the page cache has. */
  durable: Buffer;
  unsynced: Buffer[];
}

/**
 * The platter under the files of a log. What was synced stays; of the rest any part of a beginning may be there after
 * power loss, the last piece torn or zeroed. A removed file may come back. Names are durable when the port says so.
 */
export class CrashFiles {
  private files = new Map<string, StoredFile>();
  /** Removed, and not known to be gone for good. */
  private readonly ghosts = new Map<string, Buffer>();
  private powered = 0;
  /** A lying disk. */
  ignoreSync = false;
  syncs = 0;

  mount(): LogFiles {
    const mounted = ++this.powered;
    const demandPower = (): void => {
      if (mounted !== this.powered) throw new Error('the power is lost: mount the disk again');
    };
    const synced = async (file: StoredFile): Promise<void> => {
      const pieces = file.unsynced.length;
      this.syncs++;
      // A turn of the event loop: power may be lost between a write and its sync.
      await new Promise<void>((resolve) => setImmediate(resolve));
      demandPower();
      if (this.ignoreSync) return;
      file.durable = Buffer.concat([file.durable, ...file.unsynced.splice(0, pieces)]);
    };
    return {
      list: () => {
        demandPower();
        return Promise.resolve([...this.files].map(([name, file]) => ({ name, bytes: contentOf(file).length })));
      },
      read: (name) => {
        demandPower();
        const file = this.files.get(name);
        return Promise.resolve(file === undefined ? undefined : contentOf(file));
      },
      readAt: (name, position, length) => {
        demandPower();
        const file = this.files.get(name);
        return Promise.resolve(file === undefined ? undefined : contentOf(file).subarray(position, position + length));
      },
      create: async (name, options): Promise<AppendFile> => {
        demandPower();
        const file: StoredFile = { durable: Buffer.alloc(0), unsynced: [] };
        this.files.set(name, file);
        this.ghosts.delete(name);
        await Promise.resolve();
        return {
          append: async (pieces) => {
            demandPower();
            file.unsynced.push(Buffer.concat(pieces));
            if (options.synced) await synced(file);
          },
          sync: () => synced(file),
          close: () => Promise.resolve(),
        };
      },
      write: async (name, bytes) => {
        demandPower();
        this.syncs++;
        await new Promise<void>((resolve) => setImmediate(resolve));
        demandPower();
        this.files.set(name, { durable: Buffer.from(bytes), unsynced: [] });
      },
      remove: (name) => {
        demandPower();
        const file = this.files.get(name);
        if (file !== undefined) this.ghosts.set(name, file.durable);
        this.files.delete(name);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }

  /** The same seed loses the same. */
  powerLoss(seed: number): void {
    const dice = diceOf(seed);
    this.powered++;
    for (const [name, durable] of this.ghosts) if (dice() < 0.5) this.files.set(name, { durable, unsynced: [] });
    this.ghosts.clear();
    for (const file of this.files.values()) {
      const kept = file.unsynced.splice(0, Math.floor(dice() * (file.unsynced.length + 1)));
      const [torn] = file.unsynced.splice(0);
      const part = torn === undefined || dice() < 0.5 ? [] : [tear(torn, dice)];
      file.durable = Buffer.concat([file.durable, ...kept, ...part]);
    }
  }

  names(): string[] {
    return [...this.files.keys()].sort();
  }

  /** Changes a file behind everybody's back; `undefined` loses it. Nothing is mounted. */
  damage(name: string, change: (bytes: Buffer) => Buffer | undefined): void {
    const file = this.files.get(name);
    if (file === undefined) throw new Error(`there is no file ${name}`);
    const changed = change(Buffer.from(contentOf(file)));
    if (changed === undefined) this.files.delete(name);
    else this.files.set(name, { durable: changed, unsynced: [] });
  }

  content(name: string): Buffer {
    const file = this.files.get(name);
    if (file === undefined) throw new Error(`there is no file ${name}`);
    return contentOf(file);
  }

  /** As it is now, to be damaged in several ways. */
  copy(): CrashFiles {
    const copy = new CrashFiles();
    for (const [name, file] of this.files) copy.files.set(name, { durable: contentOf(file), unsynced: [] });
    return copy;
  }
}

const contentOf = ({ durable, unsynced }: StoredFile): Buffer =>
  unsynced.length === 0 ? durable : Buffer.concat([durable, ...unsynced]);

/** A beginning of it, perhaps followed by zeros: blocks reach the platter in any order. */
function tear(bytes: Buffer, dice: () => number): Buffer {
  const torn = Buffer.alloc(bytes.length);
  bytes.copy(torn, 0, 0, Math.floor(dice() * bytes.length));
  return dice() < 0.5 ? torn : torn.subarray(0, Math.floor(dice() * bytes.length));
}
