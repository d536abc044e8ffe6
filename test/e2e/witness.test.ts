import { rmSync } from 'node:fs';
import { encodePut } from '@levee/codec';
import { murmur2 } from '@levee/kernel';
import Redis from 'ioredis';
import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import { KafkaProcess } from '../../libs/log-kafka/test/kafka-process';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { type Finding, findingsOf } from '../support/findings';
import { levee } from '../support/levee-command';
import { scratchFolder } from '../support/standalone-process';
import { writeStops } from '../support/write-stops';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const prefix = `witness${process.pid}`;
const topic = `${prefix}.binlog.default`;
const nodes = ['n1', 'n2', 'n3'];

/** A key of partition 0 of 2, made from `name`. */
function keyOf(name: string): string {
  for (let i = 0; ; i++) {
    const key = `${name}.${i}`;
    if ((murmur2(Buffer.from(key)) & 0x7fffffff) % 2 === 0) return key;
  }
}
const keys = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => keyOf(`${name}${i}`));

/** A broker that comes back without its newest records: it leads at once, for it has no other, in a higher epoch. */
describe('a Kafka that lost what three replicas hold', () => {
  const dir = scratchFolder('witness');
  const old = keys('old', 2_000);
  const lost = keys('lost', 500);
  const [gone, newer, changed] = [keyOf('gone'), keyOf('newer'), keyOf('changed')];
  let kafka: KafkaProcess;
  let cluster: ClusterProcess;
  let admin: Admin;
  let producer: Producer;
  let redis: Redis[] = [];

  beforeAll(async () => {
    kafka = await KafkaProcess.start(1);
    const shape = ['--masters', '1', '--nodes', '3', '--portals', '2'];
    const space = ['--partitions', '2', '--chunks', '2', '--replicas', '3'];
    cluster = await ClusterProcess.start(['--brokers', kafka.brokers.join(), '--dir', dir, ...shape, ...space], {
      LEVEE_TOPIC_PREFIX: prefix,
      LEVEE_LOG_LEVEL: 'error',
    });
    const client = new Kafka({ clientId: 'foreign', brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    admin = client.admin();
    producer = client.producer({ allowAutoTopicCreation: false });
    await Promise.all([admin.connect(), producer.connect()]);
    connect();
  }, 240_000);

  afterAll(async () => {
    for (const each of redis) each.disconnect();
    await Promise.all([admin?.disconnect(), producer?.disconnect()]).catch(() => undefined);
    await cluster?.end();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }, 120_000);

  function connect(): void {
    for (const each of redis) each.disconnect();
    redis = cluster.respPorts.map((port) => new Redis(port, '127.0.0.1', { commandTimeout: 20_000 }));
    for (const each of redis) each.on('error', () => undefined);
  }
  const portal = (): string => cluster.doors.portals[0]?.http ?? '';

  /** Acknowledged by every replica. */
  async function write(pairs: readonly (readonly [string, string | null])[]): Promise<void> {
    const [door] = redis as [Redis];
    await door.call('LV.ACK', 'all');
    const pipeline = door.pipeline();
    for (const [key, value] of pairs) value === null ? pipeline.del(key) : pipeline.set(key, value);
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  }
  /** Through each portal. */
  async function read(names: readonly string[], consistency: 'eventual' | 'strong'): Promise<(string | null)[][]> {
    return Promise.all(
      redis.map(async (door) => {
        await door.call('LV.CONSISTENCY', consistency);
        return door.mget(...names);
      }),
    );
  }
  const endOf = async (): Promise<number> =>
    Number((await admin.fetchTopicOffsets(topic)).find(({ partition }) => partition === 0)?.offset);

  const cutBack = (endOffset: number): Promise<void> => kafka.comeBackWithout(topic, new Map([[0, endOffset]]));
  const witnesses = (): Promise<Finding[]> => findingsOf(portal(), 'replica-witness');
  const readiness = async (): Promise<[number, string][]> =>
    Promise.all(
      cluster.doors.nodes.map(async ({ http }) => {
        const answer = await fetch(`${http}/health/ready`, { signal: AbortSignal.timeout(3_000) });
        return [answer.status, await answer.text()] as [number, string];
      }),
    );
  const writeRefused = async (door: Redis): Promise<boolean> =>
    door.set(keyOf('refused'), 'x').then(
      () => false,
      (error: Error) => /^LVSTOPPED/.test(error.message),
    );

  /** Three witnesses, named everywhere; nothing is cleared, and nothing is written to that partition. */
  async function standsStill(cutOffset: number): Promise<void> {
    const named = new RegExp(`lost partition 0 from offset ${cutOffset} to \\d+ ?[,(].*\\d+ keys`);
    await eventually(
      'three witnesses are named',
      async () => (await witnesses()).filter((each) => named.test(each.finding)).length === nodes.length,
      60_000,
      250,
    );
    // The doctor may still go by what nodes said before they were killed: each says it itself, and none is ready.
    let texts: readonly string[] = [];
    await eventually(
      'three nodes say so',
      async () =>
        (texts = (await readiness()).map(([status, text]) => `${status} ${text}`)).every((text) => named.test(text)),
      60_000,
      250,
    );
    expect(texts.map((text) => text.slice(0, 3))).toEqual(['503', '503', '503']);
    for (const door of redis) await eventually('it takes no writes', () => writeRefused(door), 30_000, 200);
    const valuesOf = (names: readonly string[]) => redis.map(() => names);
    expect(await read(old, 'eventual')).toEqual(valuesOf(old));
    expect(await read(lost, 'eventual')).toEqual(valuesOf(lost));
    expect(await read([gone, newer, changed], 'eventual')).toEqual(redis.map(() => [null, 'before', 'twice']));
  }

  /** A portal hears of the end of a stop some moments later, each by itself. */
  async function goesOn(after: string): Promise<void> {
    await eventually('no witness is left', async () => (await witnesses()).length === 0, 30_000, 250);
    for (const door of redis)
      await eventually('no partition stands still', async () => (await writeStops(door)).length === 0, 30_000, 250);
    await eventually('writes go on', () => write([['after', after]]).then(() => true), 30_000, 250);
  }

  let cutOffset = 0;

  it('I14: cut while it was down: within seconds nothing is cleared, and the partition stands still', async () => {
    await write([...old, gone].map((key) => [key, key] as const));
    await write([newer, changed].map((key) => [key, key === newer ? 'before' : 'once'] as const));
    cutOffset = await endOf();
    await write([...lost.map((key) => [key, key] as const), [gone, null], [changed, 'twice']]);
    await cutBack(cutOffset);
    await standsStill(cutOffset);
  }, 120_000);

  it('I14: so it stays when all processes are killed, and when others make the log longer than it was', async () => {
    await cluster.kill([...nodes, 'p1', 'p2', 'm1'].join());
    await cluster.launch([...nodes, 'p1', 'p2', 'm1'].join());
    connect();
    await standsStill(cutOffset);
    const foreign = [newer, ...keys('foreign', 1_500)];
    const messages = foreign.map((key) => ({
      key: Buffer.from(key),
      value: encodePut(Buffer.from(key), Buffer.from('foreign'), null),
      partition: 0,
    }));
    await producer.send({ topic, acks: -1, messages });
    // Longer than the look that a witness takes.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await standsStill(cutOffset);
    expect(await read([foreign[1] as string], 'eventual')).toEqual(redis.map(() => [null]));
  }, 240_000);

  it('levee log repair brings all back: a deletion stays one, and what was written later wins', async () => {
    const before = await endOf();
    const dry = await levee(portal(), ['log', 'repair', 'default']);
    expect(dry).toMatchObject({ code: 0 });
    expect(dry.stdout).toMatch(/501 keys to bring back, 1 to delete again, 1501 written later/);
    const done = await levee(portal(), ['log', 'repair', 'default', '--yes']);
    expect(done).toMatchObject({ code: 0 });
    expect(await endOf()).toBeGreaterThanOrEqual(before + 502);
    await goesOn('it');
    const all = redis.map(() => [...old, ...lost]);
    expect(await read([...old, ...lost], 'strong')).toEqual(all);
    expect(await read([gone, newer, changed], 'strong')).toEqual(redis.map(() => [null, 'foreign', 'twice']));
    await eventually(
      'every node is ready',
      async () => (await readiness()).every(([status]) => status === 200),
      30_000,
      250,
    );
  }, 120_000);

  it('levee log accept-loss lets go what was lost, and only that', async () => {
    const end = await endOf();
    const more = keys('more', 50);
    await write(more.map((key) => [key, key] as const));
    await cutBack(end);
    await eventually('three witnesses', async () => (await witnesses()).length === nodes.length, 60_000, 250);
    expect(await read(more, 'eventual')).toEqual(redis.map(() => more));
    expect(await levee(portal(), ['log', 'accept-loss', 'default', '--yes'])).toMatchObject({ code: 0 });
    // Kafka gives lost positions again: who has seen one begins anew.
    connect();
    await goesOn('that');
    expect(await read(more, 'strong')).toEqual(redis.map(() => more.map(() => null)));
    expect(await read([...old, ...lost], 'strong')).toEqual(redis.map(() => [...old, ...lost]));
  }, 120_000);
});
