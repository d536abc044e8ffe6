import { Failure } from '@levee/kernel';
import type { ExportedPartition } from '../export/manifest';
import { livingRecords } from '../export/write-export';
import type { FoldStore } from '../fold-store';
import type { RebuiltFolder } from '../rebuild/rebuilt-folder';
import type { CarriedReading, CarriedSource } from './carried-source';

/** What a namespace held at a time, folded in a folder that keeps whole records. */
export class PastSource implements CarriedSource {
  constructor(
    private readonly made: RebuiltFolder,
    readonly name: string,
    readonly judgedAtMs: number,
    readonly partitions: readonly ExportedPartition[],
  ) {}

  read(): Promise<CarriedReading> {
    const { made, judgedAtMs } = this;
    let open: FoldStore | undefined;
    return Promise.resolve({
      partition: async function* (partition) {
        if (open !== undefined)
          throw new Failure('NOT_REBUILT', `partition ${partition} is asked for beside another one`);
        open = await made.partition(partition);
        try {
          yield* livingRecords(open, { partition, judgedAtMs });
        } finally {
          await open.close();
          open = undefined;
        }
      },
      end: () => Promise.resolve(),
      close: async () => {
        await open?.close();
        open = undefined;
      },
    });
  }
}
