import { join } from 'node:path';
import { openLevelDb } from '@levee/chunk-store';
import { crc32cNative, keyText } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import { asPartition, type ByteRate, Digest, Failure, hash128 } from '@levee/kernel';
import type { FencedWriter, Log, LogRecord } from '@levee/log';
import { digestedParts } from '../digested-parts';
import type { CarriedRecord } from '../export/exported-record';
import { type FoldPlace, foldPartition } from '../fold-partition';
import { type FoldedRecord, FoldStore } from '../fold-store';
import type { CarriedSource } from './carried-source';

const limits = { batchBytes: 512 * 1024, batchRecordsMax: 1_000, examplesMax: 10 } as const;

/** What filling works with. */
export interface FillWorld {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Holds reading and writing back. */
  readonly rate?: ByteRate;
  readonly progress?: (what: string, done: number, of: number) => void;
}

/** How a namespace's log stands to what it is to hold. */
export interface Comparison {
  readonly same: number;
  /** Keys that the log lacks. */
  readonly missing: number;
  /** Keys that the log has besides, or has otherwise. */
  readonly foreign: number;
  /** The first ones that are foreign, in words. */
  readonly examples: readonly string[];
  /** Of all keys, with a value that had not expired by the time that the source was judged at. */
  readonly keys: number;
  readonly digest: string;
  /** By partition. */
  readonly digests: readonly string[];
}

/** The log of a namespace that is being filled, folded beside it in `folder`. */
export class FilledNamespace {
  constructor(
    private readonly world: FillWorld,
    private readonly namespace: Pick<NamespaceState, 'binlog' | 'partitions' | 'hashAlgorithm' | 'recordFormat'>,
    private readonly folder: string,
  ) {}

  /** Folds the log up to its end as it is now, and holds every key of both against each other. */
  async compare(source: CarriedSource): Promise<Comparison> {
    const counts = { same: 0, missing: 0, foreign: 0, keys: 0 };
    const examples: string[] = [];
    const digests: string[] = [];
    const whole = new Digest();
    const reading = await source.read();
    try {
      for (let partition = 0; partition < this.namespace.partitions; partition++)
        await this.withFold(partition, async (store) => {
          const digest = new Digest();
          for await (const { wanted, found } of merged(reading.partition(partition), store.all())) {
            if (found !== undefined && livedAt(found, source.judgedAtMs)) {
              counts.keys++;
              digest.add(hash128(digestedParts(found, this.namespace.recordFormat)));
            }
            if (wanted === undefined && !found.tombstone) {
              counts.foreign++;
              if (examples.length < limits.examplesMax) examples.push(`${keyText(found.key)} is not in ${source.name}`);
            } else if (wanted !== undefined && (found === undefined || found.tombstone)) counts.missing++;
            else if (wanted !== undefined && found !== undefined && !isSame(wanted, found)) {
              counts.foreign++;
              if (examples.length < limits.examplesMax)
                examples.push(`${keyText(found.key)} is another one in ${source.name} (offset ${found.offset} here)`);
            } else if (wanted !== undefined) counts.same++;
          }
          digests.push(digest.toHex());
          whole.merge(digest);
        });
      await reading.end();
    } finally {
      await reading.close();
    }
    return { ...counts, examples, digest: whole.toHex(), digests };
  }

  /**
   * Appends what the log lacks. [safety] Under a writer identity of this binlog: from the first append to a partition on,
   * nothing that an earlier filling sent there can arrive any more, however late it is; so each partition gets one, and
   * if it lacks nothing, its last record once more. Fails with FENCED when another filling of it began, with NOT_EMPTY
   * when somebody else writes there, with INTERRUPTED, and as the log does: then it may be begun again.
   */
  async append(source: CarriedSource): Promise<number> {
    const { binlog, partitions } = this.namespace;
    const writer = await this.world.log.fencedWriter(`levee-fill/${binlog}`);
    const reading = await source.read();
    let written = 0;
    try {
      for (let partition = 0; partition < partitions; partition++)
        await this.withFold(partition, async (store) => {
          const batch = new FillBatch(this.world, writer, { topic: binlog, partition });
          let last: CarriedRecord | undefined;
          for await (const { wanted, found } of merged(reading.partition(partition), store.all())) {
            if (found !== undefined && !found.tombstone && (wanted === undefined || !isSame(wanted, found)))
              throw new Failure(
                'NOT_EMPTY',
                `${binlog} partition ${partition} is written by somebody else: ${keyText(found.key)}`,
              );
            if (wanted === undefined) continue;
            last = wanted;
            if (found === undefined || found.tombstone) await batch.add(wanted);
          }
          if (last !== undefined && batch.count === 0) await batch.add(last);
          await batch.flush();
          written += batch.count;
          this.world.progress?.(`writing ${binlog}`, partition + 1, partitions);
        });
    } finally {
      await reading.close();
      await writer.close();
    }
    return written;
  }

  private async withFold(partition: number, work: (store: FoldStore) => Promise<void>): Promise<void> {
    const { binlog: topic, partitions, hashAlgorithm, recordFormat } = this.namespace;
    const { log, signal, rate } = this.world;
    const place: FoldPlace = { topic, partition, partitions, hashAlgorithm, recordFormat };
    const bounds = await log.offsets(topic);
    const toOffset = bounds.find((each) => each.partition === partition)?.endOffset ?? 0;
    const store = await FoldStore.open(await openLevelDb(join(this.folder, `t${String(partition).padStart(4, '0')}`)));
    try {
      await foldPartition(log, place, store, {
        ...{ toOffset, signal, keepsRecords: true },
        onBatch: async ({ records }) =>
          rate?.pass(
            records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0),
            signal,
          ),
      });
      await work(store);
    } finally {
      await store.close();
    }
  }
}

const livedAt = ({ tombstone, expiresAtMs }: FoldedRecord, nowMs: number): boolean =>
  !tombstone && (expiresAtMs === 0 || expiresAtMs > nowMs);

const isSame = (wanted: CarriedRecord, found: FoldedRecord): boolean =>
  wanted.expiresAtMs === found.expiresAtMs &&
  found.crc === crc32cNative(wanted.raw) &&
  (found.raw ?? noBytes).equals(wanted.raw);
const noBytes = Buffer.alloc(0);

type Pair =
  | { readonly wanted: CarriedRecord; readonly found: FoldedRecord | undefined }
  | { readonly wanted: undefined; readonly found: FoldedRecord };

/** Both by ascending key. */
async function* merged(wanted: AsyncIterable<CarriedRecord>, found: AsyncIterable<FoldedRecord>): AsyncGenerator<Pair> {
  const [ours, theirs] = [wanted[Symbol.asyncIterator](), found[Symbol.asyncIterator]()];
  const next = async <T>(of: AsyncIterator<T>): Promise<T | undefined> => {
    const step = await of.next();
    return step.done === true ? undefined : step.value;
  };
  try {
    let [a, b] = [await next(ours), await next(theirs)];
    while (a !== undefined || b !== undefined) {
      const order: number = a === undefined ? 1 : b === undefined ? -1 : Buffer.compare(a.key, b.key);
      if (order > 0) yield { wanted: undefined, found: b as FoldedRecord };
      else yield { wanted: a as CarriedRecord, found: order === 0 ? b : undefined };
      if (order <= 0) a = await next(ours);
      if (order >= 0) b = await next(theirs);
    }
  } finally {
    await theirs.return?.();
  }
}

class FillBatch {
  private records: LogRecord[] = [];
  private bytes = 0;
  count = 0;

  constructor(
    private readonly world: FillWorld,
    private readonly writer: FencedWriter,
    private readonly place: { readonly topic: string; readonly partition: number },
  ) {}

  async add({ key, raw, headers }: CarriedRecord): Promise<void> {
    // What comes next may lie where these do.
    const record = {
      key: Buffer.from(key),
      value: Buffer.from(raw),
      headers: headers.map((header) => ({ key: header.key, value: Buffer.from(header.value) })),
    };
    const bytes = headers.reduce(
      (sum, header) => sum + header.key.length + header.value.length,
      key.length + raw.length,
    );
    // A record of nearly all that the topic takes in a batch goes alone, as it came.
    if (this.bytes + bytes > limits.batchBytes) await this.flush();
    this.records.push(record);
    this.bytes += bytes;
    this.count++;
    if (this.records.length >= limits.batchRecordsMax) await this.flush();
  }

  async flush(): Promise<void> {
    const { records, bytes, place, world } = this;
    if (records.length === 0) return;
    if (world.signal.aborted) throw new Failure('INTERRUPTED', `filling ${place.topic} was ended`);
    this.records = [];
    this.bytes = 0;
    await this.writer.append(place.topic, asPartition(place.partition), records);
    await world.rate?.pass(bytes, world.signal);
  }
}
