import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { asOffset } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { levee, leveeWith } from '../support/levee-command';
import { PlanDoor } from '../support/plan-door';
import { scratchFolder } from '../support/standalone-process';
import { TopicOfOthers } from '../support/topic-of-others';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const brokers = process.env.KAFKA_BROKERS ?? '';
const from0 = { nextOffset: asOffset(0), leaderEpoch: -1 };
const run = `aging${process.pid}`;
const retentionMs = 10_000;
const hiddenAfterMs = 7_500;
const settings = { 'cleanup.policy': 'delete', 'retention.ms': String(retentionMs), 'segment.ms': '500' };

/** Topics that forget by age, as most topics do: Kafka really removes their segments here. */
describe('I23: a topic of others that forgets by age', () => {
  const kafka = new Kafka({ clientId: 'team', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  let dir: string;
  let cluster: ClusterProcess;
  let admin: Admin;
  let producer: Producer;
  let log: KafkaLog;
  let prices: TopicOfOthers;
  let client: Redis;

  beforeAll(async () => {
    dir = scratchFolder('aging');
    admin = kafka.admin();
    producer = kafka.producer({ allowAutoTopicCreation: false });
    await Promise.all([admin.connect(), producer.connect()]);
    log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'auditor' });
    cluster = await ClusterProcess.start(
      ['--brokers', brokers, '--dir', dir, '--nodes', '2', '--partitions', '2', '--chunks', '2', '--replicas', '2'],
      { LEVEE_TOPIC_PREFIX: run, LEVEE_UNITS: '8x64MiB:leveldb' },
    );
    const topic = { name: `${run}-prices`, partitions: 2, hashAlgorithm: 'murmur2', settings } as const;
    prices = await TopicOfOthers.create(admin, producer, topic);
  }, 240_000);

  afterAll(async () => {
    client?.disconnect();
    const said = await cluster?.end();
    await Promise.all([producer.disconnect(), admin.disconnect(), log.close()]);
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  const url = (): string => cluster.doors.portals[0]?.http ?? '';
  const bind = (...more: string[]) =>
    levee(url(), ['namespace', 'create', 'prices', '--from-topic', prices.name, '--replicas', '2', ...more]);
  const wave = (name: string, value: string) =>
    prices.send(Array.from({ length: 100 }, (_, i) => [`${name}:${i}`, `${value} ${i}`] as const));
  const starts = async (): Promise<number[]> => (await log.offsets(prices.name)).map(({ startOffset }) => startOffset);
  const ends = async (): Promise<number[]> => (await log.offsets(prices.name)).map(({ endOffset }) => endOffset);
  const letGo = (below: readonly number[]): Promise<boolean> =>
    eventually(
      'Kafka has removed what is too old',
      async () => (await starts()).every((start, partition) => start >= (below[partition] ?? 0)),
      60_000,
      200,
    );

  async function opened(): Promise<void> {
    const port = cluster.respPorts[0] as number;
    client?.disconnect();
    client = new Redis({ port, host: '127.0.0.1', username: 'prices', password: '-', lazyConnect: true });
    client.on('error', () => undefined);
    for (const position of prices.positions) expect(await client.call('LV.WAIT', position)).toBe('OK');
  }

  async function scanned(): Promise<string[]> {
    const found: string[] = [];
    let cursor = '0';
    do {
      const [next, keys] = await client.scan(cursor, 'COUNT', 1_000);
      found.push(...keys);
      cursor = next;
    } while (cursor !== '0');
    return found;
  }

  it('is bound with the flag that its dry run names, and its values have a time to live', async () => {
    await wave('first', 'v');
    const dry = await bind('--dry-run');
    expect([dry.code, dry.stderr]).toEqual([0, '']);
    expect(dry.stdout).toMatch(
      /with --expire-with-retention a value counts as expired 7500ms after the time of its record/,
    );
    expect(dry.stdout).toMatch(/would be refused: cleanup\.policy of .* is delete: .*--expire-with-retention/);
    expect(dry.stdout).toMatch(/--record-format raw --expire-with-retention\n/);
    const refused = await bind('--record-format', 'raw');
    expect(refused.stderr).toMatch(/is delete: it forgets records that are older than retention\.ms=10000/);
    const { code, stderr } = await bind('--record-format', 'raw', '--expire-with-retention');
    expect([code, stderr]).toEqual([0, '']);
    // A machine that is busy takes long to answer what is hidden soon: then it is written anew.
    const left = await eventually('it is read within its time', async () => {
      await wave('second', 'v');
      await opened();
      const value = await client.get('second:7');
      const leftMs = await client.pttl('second:7');
      const others = (await client.mget('second:1', 'never')).map((other) => other !== null);
      return value === 'v 7' && leftMs > 0 && `${others}` === 'true,false' ? leftMs : undefined;
    });
    expect(left).toBeLessThanOrEqual(hiddenAfterMs);
  }, 120_000);

  it('a topic that Levee may write to gets plain keys and values from it, and nothing else', async () => {
    const topic = { name: `${run}-notes`, partitions: 2, hashAlgorithm: 'murmur2' } as const;
    const notes = await TopicOfOthers.create(admin, producer, topic);
    await notes.send([
      ['theirs', 'v'],
      ['gone', 'v'],
    ]);
    const asked = ['namespace', 'create', 'notes', '--from-topic', notes.name, '--writable'];
    const dry = await levee(url(), [...asked, '--dry-run']);
    expect([dry.code, dry.stderr]).toEqual([0, '']);
    expect(dry.stdout).toContain(
      `levee namespace create notes --from-topic ${notes.name} --record-format raw --writable\n`,
    );
    const create = ['namespace', 'create', 'notes', '--from-topic', notes.name, '--record-format', 'raw', '--writable'];
    const { code, stderr } = await levee(url(), [...create, '--replicas', '2']);
    expect([code, stderr]).toEqual([0, '']);
    const port = cluster.respPorts[0] as number;
    const writer = new Redis({ port, host: '127.0.0.1', username: 'notes', password: '-', lazyConnect: true });
    try {
      for (const position of notes.positions) expect(await writer.call('LV.WAIT', position)).toBe('OK');
      expect(await writer.set('ours', 'w')).toBe('OK');
      expect(await writer.set('theirs', 'w2')).toBe('OK');
      expect(await writer.del('gone')).toBe(1);
      expect(await writer.mget('ours', 'theirs', 'gone')).toEqual(['w', 'w2', null]);
      await expect(writer.set('ours', 'x', 'EX', 60)).rejects.toThrow(
        /^LVUNSUPPORTED a time to live would be a header/,
      );
      const headers = { 'levee-consistency': 'strong' };
      const strong = await fetch(`${url()}/v1/kv/notes/ours`, { headers });
      expect([strong.status, await strong.text()]).toEqual([
        501,
        expect.stringContaining('would have to write a fence'),
      ]);
      expect((await new PlanDoor(cluster).post<{ equal: boolean }>('/v1/namespaces/notes/digests')).equal).toBe(true);
      const held: unknown[] = [];
      for (const { partition, endOffset } of await log.offsets(notes.name)) {
        const stop = new AbortController();
        for await (const batch of log.tail(notes.name, partition, from0, { signal: stop.signal })) {
          for (const { key, value, headers: beside } of batch.records)
            held.push([String(key), value && String(value), beside.map((header) => header.key)]);
          if (batch.nextOffset >= endOffset) break;
        }
        stop.abort();
      }
      const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
      const expected = [
        ['theirs', 'v', ['traceparent']],
        ['gone', 'v', ['traceparent']],
        ['ours', 'w', []],
        ['theirs', 'w2', []],
        ['gone', null, []],
      ];
      expect(held.sort(byText)).toEqual(expected.sort(byText));
      expect((await log.describeTopics([notes.name]))[0]?.settings).toMatchObject({ 'cleanup.policy': 'compact' });
    } finally {
      writer.disconnect();
    }
  }, 120_000);

  it('Kafka removes what is hidden already; who missed it is built anew, and nobody differs', async () => {
    await cluster.kill('n1');
    await wave('second', 'newer');
    await prices.send([['second:0', null]]);
    const gone = await ends();
    await eventually('all of it has expired', async () => (await client.get('second:7')) === null, 30_000, 100);
    // Of the others some were written a moment later.
    await eventually('and so have the others', async () => (await scanned()).length === 0);
    let over = false;
    const producing = (async () => {
      for (let i = 0; !over; i++) {
        await wave('live', `${i}`);
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    })();
    try {
      await letGo(gone);
      await cluster.start('n1');
    } finally {
      over = true;
      await producing;
    }
    const door = new PlanDoor(cluster);
    const compared = await eventually(
      'replicas can be compared, all of them',
      async () => {
        const found = await door.post<{ equal: boolean; replicas: unknown[] }>('/v1/namespaces/prices/digests');
        return found.replicas.length >= 4 ? found : undefined;
      },
      60_000,
      300,
    );
    expect(compared.equal).toBe(true);
    await wave('live', 'at last');
    for (const position of prices.positions) expect(await client.call('LV.WAIT', position)).toBe('OK');
    expect(await client.get('live:5')).toBe(prices.oracle.get('live:5'));
    expect(await findingsOf(url(), 'source-topic')).toEqual([]);
    await eventually(
      'the doctor says healthy',
      async () => (await levee(url(), ['doctor'])).stdout.includes('healthy'),
      30_000,
      500,
    );
  }, 180_000);

  it('is verified and exported from what the log holds, and is as its owners made it', async () => {
    const env = { KAFKA_BROKERS: brokers, LEVEE_TOPIC_PREFIX: run };
    const verified = await leveeWith(env, ['audit', 'verify', '--namespace', 'prices', '--quiet']);
    expect([verified.code, verified.stderr]).toEqual([0, '']);
    const file = join(dir, 'prices.avro');
    // Kafka may remove what is being read: then it says so, and is begun again.
    const others: string[] = [];
    await eventually(
      'it is exported',
      async () => {
        await wave('live', 'last');
        const { code, stderr } = await leveeWith(env, ['namespace', 'export', 'prices', file, '--quiet']);
        if (code !== 0 && !/NOT_PROVABLE .*does not begin at offset/.test(stderr)) others.push(stderr);
        return code === 0;
      },
      60_000,
    );
    expect(others).toEqual([]);
    const checked = await leveeWith(env, ['-o', 'json', 'namespace', 'import', file, '--verify', '--quiet']);
    expect([checked.code, checked.stderr]).toEqual([0, '']);
    expect(JSON.parse(checked.stdout)).toMatchObject({ keys: 100 });
    const [description] = await log.describeTopics([prices.name]);
    expect(description?.settings).toMatchObject(settings);
    const { groups } = await admin.listGroups();
    expect(groups.filter(({ groupId }) => groupId.includes(run))).toEqual([]);
    // Every record is its producers'.
    expect(await ends()).toEqual([0, 1].map((partition) => prices.ends.get(partition)));
  }, 120_000);
});
