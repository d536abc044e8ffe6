import { rmSync } from 'node:fs';
import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { tell } from '../support/counts';
import { eventually } from '../support/deadline';
import { type Account, FilledTopics, sumOf } from '../support/filled-topics';
import { levee } from '../support/levee-command';
import { full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const brokers = process.env.KAFKA_BROKERS ?? '';
const run = `real${process.pid}`;
/** Of each topic, before it is bound and once more while it is. */
const records = full ? 500_000 : 1_000;
const deadlineMs = full ? 600_000 : 240_000;
const testMs = (full ? 10 : 1.5) * deadlineMs;
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const topicOf = (codec: string): string => `${run}-${codec}`;

/**
 * Topics as Java's producer leaves them, by each codec: overwritten and deleted keys, keys of any bytes, records without
 * one, headers, times to live, transactions of which a third is aborted, batches of one record and of thousands.
 */
describe('topics that Java filled, raw', () => {
  let server: StandaloneProcess;
  let log: KafkaLog;
  let producer: FilledTopics;
  const clients = new Map<string, Redis>();

  beforeAll(async () => {
    log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'team' });
    // Its producer's times are years ago: for ever, until it is compacted.
    const settings = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'compression.type': 'producer' };
    await log.ensureTopics(
      codecs.map((codec, at) => ({ name: topicOf(codec), partitions: at % 2 === 0 ? 6 : 12, settings })),
    );
    const env = {
      KAFKA_BROKERS: brokers,
      LEVEE_TOPIC_PREFIX: run,
      LEVEE_UNITS: full ? '32x256MiB:leveldb' : '32x64MiB:leveldb',
    };
    server = StandaloneProcess.spawn(scratchFolder('real'), env);
    const of = new Map(codecs.map((codec) => [topicOf(codec), codec]));
    producer = await FilledTopics.start(brokers, { codecs: of, records, seed });
    await server.serving(200_000);
  }, 240_000);

  afterAll(async () => {
    for (const client of clients.values()) client.disconnect();
    const ended = await producer?.end();
    await log?.close();
    const code = await server?.end();
    if (server !== undefined) rmSync(server.dataDir, { recursive: true, force: true, maxRetries: 5 });
    expect([ended, code]).toEqual([0, 0]);
  }, 120_000);

  function clientOf(codec: string): Redis {
    const known = clients.get(codec);
    if (known !== undefined) return known;
    const client = new Redis({ port: server.respPort, host: '127.0.0.1', username: codec, password: '-' });
    clients.set(codec, client);
    return client;
  }

  /** Waits until everything that the topic holds is served, and compares it with what the producer says. */
  async function holds(codec: string, account: Account | undefined): Promise<void> {
    const client = clientOf(codec);
    const beganMs = performance.now();
    const ends = await log.offsets(topicOf(codec));
    const reached = async ({ partition, endOffset }: (typeof ends)[number]): Promise<boolean> =>
      (await client.call('LV.WAIT', `${partition}:${endOffset}`)) === 'OK';
    for (const end of ends)
      await eventually(`${codec} serves partition ${end.partition}`, () => reached(end), deadlineMs);
    tell({
      scenario: `${codec}: a topic of Java is served`,
      repetitions: account?.written ?? 0,
      failures: 0,
      figure: 'ms until all of it is',
      values: [performance.now() - beganMs],
    });
    const { keys, sum } = account ?? {};
    expect([codec, await sumOf(client)]).toEqual([codec, { keys, sum }]);
    expect([codec, await client.dbsize()]).toEqual([codec, keys]);
  }

  async function agree(codec: string): Promise<void> {
    const answer = await fetch(`${server.url}/v1/namespaces/${codec}/digests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect([codec, answer.status, ((await answer.json()) as { equal: boolean }).equal]).toEqual([codec, 200, true]);
  }

  /** One after the other where there is much, since times are told there. */
  async function eachOf(work: (codec: string, at: number) => Promise<void>): Promise<void> {
    if (!full) await Promise.all(codecs.map(work));
    else for (const [at, codec] of codecs.entries()) await work(codec, at);
  }

  it(
    'bound by one command each, every key has the value that the producer wrote last',
    async () => {
      const first = await producer.accounts(deadlineMs);
      for (const codec of codecs) await log.alterTopic(topicOf(codec), { 'cleanup.policy': 'compact' });
      await eachOf(async (codec, at) => {
        const { code, stderr } = await levee(server.url, [
          ...['namespace', 'create', codec, '--from-topic', topicOf(codec), '--record-format', 'raw'],
          ...['--chunks', '4', '--replicas', '2'],
        ]);
        expect([codec, code, stderr]).toEqual([codec, 0, '']);
        await holds(codec, first[at]);
      });
    },
    testMs,
  );

  it(
    'followed while the producer goes on, to whom Kafka gives back what has no key',
    async () => {
      producer.more();
      const second = await producer.accounts(deadlineMs);
      await eachOf(async (codec, at) => {
        expect([codec, second[at]?.written]).toEqual([codec, 2 * records]);
        await holds(codec, second[at]);
        await agree(codec);
      });
    },
    testMs,
  );
});
