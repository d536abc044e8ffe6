import { Failure } from '@levee/kernel';
import type { CarriedRecord } from '../export/exported-record';
import { ExportReading } from '../export/export-reading';

/** Where the keys come from that a namespace is filled with; it can be read several times, with the same outcome. */
export interface CarriedSource {
  /** What it is, for people. */
  readonly name: string;
  /** What had expired by then is not in it. */
  readonly judgedAtMs: number;
  /** By partition: how many keys it has, and their digest. */
  readonly partitions: readonly { readonly keys: number; readonly digest: string }[];
  read(): Promise<CarriedReading>;
}

export interface CarriedReading {
  /** By ascending key. Partitions are asked for in their order. */
  partition(partition: number): AsyncIterable<CarriedRecord>;
  /** All was read, and all of it is right. */
  end(): Promise<void>;
  close(): Promise<void>;
}

/** The file of an export; what the first reading found sealed, later ones must find too. */
export class ExportSource implements CarriedSource {
  readonly judgedAtMs: number;
  readonly partitions: CarriedSource['partitions'];
  private known: Buffer | undefined;

  constructor(
    readonly name: string,
    { judgedAtMs, partitions }: ExportReading['manifest'],
    private readonly onBytes: (bytes: number, of: number) => void = () => undefined,
  ) {
    this.judgedAtMs = judgedAtMs;
    this.partitions = partitions;
  }

  async read(): Promise<CarriedReading> {
    const reading = await ExportReading.open(this.name);
    const options = { onBytes: (bytes: number) => this.onBytes(bytes, reading.bytes) };
    const all = reading.records(this.known === undefined ? options : { ...options, known: this.known });
    let next: CarriedRecord | undefined;
    const take = async (): Promise<CarriedRecord | undefined> => {
      const step = await all.next();
      return step.done === true ? undefined : step.value;
    };
    return {
      partition: async function* (partition) {
        next ??= await take();
        while (next !== undefined && next.partition <= partition) {
          yield next;
          next = await take();
        }
      },
      end: async () => {
        if ((await take()) !== undefined || next !== undefined)
          throw new Failure('EXPORT_DAMAGED', `${this.name} holds more partitions than its manifest says`);
        if (this.known !== undefined && reading.seal?.equals(this.known) !== true)
          throw new Failure('EXPORT_DAMAGED', `${this.name} has changed since it was checked`);
        this.known = reading.seal;
      },
      close: () => reading.close(),
    };
  }
}
