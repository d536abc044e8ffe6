import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { failureCode } from '@levee/kernel';
import { ignoreMissing, readSealed, writeSealed } from './durable-file';
import type { JournalSeenOnDisk } from './node-disk';

const name = 'journalSeen';

/** What a disk has kept of the journal, and of which cluster it is. */
export interface JournalSeenThere extends JournalSeenOnDisk {
  /** Of the disk: the folder's name. */
  readonly folder: string;
  readonly clusterId: string | undefined;
}

/** `undefined`: nothing was ever kept there. DISK_DAMAGED when it cannot be read. */
export async function readJournalSeen(folder: string): Promise<JournalSeenOnDisk | undefined> {
  const words = /^([0-9]{1,15}) ([0-9]{1,10})$/.exec((await readSealed(folder, name)) ?? '');
  return words === null ? undefined : { seq: Number(words[1]), term: Number(words[2]) };
}

export async function writeJournalSeen(folder: string, { seq, term }: JournalSeenOnDisk): Promise<void> {
  await writeSealed(folder, name, `${seq} ${term}`);
}

/**
 * Of every node's disk below `parent`, whether or not a process has it open: a master that shares the machine with
 * them need not wait for their heartbeats. Fails with DISK_DAMAGED, which names the disk; with `onDamaged` only when no
 * disk can be read of those that have kept something: one that follows the same journal is enough to know its end.
 */
export async function journalSeenBelow(
  parent: string,
  onDamaged?: (error: unknown) => void,
): Promise<JournalSeenThere[]> {
  const found: JournalSeenThere[] = [];
  const damaged: unknown[] = [];
  const entries = (await readdir(parent, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
  for (const entry of entries.filter((each) => each.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    try {
      const folder = join(parent, entry.name);
      const seen = await readJournalSeen(folder);
      const clusterId = await readSealed(folder, 'clusterId');
      if (seen !== undefined) found.push({ ...seen, folder: entry.name, clusterId });
    } catch (error) {
      if (failureCode(error) !== 'DISK_DAMAGED' || onDamaged === undefined) throw error;
      damaged.push(error);
    }
  }
  if (found.length === 0 && damaged.length > 0) throw damaged[0];
  for (const error of damaged) onDamaged?.(error);
  return found;
}
