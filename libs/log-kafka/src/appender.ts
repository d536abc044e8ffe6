import { type Clock, type Logger, messageOf, type Partition, pause, SteadyClock, type Timers } from '@levee/kernel';
import { type Appended, type LogFailure, logLimits, type LogFailureCode, type LogRecord } from '@levee/log';
import { failure, recordTooLarge } from './append-failures';
import { ConnectionFailure } from './broker-connection';
import { forbiddenTopic, missingTopic, type ClusterMetadata } from './cluster-metadata';
import type { ConnectionFactory } from './kafkajs-client';
import type { KafkaLogLimits } from './limits';
import { type FrozenBatch, PartitionAppends, type ProducerIdentity } from './partition-appends';
import { isRefused } from './producer-ids';
import { type ProduceLane, ProduceLanes, type ProduceTarget } from './produce-lanes';
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

/** A batch in a request. Its partition may have given it up before the answer comes. */
interface Sent {
  readonly appends: PartitionAppends;
  readonly batch: FrozenBatch;
}

/**
 * Appends under one producer identity. Everything that is ready for a broker goes in one request, each partition with
 * one batch.
 */
export class Appender {
  private readonly partitions = new Map<string, Map<number, PartitionAppends>>();
  private readonly lanes: ProduceLanes;
  private identity: Promise<ProducerIdentity> | undefined;
  private sweeping = false;
  private closed = false;
  /** [safety] Of deadlines: a machine that slept has less time behind it than the world, and may be taken for gone there. */
  private readonly time: SteadyClock;

  constructor(private readonly parts: AppenderParts) {
    this.time = new SteadyClock(parts.clock);
    this.lanes = new ProduceLanes(parts.connection, parts.limits.requestMs);
  }

  append(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended> {
    const { limits, queue } = this.parts;
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
    const deadlineMs = this.time.passedMs() + limits.appendDeadlineMs;
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
    const { clock, limits } = this.parts;
    const untilMs = clock.monotonicMs() + closeMs;
    while (this.all().some((appends) => appends.hasWork) && clock.monotonicMs() < untilMs)
      await this.pause(limits.retryMs);
    for (const appends of this.all()) {
      this.giveUp(appends, 'the log was closed');
      const { topic, partition } = appends;
      this.release(
        appends.failWaiting(failure('LOG_UNAVAILABLE', topic, partition, 'the log was closed: not written')),
      );
    }
    this.lanes.close();
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
    const leader = this.leaderOf(appends);
    if (leader === undefined) {
      this.awaitLeader(appends);
      return;
    }
    const lane = this.lanes.of(leader, appends.failures > 0);
    appends.state = 'ready';
    lane.ready.push(appends);
    this.schedule(lane);
  }

  /** One request per turn of the event loop: everything that asks in this turn travels together. */
  private schedule(lane: ProduceLane): void {
    if (lane.busy || lane.scheduled) return;
    lane.scheduled = true;
    setImmediate(() => {
      lane.scheduled = false;
      this.flush(lane).catch((error: unknown) => this.parts.logger.error({ error }, 'a produce lane failed'));
    });
  }

  private async flush(lane: ProduceLane): Promise<void> {
    lane.busy = true;
    try {
      const trouble = await lane.connection.ready().then(
        () => undefined,
        (error: unknown) => messageOf(error),
      );
      const ready = lane.ready.splice(0);
      if (trouble === undefined) await this.exchange(lane, this.handOut(lane, ready));
      else for (const appends of ready) this.retry(appends, { newLeader: true, reason: trouble });
    } finally {
      lane.busy = false;
      if (lane.ready.length > 0) this.schedule(lane);
    }
  }

  /** [safety] What is sent in this turn, on a connection that is open: nothing of a call leaves here after its deadline. */
  private handOut(lane: ProduceLane, ready: readonly PartitionAppends[]): Sent[] {
    const { limits, clock } = this.parts;
    const sent: Sent[] = [];
    let bytes = 0;
    const passedMs = this.time.passedMs();
    for (const appends of ready) {
      if (bytes >= limits.produceRequestBytesMax) {
        lane.ready.push(appends);
        continue;
      }
      // What would be sent after its deadline has a definite end now instead of an unknown one later.
      this.release(appends.expire(passedMs, () => this.expiry(appends)));
      // This process, or its machine, may have been stopped for long.
      if ((appends.frozen?.deadlineMs ?? Infinity) <= passedMs)
        this.giveUp(appends, 'its time was over before it could be sent again');
      if (!appends.hasWork || appends.identity === undefined) {
        this.proceed(appends); // what stood here was given up meanwhile
        continue;
      }
      const batch = appends.freeze(limits.batchBytesShared, clock.nowMs());
      bytes += batch.bytes.length;
      appends.attempt('handed');
      appends.state = 'sent';
      sent.push({ appends, batch });
    }
    return sent;
  }

  private async exchange(lane: ProduceLane, sent: readonly Sent[]): Promise<void> {
    if (sent.length === 0) return;
    const { limits } = this.parts;
    let answers: ProduceAnswer[];
    let throttleMs: number;
    try {
      const request = sent.map(({ appends: { topic, partition }, batch }) => ({
        topic,
        partition,
        batch: batch.bytes,
      }));
      const answer = await lane.connection.sendNow(apis.produce, encodeProduce(request, limits.produceMs));
      ({ answers, throttleMs } = decodeProduce(answer));
    } catch (error) {
      const notSent = error instanceof ConnectionFailure && error.code !== 'NO_ANSWER';
      this.parts.logger.debug({ nodeId: lane.nodeId, reason: messageOf(error) }, 'a produce request got no answer');
      for (const one of sent) this.unanswered(one, notSent ? 'proof' : 'unknown', messageOf(error));
      return;
    }
    const open = new Map(sent.map((one) => [`${one.appends.partition} ${one.appends.topic}`, one]));
    for (const answer of answers) {
      const name = `${answer.partition} ${answer.topic}`;
      const one = open.get(name);
      if (one === undefined || !open.delete(name)) continue;
      if (one.appends.frozen === one.batch) this.settle(one.appends, answer);
    }
    for (const one of open.values()) this.unanswered(one, 'unknown', 'the answer leaves this partition out');
    // KIP-219: the broker does not read this connection for so long; what it would not read must not be sent.
    if (throttleMs > 0) await this.pause(Math.min(throttleMs, limits.throttleMsMax));
  }

  private unanswered({ appends, batch }: Sent, event: 'proof' | 'unknown', reason: string): void {
    if (appends.frozen !== batch) return;
    appends.attempt(event);
    this.retry(appends, { newLeader: true, reason });
  }

  private settle(appends: PartitionAppends, { errorCode, baseOffset }: ProduceAnswer): void {
    const { topic, partition } = appends;
    const verdict = produceVerdict(errorCode, this.parts);
    const reason = kafkaErrorName(errorCode);
    switch (verdict.kind) {
      case 'stored':
        this.release(appends.stored(baseOffset));
        return this.proceed(appends);
      case 'perhaps':
        appends.attempt('unknown');
        return this.retry(appends, { newLeader: verdict.newLeader, reason });
      case 'again':
        appends.attempt('proof');
        return this.retry(appends, { newLeader: verdict.newLeader, reason });
      case 'lost':
        appends.attempt('unknown');
        this.giveUp(appends, reason);
        return this.proceed(appends);
      case 'refused': {
        const refusal = failure(verdict.code, topic, partition, `${reason}: ${verdict.mend}`);
        appends.attempt('proof');
        if (verdict.code === 'FENCED') appends.ended = refusal;
        else if (verdict.alone && appends.isShared && appends.provenAbsent) {
          appends.split();
          return this.proceed(appends);
        }
        this.giveUp(appends, reason, refusal);
        if (appends.ended !== undefined) this.release(appends.failWaiting(appends.ended));
        return this.proceed(appends);
      }
    }
  }

  /**
   * Later, with the same bytes; looks for another leader first when the error spoke of one. From the second failure on
   * it always does: a leader that is cut off from its followers, and does not know yet that it was deposed, says only
   * that they are late.
   */
  private retry(appends: PartitionAppends, why: { newLeader: boolean; reason: string }): void {
    const { limits, metadata } = this.parts;
    const batch = appends.frozen;
    if (batch !== undefined && batch.deadlineMs <= this.time.passedMs()) {
      this.giveUp(appends, why.reason);
      this.proceed(appends);
      return;
    }
    const newLeader = why.newLeader || appends.failures > 0;
    const pauseMs = Math.min(limits.retryMs * 2 ** Math.min(appends.failures, 10), limits.retryMsMax);
    appends.failures++;
    appends.why = why.reason;
    appends.state = 'paused';
    void this.pause(pauseMs).then(() => {
      if (!newLeader) return this.proceed(appends);
      metadata.distrustLeader(appends.topic, appends.partition);
      void metadata.refresh().then(() => this.proceed(appends));
    });
  }

  /**
   * Ends the frozen batch without an acknowledgement. `refusal` is its failure when every attempt was proof that nothing
   * was stored; else its outcome stays unknown (I3), and the identity is spent: under its sequence numbers the broker
   * would take other records for a repetition and drop them (I20).
   */
  private giveUp(appends: PartitionAppends, reason: string, refusal?: LogFailure): void {
    if (appends.frozen === undefined) return;
    const { topic, partition } = appends;
    if (appends.provenAbsent) {
      this.release(appends.fail(refusal ?? failure('LOG_UNAVAILABLE', topic, partition, `not written: ${reason}`)));
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
        if (isRefused(error)) return this.refuse(appends, 'LOG_UNAVAILABLE', messageOf(error));
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
      if (this.leaderOf(appends) !== undefined) return this.proceed(appends);
      const known = metadata.topic(topic);
      const count = known?.leaders.length ?? 0;
      const missing = metadata.isMissing(topic)
        ? missingTopic
        : count > 0 && partition >= count
          ? `the topic has ${count} partitions, 0 to ${count - 1}`
          : undefined;
      if (count === 0 && metadata.isForbidden(topic)) return this.refuse(appends, 'LOG_UNAVAILABLE', forbiddenTopic);
      if (missing === undefined)
        return this.retry(appends, { newLeader: false, reason: 'the partition has no leader that can be reached' });
      this.refuse(appends, 'TOPIC_MISSING', missing);
      metadata.forget(topic);
    });
  }

  /** Waiting would not help: what is here fails now, and what comes later finds out anew. */
  private refuse(appends: PartitionAppends, code: LogFailureCode, why: string): void {
    const refusal = failure(code, appends.topic, appends.partition, why);
    this.giveUp(appends, why, refusal);
    this.release(appends.failWaiting(refusal));
    this.proceed(appends);
  }

  private refusal(topic: string, partition: number, count: number, bytes: number): LogFailure | undefined {
    const { limits, queue } = this.parts;
    if (count === 0) return failure('TOO_LARGE', topic, partition, 'it has no records');
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

  private leaderOf({ topic, partition }: PartitionAppends): ProduceTarget | undefined {
    const { metadata } = this.parts;
    const leader = metadata.leaderOf(topic, partition);
    const address = leader === undefined ? undefined : metadata.addressOf(leader.nodeId);
    return leader === undefined || address === undefined ? undefined : { nodeId: leader.nodeId, address };
  }

  /** Looks at the deadlines now and then, while there is anything to look at. */
  private sweepLater(): void {
    this.sweeping = true;
    this.parts.timers.after(this.parts.limits.retryMsMax, () => {
      this.sweeping = false;
      const nowMs = this.time.passedMs();
      for (const appends of this.all()) {
        if (!appends.hasWork) continue;
        const expired = appends.frozen !== undefined && appends.frozen.deadlineMs <= nowMs && appends.state !== 'sent';
        if (expired) this.giveUp(appends, 'no broker took it within the deadline');
        this.release(appends.expire(nowMs, () => this.expiry(appends)));
        if (appends.hasWork && !this.sweeping) this.sweepLater();
      }
    });
  }

  private expiry({ topic, partition, why }: PartitionAppends): LogFailure {
    const reason = why === undefined ? '' : `: ${why}`;
    const what = `not written: its turn did not come within ${this.parts.limits.appendDeadlineMs} ms${reason}`;
    return failure('LOG_UNAVAILABLE', topic, partition, what);
  }

  private pause(ms: number): Promise<void> {
    return pause(this.parts.timers, ms);
  }

  private release(bytes: number): void {
    this.parts.queue.bytes -= bytes;
  }

  private all(): PartitionAppends[] {
    return [...this.partitions.values()].flatMap((byPartition) => [...byPartition.values()]);
  }
}
