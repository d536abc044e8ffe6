import { asOffset, asPartition, defined, failureCode, type Offset, type Partition } from '@levee/kernel';
import type { Log, LogBatch, LogPosition, LogRecord, StoredRecord, TailOptions, TopicSpec } from '@levee/log';
import type { FaultName, LogFaults, LogHarness, LogUnderTest } from './harness';

let topicNumber = 0;

/** What one case works with: a log, unique topics, tails that end with the case, waits that have a deadline. */
export class ContractCase {
  private readonly cancel = new AbortController();
  readonly deadlineMs: number;
  log: Log;

  constructor(
    private readonly subject: LogUnderTest,
    readonly harness: LogHarness,
  ) {
    this.log = subject.log;
    this.deadlineMs = harness.deadlineMs ?? 20_000;
  }

  /** Ends every tail begun through {@link tail} and releases the log. */
  async end(): Promise<void> {
    this.cancel.abort();
    await this.subject.dispose();
  }

  async reopen(): Promise<Log> {
    this.log = await this.subject.reopen();
    return this.log;
  }

  spec(settings: Readonly<Record<string, string>> = {}, partitions = 1): TopicSpec {
    const name = `contract-${process.pid}-${Date.now().toString(36)}-${++topicNumber}`;
    const all = { 'message.timestamp.type': 'LogAppendTime', ...this.harness.topicSettings, ...settings };
    return { name, partitions, settings: all };
  }

  /** A new topic's name. */
  async topic(settings: Readonly<Record<string, string>> = {}, partitions = 1): Promise<string> {
    const spec = this.spec(settings, partitions);
    await this.within(this.log.ensureTopics([spec]), 'creating a topic');
    return spec.name;
  }

  /** A new topic that `compact` can clean within the deadline. */
  async compactedTopic(settings: Readonly<Record<string, string>> = {}): Promise<string> {
    return this.topic({ 'cleanup.policy': 'compact', ...this.harness.compactedSettings, ...settings });
  }

  /** Makes the topic again once its name is free: a deletion may take its time. */
  async remake(spec: TopicSpec): Promise<void> {
    await this.until(async () => {
      try {
        await this.log.ensureTopics([spec]);
        return true;
      } catch {
        return false;
      }
    }, 'the name to be free again');
  }

  /** The name of a new topic whose records `v0` to `v5` are there, but for the one at offset 3, which is damaged. */
  async damagedTopic(corrupt: NonNullable<LogFaults['corrupt']>): Promise<string> {
    const topic = await this.topic();
    for (let n = 0; n < 6; n++) await this.append(topic, [record('k', `v${n}`)]);
    this.log = (await corrupt(topic, p0, asOffset(3))) ?? this.log;
    return topic;
  }

  append(topic: string, records: readonly LogRecord[], partition: Partition = p0): Promise<Offset> {
    return this.within(
      this.log.append(topic, partition, records).then(({ baseOffset }) => baseOffset),
      'an append',
    );
  }

  tail(topic: string, from: number | LogPosition, options: TailOptions = {}, partition: Partition = p0): Tail {
    const position = typeof from === 'number' ? { nextOffset: asOffset(from), leaderEpoch: -1 } : from;
    const signals = [this.cancel.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const batches = this.log.tail(topic, partition, position, { ...options, signal: AbortSignal.any(signals) });
    return new Tail(batches[Symbol.asyncIterator](), this);
  }

  /** Everything committed from `from` to the end as of now. */
  async read(topic: string, from = 0, partition: Partition = p0): Promise<StoredRecord[]> {
    const tail = this.tail(topic, from, {}, partition);
    const { records } = await tail.toEnd();
    await tail.end();
    return records;
  }

  async values(topic: string, from = 0, partition: Partition = p0): Promise<Array<string | null>> {
    return (await this.read(topic, from, partition)).map((record) => record.value && record.value.toString());
  }

  async offsetsOf(topic: string, partition: Partition = p0): Promise<{ start: number; end: number }> {
    const all = await this.within(this.log.offsets(topic), 'offsets');
    const one = defined(
      all.find((entry) => entry.partition === partition),
      `offsets of partition ${partition}`,
    );
    return { start: one.startOffset, end: one.endOffset };
  }

  /** Asserts the failure's code and that its message names `mentions`; returns the failure. */
  async fails(work: Promise<unknown>, code: string, ...mentions: string[]): Promise<Error> {
    let failure: unknown;
    try {
      await this.within(work, `the failure ${code}`);
    } catch (error) {
      failure = error;
    }
    expect(failureCode(failure) ?? failure ?? 'no failure').toBe(code);
    for (const mention of mentions) expect((failure as Error).message).toContain(mention);
    return failure as Error;
  }

  /** The fault, or `undefined` when the harness gives a reason why it cannot be had. */
  fault<Name extends FaultName>(name: Name): NonNullable<LogFaults[Name]> | undefined {
    const offered = this.subject.faults[name];
    const reason = this.harness.notApplicable[name];
    if (offered !== undefined) {
      expect(reason).toBeUndefined();
      return offered.bind(this.subject.faults) as NonNullable<LogFaults[Name]>;
    }
    expect({ fault: name, reason }).toEqual({ fault: name, reason: expect.stringMatching(/\w+ \w+ \w+/) });
    return undefined;
  }

  async within<T>(work: Promise<T>, what: string, deadlineMs = this.deadlineMs): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} took more than ${deadlineMs} ms`)), deadlineMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const end = performance.now() + this.deadlineMs;
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`${what}: not within ${this.deadlineMs} ms`);
      await pause(20);
    }
  }
}

/** One reader, with deadlines. */
export class Tail {
  nextOffset = -1;
  leaderEpoch = -1;
  /** Every batch seen, for rules that hold over all of them. */
  readonly batches: LogBatch[] = [];

  constructor(
    private readonly iterator: AsyncIterator<LogBatch>,
    private readonly context: ContractCase,
  ) {}

  /** The next batch, `undefined` when the tail has ended. */
  async next(): Promise<LogBatch | undefined> {
    const step = await this.context.within(this.iterator.next(), 'the next batch');
    if (step.done === true) return undefined;
    const batch = step.value;
    if (this.nextOffset >= 0) expect(Number(batch.firstOffset)).toBe(this.nextOffset);
    expect(batch.nextOffset).toBeGreaterThanOrEqual(batch.firstOffset);
    let last = batch.firstOffset - 1;
    for (const record of batch.records) {
      expect(record.offset).toBeGreaterThan(last);
      last = record.offset;
    }
    expect(batch.nextOffset).toBeGreaterThan(last);
    this.nextOffset = batch.nextOffset;
    if (batch.leaderEpoch >= 0) this.leaderEpoch = batch.leaderEpoch;
    this.batches.push(batch);
    return batch;
  }

  get position(): LogPosition {
    return { nextOffset: asOffset(this.nextOffset), leaderEpoch: this.leaderEpoch };
  }

  /** Copies of the records up to the end of the partition as the tail reports it. */
  async toEnd(): Promise<{ records: StoredRecord[]; batches: LogBatch[] }> {
    const records: StoredRecord[] = [];
    const from = this.batches.length;
    for (;;) {
      const batch = await this.next();
      if (batch === undefined) throw new Error('the tail ended by itself');
      records.push(...batch.records.map(copyOf));
      if (batch.nextOffset >= batch.endOffset) return { records, batches: this.batches.slice(from) };
    }
  }

  /** Reads on until `count` records came. */
  async take(count: number): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    while (records.length < count) {
      const batch = await this.next();
      if (batch === undefined) throw new Error(`the tail ended after ${records.length} of ${count} records`);
      records.push(...batch.records.map(copyOf));
    }
    return records;
  }

  async end(): Promise<void> {
    await this.context.within(Promise.resolve(this.iterator.return?.()), 'ending a tail');
  }
}

function copyOf(record: StoredRecord): StoredRecord {
  return {
    ...record,
    key: record.key && Buffer.from(record.key),
    value: record.value && Buffer.from(record.value),
    headers: record.headers.map(({ key, value }) => ({ key, value: Buffer.from(value) })),
  };
}

export const p0 = asPartition(0);

export function record(key: string | null, value: string | null): LogRecord {
  return { key: key === null ? null : Buffer.from(key), value: value === null ? null : Buffer.from(value) };
}

/** `count` records with values `<prefix>0`, `<prefix>1`, … */
export function numbered(count: number, prefix = 'v'): LogRecord[] {
  return Array.from({ length: count }, (_, n) => record(`k${n}`, `${prefix}${n}`));
}

/** Only between two looks at a condition, never as luck. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A case: its name is the requirement. */
export type Case = readonly [name: string, run: (c: ContractCase) => Promise<void>];
