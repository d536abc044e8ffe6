import { type Clock, type Logger, messageOf, type Partition, type Timers } from '@levee/kernel';
import { type Appended, LogFailure, logLimits, type LogFailureCode, type LogRecord } from '@levee/log';
import { BrokerConnection, ConnectionFailure } from './broker-connection';
import { missingTopic, type ClusterMetadata } from './cluster-metadata';
import type { ConnectionFactory } from './kafkajs-client';
import type { KafkaLogLimits } from './limits';
import { PartitionAppends, type ProducerIdentity } from './partition-appends';
import { produceVerdict } from './produce-verdict';
import { kafkaErrorName } from './protocol/error-codes';
import { decodeProduce, encodeProduce, type ProduceAnswer } from './protocol/produce';
import { apis } from './protocol/requests';
import { recordBytesMost } from './record-batch-encoder';

export interface AppenderParts {
  readonly metadata: ClusterMetadata;
  readonly connection: ConnectionFactory;
  readonly limits: KafkaLogLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Bytes accepted and unanswered, of all appenders of the log together. */
  readonly queue: { bytes: number };
  /** Takes a producer identity; called again after one was lost, unless `fencing`. */
  readonly acquire: () => Promise<ProducerIdentity>;
  /** The identity was taken with `fencedWriter`: losing it ends this appender's partitions. */
  readonly fencing: boolean;
}

/** Requests of one kind to one broker, one at a time: a broker serves a connection's requests in order anyway. */
interface Lane {
  readonly nodeId: number;
  connection: BrokerConnection;
  ready: PartitionAppends[];
  busy: boolean;
  scheduled: boolean;
}

/**
 * Appends under one producer identity. Everything that is ready for a broker goes in one request, each partition with
 * one batch. Two lanes per broker: batches that failed before travel apart, so that a partition whose followers are
 * late does not hold up the others (I16).
 */
export class Appender {
  private readonly partitions = new Map<string, Map<number, PartitionAppends>>();
  private readonly lanes = new Map<string, Lane>();
  private identity: Promise<ProducerIdentity> | undefined;
  private sweeping = false;
  private closed = false;

  constructor(private readonly parts: AppenderParts) {}

  append(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended> {
    const { limits, queue, clock } = this.parts;
    let bytes = 0;
    for (const record of records) {
      const size = (record.key === null ? 0 : record.key.length) + (record.value === null ? 0 : record.value.length);
      if (size > logLimits.recordBytesMax) return Promise.reject(recordTooLarge(topic, partition, size));
      bytes += recordBytesMost(record);
    }
    const refusal = this.refusal(topic, partition, records.length, bytes);
    if (refusal !== undefined) return Promise.reject(refusal);
    const appends = this.appendsOf(topic, partition);
    if (appends.ended !== undefined) return Promise.reject(appends.ended);
    queue.bytes += bytes;
    const deadlineMs = clock.monotonicMs() + limits.appendDeadlineMs;
    return new Promise<Appended>((resolve, reject) => {
      appends.add({ records, bytes, deadlineMs, resolve, reject });
      if (appends.state === 'idle') this.proceed(appends);
    });
  }

  /** For tests of the sequence's wrap: the next batch of this partition carries `sequence`, under a new identity. */
  beginSequenceAt(topic: string, partition: Partition, sequence: number): void {
    this.identity = undefined;
    this.appendsOf(topic, partition).beginAt(sequence);
  }

  /** Takes no more; resolves when everything is answered, at the latest `closeMs` later, as failures. */
  async close(closeMs: number): Promise<void> {
    this.closed = true;
    const { clock, timers, limits } = this.parts;
    const untilMs = clock.monotonicMs() + closeMs;
    while (this.all().some((appends) => appends.hasWork) && clock.monotonicMs() < untilMs)
      await new Promise<void>((resolve) => timers.after(limits.retryMs, resolve));
    for (const appends of this.all()) {
      if (appends.frozen !== undefined) {
        if (appends.state === 'sent') appends.frozen.outcomeUnknown = true;
        this.abandon(appends, 'the log was closed');
      }
      const { topic, partition } = appends;
      this.release(
        appends.failWaiting(failure('LOG_UNAVAILABLE', topic, partition, 'the log was closed: not written')),
      );
    }
    for (const lane of this.lanes.values()) lane.connection.close();
  }

  /** The next thing to do for this partition: get an identity, find the leader, stand in its lane. */
  private proceed(appends: PartitionAppends): void {
    if (!appends.hasWork) {
      appends.state = 'idle';
      return;
    }
    if (!this.sweeping) this.sweepLater();
    if (appends.identity === undefined) {
      this.takeIdentity(appends);
      return;
    }
    const leader = this.parts.metadata.leaderOf(appends.topic, appends.partition);
    if (leader === undefined) {
      this.awaitLeader(appends);
      return;
    }
    const lane = this.laneOf(leader.nodeId, appends.attempts > 0);
    appends.state = 'ready';
    lane.ready.push(appends);
    this.schedule(lane);
  }

  /** One request per turn of the event loop: everything that asks in this turn travels together. */
  private schedule(lane: Lane): void {
    if (lane.busy || lane.scheduled) return;
    lane.scheduled = true;
    setImmediate(() => {
      lane.scheduled = false;
      this.flush(lane).catch((error: unknown) => this.parts.logger.error({ error }, 'a produce lane failed'));
    });
  }

  private async flush(lane: Lane): Promise<void> {
    const { limits, clock } = this.parts;
    const sent: PartitionAppends[] = [];
    let bytes = 0;
    const nowMs = clock.nowMs();
    const { ready } = lane;
    lane.ready = [];
    for (const appends of ready) {
      if (bytes >= limits.produceRequestBytesMax) {
        lane.ready.push(appends);
        continue;
      }
      // What would be sent after its deadline has a definite end now instead of an unknown one later.
      this.release(appends.expire(clock.monotonicMs(), () => this.expiry(appends)));
      if (!appends.hasWork || appends.identity === undefined) {
        this.proceed(appends); // what stood here was given up meanwhile
        continue;
      }
      bytes += appends.freeze(limits.batchBytesShared, nowMs).bytes.length;
      appends.state = 'sent';
      sent.push(appends);
    }
    if (sent.length === 0) return;
    lane.busy = true;
    try {
      await this.exchange(lane, sent);
    } finally {
      lane.busy = false;
      if (lane.ready.length > 0) this.schedule(lane);
    }
  }

  private async exchange(lane: Lane, sent: readonly PartitionAppends[]): Promise<void> {
    const { limits } = this.parts;
    let answers: ProduceAnswer[];
    try {
      const request = sent.map((appends) => ({
        topic: appends.topic,
        partition: appends.partition,
        batch: (appends.frozen as NonNullable<PartitionAppends['frozen']>).bytes,
      }));
      answers = decodeProduce(await lane.connection.send(apis.produce, encodeProduce(request, limits.produceMs)));
    } catch (error) {
      const notSent = error instanceof ConnectionFailure && error.code !== 'NO_ANSWER';
      this.parts.logger.debug({ nodeId: lane.nodeId, reason: messageOf(error) }, 'a produce request got no answer');
      for (const appends of sent) {
        if (appends.frozen === undefined) continue;
        if (!notSent) appends.frozen.outcomeUnknown = true;
        this.retry(appends, { newLeader: true, reason: messageOf(error) });
      }
      return;
    }
    const open = new Map(sent.map((appends) => [`${appends.partition} ${appends.topic}`, appends]));
    for (const answer of answers) {
      const name = `${answer.partition} ${answer.topic}`;
      const appends = open.get(name);
      if (appends === undefined || !open.delete(name)) continue;
      if (appends.frozen !== undefined) this.settle(appends, answer);
    }
    for (const appends of open.values()) {
      if (appends.frozen === undefined) continue;
      appends.frozen.outcomeUnknown = true;
      this.retry(appends, { newLeader: true, reason: 'the answer leaves this partition out' });
    }
  }

  private settle(appends: PartitionAppends, { errorCode, baseOffset }: ProduceAnswer): void {
    const batch = appends.frozen as NonNullable<PartitionAppends['frozen']>;
    const { topic, partition } = appends;
    const verdict = produceVerdict(errorCode, this.parts);
    const reason = kafkaErrorName(errorCode);
    switch (verdict.kind) {
      case 'stored':
        this.release(appends.stored(baseOffset));
        return this.proceed(appends);
      case 'perhaps':
        batch.outcomeUnknown = true;
        return this.retry(appends, { newLeader: verdict.newLeader, reason });
      case 'again':
        return this.retry(appends, { newLeader: verdict.newLeader, reason });
      case 'lost':
        batch.outcomeUnknown = true;
        this.abandon(appends, reason);
        return this.proceed(appends);
      case 'refused': {
        const refusal = failure(verdict.code, topic, partition, `${reason}: ${verdict.mend}`);
        if (verdict.code === 'FENCED') appends.ended = refusal;
        if (batch.outcomeUnknown) this.abandon(appends, reason);
        else if (verdict.code === 'TOO_LARGE' && batch.calls.length > 1) appends.split();
        else this.release(appends.fail(refusal));
        if (appends.ended !== undefined) this.release(appends.failWaiting(appends.ended));
        return this.proceed(appends);
      }
    }
  }

  /** Later, with the same bytes; looks for another leader first when the error spoke of one. */
  private retry(appends: PartitionAppends, why: { newLeader: boolean; reason: string }): void {
    const { limits, metadata, timers, clock } = this.parts;
    const batch = appends.frozen;
    if (batch !== undefined && batch.deadlineMs <= clock.monotonicMs()) {
      this.abandon(appends, why.reason);
      this.proceed(appends);
      return;
    }
    const pauseMs = Math.min(limits.retryMs * 2 ** Math.min(appends.attempts, 10), limits.retryMsMax);
    appends.attempts++;
    appends.state = 'paused';
    timers.after(pauseMs, () => {
      if (!why.newLeader) this.proceed(appends);
      else void metadata.refresh().then(() => this.proceed(appends));
    });
  }

  /** The frozen batch's time is up, or nobody can tell its outcome any more. Definite only if no attempt was (I3). */
  private abandon(appends: PartitionAppends, reason: string): void {
    const batch = appends.frozen;
    if (batch === undefined) return;
    const { topic, partition } = appends;
    if (!batch.outcomeUnknown) {
      this.release(appends.fail(failure('LOG_UNAVAILABLE', topic, partition, `not written: ${reason}`)));
      return;
    }
    this.identity = undefined;
    this.release(appends.lose(failure('OUTCOME_UNKNOWN', topic, partition, `may or may not be written: ${reason}`)));
    if (!this.parts.fencing) return;
    appends.ended ??= failure('FENCED', topic, partition, 'this writer lost its place here: take a new one');
    this.release(appends.failWaiting(appends.ended));
  }

  private takeIdentity(appends: PartitionAppends): void {
    appends.state = 'paused';
    this.identity ??= this.parts.acquire();
    const taken = this.identity;
    taken.then(
      (identity) => {
        appends.identity = identity;
        this.proceed(appends);
      },
      (error: unknown) => {
        if (this.identity === taken) this.identity = undefined;
        this.retry(appends, { newLeader: false, reason: messageOf(error) });
      },
    );
  }

  private awaitLeader(appends: PartitionAppends): void {
    const { metadata } = this.parts;
    const { topic, partition } = appends;
    appends.state = 'paused';
    metadata.watch(topic);
    void metadata.refresh().then(() => {
      if (metadata.leaderOf(topic, partition) !== undefined) return this.proceed(appends);
      const known = metadata.topic(topic);
      const count = known?.leaders.length ?? 0;
      const missing = metadata.isMissing(topic)
        ? missingTopic
        : count > 0 && partition >= count
          ? `the topic has ${count} partitions, 0 to ${count - 1}`
          : undefined;
      if (missing === undefined)
        return this.retry(appends, { newLeader: false, reason: 'the partition has no leader' });
      if (appends.frozen?.outcomeUnknown === true) this.abandon(appends, missing);
      const absent = failure('TOPIC_MISSING', topic, partition, missing);
      if (appends.frozen !== undefined) this.release(appends.fail(absent));
      this.release(appends.failWaiting(absent));
      metadata.forget(topic);
      this.proceed(appends);
    });
  }

  private refusal(topic: string, partition: number, count: number, bytes: number): LogFailure | undefined {
    const { limits, queue } = this.parts;
    if (count === 0) throw new RangeError('an append of no records');
    if (this.closed) return failure('LOG_UNAVAILABLE', topic, partition, 'the log is closed: nothing was written');
    if (bytes > limits.callBytesMax) {
      const what = `${bytes} bytes in one append, ${limits.callBytesMax} are the most: append fewer records at once`;
      return failure('TOO_LARGE', topic, partition, what);
    }
    if (queue.bytes + bytes > limits.appendQueueBytesMax) {
      const what = `${queue.bytes} bytes wait already, ${limits.appendQueueBytesMax} are the most: slow down`;
      return failure('LOG_UNAVAILABLE', topic, partition, what);
    }
    return undefined;
  }

  private appendsOf(topic: string, partition: number): PartitionAppends {
    let byPartition = this.partitions.get(topic);
    if (byPartition === undefined) this.partitions.set(topic, (byPartition = new Map()));
    let appends = byPartition.get(partition);
    if (appends === undefined) byPartition.set(partition, (appends = new PartitionAppends(topic, partition)));
    return appends;
  }

  private laneOf(nodeId: number, again: boolean): Lane {
    const name = `${nodeId} ${again}`;
    const address = this.parts.metadata.addressOf(nodeId) ?? { host: 'unknown', port: 0 };
    let lane = this.lanes.get(name);
    const moved = lane !== undefined && lane.connection.address !== address;
    if (lane === undefined || moved) {
      const connection = new BrokerConnection(this.parts.connection, address, this.parts.limits.requestMs);
      if (lane === undefined) {
        lane = { nodeId, connection, ready: [], busy: false, scheduled: false };
        this.lanes.set(name, lane);
      } else {
        lane.connection.close();
        lane.connection = connection;
      }
    }
    return lane;
  }

  /** Looks at the deadlines now and then, while there is anything to look at. */
  private sweepLater(): void {
    this.sweeping = true;
    this.parts.timers.after(this.parts.limits.retryMsMax, () => {
      this.sweeping = false;
      const nowMs = this.parts.clock.monotonicMs();
      for (const appends of this.all()) {
        if (!appends.hasWork) continue;
        const expired = appends.frozen !== undefined && appends.frozen.deadlineMs <= nowMs && appends.state !== 'sent';
        if (expired) this.abandon(appends, 'no broker took it within the deadline');
        this.release(appends.expire(nowMs, () => this.expiry(appends)));
        if (appends.hasWork && !this.sweeping) this.sweepLater();
      }
    });
  }

  private expiry({ topic, partition }: PartitionAppends): LogFailure {
    const what = `not written: its turn did not come within ${this.parts.limits.appendDeadlineMs} ms`;
    return failure('LOG_UNAVAILABLE', topic, partition, what);
  }

  private release(bytes: number): void {
    this.parts.queue.bytes -= bytes;
  }

  private all(): PartitionAppends[] {
    return [...this.partitions.values()].flatMap((byPartition) => [...byPartition.values()]);
  }
}

function recordTooLarge(topic: string, partition: number, bytes: number): LogFailure {
  const what = `a record of ${bytes} bytes, ${logLimits.recordBytesMax} are the most`;
  return failure('TOO_LARGE', topic, partition, what);
}

function failure(code: LogFailureCode, topic: string, partition: number, what: string): LogFailure {
  return new LogFailure(code, `append to ${topic} partition ${partition}: ${what}`, { details: { topic, partition } });
}
