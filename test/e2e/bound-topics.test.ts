import { rmSync } from 'node:fs';
import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { type Admin, CompressionTypes, Kafka, logLevel, type Producer } from 'kafkajs';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { levee, leveeWith } from '../support/levee-command';
import { PlanDoor, type Route } from '../support/plan-door';
import { dice } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';
import { snapshotOf, TopicOfOthers } from '../support/topic-of-others';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const brokers = process.env.KAFKA_BROKERS ?? '';
const run = `bound${process.pid}`;
const nodeIds = ['n1', 'n2', 'n3', 'n4'];
const keys = 3_000;

/** Topics that teams have, as stores: read, followed, moved, and never touched. */
describe('I23: topics of others', () => {
  const random = dice();
  const kafka = new Kafka({ clientId: 'team', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  let dir: string;
  let cluster: ClusterProcess;
  let door: PlanDoor;
  let admin: Admin;
  let producer: Producer;
  let log: KafkaLog;
  let prices: TopicOfOthers;
  let stocks: TopicOfOthers;
  const clients: Redis[] = [];

  beforeAll(async () => {
    dir = scratchFolder('bound');
    admin = kafka.admin();
    producer = kafka.producer({ allowAutoTopicCreation: false });
    await Promise.all([admin.connect(), producer.connect()]);
    log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'auditor' });
    cluster = await ClusterProcess.start(
      ['--brokers', brokers, '--dir', dir, '--nodes', '4', '--partitions', '4', '--chunks', '2', '--replicas', '2'],
      { LEVEE_TOPIC_PREFIX: run, LEVEE_UNITS: '16x64MiB:leveldb', LEVEE_PLAN_OBSERVE: '500ms' },
    );
    door = new PlanDoor(cluster);
    prices = await madeByJava();
    stocks = await madeByLibrdkafka();
  }, 240_000);

  afterAll(async () => {
    for (const client of clients) client.disconnect();
    const said = await cluster?.end();
    await Promise.all([producer.disconnect(), admin.disconnect(), log.close()]);
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  const url = (): string => cluster.doors.portals[0]?.http ?? '';

  function redisOf(namespace: string): Redis {
    const port = cluster.respPorts[0] as number;
    const client = new Redis({ port, host: '127.0.0.1', username: namespace, password: '-', lazyConnect: true });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  }

  /** 6 partitions by murmur2, gzip: values, deletions, headers, and a transaction of each kind. */
  async function madeByJava(): Promise<TopicOfOthers> {
    const name = `${run}-prices`;
    const topic = await TopicOfOthers.create(admin, producer, { name, partitions: 6, hashAlgorithm: 'murmur2' });
    for (let at = 0; at < keys; at += 500)
      await topic.send(
        Array.from({ length: 500 }, (_, i) => [`price:${at + i}`, JSON.stringify({ cents: at + i })] as const),
        CompressionTypes.GZIP,
      );
    await topic.send(Array.from({ length: 200 }, (_, i) => [`price:${i * 3}`, null] as const));
    const transactional = kafka.producer({ transactionalId: `${name}-tx`, idempotent: true, maxInFlightRequests: 1 });
    await transactional.connect();
    const aborted = await transactional.transaction();
    await aborted.send({ topic: name, messages: [topic.message('price:1', 'aborted'), topic.message('never', 'x')] });
    await aborted.abort();
    const committed = await transactional.transaction();
    await committed.send({ topic: name, messages: [topic.message('price:2', 'committed')] });
    await committed.commit();
    topic.oracle.set('price:2', 'committed');
    await transactional.disconnect();
    await topic.send([['price:4', 'after']]);
    await topic.readInGroup(kafka, admin);
    return topic;
  }

  /** 12 partitions by crc32, with records that have no key, from before it was compacted. */
  async function madeByLibrdkafka(): Promise<TopicOfOthers> {
    const name = `${run}-stocks`;
    const settings = { 'cleanup.policy': 'delete' };
    const topic = await TopicOfOthers.create(admin, producer, {
      name,
      partitions: 12,
      hashAlgorithm: 'crc32',
      settings,
    });
    await producer.send({ topic: name, messages: [{ key: null, value: 'no key', partition: 7 }] });
    await topic.send(Array.from({ length: keys }, (_, i) => [`stock:${i}`, `${i * 7}`] as const));
    await topic.readInGroup(kafka, admin);
    return topic;
  }

  async function readsAll(client: Redis, topic: TopicOfOthers, absent: readonly string[] = []): Promise<void> {
    for (const position of topic.positions) expect(await client.call('LV.WAIT', position)).toBe('OK');
    const names = [...topic.oracle.keys()];
    for (let at = 0; at < names.length; at += 500) {
      const some = names.slice(at, at + 500);
      expect(await client.mget(some)).toEqual(some.map((key) => topic.oracle.get(key)));
    }
    if (absent.length > 0) expect(await client.mget([...absent])).toEqual(absent.map(() => null));
    // Answers are given again for a second.
    await eventually('the keys are counted', async () => (await client.dbsize()) === topic.oracle.size, 10_000, 200);
  }

  const bind = (namespace: string, topic: string, ...more: string[]) =>
    levee(url(), ['namespace', 'create', namespace, '--from-topic', topic, '--replicas', '3', ...more]);

  const compared = (namespace: string): Promise<{ equal: boolean; replicas: unknown[] }> =>
    eventually('replicas can be compared', () => door.post(`/v1/namespaces/${namespace}/digests`), 60_000, 500);

  it('what does not fit is refused with the reason, and the name is free again', async () => {
    const refused = async (words: RegExp, topic: string, ...more: string[]): Promise<void> => {
      const { code, stderr } = await bind('shop.prices', topic, ...more);
      expect([code === 0, stderr]).toEqual([false, expect.stringMatching(words)]);
    };
    await refused(/there is no topic/, `${run}-nothing`);
    await refused(/belongs to Levee itself/, `${run}.journal`);
    await refused(/are a Put: --record-format raw/, prices.name);
    await refused(
      /they do by murmur2.*--hash-algorithm murmur2/,
      prices.name,
      '--record-format',
      'raw',
      '--hash-algorithm',
      'crc32',
    );
    await refused(
      /cleanup\.policy of .* is delete.*cleanup\.policy=compact/s,
      stocks.name,
      '--record-format',
      'raw',
      '--hash-algorithm',
      'crc32',
    );
  }, 120_000);

  it('a dry run looks first: which clients wrote it, what would be refused, and what to type; it changes nothing', async () => {
    const before = await snapshotTopic(stocks.name);
    const { code, stdout } = await bind('stocks', stocks.name, '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toMatch(/partitions: 12/);
    expect(stdout).toMatch(/keys stand where they are by: crc32$/m);
    expect(stdout).toMatch(/would be refused: cleanup\.policy of .*-stocks is delete/);
    expect(stdout).toContain(
      `levee namespace create stocks --from-topic ${stocks.name} --record-format raw --hash-algorithm crc32 --expire-with-retention\n`,
    );
    const json = await levee(url(), [
      '-o',
      'json',
      'namespace',
      'create',
      'x',
      '--from-topic',
      prices.name,
      '--dry-run',
    ]);
    const { source } = JSON.parse(json.stdout) as { source: { sampled: Record<string, unknown>; refused: string[] } };
    expect(source.refused).toEqual([]);
    expect(source.sampled).toMatchObject({ withoutKey: 0, unreadableBatches: 0, headers: ['traceparent'] });
    expect(Object.keys(source.sampled['compressions'] as object).sort()).toEqual(['gzip', 'none']);
    expect((await levee(url(), ['namespace', 'describe', 'stocks'])).code).not.toBe(0);
    expect(await snapshotTopic(stocks.name)).toEqual(before);
  }, 60_000);

  it('bound by one command, a topic is read by Redis clients and HTTP as its records say, and followed live', async () => {
    const before = await snapshotOf(log, admin, prices.name);
    const { code, stderr } = await bind('shop.prices', prices.name, '--record-format', 'raw', '--chunks', '4');
    expect([code, stderr]).toEqual([0, '']);
    const client = redisOf('shop.prices');
    await readsAll(client, prices, ['never', 'price:0', 'price:3']);

    const answer = await fetch(`${url()}/v1/kv/shop.prices/price:1`);
    expect([answer.status, await answer.text()]).toEqual([200, '{"cents":1}']);
    await prices.send([
      ['price:1', 'newer'],
      ['price:5', null],
    ]);
    await readsAll(client, prices, ['price:5']);

    await expect(client.set('price:1', 'mine')).rejects.toThrow(/^LVREADONLY .*write there, with any Kafka producer/);
    await expect(client.del('price:1')).rejects.toThrow(/^LVREADONLY/);
    const put = await fetch(`${url()}/v1/kv/shop.prices/price:1`, { method: 'PUT', body: 'mine' });
    expect([put.status, await put.text()]).toEqual([405, expect.stringContaining('LVREADONLY')]);
    const headers = { 'levee-consistency': 'strong' };
    const strong = await fetch(`${url()}/v1/kv/shop.prices/price:1`, { headers });
    expect([strong.status, await strong.text()]).toEqual([
      501,
      expect.stringContaining('a strong read would have to write'),
    ]);
    expect((await compared('shop.prices')).equal).toBe(true);
    const env = { KAFKA_BROKERS: brokers, LEVEE_TOPIC_PREFIX: run };
    const verified = await leveeWith(env, ['audit', 'verify', '--namespace', 'shop.prices', '--quiet']);
    expect([verified.code, verified.stderr]).toEqual([0, '']);
    const repair = await levee(url(), ['log', 'repair', 'shop.prices', '--yes']);
    expect([repair.code === 0, repair.stderr]).toEqual([false, expect.stringContaining('nothing is written there')]);
    const yesterday = new Date(Date.now() - 86_400_000).toISOString();
    for (const words of [
      ['namespace', 'rewind', 'shop.prices', '--at', yesterday],
      ['namespace', 'fork', 'shop.prices', 'shop.before', '--at', yesterday],
      ['namespace', 'repartition', 'shop.prices'],
    ]) {
      const { code: how, stderr: why } = await levee(url(), words);
      expect([words[1], how === 0, why]).toEqual([
        words[1],
        false,
        expect.stringMatching(
          /shop\.prices serves the topic .* of others.*(export shop\.prices <file>|that is its owner's)/,
        ),
      ]);
    }
    await expect(client.flushdb()).rejects.toThrow(/^LVUNSUPPORTED .*it is not emptied from here.*who produces to/);
    const { code: again } = await bind('other', prices.name, '--record-format', 'raw');
    expect(again).not.toBe(0);

    const after = await snapshotOf(log, admin, prices.name);
    expect(after.batches.map((of, partition) => of.slice(0, before.batches[partition]?.length))).toEqual(
      before.batches,
    );
    expect(after.records).toBe(before.records + 2);
    expect([after.description, after.groups, after.committed]).toEqual([
      before.description,
      before.groups,
      before.committed,
    ]);
  }, 120_000);

  it('while producers write, a chunk is moved and split, and a node is killed and wiped: nothing is missed', async () => {
    const client = redisOf('shop.prices');
    const before = await snapshotOf(log, admin, prices.name);
    let sent = 0;
    let over = false;
    const writing = (async () => {
      while (!over) {
        const entries = Array.from({ length: 20 }, () => {
          const key = `price:${Math.floor(random() * keys)}`;
          return [key, random() < 0.1 ? null : `at ${sent++}`] as const;
        });
        await prices.send(entries);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    })();
    try {
      const [first] = (await door.routes('shop.prices')) as [Route];
      const to = nodeIds.find((nodeId) => !first.replicas.some((of) => of.nodeId === nodeId));
      await door.carryOut({ kind: 'move', chunkId: first.chunkId, from: first.replicas[0]?.nodeId, to }, 90_000);
      await door.carryOut({ kind: 'split', chunkId: first.chunkId }, 90_000);
      expect(await door.routes('shop.prices')).toHaveLength(5);
      await cluster.kill('n2');
      rmSync(cluster.doors.nodes.find(({ name }) => name === 'n2')?.dir ?? '', { recursive: true });
      await cluster.start('n2');
    } finally {
      over = true;
      await writing;
    }
    await readsAll(client, prices);
    expect((await compared('shop.prices')).equal).toBe(true);
    const after = await snapshotOf(log, admin, prices.name);
    expect(after.batches.map((of, partition) => of.slice(0, before.batches[partition]?.length))).toEqual(
      before.batches,
    );
    // Everything that came since is what the producers of this test sent.
    const ends = (await log.offsets(prices.name)).map(({ partition, endOffset }) => [
      Number(partition),
      Number(endOffset),
    ]);
    expect(ends).toEqual([...prices.ends].sort(([a], [b]) => a - b));
    expect([after.description, after.groups, after.committed]).toEqual([
      before.description,
      before.groups,
      before.committed,
    ]);
  }, 300_000);

  it('a topic by crc32 with records without keys, once its owner has compacted it', async () => {
    await log.alterTopic(stocks.name, { 'cleanup.policy': 'compact' });
    const { code, stderr } = await bind('stocks', stocks.name, '--record-format', 'raw', '--hash-algorithm', 'crc32');
    expect([code, stderr]).toEqual([0, '']);
    await readsAll(redisOf('stocks'), stocks);
    expect((await compared('stocks')).equal).toBe(true);
  }, 120_000);

  it('another policy is said and reads go on; more partitions are said, and nothing is served', async () => {
    const client = redisOf('stocks');
    await log.alterTopic(stocks.name, { 'cleanup.policy': 'delete' });
    const policy = await eventually(
      'the policy is found',
      async () => (await findingsOf(url(), 'source-topic'))[0],
      40_000,
      500,
    );
    expect(policy.finding).toMatch(/cleanup\.policy of .*-stocks is delete/);
    expect(await client.get('stock:5')).toBe('35');
    await log.alterTopic(stocks.name, { 'cleanup.policy': 'compact' });
    await eventually('it is mended', async () => (await findingsOf(url(), 'source-topic')).length === 0, 40_000, 500);

    await admin.createPartitions({ topicPartitions: [{ topic: stocks.name, count: 13 }] });
    const refusal = await eventually(
      'reads are refused',
      () =>
        client.get('stock:5').then(
          () => undefined,
          (error: Error) => error.message,
        ),
      40_000,
      500,
    );
    expect(refusal).toMatch(/^LVSOURCE topic .*-stocks has 13 partitions, it was bound with 12/);
    const http = await fetch(`${url()}/v1/kv/stocks/stock:5`);
    expect([http.status, await http.text()]).toEqual([503, expect.stringContaining('LVSOURCE')]);
    await expect(client.dbsize()).rejects.toThrow(/^LVSOURCE/);
    const grown = await eventually(
      'it is found',
      async () => (await findingsOf(url(), 'source-topic'))[0],
      40_000,
      500,
    );
    expect([grown?.finding, grown?.command]).toEqual([
      expect.stringMatching(/has 13 partitions/),
      expect.stringMatching(/^levee namespace describe stocks .*deleted, which leaves the topic, and bound anew$/),
    ]);
  }, 180_000);

  it('a topic that is created again under its name is not read, not once, and can be bound anew', async () => {
    const client = redisOf('shop.prices');
    await client.get('price:10');
    await admin.deleteTopics({ topics: [prices.name] });
    await eventually('it is gone', async () => (await log.describeTopics([prices.name])).length === 0, 30_000, 100);
    prices = await TopicOfOthers.create(admin, producer, prices);
    // Longer than the one before, so that every position of replicas is within it.
    for (let round = 0; round < 8; round++)
      await prices.send(Array.from({ length: keys }, (_, i) => [`price:${i}`, `other ${round}`] as const));
    const seen = new Set<string>();
    const refusal = await eventually(
      'reads are refused',
      async () => {
        try {
          for (const value of await client.mget(Array.from({ length: 300 }, (_, i) => `price:${i}`)))
            seen.add(value ?? '');
          return undefined;
        } catch (error) {
          return (error as Error).message;
        }
      },
      60_000,
      50,
    );
    expect(refusal).toMatch(/^LVSOURCE topic .*-prices (was deleted and created again|does not exist any more)/);
    expect([...seen].filter((value) => value.startsWith('other'))).toEqual([]);
    await eventually(
      'both ids are named',
      async () =>
        /created again: .*was bound to \S+, the topic is/.test(
          (await findingsOf(url(), 'source-topic')).map(({ finding }) => finding).join(),
        ),
      40_000,
      500,
    );
    const deleted = await levee(url(), ['namespace', 'delete', 'shop.prices', '--yes']);
    expect(deleted.code).toBe(0);
    const before = await snapshotTopic(prices.name);
    expect((await bind('shop.prices', prices.name, '--record-format', 'raw')).code).toBe(0);
    await readsAll(redisOf('shop.prices'), prices);
    expect(await snapshotTopic(prices.name)).toEqual(before);
  }, 240_000);

  /** A reader that knew the topic before says so once. */
  const snapshotTopic = (topic: string) =>
    eventually(
      `${topic} is read`,
      async () => {
        const { description, batches, sha256 } = await snapshotOf(log, admin, topic);
        return { description, batches, sha256 };
      },
      30_000,
    );
});
