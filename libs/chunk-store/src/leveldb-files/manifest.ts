import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoreMissing } from '../durable-file';
import { ByteReader } from './byte-reader';
import { damagedFile } from './damaged-file';
import { readLogRecords } from './log-records';

const tags = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const;

/** Which files make a database. */
export interface Manifest {
  /** Bytes of live tables by their number. */
  readonly tables: ReadonlyMap<number, number>;
  /** Write-ahead files from this number on are replayed; this one is always there. 0 = none was begun. */
  readonly logNumber: number;
}

/** Throws REPLICA_DAMAGED when CURRENT, or what it names, is missing or cannot be understood. */
export async function readManifest(folder: string): Promise<Manifest> {
  const pathOfCurrent = join(folder, 'CURRENT');
  const current = await readFile(pathOfCurrent).catch(ignoreMissing);
  if (current === undefined) throw damagedFile(pathOfCurrent, 'it is missing; nothing was changed');
  const name = /^(MANIFEST-\d{6,16})\n$/.exec(current.toString('latin1'))?.[1];
  if (name === undefined) throw damagedFile(pathOfCurrent, 'it names no manifest');
  const path = join(folder, name);
  const file = await readFile(path).catch(ignoreMissing);
  if (file === undefined) throw damagedFile(path, 'it is missing');
  const { records, damage } = readLogRecords(file);
  if (damage !== undefined) throw damagedFile(path, damage.what, damage.at);
  return fold(path, records);
}

function fold(path: string, edits: readonly Buffer[]): Manifest {
  const byLevel = new Map<string, number>();
  const numbers = new Map<number, number>();
  for (const [index, edit] of edits.entries())
    try {
      apply(new ByteReader(edit), byLevel, numbers);
    } catch (error) {
      throw damagedFile(path, `edit ${index} cannot be read: ${(error as Error).message}`);
    }
  const logNumber = numbers.get(tags.logNumber);
  // Without these LevelDB does not open it either: the edit that said them is lost.
  if (logNumber === undefined || !numbers.has(tags.nextFile) || !numbers.has(tags.lastSequence))
    throw damagedFile(path, 'it lacks the number of the write-ahead file or the last sequence');
  const tables = new Map([...byLevel].map(([key, bytes]) => [Number(key.slice(key.indexOf('/') + 1)), bytes]));
  return { tables, logNumber };
}

function apply(edit: ByteReader, tables: Map<string, number>, numbers: Map<number, number>): void {
  while (!edit.done) {
    const tag = edit.varint();
    switch (tag) {
      case tags.comparator:
        edit.slice();
        break;
      case tags.logNumber:
      case tags.nextFile:
      case tags.lastSequence:
      case tags.previousLog:
        numbers.set(tag, edit.varint());
        break;
      case tags.compactPointer:
        edit.varint();
        edit.slice();
        break;
      case tags.deletedFile:
        tables.delete(`${edit.varint()}/${edit.varint()}`);
        break;
      case tags.newFile: {
        const key = `${edit.varint()}/${edit.varint()}`;
        tables.set(key, edit.varint());
        edit.slice();
        edit.slice();
        break;
      }
      default:
        throw new RangeError(`${tag} is no tag of an edit`);
    }
  }
}
