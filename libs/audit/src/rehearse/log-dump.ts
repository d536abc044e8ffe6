import { createHash } from 'node:crypto';
import { asOffset, Failure } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { type AuditWorld, walkPartition } from '../verify/walk-partition';

/** What the first line of a dump says. */
export interface DumpHead {
  readonly levee: 'dump';
  readonly version: 1;
  readonly topic: string;
  readonly partition: number;
  readonly startOffset: number;
  /** Version of the software that wrote the dump. */
  readonly software: string;
  /** What that software came to by folding it; absent: it did not look. */
  readonly came?: Readonly<Record<string, string | number>>;
}

interface DumpedRecord {
  readonly offset: number;
  readonly timestampMs: number;
  /** Base64; null as in the log. */
  readonly key: string | null;
  readonly value: string | null;
  readonly headers?: readonly (readonly [string, string])[];
}

const dumpLimits = {
  /** Of one line: a record of the journal has 8 MiB at most, and base64 a third more. */
  lineLengthMax: 16 * 1024 * 1024,
} as const;

/** Writes the lines of a dump: a head, one record a line as JSON, and the SHA-256 of all before as the last. */
export class DumpWriter {
  private readonly sum = createHash('sha256');
  private records = 0;

  constructor(private readonly write: (line: string) => void) {}

  head(head: DumpHead): void {
    this.line(head);
  }

  record({ offset, timestampMs, key, value, headers }: StoredRecord): void {
    const line: DumpedRecord = {
      ...{ offset, timestampMs, key: key?.toString('base64') ?? null, value: value?.toString('base64') ?? null },
      ...(headers.length > 0 && { headers: headers.map((each) => [each.key, each.value.toString('base64')] as const) }),
    };
    this.records++;
    this.line(line);
  }

  end(): void {
    this.write(JSON.stringify({ records: this.records, sha256: this.sum.digest('hex') }));
  }

  private line(value: object): void {
    const text = JSON.stringify(value);
    this.sum.update(`${text}\n`);
    this.write(text);
  }
}

/**
 * The lines of a dump of the journal, as it ends now. Fails as `Log.tail` does, with INTERRUPTED, and where a stretch
 * cannot be read.
 */
export async function* dumpJournal(world: AuditWorld, software: string): AsyncGenerator<string> {
  const { journal: topic } = world.topics;
  if ((await world.log.describeTopics([topic])).length === 0)
    throw new Failure('TOPIC_MISSING', `there is no topic ${topic}: is the prefix another one?`);
  const [bounds] = await world.log.offsets(topic);
  const [startOffset, endOffset] = [bounds?.startOffset ?? 0, bounds?.endOffset ?? 0];
  let lines: string[] = [];
  const writer = new DumpWriter((line) => lines.push(line));
  writer.head({ levee: 'dump', version: 1, topic, partition: 0, startOffset, software });
  for (let next: number = startOffset; next < endOffset;) {
    const walk = { topic, partition: 0, from: next, to: endOffset };
    const walked = await walkPartition(world, walk, {
      onBatch: (batch) => {
        for (const record of batch.records) if (record.offset < endOffset) writer.record(record);
        next = batch.nextOffset;
      },
      onHole: ({ why }) => {
        throw new Failure('RECORD_CORRUPT', `${topic} cannot be kept whole: ${why}`);
      },
      // Given away before more is read, so that memory is bounded.
      isEnough: () => lines.length > 0,
    });
    if (lines.length === 0 && walked.endOffset <= walk.from)
      throw new Failure('LOG_UNAVAILABLE', `${topic} gives nothing from offset ${next} on, and does not end there`);
    next = Math.max(next, walked.endOffset);
    yield* lines;
    lines = [];
  }
  writer.end();
  yield* lines;
}

/** Reads a dump line by line, and trusts none of it. Every problem is BAD_DUMP, with the line. */
export class DumpReader {
  head: DumpHead | undefined;
  private readonly sum = createHash('sha256');
  private lines = 0;
  private records = 0;
  private nextOffset = 0;
  private isOver = false;

  /** The record of the line; `undefined` for the first and the last one. */
  line(text: string): StoredRecord | undefined {
    this.lines++;
    if (text.length > dumpLimits.lineLengthMax) throw this.bad(`has ${text.length} characters`);
    if (this.isOver) throw this.bad('stands behind the end');
    const value = this.parsed(text);
    if (this.head === undefined) return this.begin(value, text);
    if (typeof value['sha256'] === 'string') return this.end(value);
    this.sum.update(`${text}\n`);
    return this.recordIn(value);
  }

  /** To be called behind the last line. */
  close(): DumpHead {
    if (this.head === undefined || !this.isOver)
      throw new Failure('BAD_DUMP', `it ends after line ${this.lines}, before its end: it is cut`);
    return this.head;
  }

  private begin(value: Readonly<Record<string, unknown>>, text: string): undefined {
    const { levee, version, topic, partition, startOffset, software, came } = value;
    if (levee !== 'dump' || typeof topic !== 'string' || !isCount(partition) || !isCount(startOffset))
      throw this.bad('is no head of a dump: levee audit rehearse --keep makes one');
    if (version !== 1) throw this.bad(`is of a dump of version ${String(version)}, this build reads version 1`);
    if (typeof software !== 'string') throw this.bad('names no software');
    if (came !== undefined && (typeof came !== 'object' || came === null)) throw this.bad('has a came that is none');
    this.head = value as unknown as DumpHead;
    this.nextOffset = startOffset;
    this.sum.update(`${text}\n`);
    return undefined;
  }

  private end({ sha256, records }: Readonly<Record<string, unknown>>): undefined {
    if (records !== this.records) throw this.bad(`says ${String(records)} records, there are ${this.records}`);
    if (sha256 !== this.sum.digest('hex')) throw this.bad('names another SHA-256: something before it was changed');
    this.isOver = true;
    return undefined;
  }

  private recordIn({ offset, timestampMs, key, value, headers = [] }: Readonly<Record<string, unknown>>): StoredRecord {
    if (!isCount(offset) || offset < this.nextOffset)
      throw this.bad(`has offset ${String(offset)}, ${this.nextOffset} is next`);
    if (typeof timestampMs !== 'number' || !Array.isArray(headers)) throw this.bad('is no record');
    this.nextOffset = offset + 1;
    this.records++;
    const read = (headers as unknown[]).map((each) => {
      const [name, told] = Array.isArray(each) ? (each as unknown[]) : [];
      if (typeof name !== 'string') throw this.bad('has a header that is none');
      return { key: name, value: this.bytes(told) ?? Buffer.alloc(0) };
    });
    return { offset: asOffset(offset), timestampMs, key: this.bytes(key), value: this.bytes(value), headers: read };
  }

  private bytes(value: unknown): Buffer | null {
    if (value === null) return null;
    if (typeof value !== 'string') throw this.bad('has bytes that are no base64');
    return Buffer.from(value, 'base64');
  }

  private parsed(text: string): Readonly<Record<string, unknown>> {
    try {
      return Object(JSON.parse(text)) as Record<string, unknown>;
    } catch {
      throw this.bad('is no JSON');
    }
  }

  private bad(why: string): Failure {
    return new Failure('BAD_DUMP', `line ${this.lines} ${why}`);
  }
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
