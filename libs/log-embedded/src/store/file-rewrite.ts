import { embeddedLimits } from '../limits';
import type { LogFiles } from './log-files';
import type { Place, Rewrite, StoreWrite } from './log-store';
import { runName } from './names';
import { heldEntry } from './partition-entries';
import { type Run, RunWriter } from './runs';
import { type SectionIndexes, SectionScan } from './section-scan';
import type { StoreState } from './store-state';

export interface RewriteParts {
  readonly nextRun: () => number;
  /** Makes the runs count, together with `writes`, in one change. */
  readonly commit: (runs: readonly Run[], writes: readonly StoreWrite[]) => Promise<void>;
}

/** Writes entries to runs of their own, past the journal; one change makes all of them count. */
export class FileRewrite implements Rewrite {
  private readonly runs: Run[] = [];
  private writer: RunWriter | undefined;
  private committing = false;

  constructor(
    private readonly files: LogFiles,
    private readonly placeOf: () => Place,
    private readonly parts: RewriteParts,
  ) {}

  async put(bytes: Buffer, sources: readonly number[]): Promise<void> {
    this.writer ??= await RunWriter.create(this.files, this.parts.nextRun());
    await this.writer.add(this.placeOf(), heldEntry(sources[0] as number, bytes));
    if (this.writer.bytes >= embeddedLimits.runBytesMax) await this.finishRun();
  }

  async commit(writes: readonly StoreWrite[]): Promise<void> {
    await this.finishRun();
    // From here on the runs may count, also when an error is told.
    this.committing = true;
    if (this.runs.length + writes.length > 0) await this.parts.commit(this.runs, writes);
  }

  async abandon(): Promise<void> {
    await this.writer?.abandon();
    this.writer = undefined;
    if (this.committing) return;
    for (const { number } of this.runs) await this.files.remove(runName(number)).catch(() => undefined);
  }

  private async finishRun(): Promise<void> {
    const { writer } = this;
    this.writer = undefined;
    if (writer === undefined) return;
    try {
      this.runs.push(await writer.finish(0));
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }
}

/** Copies what still counts of some runs to new ones. What is damaged stays where it is. */
export async function relocate(
  files: LogFiles,
  indexes: SectionIndexes,
  state: StoreState,
  runs: ReadonlySet<number>,
  rewriteOf: (placeOf: () => Place) => Rewrite,
  cancelled: () => boolean,
): Promise<void> {
  let place: Place = { topic: 0, partition: 0 };
  const rewrite = rewriteOf(() => place);
  try {
    for (const [from, { extents }] of state.places()) {
      place = from;
      for (const extent of extents) {
        if (!runs.has(extent.section.run)) continue;
        const scan = new SectionScan(files, extent.section, indexes, extent.from);
        for (;;) {
          if (cancelled()) return await rewrite.abandon();
          const scanned = await scan.more();
          if (scanned.length === 0) break;
          for (const { base, next, bytes } of scanned)
            if (next > extent.from && base < extent.to) await rewrite.put(bytes, [base]);
        }
      }
    }
  } catch (error) {
    await rewrite.abandon();
    throw error;
  }
  await rewrite.commit([]);
}
