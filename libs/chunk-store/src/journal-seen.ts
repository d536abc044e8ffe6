import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
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
 * them need not wait for their heartbeats. Fails with DISK_DAMAGED, which names the disk.
 */
export async function journalSeenBelow(parent: string): Promise<JournalSeenThere[]> {
  const found: JournalSeenThere[] = [];
  const entries = (await readdir(parent, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
  for (const entry of entries.filter((each) => each.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const seen = await readJournalSeen(join(parent, entry.name));
    if (seen !== undefined)
      found.push({ ...seen, folder: entry.name, clusterId: await readSealed(join(parent, entry.name), 'clusterId') });
  }
  return found;
}
