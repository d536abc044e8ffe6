import { decodeAs, encodePut } from '@levee/codec';
import { murmur2, reservedKeyPrefix } from '@levee/kernel';
import Redis from 'ioredis';
import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import { eventually } from '../support/deadline';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const brokers = (process.env.KAFKA_BROKERS ?? '').split(',');
const prefix = `foreign${process.pid}`;
const binlog = `${prefix}.binlog.default`;

/** What any Kafka producer may do to a binlog, and what comes of it. */
describe('a plain Kafka producer writes to a binlog', () => {
  let levee: StandaloneProcess;
  let redis: Redis;
  let producer: Producer;
  let admin: Admin;
  const kafka = new Kafka({ clientId: 'foreign', brokers, logLevel: logLevel.NOTHING });

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('foreign'), {
      KAFKA_BROKERS: brokers.join(','),
      LEVEE_TOPIC_PREFIX: prefix,
    });
    redis = new Redis(levee.respPort, '127.0.0.1');
    producer = kafka.producer({ allowAutoTopicCreation: false });
    admin = kafka.admin();
    await Promise.all([producer.connect(), admin.connect()]);
  }, 90_000);

  afterAll(async () => {
    redis.disconnect();
    await Promise.all([producer.disconnect(), admin.disconnect()]);
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

  async function quarantined(): Promise<
    Array<{ offset: number; reason: string; partition: number; key: Uint8Array | null }>
  > {
    const consumer = kafka.consumer({ groupId: `${prefix}-${Date.now()}` });
    const found: Array<{ offset: number; reason: string; partition: number; key: Uint8Array | null }> = [];
    await consumer.connect();
    await consumer.subscribe({ topic: `${prefix}.quarantine`, fromBeginning: true });
    const [end] = await admin.fetchTopicOffsets(`${prefix}.quarantine`);
    let next = 0;
    await consumer.run({
      eachBatch: ({ batch }) => {
        for (const message of batch.messages) found.push(decodeAs('Quarantined', message.value as Buffer));
        next = Number(batch.lastOffset()) + 1;
        return Promise.resolve();
      },
    });
    await eventually('quarantine is read', () => next >= Number(end?.high));
    await consumer.disconnect();
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
});
