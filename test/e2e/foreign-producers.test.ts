import { encodePut } from '@levee/codec';
import type { Quarantined } from '@levee/events';
import { readCopies } from '@levee/journal';
import { asOffset, asPartition, crc32, murmur2, reservedKeyPrefix } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { CompressionTypes, Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { leveeWith } from '../support/levee-command';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');
const prefix = `foreign${process.pid}`;
const binlog = `${prefix}.binlog.default`;
const env = { KAFKA_BROKERS: brokers.join(','), LEVEE_TOPIC_PREFIX: prefix };

/** What any Kafka producer may do to a binlog, and what comes of it. */
describe('a plain Kafka producer writes to a binlog', () => {
  let levee: StandaloneProcess;
  let redis: Redis;
  let producer: Producer;
  let admin: Admin;
  let log: KafkaLog;
  const kafka = new Kafka({ clientId: 'foreign', brokers, logLevel: logLevel.NOTHING });

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('foreign'), env);
    redis = new Redis(levee.respPort, '127.0.0.1');
    producer = kafka.producer({ allowAutoTopicCreation: false });
    admin = kafka.admin();
    await Promise.all([producer.connect(), admin.connect()]);
    log = await KafkaLog.open({ brokers, clientId: 'auditor' });
  }, 90_000);

  afterAll(async () => {
    redis.disconnect();
    await Promise.all([producer.disconnect(), admin.disconnect(), log.close()]);
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 60_000);

  /** Waits until `LV.WAIT` says that this record is applied, so that what follows is no race. */
  async function send(key: Buffer | null, value: Buffer | null, partition?: number): Promise<string> {
    const [sent] = await producer.send({
      topic: binlog,
      acks: -1,
      messages: [{ key, value, ...(partition === undefined ? {} : { partition }) }],
    });
    const position = `${sent?.partition}:${Number(sent?.baseOffset) + 1}`;
    expect(await redis.call('LV.WAIT', position)).toBe('OK');
    return position;
  }

  async function quarantined(): Promise<Quarantined[]> {
    const found: Quarantined[] = [];
    const options = { clock: systemClock, deadlineMs: 20_000, onCopy: (copy: Quarantined) => found.push(copy) };
    await readCopies(log, `${prefix}.quarantine`, options);
    return found;
  }

  it('a Put with Kafka’s default partitioner is read by GET, with its expiry', async () => {
    const key = Buffer.from('from-kafka');
    await send(key, encodePut(key, Buffer.from('hello'), null));
    expect(await redis.get('from-kafka')).toBe('hello');
    const soon = Buffer.from('from-kafka-with-ttl');
    await send(soon, encodePut(soon, Buffer.from('x'), Date.now() + 3_600_000));
    expect(await redis.ttl('from-kafka-with-ttl')).toBeGreaterThan(3500);
  });

  it('a null value deletes', async () => {
    const key = Buffer.from('to-delete');
    await send(key, encodePut(key, Buffer.from('x'), null));
    expect(await redis.get('to-delete')).toBe('x');
    await send(key, null);
    expect(await redis.get('to-delete')).toBeNull();
  });

  it('garbage makes exactly that key unreadable, names its position, is in quarantine, and the next write heals it', async () => {
    await redis.mset('garbage', 'fine before', 'neighbour', 'fine');
    const position = await send(Buffer.from('garbage'), Buffer.from('these bytes are no Avro'));
    const [partition, next] = position.split(':').map(Number) as [number, number];
    await expect(redis.get('garbage')).rejects.toThrow(new RegExp(`^(-)?LVUNREADABLE.*${partition}:${next - 1}`));
    expect(await redis.get('neighbour')).toBe('fine');
    const copy = await eventually('the copy is in quarantine', async () =>
      (await quarantined()).find((one) => one.offset === next - 1 && one.partition === partition),
    );
    expect([copy.reason, Buffer.from(copy.key ?? []).toString()]).toEqual(['garbage', 'garbage']);
    await redis.set('garbage', 'healed');
    expect(await redis.get('garbage')).toBe('healed');
  }, 60_000);

  it('a record in a wrong partition is only in quarantine', async () => {
    await redis.set('stray', 'right');
    const partitions = (await admin.fetchTopicOffsets(binlog)).length;
    const own = (murmur2(Buffer.from('stray')) & 0x7fffffff) % partitions;
    const position = await send(
      Buffer.from('stray'),
      encodePut(Buffer.from('stray'), Buffer.from('wrong'), null),
      (own + 1) % partitions,
    );
    const offset = Number(position.split(':')[1]) - 1;
    expect(await redis.get('stray')).toBe('right');
    const copy = await eventually('the copy is in quarantine', async () =>
      (await quarantined()).find((one) => one.offset === offset && one.reason === 'wrongPartition'),
    );
    expect(Buffer.from(copy.key ?? []).toString()).toBe('stray');
  }, 60_000);

  it('a reserved key from outside changes nothing and is in quarantine', async () => {
    const key = Buffer.concat([reservedKeyPrefix, Buffer.from('genesis')]);
    await redis.set('before', 'x');
    const position = await send(key, Buffer.from('not ours'), 0);
    expect(await redis.get('before')).toBe('x');
    await redis.set('after', 'y');
    expect(await redis.get('after')).toBe('y');
    const offset = Number(position.split(':')[1]) - 1;
    await eventually('the copy is in quarantine', async () =>
      (await quarantined()).some((one) => one.offset === offset && one.reason === 'reservedKey'),
    );
  }, 60_000);

  it('sizes: what the broker refuses, what is not stored, and what is and only scans give', async () => {
    const messages = (name: string, count: number, bytes: number) =>
      Array.from({ length: count }, (_, i) => {
        const key = Buffer.from(`${name}:${i}`);
        return { key, value: encodePut(key, Buffer.alloc(bytes), null), partition: 0 };
      });
    // Zeros: packed, both batches are tiny. What counts is what the broker unpacks.
    const batch = (name: string, count: number) =>
      producer.send({
        topic: binlog,
        acks: -1,
        compression: CompressionTypes.GZIP,
        messages: messages(name, count, 800_000),
      });
    await expect(batch('refused', 3)).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
    await expect(batch('taken', 2)).resolves.toHaveLength(1);
    const long = Buffer.alloc(40_000, 'k');
    const position = await send(long, encodePut(long, Buffer.from('x'), null));
    const [partition, next] = position.split(':').map(Number) as [number, number];
    const copy = await eventually('the copy is in quarantine', async () =>
      (await quarantined()).find((one) => one.offset === next - 1 && one.partition === partition),
    );
    expect([copy.reason, copy.message]).toEqual(['tooLarge', 'the key has 40000 bytes, at most 32768 are stored']);
    const shown = Buffer.alloc(2_000, 's');
    await send(shown, encodePut(shown, Buffer.from('x'), null));
    expect(await redis.keys('s*')).toContain(shown.toString());
    await expect(redis.get(shown)).rejects.toThrow(/^LVLIMIT a key of 2000 bytes/);
  }, 60_000);

  it('levee lint reads the binlog and names what these producers write wrongly, and who', async () => {
    const { code, stdout } = await leveeWith(env, ['lint', 'default', '--quiet', '-o', 'json']);
    expect(code).toBe(3);
    const { offenders } = JSON.parse(stdout) as { offenders: { reason: string; producerId: number; count: number }[] };
    const counts: Record<string, number> = {};
    for (const { reason, count } of offenders) counts[reason] = (counts[reason] ?? 0) + count;
    expect(counts).toMatchObject({
      wrongPartition: expect.any(Number) as number,
      tooLarge: 1,
      garbage: 1,
      reservedKey: 1,
    });
  }, 60_000);

  it('levee lint ack: what is dealt with is no finding of the doctor, behind the end nothing can be, and what comes later is one', async () => {
    const findings = () => findingsOf(levee.url, 'quarantined');
    await eventually('the doctor counts them', async () => (await findings()).length > 0, 30_000, 500);
    const ack = (...args: string[]) =>
      leveeWith({ LEVEE_URL: levee.url }, ['lint', 'ack', 'default', '--why', 'sent again', ...args]);
    const behind = await ack('--up-to', '0:1000000');
    expect([behind.code, behind.stderr]).toEqual([1, expect.stringContaining('0:1000000 lies behind the end of')]);
    expect(await findings()).not.toEqual([]);

    const done = await ack('--all', '--by', 'ann');
    expect([done.code, done.stdout]).toEqual([0, expect.stringMatching(/^default#1: .* is acknowledged: no finding/)]);
    await eventually('none is a finding', async () => (await findings()).length === 0, 30_000, 500);
    const doctor = await leveeWith({ LEVEE_URL: levee.url }, ['doctor']);
    expect(doctor.stdout).toMatch(
      /^acknowledged {2}1 records of default as garbage, by ann \(given as .*\) at .*: sent again$/m,
    );
    const described = await leveeWith({ LEVEE_URL: levee.url }, ['namespace', 'describe', 'default']);
    expect(described.stdout).toMatch(/acknowledged:\n *- "?whatever is wrong up to 0:.*by ann \(given as/);
    const linted = await leveeWith(env, ['lint', 'default', '--quiet']);
    expect([linted.code, linted.stdout]).toEqual([0, expect.stringContaining('acknowledged by ann')]);

    await send(Buffer.from('later'), Buffer.from('no Avro either'));
    const again = await eventually('it is a finding', async () => (await findings())[0], 30_000, 500);
    expect(again.finding).toMatch(/^1 records of default are in quarantine as garbage/);
    expect((await leveeWith(env, ['lint', 'default', '--quiet'])).code).toBe(3);
    await redis.del('later');
  }, 90_000);

  it('a namespace of raw records takes compressed values as they are, and their expiry from a header', async () => {
    const created = await fetch(`${levee.url}/v1/namespaces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'prices', partitions: 4, recordFormat: 'raw', hashAlgorithm: 'crc32' }),
    });
    expect([created.ok, await created.text()]).toEqual([true, expect.stringContaining('"recordFormat":"raw"')]);
    const raw = new Redis({ port: levee.respPort, host: '127.0.0.1', username: 'prices', password: '-' });
    const topic = `${prefix}.binlog.prices`;
    const message = (key: string, value: string | null, expiresAt?: string) => ({
      key,
      value,
      partition: crc32(Buffer.from(key)) % 4,
      ...(expiresAt === undefined ? {} : { headers: { 'levee-expires-at-ms': expiresAt, traceparent: '00-1' } }),
    });
    const soon = String(Date.now() + 3_600_000);
    const messages = [
      message('a', '{"price":7}'),
      message('b', 'x', soon),
      message('c', 'x', '1000'),
      message('d', 'x'),
    ];
    await eventually('the topic is there', async () => (await admin.listTopics()).includes(topic));
    await producer.send({ topic, acks: -1, compression: CompressionTypes.GZIP, messages });
    await producer.send({ topic, acks: -1, messages: [message('d', null)] });
    await eventually(
      'they are read',
      async () => (await raw.get('a')) === '{"price":7}' && (await raw.get('b')) === 'x',
    );
    await eventually('the last one is gone', async () => (await raw.get('d')) === null);
    expect([await raw.get('c'), await raw.ttl('b')]).toEqual([null, expect.any(Number)]);
    expect(await raw.ttl('b')).toBeGreaterThan(3500);
    await raw.set('ours', 'plain', 'EX', 3600);
    const partition = asPartition(crc32(Buffer.from('ours')) % 4);
    let found = '';
    for await (const { records } of log.tail(topic, partition, { nextOffset: asOffset(0), leaderEpoch: -1 })) {
      const ours = records.find(({ key }) => key?.toString() === 'ours');
      if (ours === undefined) continue;
      found = `${ours.value?.toString()} ${ours.headers.map(({ key }) => key).join()}`;
      break;
    }
    expect(found).toBe('plain levee-expires-at-ms');
    raw.disconnect();
  }, 90_000);

  it('partitions added by hand: what lands there is in quarantine and told, nothing else is lost, also by a restart', async () => {
    const own = (await admin.fetchTopicOffsets(binlog)).length;
    const hashOf = (key: string): number => murmur2(Buffer.from(key)) & 0x7fffffff;
    await redis.set('before-growth', 'kept');
    await admin.createPartitions({ topicPartitions: [{ topic: binlog, count: own + 4 }] });
    // The broker answers before it shows them to everybody, and a client drops without a word what goes to one it has not seen.
    await eventually('the new partitions have leaders', () => hasLeaders(admin, binlog, own + 4), 30_000, 100);
    // What a producer does that counts the topic's partitions; this client would drop what goes to those it has not seen.
    const unaware = producer;
    producer = kafka.producer({ allowAutoTopicCreation: false });
    await Promise.all([producer.connect(), unaware.disconnect()]);
    const put = async (key: string): Promise<boolean> => {
      const partition = hashOf(key) % (own + 4);
      const value = encodePut(Buffer.from(key), Buffer.from('new'), null);
      const [sent] = await producer.send({ topic: binlog, acks: -1, messages: [{ key, value, partition }] });
      expect(sent).toMatchObject({ partition, errorCode: 0 });
      return partition >= own;
    };
    const keys = Array.from({ length: 40 }, (_, i) => `grown-${i}`);
    const astray: string[] = [];
    for (const key of keys) if (await put(key)) astray.push(key);
    expect(astray.length).toBeGreaterThan(5);
    const copies = async (): Promise<string[]> =>
      (await quarantined())
        .filter(({ reason, partition }) => reason === 'wrongPartition' && partition >= own)
        .map(({ key }) => Buffer.from(key ?? []).toString())
        .sort();
    await eventually('all are in quarantine', async () => (await copies()).length >= astray.length, 30_000, 1_000);
    expect(await copies()).toEqual([...astray].sort());

    const grown = async () => {
      const found = await findingsOf(levee.url, 'binlog-grown');
      return found.length > 0 ? found : undefined;
    };
    const told = await eventually('the doctor says it', grown, 30_000, 500);
    expect(told).toHaveLength(1);
    expect(told[0]?.finding).toContain(`has ${own + 4} partitions and default was created with ${own}`);
    await eventually(
      'and of how many records',
      async () => (await grown())?.[0]?.finding.includes(`hold ${astray.length} records`),
      30_000,
      500,
    );
    for (const rule of ['binlog-lost', 'topic-misconfigured', 'replica-stuck', 'replica-rebuilding'])
      expect(await findingsOf(levee.url, rule)).toEqual([]);

    const rightly = keys.filter((key) => hashOf(key) % own === hashOf(key) % (own + 4));
    const serves = async (): Promise<void> => {
      expect(await redis.get('before-growth')).toBe('kept');
      for (const key of rightly) expect(await redis.get(key)).toBe('new');
      for (const key of astray) expect(await redis.get(key)).toBeNull();
      await redis.set(astray[0] as string, 'sent again');
      expect(await redis.get(astray[0] as string)).toBe('sent again');
      await redis.del(astray[0] as string);
    };
    await serves();

    redis.disconnect();
    expect(await levee.end()).toBe(0);
    levee = await StandaloneProcess.start(levee.dataDir, env);
    redis = new Redis(levee.respPort, '127.0.0.1');
    await serves();
    const late = Array.from({ length: 100 }, (_, i) => `late-${i}`).find((key) => hashOf(key) % (own + 4) >= own);
    expect(await put(late as string)).toBe(true);
    // The next master goes on where the last one stopped: nothing is copied twice.
    await eventually('it is in quarantine too', async () => (await copies()).includes(late as string), 30_000, 1_000);
    expect(await copies()).toEqual([...astray, late as string].sort());
    expect(await eventually('the doctor says it', grown, 30_000, 500)).toHaveLength(1);
  }, 180_000);
});

async function hasLeaders(admin: Admin, topic: string, count: number): Promise<boolean> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const partitions = topics[0]?.partitions ?? [];
  return partitions.length === count && partitions.every(({ leader }) => leader >= 0);
}
