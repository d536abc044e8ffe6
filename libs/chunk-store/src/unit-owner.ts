import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ChunkStoreFailure } from './chunk-store-failure';
import { ignoreMissing, readText, writeDurably } from './durable-file';
import { damagedFile } from './leveldb-files/damaged-file';

/** A unit generation whose opening ended the process so often is damaged, whatever its files look like. */
const openingsFatalMax = 2;

const isDatabaseFile = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log))$/;

/**
 * Our own word about a unit generation, in files beside its folder: whether a database may be made in it, and how often
 * the process ended while it was opened. LevelDB makes a new database wherever CURRENT is missing, and deletes what is
 * there.
 */
export class UnitOwner {
  /** `path` = folder of the generation. */
  constructor(private readonly path: string) {}

  /** Whether the folder holds a database, or one may be made. REPLICA_DAMAGED, nothing changed, when its files are gone. */
  async stage(): Promise<'new' | 'used'> {
    const names = (await readdir(this.path).catch(ignoreMissing)) ?? [];
    if (names.includes('CURRENT')) return 'used';
    const begun = names.some((name) => isDatabaseFile.test(name));
    const word = await readText(this.file('owner'));
    if (word !== 'new' && (word !== undefined || begun))
      throw damagedFile(join(this.path, 'CURRENT'), 'it is missing, and the folder was in use; nothing was changed');
    // A process ended while it made the database.
    if (begun) await rm(this.path, { recursive: true, force: true });
    if (word === undefined) await this.write('new');
    return 'new';
  }

  /** The folder holds a database from now on. */
  async used(): Promise<void> {
    if ((await readText(this.file('owner'))) !== 'used') await this.write('used');
  }

  /** What is in the folder is being given up: a database may be made in it. */
  async givenUp(): Promise<void> {
    if ((await readText(this.file('owner'))) !== undefined) await this.write('new');
    await rm(this.file('opening'), { force: true });
  }

  /** The generation is no more. */
  async forget(): Promise<void> {
    for (const what of ['owner', 'opening'] as const) await rm(this.file(what), { force: true });
  }

  /** How often in a row a process ended while it opened the database. */
  async fatalOpenings(): Promise<number> {
    const text = await readFile(this.file('opening'), 'utf8').catch(ignoreMissing);
    return text === undefined ? 0 : text.length;
  }

  throwIfFatal(openings: number): void {
    if (openings < openingsFatalMax) return;
    throw new ChunkStoreFailure(
      'REPLICA_DAMAGED',
      `${this.path} is damaged: the process ended ${openings} times while it was opened`,
    );
  }

  /** One stroke for each: it need not outlive a loss of power, only the process. */
  opening(): Promise<void> {
    return writeFile(this.file('opening'), '|', { flag: 'a' });
  }

  opened(): Promise<void> {
    return rm(this.file('opening'), { force: true });
  }

  private async write(word: 'new' | 'used'): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    await writeDurably(dirname(this.path), `${basename(this.path)}.owner`, word);
  }

  private file(what: 'owner' | 'opening'): string {
    return `${this.path}.${what}`;
  }
}
