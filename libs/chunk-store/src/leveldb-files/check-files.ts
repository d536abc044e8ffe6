import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ChunkStoreFailure } from '../chunk-store-failure';
import { ignoreMissing } from '../durable-file';
import { Breather, type Pace } from '../breather';
import { damagedFile } from './damaged-file';
import { readLogRecords } from './log-records';
import { type Manifest, readManifest } from './manifest';
import { checkTable } from './table-file';

export interface FilesToCheck {
  /** Closed: nobody has the database open. Open: this process has it, and files come and go. */
  readonly state: 'closed' | 'open';
  /** Numbers of tables that need no look now; a table never changes once it is written. */
  readonly skip?: readonly number[];
  /** Most tables to look at in this call; all by default. */
  readonly tablesMax?: number;
  /** Write-ahead files too, as by default. */
  readonly logs?: boolean;
}

export interface FilesChecked {
  /** Numbers of the tables that were looked at. */
  readonly checked: readonly number[];
  /** Numbers of all tables that the database has. */
  readonly live: readonly number[];
  readonly bytes: number;
}

/**
 * Proves that every byte LevelDB may read from a database is what was written: CURRENT, manifest, the live tables with
 * their sizes, and the write-ahead files. Nothing is changed; throws REPLICA_DAMAGED for what is wrong first. Bytes
 * that nobody reads are not looked at: LOG, LOG.old, LOCK, and files that the manifest does not name.
 */
export async function checkFiles(
  folder: string,
  { state, skip, tablesMax, logs = true }: FilesToCheck,
  pace: Pace,
  signal?: AbortSignal,
): Promise<FilesChecked> {
  const manifest = await readManifest(folder);
  const known = new Set(skip);
  const breather = new Breather(pace);
  const checked: number[] = [];
  let bytes = 0;
  const seen = async (count: number): Promise<void> => {
    bytes += count;
    if (breather.tired(512, count)) await breather.breathe();
    if (signal?.aborted === true) throw new ChunkStoreFailure('REPLICA_CLOSED', `the check of ${folder} was ended`);
  };
  try {
    if (logs) await checkLogs(folder, manifest, state, seen);
    for (const [number, size] of manifest.tables) {
      if (known.has(number)) continue;
      if (checked.length >= (tablesMax ?? Infinity)) break;
      const path = await pathOf(folder, number, size);
      const file = path === undefined ? undefined : await readFile(path).catch(ignoreMissing);
      if (path === undefined || file === undefined) {
        const name = join(folder, `${padded(number)}.ldb`);
        // A compaction that ended since took it away: normal, as long as the manifest says so.
        if (state === 'open' && !(await readManifest(folder)).tables.has(number)) continue;
        throw damagedFile(name, 'the manifest names it, and it is missing');
      }
      if (file.length !== size) throw damagedFile(path, `it has ${file.length} bytes, the manifest says ${size}`);
      checkTable(path, file);
      checked.push(number);
      await seen(size);
    }
  } finally {
    breather.end();
  }
  return { checked, live: [...manifest.tables.keys()], bytes };
}

/** Write-ahead files that an open would replay: none may be missing before, or damaged in, its part of the history. */
async function checkLogs(
  folder: string,
  { logNumber }: Manifest,
  state: FilesToCheck['state'],
  seen: (bytes: number) => Promise<void>,
): Promise<void> {
  const numbers = (await readdir(folder))
    .map((name) => Number(/^(\d{6,16})\.log$/.exec(name)?.[1] ?? NaN))
    .filter((number) => number >= logNumber)
    .sort((a, b) => a - b);
  const missing = logNumber > 0 && numbers[0] !== logNumber;
  let torn: string | undefined;
  for (const number of missing ? [] : numbers) {
    const path = join(folder, `${padded(number)}.log`);
    const file = await readFile(path).catch(ignoreMissing);
    if (file === undefined) continue;
    const found = readLogRecords(file);
    if (found.damage !== undefined) throw damagedFile(path, found.damage.what, found.damage.at);
    if (torn !== undefined && found.records.length > 0)
      throw damagedFile(torn, `its end is cut, and ${padded(number)}.log goes on behind it`);
    // The one that is written now ends anywhere.
    if (found.torn && state === 'closed') torn = path;
    await seen(file.length);
  }
  // While it is open the next one may have taken its place since the manifest was read.
  if (missing && (state === 'closed' || (await readManifest(folder)).logNumber === logNumber))
    throw damagedFile(join(folder, `${padded(logNumber)}.log`), 'the manifest names it, and it is missing');
}

/** LevelDB names tables `.ldb`, earlier versions `.sst`. */
async function pathOf(folder: string, number: number, size: number): Promise<string | undefined> {
  for (const ending of ['ldb', 'sst']) {
    const path = join(folder, `${padded(number)}.${ending}`);
    const found = await stat(path).catch(ignoreMissing);
    if (found === undefined) continue;
    // Before it is read: a file may be larger than memory.
    if (found.size !== size) throw damagedFile(path, `it has ${found.size} bytes, the manifest says ${size}`);
    return path;
  }
  return undefined;
}

function padded(number: number): string {
  return String(number).padStart(6, '0');
}
