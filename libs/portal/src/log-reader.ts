import { viewRecord } from '@levee/codec';
import { asOffset, asPartition, doorCode, Failure, messageOf } from '@levee/kernel';
import type { Log, LogBatch, StoredRecord } from '@levee/log';
import { Shares } from './shares';

export const logReaderLimits = { followersMax: 64, followersOfOneMax: 32 } as const;

export interface LogQuery {
  readonly topic: string;
  readonly partition: number;
  /** Default: the first offset there is. */
  readonly from: number | undefined;
  readonly follow: boolean;
  /** The reader is gone. */
  readonly signal: AbortSignal;
  /** Its address. */
  readonly reader: string;
}

export interface TopicSummary {
  readonly name: string;
  readonly partitions: number;
  readonly offsets: readonly { readonly partition: number; readonly startOffset: number; readonly endOffset: number }[];
}

/** Topics and records of the log for people: decoded, one JSON object a line. */
export class LogReader {
  private readonly readers: Shares;

  constructor(private readonly log: Log) {
    const { followersMax: max, followersOfOneMax: ofOneMax } = logReaderLimits;
    this.readers = new Shares('readers follow the log', { max, ofOneMax });
  }

  async topics(): Promise<TopicSummary[]> {
    const found = await this.log.describeTopics();
    const named = found.filter(({ name }) => !name.startsWith('__'));
    const summaries = await Promise.all(
      named.map(async ({ name, partitions }) => ({ name, partitions, offsets: await this.log.offsets(name) })),
    );
    return summaries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Fails with TOPIC_MISSING, NOT_FOUND, OFFSET_OUT_OF_RANGE, LIMIT before the first line. */
  async open(query: LogQuery): Promise<AsyncIterable<Buffer>> {
    const { topic, partition, from } = query;
    const all = await this.log.offsets(topic);
    const bounds = all.find((each) => each.partition === partition);
    if (!bounds)
      throw new Failure('NOT_FOUND', `${topic} has ${all.length} partitions, from 0; there is no ${partition}`);
    const start = from ?? bounds.startOffset;
    if (start < bounds.startOffset || start > bounds.endOffset)
      throw new Failure(
        'OFFSET_OUT_OF_RANGE',
        `${topic}:${partition} holds offsets ${bounds.startOffset} to ${bounds.endOffset}, not ${start}`,
      );
    // Taken before the first line is asked for, and given back also when none ever is.
    const leave = this.readers.take(query.reader);
    query.signal.addEventListener('abort', leave, { once: true });
    if (query.signal.aborted) leave();
    return this.lines({ ...query, leave }, start, query.follow ? Infinity : bounds.endOffset);
  }

  private async *lines(
    query: LogQuery & { readonly leave: () => void },
    start: number,
    end: number,
  ): AsyncGenerator<Buffer> {
    if (start >= end) return query.leave();
    const stop = new AbortController();
    const signal = AbortSignal.any([query.signal, stop.signal]);
    const from = { nextOffset: asOffset(start), leaderEpoch: -1 };
    try {
      for await (const batch of this.log.tail(query.topic, asPartition(query.partition), from, { signal })) {
        const text = textOf(batch, end);
        if (text !== '') yield Buffer.from(text);
        if (batch.nextOffset >= end) return;
      }
    } catch (error) {
      // The status is sent already: the error is the last line.
      const code = error instanceof Failure ? doorCode(error.code) : 'INTERNAL';
      yield Buffer.from(`${JSON.stringify({ code, message: messageOf(error) })}\n`);
    } finally {
      query.leave();
      stop.abort();
    }
  }
}

function textOf(batch: LogBatch, end: number): string {
  let text = '';
  for (const record of batch.records) if (record.offset < end) text += `${JSON.stringify(lineOf(batch, record))}\n`;
  return text;
}

function lineOf(batch: LogBatch, record: StoredRecord): object {
  const { offset, timestampMs, headers } = record;
  const shownHeaders = headers.map(({ key, value }) => ({ key, value: value.toString('utf8') }));
  const place = { topic: batch.topic, partition: batch.partition, offset, timestampMs };
  return { ...place, ...viewRecord(record), ...(headers.length > 0 ? { headers: shownHeaders } : {}) };
}
