import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ignoreMissing } from './durable-file';

/** What somebody read of a partition whose files are kept. */
export interface KeptPosition {
  readonly partition: number;
  readonly nextOffset: number;
}

/** Files of a unit generation that are needed until its replica is whole again (I14). */
export interface KeptFor {
  /** Then they stay for people to look at; else they go. */
  readonly damaged: boolean;
  /** Where the replica stood in them; `null` = not known. */
  readonly positions: readonly KeptPosition[] | null;
}

/** Files of a unit generation that was given up. */
export interface SetAside {
  readonly unitId: string;
  readonly generation: number;
  readonly folder: string;
  readonly reason: string;
  /** By this machine's clock, ms since 1970. */
  readonly atMs: number;
  readonly bytes: number;
  /** Absent: kept for people to look at, within limits. */
  readonly keptFor?: KeptFor;
}

export const setAsideLimits = {
  foldersMax: 4,
  bytesMax: 4 * 2 ** 30,
  reasonBytesMax: 1_000,
  neededPerUnitMax: 2,
} as const;

const noteName = 'set-aside.json';

/** Of the name of a folder that is being removed: half of it is no copy of anything. */
const goneEnding = '.gone';
const removing = { recursive: true, force: true } as const;

const unnoted = { unitId: 'unknown', generation: 0, reason: 'its note cannot be read', atMs: 0 } as const;

/** Nobody knows what is in them, so they may be needed. */
const keptForUnknown: KeptFor = { damaged: true, positions: null };

/**
 * The folders of units of a node that were given up. Damaged ones: so many, so many bytes, and never in the way of what
 * is needed. [safety] Beside them those of units that are built anew, whatever the limits, until that is done.
 */
export class SetAsides {
  private constructor(
    private readonly folder: string,
    private kept: readonly SetAside[],
    private last: number,
  ) {}

  static async open(dataFolder: string): Promise<SetAsides> {
    const folder = join(dataFolder, 'set-aside');
    const found = (await readdir(folder).catch(ignoreMissing)) ?? [];
    // The process ended while they were removed.
    for (const name of found) if (name.endsWith(goneEnding)) await rm(join(folder, name), removing);
    const names = found.filter((name) => /-\d{6}$/.test(name)).sort(byAge);
    const kept: SetAside[] = [];
    for (const name of names) {
      const note = await readFile(join(folder, name, noteName), 'utf8')
        .then((text) => JSON.parse(text) as Omit<SetAside, 'folder'>)
        .catch(() => ({ ...unnoted, keptFor: keptForUnknown, bytes: 0 }));
      kept.push({ ...note, folder: join(folder, name) });
    }
    return new SetAsides(folder, kept, Number(names.at(-1)?.slice(-6) ?? 0));
  }

  /** Oldest first. */
  get all(): readonly SetAside[] {
    return this.kept;
  }

  /** What is needed until the replica in this unit generation is whole again, the newest of it. */
  needed(unitId: string, generation: number): SetAside | undefined {
    const name = nameOf({ unitId, generation });
    return this.kept.findLast(({ folder, keptFor }) => keptFor !== undefined && nameIn(folder) === name);
  }

  /**
   * Why no more of a unit can be kept until its replica is whole again, in words. What is built anew may take all of its
   * unit, and so may every other one that is not whole again.
   */
  keepProblem(unitId: string, capacityOf: (unitId: string) => number, freeBytes: number): string | undefined {
    const units = this.kept.flatMap((each) => (each.keptFor === undefined ? [] : [each.unitId]));
    const kept = units.filter((each) => each === unitId).length;
    if (kept >= setAsideLimits.neededPerUnitMax) return `${kept} folders of ${unitId} are kept already`;
    const neededBytes = [...units, unitId].reduce((sum, each) => sum + capacityOf(each), 0);
    if (freeBytes >= neededBytes) return undefined;
    return `there is no room to keep what ${unitId} holds beside what takes its place: free some space on its disk`;
  }

  /**
   * Takes the folder `path` in. `keptFor`: until `letGo`, whatever else is kept. Of the others the oldest go until the
   * limits hold and there is `room`.
   */
  async take(path: string, of: Omit<SetAside, 'folder' | 'bytes'>, room: () => Promise<boolean>): Promise<void> {
    const reason = of.reason.slice(0, setAsideLimits.reasonBytesMax);
    const folder = join(this.folder, `${nameOf(of)}-${String(++this.last).padStart(6, '0')}`);
    const bytes = await bytesIn(path);
    await mkdir(this.folder, { recursive: true });
    if ((await rename(path, folder).then(() => true, ignoreMissing)) === undefined) return;
    const taken = { ...of, reason, bytes, folder };
    this.kept = [...this.kept, taken];
    await writeNote(taken);
    if (of.keptFor === undefined) await this.trim(room);
  }

  /**
   * The replica in this unit generation is whole, or is no more. [safety] At once nothing of it counts as needed: a rebuild
   * that begins meanwhile must not rely on what is being removed, and what that rebuild keeps stays.
   */
  async letGo(unitId: string, generation: number, room: () => Promise<boolean>): Promise<void> {
    const name = nameOf({ unitId, generation });
    const going: { readonly kept: SetAside; readonly damaged: boolean }[] = [];
    this.kept = this.kept.map((each) => {
      const { keptFor, ...kept } = each;
      if (keptFor === undefined || nameIn(each.folder) !== name) return each;
      going.push({ kept, damaged: keptFor.damaged });
      return kept;
    });
    for (const { kept, damaged } of going) await (damaged ? writeNote(kept) : this.remove(kept));
    await this.trim(room);
  }

  private async trim(room: () => Promise<boolean>): Promise<void> {
    const { foldersMax, bytesMax } = setAsideLimits;
    for (;;) {
      const mayGo = this.kept.filter(({ keptFor }) => keptFor === undefined);
      const [oldest] = mayGo;
      const bytes = mayGo.reduce((total, each) => total + each.bytes, 0);
      if (oldest === undefined || (mayGo.length <= foldersMax && bytes <= bytesMax && (await room()))) return;
      await this.remove(oldest);
    }
  }

  private async remove(gone: SetAside): Promise<void> {
    const path = `${gone.folder}${goneEnding}`;
    await rename(gone.folder, path).catch(ignoreMissing);
    this.kept = this.kept.filter((each) => each !== gone);
    await rm(path, removing);
  }
}

async function writeNote({ folder, ...note }: SetAside): Promise<void> {
  await writeFile(join(folder, noteName), `${JSON.stringify(note)}\n`);
}

/** Of the folder of a unit generation, without its number. */
function nameOf({ unitId, generation }: Pick<SetAside, 'unitId' | 'generation'>): string {
  return `${unitId.replace(/[^A-Za-z0-9_-]/g, '.')}-g${generation}`;
}

function nameIn(folder: string): string {
  return basename(folder).slice(0, -'-000000'.length);
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
