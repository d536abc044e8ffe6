import { messageOf } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { entryKey, type KeyRange } from '../keys';
import { embeddedLimits } from '../limits';
import { writeCheckpoint } from './checkpoint';
import { FileRewrite, relocate } from './file-rewrite';
import { findEntries, findLastBefore } from './find-entries';
import type { JournalWrite } from './journal-frames';
import type { LogFiles } from './log-files';
import {
  del,
  type EntryCursor,
  type FoundEntry,
  type LogStore,
  type Place,
  put,
  type Rewrite,
  type StoreWrite,
} from './log-store';
import { MirroredJournal, readJournal } from './mirrored-journal';
import { runName, storeFileOf } from './names';
import type { HeldEntry } from './partition-entries';
import { beheaded, findFiles, type FoundFiles, recover, unusable } from './recovery';
import { addRuns, encodeRun, type Run, runKey, RunWriter, type Section } from './runs';
import { SectionIndexes } from './section-scan';
import { StoreState } from './store-state';

export interface FileLimits {
  readonly journalBytes: number;
  readonly rejournalBytes: number;
}

export interface FileStoreOptions {
  /** Whether this folder was never used: only then files are made where there are none. */
  readonly isNew: boolean;
  readonly limits?: FileLimits | undefined;
  /** Told of work beside the writes that failed and is tried again. */
  readonly onTrouble?: (what: string) => void;
}

/**
 * The log's storage in files of our own. Every change goes to a journal in two copies, both synced, before it is
 * confirmed (I2): no damage to one file can take a confirmed change. When a journal is full its entries are written
 * to a run, sorted by partition; then a checkpoint, also in two copies, makes the journal superfluous. Runs have one
 * copy; which stretches they hold is in the checkpoint, so that a lost or damaged one is a named hole, never a
 * shorter log.
 */
export class FileStore implements LogStore {
  private state = new StoreState();
  private journal: MirroredJournal | undefined;
  private sequence = 0;
  private nextRun = 1;
  private queue: Promise<unknown> = Promise.resolve();
  private flushing: Promise<void> | undefined;
  private flushFailed = false;
  private failure: unknown;
  private found: { troubles: readonly string[]; suspects: ReturnType<LogStore['suspects']> } = {
    troubles: [],
    suspects: [],
  };
  private readonly indexes = new SectionIndexes();
  private readonly limits: FileLimits;
  private isNew: boolean;

  constructor(
    private readonly files: LogFiles,
    private readonly options: FileStoreOptions,
  ) {
    this.limits = options.limits ?? embeddedLimits;
    this.isNew = options.isNew;
  }

  async open(): Promise<void> {
    const found = await findFiles(this.files);
    if (found.checkpoints.length === 0) await this.begin(found);
    else await this.goOn(found);
    this.isNew = false;
    this.failure = undefined;
    this.flushFailed = false;
  }

  async close(): Promise<void> {
    await this.queue.catch(() => undefined);
    await this.flushing?.catch(() => undefined);
    const { journal } = this;
    this.journal = undefined;
    await journal?.close().catch(() => undefined);
    await this.files.close();
  }

  write(writes: readonly StoreWrite[]): Promise<void> {
    return this.enqueue(() => this.commit(writes));
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return Promise.resolve(this.state.values.get(key.toString('latin1')));
  }

  valuesIn({ gte, lt }: KeyRange): Promise<Array<[Buffer, Buffer]>> {
    return Promise.resolve(this.state.valuesIn(gte, lt));
  }

  entries(place: Place, from: number, until: number): EntryCursor {
    return findEntries(this.files, this.indexes, this.state.entriesOf(place), from, until);
  }

  lastBefore(place: Place, until: number): Promise<FoundEntry | undefined> {
    return findLastBefore(this.files, this.indexes, this.state.entriesOf(place), until);
  }

  clear({ gte, lt }: KeyRange): Promise<void> {
    return this.enqueue(async () => {
      if (this.state.hasAny(gte, lt)) await this.commit([{ type: 'clear', key: gte, value: lt }]);
    });
  }

  rewrite(place: Place): Rewrite {
    return this.rewriteOf(() => place);
  }

  troubles(): readonly string[] {
    return this.found.troubles;
  }

  suspects(): ReturnType<LogStore['suspects']> {
    return this.found.suspects;
  }

  /** Run files of which nothing counts go; of those of which less than half counts, the rest moves to a new one. */
  async reclaim(cancelled: () => boolean): Promise<void> {
    const counted = new Map<number, number>();
    for (const [, { extents }] of this.state.places())
      for (const { section, from, to } of extents) {
        const share = (to - from) / (section.to - section.from);
        counted.set(section.run, (counted.get(section.run) ?? 0) + share * section.bytes);
      }
    const dead: number[] = [];
    const sparse = new Set<number>();
    for (const { number, bytes } of this.state.runs.values()) {
      const kept = counted.get(number) ?? 0;
      if (kept === 0) dead.push(number);
      else if (kept * 2 < bytes) sparse.add(number);
    }
    if (dead.length > 0) {
      await this.write(dead.map((number) => del(runKey(number))));
      for (const number of dead) await this.files.remove(runName(number));
    }
    if (sparse.size > 0)
      await relocate(this.files, this.indexes, this.state, sparse, (place) => this.rewriteOf(place), cancelled);
  }

  private rewriteOf(placeOf: () => Place): Rewrite {
    const { state } = this;
    return new FileRewrite(this.files, placeOf, {
      nextRun: () => this.nextRun++,
      commit: (runs, writes) =>
        this.enqueue(async () => {
          // [safety] Opening removes runs that nothing tells of: these may be gone, and must not hide what they replace.
          if (this.state !== state)
            throw new LogFailure('LOG_UNAVAILABLE', "the log's files were opened again beside this change: try again");
          // Between the flush of a journal and what is in the next one, by where in the order this change comes.
          const order = (this.sequence + 1) * 2 + 1;
          const told = runs.map((run) => put(runKey(run.number), encodeRun({ ...run, order })));
          return this.commit([...told, ...writes]);
        }),
    });
  }

  private enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.then(work);
    this.queue = result.catch(() => undefined);
    return result;
  }

  private async commit(writes: readonly JournalWrite[]): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    if (this.journal === undefined) throw new LogFailure('LOG_UNAVAILABLE', "the log's files are closed");
    try {
      if (this.journal.bytes >= this.limits.journalBytes) await this.turnOver(this.journal);
      const sequence = this.sequence + 1;
      await this.journal.append(sequence, writes);
      this.sequence = sequence;
    } catch (error) {
      // What reached the disk is found out by opening again.
      this.failure = error;
      throw error;
    }
    for (const write of writes) this.state.apply(write);
  }

  /** The journal is full: a new one begins, and what the old one holds goes to a run beside the writes. */
  private async turnOver(journal: MirroredJournal): Promise<void> {
    if (this.flushing !== undefined && journal.bytes < 2 * this.limits.journalBytes) return;
    await this.flushing;
    this.journal = await MirroredJournal.create(this.files, journal.number + 1, this.sequence + 1);
    await journal.close();
    const flushed = this.flush(this.journal.number);
    // After a failed one nothing more piles up: this write waits for it.
    if (this.flushFailed) await flushed;
    this.flushing = flushed
      .catch((error: unknown) => {
        this.flushFailed = true;
        this.options.onTrouble?.(`the log's journal could not be emptied, it is tried again: ${messageOf(error)}`);
      })
      .finally(() => (this.flushing = undefined));
  }

  /** Writes every held entry to a run, then the checkpoint on which `nextJournal` follows. */
  private async flush(nextJournal: number): Promise<void> {
    const { sequence, state } = this;
    const values = new Map(state.values);
    const runs = [...state.runs.values()];
    const held = [...state.places()].map(([place, entries]) => [place, entries, [...entries.held]] as const);
    held.sort(([a], [b]) => a.topic - b.topic || a.partition - b.partition);
    const written: Array<readonly [Place, Map<Section, HeldEntry[]>]> = [];
    let run: Run | undefined;
    if (held.some(([, , entries]) => entries.length > 0)) {
      const writer = await RunWriter.create(this.files, this.nextRun++);
      try {
        for (const [place, , entries] of held) {
          const bySection = new Map<Section, HeldEntry[]>();
          for (const entry of entries) {
            const section = await writer.add(place, entry);
            const known = bySection.get(section);
            if (known === undefined) bySection.set(section, [entry]);
            else known.push(entry);
          }
          written.push([place, bySection]);
        }
        run = await writer.finish(sequence * 2);
      } catch (error) {
        await writer.abandon();
        throw error;
      }
      runs.push(run);
    }
    await this.checkpoint({ nextJournal, sequence }, values, runs);
    this.flushFailed = false;
    if (run !== undefined) state.runs.set(run.number, run);
    for (const [place, bySection] of written)
      for (const [section, entries] of bySection) state.entriesOf(place).flushed(section, entries);
    await this.removeBelow(nextJournal);
  }

  private checkpoint(
    at: { readonly nextJournal: number; readonly sequence: number },
    values: Map<string, Buffer>,
    runs: Iterable<Run>,
  ): Promise<void> {
    addRuns(values, runs);
    return writeCheckpoint(this.files, { ...at, number: at.nextJournal, nextRun: this.nextRun, values });
  }

  private async removeBelow(number: number): Promise<void> {
    for (const { name } of await this.files.list()) {
      const file = storeFileOf(name);
      if (isDraft(name) || (file !== undefined && file.kind !== 'run' && file.number < number))
        await this.files.remove(name);
    }
  }

  /** Makes the files of a new log. */
  private async begin(found: FoundFiles): Promise<void> {
    if (!this.isNew) throw unusable('this folder was in use, and its checkpoints are missing');
    if (found.runs.size > 0) throw unusable('there are runs of entries, and no checkpoint that knows them');
    for (const number of found.journals) {
      const journal = await readJournal(this.files, number);
      if (journal?.beheaded === true) throw unusable(beheaded(number));
      if (journal !== undefined && journal.frames.length > 0)
        throw unusable(`journal ${number} holds changes, and there is no checkpoint that it follows`);
    }
    this.state = new StoreState();
    this.sequence = 0;
    const number = Math.max(0, ...found.journals) + 1;
    this.journal = await MirroredJournal.create(this.files, number, 1);
    await this.flush(number);
  }

  /** Reads what is there, makes what only one copy had safe again, and begins a new journal. */
  private async goOn(found: FoundFiles): Promise<void> {
    const recovered = await recover(this.files, found);
    const { state, sequence, nextNumber, nextRun, troubles, suspects } = recovered;
    this.state = state;
    this.sequence = sequence;
    this.nextRun = nextRun;
    this.found = { troubles, suspects };
    // On a full disk there may be room to open only without them.
    await this.removeUntold(found);
    const journal = await MirroredJournal.create(this.files, nextNumber, sequence + 1);
    this.journal = journal;
    try {
      await this.makeSafe(journal, sequence);
    } catch (error) {
      await this.abandon(journal).catch(() => undefined);
      throw error;
    }
    await this.removeBelow(nextNumber);
  }

  /** Runs of which neither checkpoint nor journal tells. */
  private async removeUntold({ runs }: FoundFiles): Promise<void> {
    for (const number of runs.keys()) if (!this.state.runs.has(number)) await this.files.remove(runName(number));
  }

  /** What older journals hold, in a new one or a run, and a checkpoint on which the new one follows. */
  private async makeSafe(journal: MirroredJournal, sequence: number): Promise<void> {
    const { state } = this;
    const held: JournalWrite[] = [];
    let bytes = 0;
    for (const [place, entries] of state.places())
      for (const entry of entries.held) {
        held.push(put(entryKey(place.topic, place.partition, entry.base), entry.bytes));
        bytes += entry.bytes.length;
      }
    if (bytes >= this.limits.rejournalBytes) return this.flush(journal.number);
    if (held.length > 0) await journal.append(++this.sequence, held);
    // The held entries are in the journal that follows.
    await this.checkpoint({ nextJournal: journal.number, sequence }, new Map(state.values), state.runs.values());
  }

  /**
   * An opening that failed leaves nothing behind: the next attempts would else fill what people free of a full disk. Where
   * a copy of its checkpoint is there the journal counts.
   */
  private async abandon(journal: MirroredJournal): Promise<void> {
    this.journal = undefined;
    await journal.close();
    const found = await findFiles(this.files);
    if (found.checkpoints.includes(journal.number)) return;
    await this.removeUntold(found);
    for (const { name } of await this.files.list())
      if (isDraft(name) || isJournal(name, journal.number)) await this.files.remove(name);
  }
}

const isDraft = (name: string): boolean => /^checkpoint-.*\.new$/.test(name);

function isJournal(name: string, number: number): boolean {
  const file = storeFileOf(name);
  return file?.kind === 'journal' && file.number === number;
}
