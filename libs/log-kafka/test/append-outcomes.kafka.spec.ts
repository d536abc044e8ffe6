import { eventually } from '../../../test/support/deadline';
import { asOffset, asPartition, failureCode } from '@levee/kernel';
import { type Log, LogFailure, systemClock } from '@levee/log';
import { KafkaLog, type KafkaLogLimits } from '@levee/log-kafka';
import { initProducerIdKey, KafkaProxy, produceKey } from './kafka-proxy';

const p0 = asPartition(0);
const start = { nextOffset: asOffset(0), leaderEpoch: -1 };
const short: Partial<KafkaLogLimits> = { requestMs: 500, produceMs: 300, appendDeadlineMs: 1500, topicMissingMs: 500 };
const one = (value: string): Array<{ key: null; value: Buffer }> => [{ key: null, value: Buffer.from(value) }];
let topicNumber = 0;

describe('outcomes of appends to Kafka that come late or never', () => {
  let proxy: KafkaProxy;
  let log: KafkaLog;
  let topic: string;

  beforeEach(async () => {
    const brokers = process.env['KAFKA_BROKERS'];
    if (brokers === undefined)
      throw new Error('KAFKA_BROKERS is not set: run npm test, or npm run kafka:start and set what it prints');
    proxy = new KafkaProxy();
    const { socketFactory } = proxy;
    log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'outcomes', socketFactory, limits: short });
    topic = `outcomes-${process.pid}-${Date.now().toString(36)}-${++topicNumber}`;
    await log.ensureTopics([{ name: topic, partitions: 2, settings: {} }]);
    await log.append(topic, p0, one('first'));
  }, 30_000);

  afterEach(async () => {
    await log?.deleteTopics([topic]);
    await log?.close();
    await proxy?.close();
  }, 30_000);

  it('I3: no answer until the deadline is OUTCOME_UNKNOWN for what was sent, definite for what still waited', async () => {
    const release = proxy.hold(produceKey);
    // What waits is younger than what was sent; without a new identity it cannot be sent in the time between.
    const releaseIdentities = proxy.hold(initProducerIdKey);
    const sent = outcome(log.append(topic, p0, one('sent')));
    await proxy.holding(produceKey);
    const waiting = [1, 2, 3].map((n) => outcome(log.append(topic, p0, one(`waiting ${n}`))));
    expect(await sent).toBe('OUTCOME_UNKNOWN');
    expect(await Promise.all(waiting)).toEqual(['LOG_UNAVAILABLE', 'LOG_UNAVAILABLE', 'LOG_UNAVAILABLE']);
    release();
    releaseIdentities();
    expect(await outcome(log.append(topic, p0, one('after')))).toBe('stored');
    const values = await valuesOf(log, topic);
    expect(values.filter((value) => value.startsWith('waiting'))).toEqual([]);
    expect(values.filter((value) => value === 'sent').length).toBeLessThanOrEqual(1);
    expect(values.filter((value) => value !== 'sent')).toEqual(['first', 'after']);
  });

  it('an answer lost again and again within the deadline is nobody’s business: stored once', async () => {
    for (let n = 0; n < 3; n++) {
      proxy.loseNextAnswer(produceKey);
      expect(await outcome(log.append(topic, p0, one(`v${n}`)))).toBe('stored');
    }
    expect(proxy.lostAnswers).toBe(3);
    expect(await valuesOf(log, topic)).toEqual(['first', 'v0', 'v1', 'v2']);
  });

  it('two who ask for the offsets of a topic that is missing are both told so in time', async () => {
    const missing = `${topic}-missing`;
    const asked = performance.now();
    const first = outcome(log.offsets(missing));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const second = outcome(log.offsets(missing));
    expect(await Promise.all([first, second])).toEqual(['TOPIC_MISSING', 'TOPIC_MISSING']);
    expect(performance.now() - asked).toBeLessThan(5_000);
  });

  it('I17: an answer that is no frame ends its connection, not the process; the append is sent again', async () => {
    const mend = proxy.damageFrames();
    const during = outcome(log.append(topic, p0, one('during')));
    await new Promise((resolve) => setTimeout(resolve, 300));
    mend();
    expect(await during).toBe('stored');
    expect(proxy.damagedFrames).toBeGreaterThan(0);
    expect(await valuesOf(log, topic)).toEqual(['first', 'during']);
  });

  it('I3: cut off before anything was sent, the failure is definite and nothing appears later', async () => {
    const mend = await proxy.cut();
    await outcome(log.append(topic, asPartition(1), one('finds out that the connection is gone')));
    expect(await outcome(log.append(topic, p0, one('never sent')))).toBe('LOG_UNAVAILABLE');
    mend();
    expect(await outcome(log.append(topic, p0, one('after')))).toBe('stored');
    expect(await valuesOf(log, topic)).toEqual(['first', 'after']);
  });

  it('I3: a clock that is hours ahead is said at once, where the topic keeps the times of its producers', async () => {
    await log.alterTopic(topic, { 'message.timestamp.type': 'CreateTime' });
    const another = await KafkaLog.open({
      brokers: (process.env['KAFKA_BROKERS'] ?? '').split(','),
      clientId: 'ahead',
      clock: { ...systemClock, nowMs: () => systemClock.nowMs() + 7_200_000 },
      limits: { ...short, appendDeadlineMs: 60_000 },
    });
    try {
      await eventually('the topic taking no such times', async () => {
        const said = await outcome(another.append(topic, p0, one('ahead')));
        return said === 'TOPIC_MISCONFIGURED';
      });
      expect(await outcome(log.append(topic, p0, one('after')))).toBe('stored');
      expect((await valuesOf(log, topic)).at(-1)).toBe('after');
    } finally {
      await another.close();
    }
  }, 30_000);

  it('a fenced writer that lost an outcome stands by: it cannot take another identity by itself', async () => {
    const writer = await log.fencedWriter(`w-${topic}`);
    await writer.append(topic, p0, one('held'));
    const release = proxy.hold(produceKey);
    expect(await outcome(writer.append(topic, p0, one('lost')))).toBe('OUTCOME_UNKNOWN');
    release();
    expect(await outcome(writer.append(topic, p0, one('refused')))).toBe('FENCED');
    expect(await outcome(writer.append(topic, asPartition(1), one('elsewhere')))).toBe('stored');
    const next = await log.fencedWriter(`w-${topic}`);
    expect(await outcome(next.append(topic, p0, one('next')))).toBe('stored');
    expect((await valuesOf(log, topic)).filter((value) => value !== 'lost')).toEqual(['first', 'held', 'next']);
    await writer.close();
    await next.close();
  });

  it('closing says of each append under way what is known: stored, unknown, or not written', async () => {
    const another = await KafkaLog.open({
      brokers: (process.env['KAFKA_BROKERS'] ?? '').split(','),
      clientId: 'closing',
      socketFactory: proxy.socketFactory,
      limits: { ...short, appendDeadlineMs: 60_000, closeMs: 700 },
    });
    await another.append(topic, p0, one('warm'));
    const release = proxy.hold(produceKey);
    const sent = outcome(another.append(topic, p0, one('sent')));
    await proxy.holding(produceKey);
    const waiting = outcome(another.append(topic, p0, one('waiting')));
    await another.close();
    expect([await sent, await waiting]).toEqual(['OUTCOME_UNKNOWN', 'LOG_UNAVAILABLE']);
    release();
  });
});

async function outcome(append: Promise<unknown>): Promise<string> {
  try {
    await append;
    return 'stored';
  } catch (error) {
    expect(error).toBeInstanceOf(LogFailure);
    return failureCode(error) ?? 'no code';
  }
}

/** Everything up to the end as of now. */
async function valuesOf(log: Log, topic: string): Promise<string[]> {
  const values: string[] = [];
  for await (const batch of log.tail(topic, p0, start)) {
    for (const { value } of batch.records) values.push(`${value?.toString()}`);
    if (batch.nextOffset >= batch.endOffset) break;
  }
  return values;
}
