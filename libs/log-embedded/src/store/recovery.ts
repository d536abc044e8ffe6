import { LogFailure } from '@levee/log';
import { type Checkpoint, readCheckpoint } from './checkpoint';
import { writesOf } from './journal-frames';
import type { LogFiles } from './log-files';
import type { Place } from './log-store';
import { type ReadJournal, readJournal } from './mirrored-journal';
import { runName, storeFileOf } from './names';
import { decodeRun, runOfKey } from './runs';
import { startsIn, StoreState, topicNumbersIn } from './store-state';

export interface Recovered {
  readonly state: StoreState;
  /** Of the last frame. */
  readonly sequence: number;
  /** No journal and no checkpoint had these numbers, no run file that one. */
  readonly nextNumber: number;
  readonly nextRun: number;
  /** What one copy lacked and the other had, and what neither has. */
  readonly troubles: readonly string[];
  readonly suspects: ReadonlyArray<Place & { readonly from: number; readonly to: number }>;
}

/** Which of the store's files there are. */
export interface FoundFiles {
  readonly checkpoints: readonly number[];
  readonly journals: readonly number[];
  readonly runs: ReadonlyMap<number, number>;
}

export async function findFiles(files: LogFiles): Promise<FoundFiles> {
  const checkpoints = new Set<number>();
  const journals = new Set<number>();
  const runs = new Map<number, number>();
  for (const { name, bytes } of await files.list()) {
    const file = storeFileOf(name);
    if (file?.kind === 'checkpoint') checkpoints.add(file.number);
    else if (file?.kind === 'journal') journals.add(file.number);
    else if (file?.kind === 'run') runs.set(file.number, bytes);
  }
  const ascending = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
  return { checkpoints: ascending(checkpoints), journals: ascending(journals), runs };
}

/**
 * Reads the newest whole checkpoint and applies the journals behind it. Changes nothing on disk.
 * Fails with LOG_UNAVAILABLE when both copies of something that everything rests on are gone.
 */
export async function recover(files: LogFiles, found: FoundFiles): Promise<Recovered> {
  const troubles: string[] = [];
  const checkpoint = await newestCheckpoint(files, found, troubles);
  const state = stateOf(checkpoint);
  const journals = await journalsBehind(files, found, checkpoint, troubles);
  let { sequence } = checkpoint;
  for (const [index, journal] of journals.entries()) {
    for (const frame of journal.frames) {
      if (frame.sequence <= sequence) continue;
      if (frame.sequence > sequence + 1) troubles.push(lost(sequence + 1, frame.sequence));
      for (const write of writesOf(frame.body)) state.apply(write);
      ({ sequence } = frame);
    }
    const next = journals[index + 1]?.firstSequence;
    if (next !== undefined && next > sequence + 1) {
      troubles.push(lost(sequence + 1, next));
      sequence = next - 1;
    }
  }
  const numbers = [...found.journals, ...found.checkpoints, checkpoint.nextJournal];
  const runNumbers = [...found.runs.keys(), ...state.runs.keys(), checkpoint.nextRun - 1];
  return {
    state,
    sequence,
    nextNumber: Math.max(...numbers) + 1,
    nextRun: Math.max(...runNumbers) + 1,
    troubles,
    suspects: suspectsOf(state, found, troubles),
  };
}

const lost = (from: number, to: number): string =>
  `both copies of the journal lack the changes ${from} to ${to - 1}: what they held is missing`;

async function newestCheckpoint(files: LogFiles, found: FoundFiles, troubles: string[]): Promise<Checkpoint> {
  for (const number of [...found.checkpoints].reverse()) {
    const read = await readCheckpoint(files, number);
    troubles.push(...read.troubles);
    if (read.checkpoint !== undefined) return read.checkpoint;
  }
  throw unusable('no copy of a checkpoint can be read');
}

async function journalsBehind(
  files: LogFiles,
  found: FoundFiles,
  checkpoint: Checkpoint,
  troubles: string[],
): Promise<ReadJournal[]> {
  const journals: ReadJournal[] = [];
  for (const number of found.journals.filter((each) => each >= checkpoint.nextJournal)) {
    const journal = await readJournal(files, number);
    if (journal === undefined) continue;
    if (journal.beheaded) throw unusable(beheaded(number));
    troubles.push(...journal.troubles);
    journals.push(journal);
  }
  // It was made before the checkpoint; without it nobody knows what came after.
  if (journals[0]?.number !== checkpoint.nextJournal)
    throw unusable(`journal ${checkpoint.nextJournal} is missing in both copies`);
  return journals;
}

function stateOf({ values }: Checkpoint): StoreState {
  const state = new StoreState();
  const runs = [];
  for (const [name, value] of values) {
    const key = Buffer.from(name, 'latin1');
    const run = runOfKey(key);
    if (run === undefined) state.apply({ type: 'put', key, value });
    else runs.push(decodeRun(run, value));
  }
  for (const run of runs.sort((a, b) => a.order - b.order)) state.install(run);
  // As it was when the checkpoint was made: what was dropped before is told by the values alone.
  dropDead(state);
  return state;
}

/** Entries of topics that are gone, and below the start of their partition. */
function dropDead(state: StoreState): void {
  const topics = topicNumbersIn(state);
  const starts = startsIn(state);
  for (const [place, entries] of state.places()) {
    if (!topics.has(place.topic)) entries.hide(0, Infinity);
    else entries.hideBelow(starts.get(`${place.topic}/${place.partition}`) ?? 0);
  }
}

/** Stretches in run files that are missing, or shorter than they were. */
function suspectsOf(
  state: StoreState,
  { runs }: FoundFiles,
  troubles: string[],
): Array<Place & { from: number; to: number }> {
  const bad = new Set<number>();
  for (const { number, bytes } of state.runs.values()) {
    const there = runs.get(number);
    if (there === bytes) continue;
    bad.add(number);
    const what = there === undefined ? 'is missing' : `has ${there} bytes, ${bytes} were written`;
    troubles.push(`${runName(number)} ${what}`);
  }
  const suspects: Array<Place & { from: number; to: number }> = [];
  for (const [place, { extents }] of state.places())
    for (const { section, from, to } of extents) if (bad.has(section.run)) suspects.push({ ...place, from, to });
  return suspects;
}

export const beheaded = (number: number): string =>
  `the heads of both copies of journal ${number} are damaged, and what stands behind them cannot be told without`;

export function unusable(what: string): LogFailure {
  return new LogFailure(
    'LOG_UNAVAILABLE',
    `the log's files cannot be used: ${what}. Nothing was changed; restore the folder from a copy. Without one leave the ` +
      "nodes' folders as they are: they hold what was read of it, but a log that begins anew is another cluster's to them",
  );
}
