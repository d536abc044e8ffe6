import { recordFormats } from '@levee/codec';
import { asOffset, type Clock } from '@levee/kernel';
import { hashAlgorithms, type HashAlgorithm, hashOf, hasPlace, partitionOf } from '@levee/keyspace';
import { type Log, LogFailure, type PartitionOffsets, type StoredBatch, type StoredRecord } from '@levee/log';

const sampleLimits = {
  /** The newest ones of a partition. */
  offsetsOfPartition: 200,
  partitionsMax: 32,
  /** Partitions read at the same time. */
  partitionsAtOnce: 8,
  /** To read one partition's records. */
  partitionMs: 5_000,
} as const;

export interface SampledRecord {
  readonly partition: number;
  readonly record: StoredRecord;
}

export interface TopicSample {
  readonly records: readonly SampledRecord[];
  /** Batches by what compresses them. */
  readonly compressions: Readonly<Record<string, number>>;
  /** Batches that nobody can read. */
  readonly unreadable: number;
}

/** The newest records of a topic, from some of its partitions; fewer where it has fewer. Fails as `Log.tail` does. */
export async function sampleTopic(
  log: Log,
  { name, topicId }: { readonly name: string; readonly topicId: string },
  clock: Clock,
): Promise<TopicSample> {
  const bounds = (await log.offsets(name)).filter(({ startOffset, endOffset }) => endOffset > startOffset);
  const every = Math.max(1, Math.ceil(bounds.length / sampleLimits.partitionsMax));
  const some = bounds.filter((_, index) => index % every === 0);
  const records: SampledRecord[] = [];
  const compressions: Record<string, number> = {};
  let unreadable = 0;
  for (let at = 0; at < some.length; at += sampleLimits.partitionsAtOnce) {
    const together = some.slice(at, at + sampleLimits.partitionsAtOnce);
    const samples = await Promise.all(together.map((of) => samplePartition(log, { ...of, name, topicId }, clock)));
    for (const sample of samples) {
      records.push(...sample.records);
      unreadable += sample.unreadable;
      for (const each of sample.compressions) compressions[each] = (compressions[each] ?? 0) + 1;
    }
  }
  return { records, compressions, unreadable };
}

async function samplePartition(
  log: Log,
  of: PartitionOffsets & { readonly name: string; readonly topicId: string },
  clock: Clock,
): Promise<{ records: SampledRecord[]; compressions: string[]; unreadable: number }> {
  const { name, topicId, partition, startOffset, endOffset } = of;
  const stop = new AbortController();
  const untilMs = clock.monotonicMs() + sampleLimits.partitionMs;
  const nextOffset = asOffset(Math.max(startOffset, endOffset - sampleLimits.offsetsOfPartition));
  const options = { signal: stop.signal, bytesMax: 1 << 20, idleMs: 100, unavailableMs: sampleLimits.partitionMs };
  const found = { records: [] as SampledRecord[], compressions: [] as string[], unreadable: 0 };
  try {
    const from = { nextOffset, leaderEpoch: -1 };
    for await (const batch of log.tail(name, partition, from, { ...options, topicId, stored: true })) {
      for (const stored of batch.stored ?? []) {
        if (stored.kind !== 'data') continue;
        found.compressions.push(stored.compression);
        const records = recordsOf(stored);
        if (records === undefined) found.unreadable++;
        for (const record of records ?? [])
          if (record.offset >= nextOffset)
            found.records.push({
              partition,
              record: { ...record, key: owned(record.key), value: owned(record.value) },
            });
      }
      if (batch.nextOffset >= endOffset || clock.monotonicMs() > untilMs) break;
    }
  } catch (error) {
    // Its owner's retention may overtake the look.
    if (!(error instanceof LogFailure) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error;
  } finally {
    stop.abort();
  }
  return found;
}

function recordsOf(batch: StoredBatch): readonly StoredRecord[] | undefined {
  try {
    return batch.records();
  } catch {
    return undefined;
  }
}

const owned = (bytes: Buffer | null): Buffer | null => bytes && Buffer.from(bytes);

/** How sampled keys lie, and how their values read. */
export interface SampleVerdict {
  /** Records with a key. */
  readonly keyed: number;
  /** Of these, how many stand in the partition that an algorithm says. */
  readonly placed: Readonly<Record<HashAlgorithm, number>>;
  /** Records with a key and a value, and how many of these are a `Put`. */
  readonly values: number;
  readonly puts: number;
}

export function judgeSample(sample: readonly SampledRecord[], partitions: number): SampleVerdict {
  const placed = Object.fromEntries(hashAlgorithms.map((name) => [name, 0])) as Record<HashAlgorithm, number>;
  let keyed = 0;
  let values = 0;
  let puts = 0;
  for (const { partition, record } of sample) {
    const { key, value } = record;
    if (key === null) continue;
    keyed++;
    for (const name of hashAlgorithms)
      if (hasPlace(key, name) && partitionOf(hashOf(key, name), partitions) === partition) placed[name]++;
    if (value === null) continue;
    values++;
    if (recordFormats.put.reads(key, { value, headers: record.headers })) puts++;
  }
  return { keyed, placed, values, puts };
}

/** So many keys say something. */
const keysMin = 20;

/** The algorithms by which nearly all sampled keys stand where they are; none where too few were seen. */
export function likelyAlgorithms({ keyed, placed }: SampleVerdict): HashAlgorithm[] {
  if (keyed < keysMin) return [];
  return hashAlgorithms.filter((name) => placed[name] >= keyed * 0.95);
}

/** Why a topic would not be read by these settings, by what was sampled; `undefined` when it would, or too little is there. */
export function sampleProblem(
  verdict: SampleVerdict,
  of: { readonly binlog: string; readonly hashAlgorithm: HashAlgorithm; readonly recordFormat: 'put' | 'raw' },
): string | undefined {
  const { keyed, placed, values, puts } = verdict;
  const { binlog, hashAlgorithm, recordFormat } = of;
  if (keyed >= keysMin && placed[hashAlgorithm] * 2 < keyed) {
    const likely = likelyAlgorithms(verdict);
    const help =
      likely.length > 0 ? `they do by ${likely.join(', ')}: --hash-algorithm ${likely[0]}` : 'no algorithm fits them';
    return `of ${keyed} keys looked at in ${binlog}, ${placed[hashAlgorithm]} stand in the partition that ${hashAlgorithm} says; ${help}`;
  }
  if (recordFormat === 'put' && values >= keysMin && puts * 2 < values)
    return `of ${values} values looked at in ${binlog}, ${puts} are a Put: --record-format raw serves values as they are`;
  return undefined;
}
