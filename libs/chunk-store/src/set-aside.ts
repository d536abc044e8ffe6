import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoreMissing } from './durable-file';

/** Files of a unit generation that was damaged, kept for people to look at. */
export interface SetAside {
  readonly unitId: string;
  readonly generation: number;
  readonly folder: string;
  readonly reason: string;
  /** By this machine's clock, ms since 1970. */
  readonly atMs: number;
  readonly bytes: number;
}

export const setAsideLimits = { foldersMax: 4, bytesMax: 4 * 2 ** 30, reasonBytesMax: 1_000 } as const;

const noteName = 'set-aside.json';

/** The folders of damaged units of a node: so many, so many bytes, and never in the way of what is needed. */
export class SetAsides {
  private constructor(
    private readonly folder: string,
    private kept: readonly SetAside[],
    private last: number,
  ) {}

  static async open(dataFolder: string): Promise<SetAsides> {
    const folder = join(dataFolder, 'set-aside');
    const names = ((await readdir(folder).catch(ignoreMissing)) ?? [])
      .filter((name) => /-\d{6}$/.test(name))
      .sort(byAge);
    const kept: SetAside[] = [];
    for (const name of names) {
      const note = await readFile(join(folder, name, noteName), 'utf8').then(
        (text) => JSON.parse(text) as Omit<SetAside, 'folder'>,
        () => ({ unitId: 'unknown', generation: 0, reason: 'its note cannot be read', atMs: 0, bytes: 0 }),
      );
      kept.push({ ...note, folder: join(folder, name) });
    }
    return new SetAsides(folder, kept, Number(names.at(-1)?.slice(-6) ?? 0));
  }

  /** Oldest first. */
  get all(): readonly SetAside[] {
    return this.kept;
  }

  /** Takes the folder `path` in; the oldest go until the limits hold and there is `room`. */
  async take(path: string, of: Omit<SetAside, 'folder' | 'bytes'>, room: () => Promise<boolean>): Promise<void> {
    const reason = of.reason.slice(0, setAsideLimits.reasonBytesMax);
    const number = String(++this.last).padStart(6, '0');
    const folder = join(this.folder, `${of.unitId.replace(/[^A-Za-z0-9_-]/g, '.')}-g${of.generation}-${number}`);
    const bytes = await bytesIn(path);
    await mkdir(this.folder, { recursive: true });
    if ((await rename(path, folder).then(() => true, ignoreMissing)) === undefined) return;
    this.kept = [...this.kept, { ...of, reason, bytes, folder }];
    await writeFile(join(folder, noteName), `${JSON.stringify({ ...of, reason, bytes })}\n`);
    const { foldersMax, bytesMax } = setAsideLimits;
    const sum = (): number => this.kept.reduce((total, each) => total + each.bytes, 0);
    for (let oldest = this.kept[0]; oldest !== undefined; oldest = this.kept[0]) {
      if (this.kept.length <= foldersMax && sum() <= bytesMax && (await room())) return;
      await rm(oldest.folder, { recursive: true, force: true });
      this.kept = this.kept.slice(1);
    }
  }
}

function byAge(a: string, b: string): number {
  return Number(a.slice(-6)) - Number(b.slice(-6));
}

/** Of the files of a folder. */
export async function bytesIn(path: string): Promise<number> {
  const names = (await readdir(path).catch(ignoreMissing)) ?? [];
  let sum = 0;
  for (const name of names) sum += (await stat(join(path, name)).catch(ignoreMissing))?.size ?? 0;
  return sum;
}
