import { MemoryLevel } from 'memory-level';
import { asOffset, asPartition } from '@levee/kernel';
import { type Log, type LogRecord, systemClock } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';

/**
 * A log that is an older copy of one partition of a topic: the same records up to `endOffset` under leader epochs that
 * readers have seen, then a new opening, as after a folder was rolled back or a broker came back with less.
 */
export function olderCopy(log: EmbeddedLog, topic: string, endOffset: number): Promise<EmbeddedLog> {
  return copyOf(log, topic, { endOffset });
}

/** The same log whole, but for the entries at these offsets, which do not fit their checksums any more. */
export async function damagedCopy(log: EmbeddedLog, topic: string, offsets: readonly number[]): Promise<EmbeddedLog> {
  const endOffset = (await log.offsets(topic))[0]?.endOffset ?? 0;
  return copyOf(log, topic, { endOffset, offsets });
}

async function copyOf(
  log: EmbeddedLog,
  topic: string,
  { endOffset, offsets = [] }: { readonly endOffset: number; readonly offsets?: readonly number[] },
): Promise<EmbeddedLog> {
  const [found] = await log.describeTopics([topic]);
  if (found === undefined) throw new Error(`there is no ${topic}`);
  const { partitions, settings } = found;
  const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
  // Years before the clock: its first epoch is given by hand, as high as that of the original.
  let copy = await EmbeddedLog.open({ db, clock: { ...systemClock, nowMs: () => timeOfEpoch(log.stats().epoch) } });
  await copy.ensureTopics([{ name: topic, partitions, settings }]);
  for (const record of await recordsOf(log, topic, endOffset)) await copy.append(topic, asPartition(0), [record]);
  await copy.close();
  await db.open();
  for await (const [key, bytes] of db.iterator()) {
    if (key.length !== entryKeyBytes || key[0] !== entryLetter || !offsets.includes(key.readUInt32BE(13))) continue;
    const damaged = Buffer.from(bytes);
    damaged.fill(0, bytes.length - 8);
    await db.put(key, damaged);
  }
  copy = await EmbeddedLog.open({ db, clock: { ...systemClock, nowMs: () => systemClock.nowMs() + 60_000 } });
  return copy;
}

export async function recordsOf(log: Log, topic: string, endOffset: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  if (endOffset === 0) return records;
  const stop = new AbortController();
  const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
  for await (const batch of log.tail(topic, asPartition(0), from, { signal: stop.signal })) {
    for (const { offset, key, value, headers } of batch.records)
      if (offset < endOffset) records.push({ key, value, headers });
    if (batch.nextOffset >= endOffset) break;
  }
  stop.abort();
  return records;
}

/** Of an entry in the log's database: a letter, topic, partition, offset. */
const entryLetter = 0x72;
const entryKeyBytes = 17;

const timeOfEpoch = (epoch: number): number => Date.UTC(2020, 0, 1) + epoch * 1000;
