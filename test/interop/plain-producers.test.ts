import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { eventually } from '../support/deadline';
import { levee } from '../support/levee-command';
import { full } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';
import { itWhereInstalled } from '../support/where-installed';
import { said } from './clients';
import { built, plainProducers } from './producers';

const brokers = process.env['KAFKA_BROKERS'];
const prefix = `plain${process.pid}`;
const items = full ? 1_000_000 : 5_000;

/** Programs of examples/producers that know nothing of Levee: their topics are bound by what a dry run prints. */
describe('examples/producers, plain values', () => {
  let server: StandaloneProcess | undefined;
  let log: KafkaLog;

  beforeAll(async () => {
    if (brokers === undefined) return;
    const env = { KAFKA_BROKERS: brokers, LEVEE_TOPIC_PREFIX: prefix, LEVEE_UNITS: '48x256MiB:leveldb' };
    server = await StandaloneProcess.start(scratchFolder('plain'), env);
    log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'team' });
  }, 90_000);

  afterAll(async () => {
    if (server === undefined) return;
    await log.close();
    expect(await server.end()).toBe(0);
    server.remove();
  }, 60_000);

  /** What the programs write last to an item. */
  const priceOf = (item: number): string | null =>
    item % 10 === 3 ? null : JSON.stringify({ item, cents: item % 5 === 0 ? 1 : (item * 7) % 1_000 });

  async function bound(url: string, namespace: string, topic: string): Promise<string> {
    const dry = await levee(url, ['namespace', 'create', namespace, '--from-topic', topic, '--dry-run']);
    expect([dry.code, dry.stderr]).toEqual([0, '']);
    const command = /^levee (namespace create .*)$/m.exec(dry.stdout)?.[1] ?? '';
    const { code, stderr } = await levee(url, [...command.split(' '), '--chunks', '4']);
    expect([command, code, stderr]).toEqual([command, 0, '']);
    return command;
  }

  for (const [at, { example, program, hashAlgorithm, compression, command }] of plainProducers.entries()) {
    const itRuns =
      brokers === undefined
        ? itWhereInstalled('a Kafka', '', 'Java 17 and Maven, or KAFKA_BROKERS')
        : itWhereInstalled(...(example.needs ?? ([process.execPath, '--version', ''] as const)));
    itRuns(
      `${program}: bound by what the dry run says, and each of ${items} items as it was written last`,
      async () => {
        const { url, respPort } = server as StandaloneProcess;
        const topic = `${prefix}-${hashAlgorithm}`;
        const settings = { 'cleanup.policy': 'compact', 'compression.type': 'producer' };
        await log.ensureTopics([{ name: topic, partitions: at % 2 === 0 ? 12 : 6, settings }]);
        const [started, ...args] = command(await built(example));
        const words = await said(started, [...args, brokers as string, topic, `${items}`], { timeoutMs: 600_000 });
        expect(words.trim()).toBe(`prices of ${items} items are in ${topic}`);
        const source = JSON.parse(
          (await levee(url, ['-o', 'json', 'namespace', 'create', 'other', '--from-topic', topic, '--dry-run'])).stdout,
        ) as { source: { sampled: { compressions: object; headers: string[] } } };
        expect(Object.keys(source.source.sampled.compressions)).toEqual([compression]);
        expect(source.source.sampled.headers).toEqual(['source']);
        expect(await bound(url, hashAlgorithm, topic)).toBe(
          `namespace create ${hashAlgorithm} --from-topic ${topic} --record-format raw` +
            (hashAlgorithm === 'murmur2' ? '' : ` --hash-algorithm ${hashAlgorithm}`),
        );

        const client = new Redis({ port: respPort, host: '127.0.0.1', username: hashAlgorithm, password: '-' });
        try {
          for (const { partition, endOffset } of await log.offsets(topic))
            await eventually(
              `partition ${partition} is served`,
              async () => (await client.call('LV.WAIT', `${partition}:${endOffset}`)) === 'OK',
              120_000,
            );
          for (let from = 0; from < items; from += 1_000) {
            const some = Array.from({ length: Math.min(1_000, items - from) }, (_, i) => from + i);
            expect(await client.mget(some.map((item) => `item:${item}`))).toEqual(some.map(priceOf));
          }
          await eventually('they are counted', async () => (await client.dbsize()) === (items * 9) / 10, 10_000, 200);
        } finally {
          client.disconnect();
        }
        const answer = await fetch(`${url}/v1/kv/${hashAlgorithm}/item:7`, { headers: { accept: 'application/json' } });
        expect([answer.status, await answer.json()]).toEqual([200, { item: 7, cents: 49 }]);
      },
      1_800_000,
    );
  }
});
