import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { type Logger, messageOf } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { isEntryKey, offsetOfEntryKey, placeOfKey } from './keys';
import { writeCheckpoint } from './store/checkpoint';
import type { LogFiles } from './store/log-files';
import { MirroredJournal } from './store/mirrored-journal';
import { runName } from './store/names';
import { heldEntry } from './store/partition-entries';
import { findFiles, unusable } from './store/recovery';
import { addRuns, type Run, RunWriter } from './store/runs';
import { embeddedLimits } from './limits';

/** Values are mostly incompressible binary; how the database was written. */
const options = { keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false } as const;

/**
 * Brings a log over that an older version kept in LevelDB. Nothing of it is changed; it counts as brought over when
 * the first checkpoint is durable. What is damaged in it is brought over as it is, and named by the log as ever.
 */
export async function migrate(entries: string, files: LogFiles, logger: Logger): Promise<void> {
  if (!existsSync(join(entries, 'CURRENT'))) throw unusable(`${join(entries, 'CURRENT')} is missing`);
  const db = new ClassicLevel<Buffer, Buffer>(entries, { ...options, createIfMissing: false });
  try {
    await db.open();
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as { message?: string } | undefined) : undefined;
    const what = `cannot open the log in ${entries}: ${cause?.message ?? messageOf(error)}`;
    throw new LogFailure('LOG_UNAVAILABLE', `${what}; restore the folder from a copy`, { cause: error });
  }
  try {
    // Left over from an attempt that was cut short.
    for (const number of (await findFiles(files)).runs.keys()) await files.remove(runName(number));
    const values = new Map<string, Buffer>();
    const runs: Run[] = [];
    let writer: RunWriter | undefined;
    let count = 0;
    for await (const [key, value] of db.iterator()) {
      if (!isEntryKey(key)) {
        values.set(key.toString('latin1'), value);
        continue;
      }
      writer ??= await RunWriter.create(files, runs.length + 1);
      await writer.add(placeOfKey(key), heldEntry(offsetOfEntryKey(key), value));
      count++;
      if (writer.bytes < embeddedLimits.runBytesMax) continue;
      runs.push(await writer.finish(0));
      writer = undefined;
    }
    if (writer !== undefined) runs.push(await writer.finish(0));
    addRuns(values, runs);
    const journal = await MirroredJournal.create(files, 1, 1);
    await journal.close();
    await writeCheckpoint(files, { number: 1, sequence: 0, nextJournal: 1, nextRun: runs.length + 1, values });
    logger.info({ entries, count }, 'the log was brought over from LevelDB to files of its own');
  } finally {
    await db.close();
  }
}
