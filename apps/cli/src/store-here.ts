import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What LEVEE_DATA_DIR is where it is not set. */
export const defaultDataDir = '.levee';

/** HTTP door of a store that runs here, and the file that says so. */
export interface StoreHere {
  readonly url: string;
  readonly file: string;
  /** Where its log is, of a cluster of processes. */
  readonly kafka: { readonly brokers: string; readonly prefix: string } | undefined;
}

/**
 * The store whose data is in this folder: `npm start` and `npm run cluster` note their doors there. `undefined` when there
 * is no note, or its process is gone.
 */
export function storeHere(dataDir: string): StoreHere | undefined {
  return noted(join(dataDir, 'doors.json')) ?? noted(join(dataDir, 'cluster', 'cluster.json'));
}

interface Note {
  readonly pid?: unknown;
  readonly http?: unknown;
  readonly portals?: readonly { readonly http?: unknown }[];
  readonly kafka?: { readonly brokers?: unknown };
  readonly prefix?: unknown;
}

function noted(file: string): StoreHere | undefined {
  let note: Note;
  try {
    note = JSON.parse(readFileSync(file, 'utf8')) as Note;
  } catch {
    return undefined;
  }
  const url = note.http ?? note.portals?.[0]?.http;
  if (typeof url !== 'string' || typeof note.pid !== 'number' || !isAlive(note.pid)) return undefined;
  const { prefix, kafka: { brokers } = {} } = note;
  const kafka = typeof brokers === 'string' && typeof prefix === 'string' ? { brokers, prefix } : undefined;
  return { url, file, kafka };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
