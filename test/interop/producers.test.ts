import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import type { Quarantined } from '@levee/events';
import { readCopies } from '@levee/journal';
import { systemClock } from '@levee/log';
import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';
import { itWhereInstalled } from '../support/where-installed';
import { said } from './clients';
import { built, exampleProducers } from './producers';

const brokers = process.env['KAFKA_BROKERS'];
const prefix = `examples${process.pid}`;
const topic = `${prefix}.binlog.default`;
const vectors = join(__dirname, '..', 'golden', 'binlog.json');
const hourMs = 3_600_000;

/** Runs where there is a Kafka: tools/test.mjs starts one if it can. */
const itOnKafka = brokers === undefined ? itWhereInstalled('a Kafka', '', 'Java 17 and Maven, or KAFKA_BROKERS') : it;

/** The programs of examples/producers, against a Levee whose log is in Kafka. */
describe('examples/producers', () => {
  let levee: StandaloneProcess | undefined;
  let redis: Redis;

  beforeAll(async () => {
    if (brokers === undefined) return;
    const env = { KAFKA_BROKERS: brokers, LEVEE_TOPIC_PREFIX: prefix };
    levee = await StandaloneProcess.start(scratchFolder('examples'), env);
    redis = new Redis(levee.respPort, '127.0.0.1');
    await redis.call('LV.CONSISTENCY', 'strong');
    await writeWhatReadersMeet();
  }, 90_000);

  afterAll(async () => {
    if (levee === undefined) return;
    redis.disconnect();
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 60_000);

  /** Records of clients of Redis and of strangers, so that a reader has more to do than to read puts. */
  async function writeWhatReadersMeet(): Promise<void> {
    for (let i = 0; i < 200; i++) await redis.set(`redis:${i}`, `value ${i % 3}`, 'PX', hourMs + i);
    for (let i = 0; i < 200; i += 3) await redis.set(`redis:${i}`, 'newer, and for ever');
    await redis.del(...Array.from({ length: 20 }, (_, i) => `redis:${i * 5}`));
    const producer = new Kafka({ brokers: (brokers as string).split(','), logLevel: logLevel.NOTHING }).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      transactionalId: `${prefix}-stranger`,
      maxInFlightRequests: 1,
      idempotent: true,
    });
    const put = (key: string, expiresAtMs: number | null = null): { key: Buffer; value: Buffer } => ({
      key: Buffer.from(key),
      value: encodePut(Buffer.from(key), Buffer.from('of a stranger'), expiresAtMs),
    });
    const confluent = ({ key, value }: { key: Buffer; value: Buffer }): { key: Buffer; value: Buffer } => ({
      key,
      value: Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), value.subarray(10)]),
    });
    const keys = Array.from({ length: 40 }, (_, i) => `stranger:${i}`);
    await producer.connect();
    const kept = [
      ...keys.map((key) => put(key)),
      ...keys.map((key) => confluent(put(`${key}:confluent`))),
      put('stranger:expired', 1),
      put('stranger:broken'),
      { key: Buffer.from('stranger:broken'), value: Buffer.from('no Put') },
      { key: Buffer.from('stranger:1'), value: null },
    ];
    await producer.send({ topic, acks: -1, messages: kept });
    const transaction = await producer.transaction();
    await transaction.send({ topic, acks: -1, messages: keys.map((key) => put(`${key}:aborted`)) });
    await transaction.abort();
    await producer.disconnect();
  }

  /** What Levee answers for every key, as the examples print it. */
  async function table(): Promise<string[]> {
    const keys = new Set<string>();
    for await (const page of redis.scanStream({ count: 1000 }) as AsyncIterable<string[]>)
      for (const key of page) keys.add(key);
    const lines = await Promise.all(
      [...keys].sort().map(async (key) => {
        const value = await redis.get(key).catch((error: Error) => expect(error.message).toContain('LVUNREADABLE'));
        if (typeof value !== 'string') return [];
        const expires = Number(await redis.call('PEXPIRETIME', key));
        return [`${key}\t${value}\t${expires === -1 ? 'never' : expires}`];
      }),
    );
    return lines.flat();
  }

  async function quarantined(): Promise<Quarantined[]> {
    const log = await KafkaLog.open({ brokers: (brokers as string).split(','), clientId: 'auditor' });
    const found: Quarantined[] = [];
    const options = { clock: systemClock, deadlineMs: 20_000, onCopy: (copy: Quarantined) => found.push(copy) };
    await readCopies(log, `${prefix}.quarantine`, options);
    await log.close();
    return found;
  }

  for (const example of exampleProducers) {
    const { client, version, needs, asked, command } = example;
    const itRuns = needs === undefined || brokers === undefined ? itOnKafka : itWhereInstalled(...needs);
    itRuns(
      `${client} ${version}: vectors, orders read by GET, and a binlog read without Levee`,
      async () => {
        const [program, ...args] = command(await built(example));
        const run = async (...more: string[]): Promise<string[]> =>
          (await said(program, [...args, ...more])).trim().split('\n');
        expect(await run('check', vectors)).toEqual([`24 records and ${asked ? 32 : 0} keys are as they should be`]);

        const name = client.replace(/\W+/g, '-').replace(/^-/, '');
        const order = (i: number): string => `${name}:order:${i}`;
        expect(await run('produce', brokers as string, topic, name)).toEqual([`orders of ${name} are in ${topic}`]);
        const numbers = Array.from({ length: 100 }, (_, i) => i);
        expect(await redis.mget(numbers.map(order))).toEqual(numbers.map((i) => (i === 7 ? null : `${i} apples`)));
        const left = await Promise.all(numbers.map((i) => redis.pttl(order(i))));
        for (const i of numbers)
          if (i === 7) expect(left[i]).toBe(-2);
          else if (i % 10 > 0) expect(left[i]).toBe(-1);
          else expect([left[i]! > hourMs - 120_000, left[i]! <= hourMs]).toEqual([true, true]);

        expect(await run('consume', brokers as string, topic)).toEqual(await table());
      },
      700_000,
    );
  }

  itOnKafka('nothing of all that is in quarantine but what was broken on purpose', async () => {
    const copies = (await quarantined()).map(({ reason, key }) => `${reason} ${Buffer.from(key ?? []).toString()}`);
    expect([...new Set(copies)]).toEqual(['garbage stranger:broken']);
  });
});
