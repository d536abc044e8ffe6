import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { KafkaLog } from '@levee/log-kafka';
import { connect, utf8, type Client, type LocalStatus } from '@levee/sdk';
import { CompressionTypes, Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import { KafkaProxy } from '../../libs/log-kafka/test/kafka-proxy';
import { localOn } from '../../libs/sdk/test/local-choice';
import { local } from '../../libs/sdk/src/local';
import { judge } from '../history/judgement';
import { SdkClient } from '../history/sdk-client';
import { Workload } from '../history/workload';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { levee } from '../support/levee-command';
import { LocalProcess, localProject } from '../support/local-process';
import { dice, full, seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';
import { TopicOfOthers } from '../support/topic-of-others';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const prefix = `local${process.pid}`;
const names = Array.from({ length: 120 }, (_, i) => `k${String(i).padStart(3, '0')}`);

/** Nothing waits longer, whatever dies. */
const answeredWithinMs = 10_000;

describe('a replica in an application, on real Kafka', () => {
  const figures: Record<string, unknown> = {};
  const random = dice(seed);
  let dir: string;
  let cluster: ClusterProcess;
  let brokers: string[];
  let admin: Admin;
  let producer: Producer;

  beforeAll(async () => {
    dir = scratchFolder('local');
    const shape = ['--masters', '1', '--nodes', '2', '--partitions', '4', '--chunks', '4', '--replicas', '2'];
    cluster = await ClusterProcess.start(['--dir', dir, ...shape], {
      LEVEE_UNITS: '16x64MiB:leveldb',
      LEVEE_TOPIC_PREFIX: prefix,
    });
    brokers = cluster.doors.kafka.brokers.split(',');
    const kafka = new Kafka({ clientId: 'team', brokers, logLevel: logLevel.NOTHING });
    admin = kafka.admin();
    producer = kafka.producer({ allowAutoTopicCreation: false });
    await Promise.all([admin.connect(), producer.connect()]);
  }, 240_000);

  afterAll(async () => {
    process.stdout.write(`local: ${JSON.stringify(figures)}\n`);
    await Promise.all([producer?.disconnect(), admin?.disconnect()]);
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  const portals = (): string[] => cluster.respPorts.map((port) => `127.0.0.1:${port}`);
  const statusOf = (client: Client): LocalStatus => client.status().local as LocalStatus;

  const isComplete = (client: Client, name: string): boolean =>
    statusOf(client).namespaces.some((one) => one.name === name && one.isComplete);

  async function complete(client: Client, name: string): Promise<void> {
    await eventually(`${name} is complete`, () => isComplete(client, name), 60_000);
    // Sessions are of a log that a portal names first.
    await eventually('it answers', async () => {
      const { answered } = statusOf(client);
      await client
        .namespace(name)
        .get('k000')
        .catch(() => undefined);
      return statusOf(client).answered > answered;
    });
  }

  /** Every key as the oracle has it, from the replica alone. */
  async function agrees(client: Client, name: string, oracle: ReadonlyMap<string, string>): Promise<void> {
    const keys = client.namespace(name).typed(utf8);
    const expected = names.map((key) => oracle.get(key));
    await eventually(
      'the replica holds what was written',
      async () => {
        const { answered } = statusOf(client);
        const found = await keys.getMany(names);
        return statusOf(client).answered - answered === names.length && `${found}` === `${expected}`;
      },
      60_000,
    );
    expect(await keys.getMany(names, { consistency: 'strong' })).toEqual(expected);
    const there = names.filter((key) => oracle.has(key)).map((key) => [key, oracle.get(key)]);
    await eventually('a scan is answered by the replica', async () => {
      const { answered, throughPortals } = statusOf(client);
      const found: (readonly [string, string])[] = [];
      for await (const { key, value } of keys.scan({ prefix: 'k', pageKeys: 50 })) found.push([key, value]);
      expect(found).toEqual(there);
      const pages = statusOf(client).answered - answered;
      return pages > 0 && `${Object.values(statusOf(client).throughPortals)}` === `${Object.values(throughPortals)}`;
    });
  }

  it('holds what ordinary producers wrote, overwrote, deleted and let expire, whatever is done to its broker', async () => {
    const oracle = new Map<string, string>();
    const binlog = new TopicOfOthers(`${prefix}.binlog.default`, 4, 'murmur2', producer);
    const codecs = [CompressionTypes.None, CompressionTypes.GZIP];
    const write = async (round: number): Promise<void> => {
      const some = names.filter(() => random() < 0.6);
      const messages = some.map((key, i) => {
        const roll = random();
        const value = `${round}.${i} ${'x'.repeat(roll < 0.1 ? 20_000 : 10)}`;
        if (roll > 0.7) {
          oracle.delete(key);
          const record = encodePut(Buffer.from(key), Buffer.from(value), Date.now() - 60_000 * (1 + round));
          // Deleted, or over already.
          return { ...binlog.message(key, null), value: roll > 0.85 ? null : record };
        }
        oracle.set(key, value);
        const until = roll > 0.6 ? Date.now() + 3_600_000 : null;
        return { ...binlog.message(key, null), value: encodePut(Buffer.from(key), Buffer.from(value), until) };
      });
      const compression = codecs[round % 2] as CompressionTypes;
      await producer.send({ topic: binlog.name, acks: -1, timeout: 30_000, compression, messages });
    };
    for (let round = 0; round < 6; round++) await write(round);
    await using client = await connect({ portals: portals(), reads: local({ brokers, namespaces: ['default'] }) });
    client.namespace('default');
    await complete(client, 'default');
    await agrees(client, 'default', oracle);
    for (let round = 6; round < 12; round++) await write(round);
    await agrees(client, 'default', oracle);

    // A broker that stands still is as good as none: what is known stays good for so long as it may.
    await cluster.pause('k1');
    await pause(3_000);
    expect(await client.namespace('default').typed(utf8).get('k001')).toBe(oracle.get('k001'));
    await cluster.resume('k1');
    for (let round = 12; round < 16; round++) await write(round);
    await agrees(client, 'default', oracle);

    await cluster.kill('k1');
    await pause(1_000);
    await cluster.start('k1');
    await eventually(
      'producers go on',
      () =>
        write(16).then(
          () => true,
          () => false,
        ),
      60_000,
      500,
    );
    // An attempt that failed may have been written all the same: one more says the same of every key.
    oracle.clear();
    for (const key of names) oracle.set(key, `last ${key}`);
    const messages = names.map((key) => ({
      ...binlog.message(key, null),
      value: encodePut(Buffer.from(key), Buffer.from(`last ${key}`), null),
    }));
    await producer.send({ topic: binlog.name, acks: -1, messages });
    await agrees(client, 'default', oracle);
    const { partitions } = statusOf(client).namespaces[0]!;
    figures['broker'] = { ...statusOf(client), namespaces: undefined };
    expect(partitions.map(({ loads }) => loads)).toEqual([1, 1, 1, 1]);
  }, 240_000);

  it('kept on disk it goes on where it stood, however its process ended, and answers what was written', async () => {
    const project = localProject(scratchFolder('local-disk'));
    const of = { portals: portals(), brokers, dir: join(project, 'kept'), namespace: 'default' };
    const oracle = new Map<string, string>();
    const binlog = new TopicOfOthers(`${prefix}.binlog.default`, 4, 'murmur2', producer);
    const write = async (round: number, some = names, padding = 10): Promise<void> => {
      const messages = some.map((key, i) => {
        const isDeleted = round > 0 && random() < 0.2;
        const value = `disk ${round}.${i} ${'x'.repeat(padding)}`;
        if (isDeleted) oracle.delete(key);
        else oracle.set(key, value);
        const record = encodePut(Buffer.from(key), Buffer.from(value), null);
        return { ...binlog.message(key, null), value: isDeleted ? null : record };
      });
      await producer.send({ topic: binlog.name, acks: -1, messages });
    };
    const agreesOnDisk = (application: LocalProcess): Promise<unknown> =>
      eventually(
        'it holds what was written, and asks nobody',
        async () => {
          const { values, here, problem } = await application.ask(names);
          const expected = JSON.stringify(names.map((key) => oracle.get(key) ?? null));
          if (here !== names.length) throw new Error(`${here} answered here: ${problem}`);
          return JSON.stringify(values) === expected;
        },
        60_000,
      );
    await write(0);
    let application = new LocalProcess(project, of);
    try {
      await agreesOnDisk(application);
      expect((await application.ask([])).loads).toEqual([1, 1, 1, 1]);
      // Another process on the same folder leaves it alone, and has its answers from portals.
      const other = new LocalProcess(project, of);
      await eventually('it is told', async () =>
        /is open in another process/.test((await other.ask([])).problem ?? ''),
      );
      const some = names.slice(0, 3);
      const expected = JSON.stringify([some.map((key) => oracle.get(key)), 0]);
      await eventually('portals answer', async () => {
        const { values, here } = await other.ask(some);
        return JSON.stringify([values, here]) === expected;
      });
      expect(await other.end('close')).toBe(0);
      for (let round = 1; round <= (full ? 10 : 3); round++) {
        // In the middle of what it writes.
        const writing = (async () => {
          for (let i = 0; i < 10; i++)
            await write(
              round * 100 + i,
              names.filter(() => random() < 0.4),
            );
        })();
        await pause(random() * 400);
        expect(await application.end('kill')).toBeNull();
        await writing;
        application = new LocalProcess(project, of);
        await agreesOnDisk(application);
        expect({ seed, round, loads: (await application.ask([])).loads }).toEqual({ seed, round, loads: [0, 0, 0, 0] });
      }
      expect(await application.end('close')).toBe(0);

      // Where files may not grow it answers nothing untrue, and neither ends nor goes on from less when they may again.
      application = new LocalProcess(project, of, 64);
      for (let i = 0; i < 4; i++) await write(5_000 + i, names, 4_000);
      await eventually('the disk is full, and portals answer', async () => {
        const { values, problem, isComplete } = await application.ask(names);
        const expected = JSON.stringify(names.map((key) => oracle.get(key) ?? null));
        return /file too large/i.test(problem ?? '') && !isComplete && JSON.stringify(values) === expected;
      });
      expect(await application.end('close')).toBe(0);
      application = new LocalProcess(project, of);
      await agreesOnDisk(application);
      expect(await application.end('close')).toBe(0);
    } finally {
      await application.end('kill');
      rmSync(project, { recursive: true, force: true });
    }
  }, 240_000);

  it('a topic of a team is held as it is, compressed and by headers, and nothing of one that was made anew', async () => {
    const create = (): Promise<TopicOfOthers> =>
      TopicOfOthers.create(admin, producer, { name: `${prefix}-prices`, partitions: 3, hashAlgorithm: 'murmur2' });
    const prices = await create();
    await prices.send(
      names.map((key) => [key, `${key}!`] as const),
      CompressionTypes.GZIP,
    );
    await prices.send([
      ['k003', null],
      ['k005', 'five'],
    ]);
    await producer.send({
      topic: prices.name,
      messages: [prices.message('k007', 'over', { 'levee-expires-at-ms': '1000' })],
    });
    prices.oracle.delete('k007');
    const url = cluster.doors.portals[0]?.http ?? '';
    const more = ['--replicas', '2', '--record-format', 'raw'];
    const bound = await levee(url, ['namespace', 'create', 'prices', '--from-topic', prices.name, ...more]);
    expect(bound).toMatchObject({ code: 0 });
    await using client = await connect({ portals: portals(), reads: local({ brokers, namespaces: ['prices'] }) });
    client.namespace('prices');
    await complete(client, 'prices');
    const keys = client.namespace('prices').typed(utf8);
    const { answered } = statusOf(client);
    expect(await keys.getMany(names)).toEqual(names.map((key) => prices.oracle.get(key)));
    expect(statusOf(client).answered).toBe(answered + names.length);
    await admin.deleteTopics({ topics: [prices.name] });
    const anew = await eventually('the topic is made anew', () => create().catch(() => undefined), 30_000, 200);
    await anew.send(names.map((key) => [key, 'of another topic'] as const));
    await eventually(
      'nothing is answered here',
      async () => {
        const before = statusOf(client).answered;
        const found = await keys.get('k001').catch(() => undefined);
        expect(found).not.toBe('of another topic');
        return statusOf(client).answered === before && !isComplete(client, 'prices');
      },
      60_000,
    );
    await pause(3_000);
    expect(isComplete(client, 'prices')).toBe(false);
    expect(await keys.get('k001').catch((error: Error) => error.message)).not.toBe('of another topic');
    // A node that misses the topic of one of its replicas is not ready.
    expect(await levee(url, ['namespace', 'delete', 'prices', '--yes'])).toMatchObject({ code: 0 });
  }, 240_000);

  it('with its broker and nodes killed and paused and its own connections torn, no session sees taken back what it has seen', async () => {
    const proxies: KafkaProxy[] = [];
    const open = (name: string): Promise<SdkClient> => {
      const proxy = new KafkaProxy();
      proxies.push(proxy);
      const { socketFactory } = proxy;
      const log = (): Promise<KafkaLog> => KafkaLog.open({ brokers, clientId: name, socketFactory, openMs: 5_000 });
      return SdkClient.open(name, portals(), 'session', {
        reads: localOn(log, ['default']),
        deadlineMs: answeredWithinMs,
      });
    };
    const clients = await Promise.all(Array.from({ length: 4 }, (_, i) => open(`local${i}`)));
    const workload = new Workload({
      clients,
      auditor: await SdkClient.open('auditor', portals(), 'strong'),
      consistency: 'session',
      oneWriterPerKey: true,
      random,
      keyPrefix: 'session-',
      pauseMs: 5,
      reads: 0.7,
    });
    const answered = (): number => clients.reduce((sum, { client }) => sum + statusOf(client).answered, 0);
    await Promise.all(clients.map(({ client }) => complete(client, 'default')));
    workload.start();
    await eventually('replicas answer', () => answered() > 100);
    for (let round = 0; round < (full ? 6 : 1); round++) {
      const undo = await (proxies[round % 4] as KafkaProxy).cut();
      (proxies[(round + 1) % 4] as KafkaProxy).corruptNextFetch();
      await cluster.kill('n1');
      await pause(1_500);
      undo();
      await cluster.start('n1');
      await cluster.pause('k1');
      await pause(1_500);
      await cluster.resume('k1');
      await pause(500);
      await Promise.all(
        clients.map(({ client }) => eventually('complete', () => isComplete(client, 'default'), 60_000)),
      );
    }
    const before = answered();
    await eventually('replicas answer', () => answered() > before + 100);
    const told = clients.map(({ client }) => ({ ...statusOf(client), namespaces: undefined }));
    const judgement = judge(await workload.stop());
    await Promise.all(clients.map(({ client }) => client.close()));
    for (const proxy of proxies) await proxy.close();
    const { outcomes, latencyMs } = judgement;
    figures['session'] = { outcomes, latencyMs, told };
    expect({ seed, faults: judgement.faults }).toEqual({ seed, faults: [] });
    expect(outcomes.reads.ok).toBeGreaterThan(200);
  }, 240_000);
});
