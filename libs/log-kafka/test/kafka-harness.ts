import type { LogFaults, LogHarness, LogUnderTest } from '@levee/log-contract';
import type { Log, LogRecord } from '@levee/log';
import type { Offset, Partition } from '@levee/kernel';
import { CompressionTypes, Kafka, logLevel, type Producer } from 'kafkajs';
import { KafkaLog } from '@levee/log-kafka';
import type { KafkaProcess } from './kafka-process';
import { KafkaProxy, produceKey } from './kafka-proxy';
import { damageBatch } from './segment-file';

/** Segments of a tenth of a second, so that an append behind them makes everything before cleanable. */
const segmentMs = 100;

export function kafkaHarness(kafka: () => KafkaProcess): LogHarness {
  return {
    notApplicable: {
      loseRecord: "Kafka's offsets may have gaps for good reasons: a lost batch cannot be told from a compacted one",
    },
    cannotPassOver: 'the broker gives the offsets, and does not tell what it lost',
    deadlineMs: 30_000,
    compactedSettings: {
      'segment.ms': `${segmentMs}`,
      'min.cleanable.dirty.ratio': '0.0001',
      'delete.retention.ms': '500',
    },
    open: async () => {
      const subject = new KafkaUnderTest(kafka());
      await subject.open();
      return subject;
    },
  };
}

class KafkaUnderTest implements LogUnderTest {
  readonly faults: LogFaults;
  private readonly proxy = new KafkaProxy();
  private current: KafkaLog | undefined;
  private foreignProducers: Producer[] = [];

  constructor(private readonly kafka: KafkaProcess) {
    this.faults = {
      loseNextAppendResponse: () => Promise.resolve(this.proxy.loseNextAnswer(produceKey)),
      setNextSequence: (topic, partition, sequence) =>
        Promise.resolve(this.ours.beginSequenceAt(topic, partition, sequence)),
      pauseAppends: () => {
        const release = this.proxy.hold(produceKey);
        return Promise.resolve(() => Promise.resolve(release()));
      },
      compact: (topic, partition) => this.compact(topic, partition),
      openForeignTransaction: (topic, partition, records) => this.openTransaction(topic, partition, records),
      abortForeignTransactions: (topic, partition, count) => this.abortTransactions(topic, partition, count),
      appendCompressed: async (topic, partition, records) => {
        const producer = await this.foreign({});
        const messages = records.map(({ key, value, headers = [] }) => ({
          key,
          value,
          partition,
          headers: Object.fromEntries(headers.map((header) => [header.key, header.value])),
        }));
        await producer.send({ topic, messages, acks: -1, compression: CompressionTypes.GZIP });
      },
      corrupt: (topic, partition, offset) => damageBatch(this.kafka.partitionFolder(topic, partition), offset),
      corruptNextFetch: () => Promise.resolve(this.proxy.corruptNextFetch()),
      truncate: async (topic, partition, endOffset) => {
        await this.kafka.comeBackWithout(topic, new Map([[partition, endOffset]]));
        return this.reopen();
      },
      deleteRecordsBefore: (topic, partition, startOffset) => this.deleteRecords(topic, partition, startOffset),
      cutOff: async () => {
        const mend = await this.proxy.cut();
        return () => Promise.resolve(mend());
      },
      crash: async () => {
        await this.kafka.kill(1);
        await this.kafka.restart(1);
        return this.reopen();
      },
    };
  }

  get log(): Log {
    return this.ours;
  }

  async open(): Promise<void> {
    this.current = await KafkaLog.open({
      brokers: this.kafka.brokers,
      clientId: 'contract',
      socketFactory: this.proxy.socketFactory,
      limits: { requestMs: 2000, produceMs: 1000 },
    });
  }

  async reopen(): Promise<Log> {
    await this.current?.close();
    await this.open();
    return this.ours;
  }

  async dispose(): Promise<void> {
    for (const producer of this.foreignProducers) await producer.disconnect();
    await this.current?.close();
    await this.proxy.close();
  }

  private get ours(): KafkaLog {
    if (this.current === undefined) throw new Error('the log is not open');
    return this.current;
  }

  private foreignClient(): Kafka {
    const retry = { initialRetryTime: 2, factor: 0.2, multiplier: 1.5, maxRetryTime: 500, retries: 100 };
    return new Kafka({ clientId: 'foreign', brokers: [...this.kafka.brokers], logLevel: logLevel.NOTHING, retry });
  }

  private async foreign(options: { transactionalId?: string }): Promise<Producer> {
    const transactional = options.transactionalId === undefined ? {} : { idempotent: true, maxInFlightRequests: 1 };
    const producer = this.foreignClient().producer({
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
      ...options,
      ...transactional,
    });
    await producer.connect();
    this.foreignProducers.push(producer);
    return producer;
  }

  private async openTransaction(
    topic: string,
    partition: Partition,
    records: readonly LogRecord[],
  ): Promise<{ commit(): Promise<void>; abort(): Promise<void> }> {
    const producer = await this.foreign({ transactionalId: `open-${topic}` });
    const transaction = await producer.transaction();
    const messages = records.map(({ key, value }) => ({ key, value, partition }));
    await transaction.send({ topic, messages });
    return { commit: () => transaction.commit(), abort: () => transaction.abort() };
  }

  private async abortTransactions(topic: string, partition: Partition, count: number): Promise<void> {
    const producer = await this.foreign({ transactionalId: `abort-${topic}` });
    for (let n = 0; n < count; n++) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ key: `aborted-${n}`, value: 'never', partition }] });
      await transaction.abort();
    }
  }

  private async compact(topic: string, partition: Partition): Promise<void> {
    const nudge = [{ key: Buffer.from('compaction-nudge'), value: Buffer.from('roll') }];
    for (let n = 0; n < 2; n++) {
      await new Promise((resolve) => setTimeout(resolve, segmentMs + 20));
      await this.ours.append(topic, partition, nudge);
    }
    // The cleaner looks for work every 200 ms (tools/kafka); the case itself waits for what it wants to see.
    await new Promise((resolve) => setTimeout(resolve, 250));
  }

  private async deleteRecords(topic: string, partition: Partition, startOffset: Offset): Promise<void> {
    const admin = this.foreignClient().admin();
    await admin.connect();
    try {
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: `${startOffset}` }] });
    } finally {
      await admin.disconnect();
    }
  }
}
