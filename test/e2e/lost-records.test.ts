import Redis from 'ioredis';
import { KafkaProcess } from '../../libs/log-kafka/test/kafka-process';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { levee } from '../support/levee-command';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';
import { writeStops } from '../support/write-stops';

interface TopicSummary {
  readonly name: string;
  readonly offsets: readonly { readonly partition: number; readonly endOffset: number }[];
}

const binlog = 'levee.binlog.default';
const kept = 60;
const lost = 300;

/** The broker comes back with an older copy of the binlog, as after an unclean election, while the nodes live. */
describe('a Kafka that lost acknowledged records', () => {
  let kafka: KafkaProcess;
  let standalone: StandaloneProcess;
  let redis: Redis;
  let reader: Redis | undefined;
  const dir = scratchFolder('lost-records');

  beforeAll(async () => {
    kafka = await KafkaProcess.start(1);
    standalone = await StandaloneProcess.start(dir, { KAFKA_BROKERS: kafka.brokers.join(',') }, 90_000);
    redis = new Redis({ port: standalone.respPort, host: '127.0.0.1', maxRetriesPerRequest: 1 });
    redis.on('error', () => undefined);
  }, 180_000);

  afterAll(async () => {
    redis?.disconnect();
    reader?.disconnect();
    await standalone?.end('SIGKILL');
    await kafka?.stop();
    standalone?.remove();
  }, 60_000);

  const ends = async (): Promise<ReadonlyMap<number, number>> => {
    const answer = await fetch(`${standalone.url}/v1/log/topics`, { signal: AbortSignal.timeout(10_000) });
    const { topics } = (await answer.json()) as { topics: TopicSummary[] };
    const offsets = topics.find(({ name }) => name === binlog)?.offsets ?? [];
    return new Map(offsets.map(({ partition, endOffset }) => [partition, endOffset]));
  };
  const said = (work: Promise<unknown>): Promise<string> =>
    work.then(String, (error: Error) => error.message.split(' ')[0] as string);
  const rebuilds = async (): Promise<number> => {
    const text = await Promise.all(
      standalone.doors.nodes.map(async ({ http }) => (await fetch(`${http}/metrics`)).text()),
    );
    return text.reduce((sum, each) => sum + Number(/^levee_node_rebuilds_total\S* (\d+)/m.exec(each)?.[1] ?? NaN), 0);
  };

  it('keeps its replicas, says what is lost, and gets it back', async () => {
    await redis.call('LV.ACK', 'all');
    for (let i = 0; i < kept; i++) await redis.set(`old:${i}`, 'old');
    const before = await ends();
    for (let i = 0; i < lost; i++) await redis.set(`k:${i}`, `v${i}`);
    for (let i = 0; i < 20; i++) await redis.del(`old:${i}`);
    for (let i = 20; i < 30; i++) await redis.set(`old:${i}`, 'changed');

    await kafka.comeBackWithout(binlog, before);

    const finding = await eventually(
      'the doctor names what is lost',
      async () => (await findingsOf(standalone.url, 'replica-witness'))[0],
      90_000,
      1_000,
    );
    expect(finding.finding).toMatch(/the log of default lost partition \d+ from offset \d+ to \d+/);
    expect(finding.command).toContain('levee log repair default');
    await eventually(
      'every partition stands still',
      async () => (await writeStops(redis)).length === before.size,
      60_000,
    );
    expect(await said(redis.set('k:0', 'other'))).toBe('LVSTOPPED');
    reader = new Redis({ port: standalone.respPort, host: '127.0.0.1' });
    await reader.call('LV.CONSISTENCY', 'eventual');
    expect([await reader.get('k:7'), await reader.get('old:3'), await reader.get('old:25')]).toEqual([
      'v7',
      null,
      'changed',
    ]);
    expect(await rebuilds()).toBe(0);

    const dry = await levee(standalone.url, ['log', 'repair', 'default']);
    expect([dry.code, dry.stderr]).toEqual([0, '']);
    expect(dry.stdout).toContain('nothing was changed; with --yes');
    const done = await levee(standalone.url, ['log', 'repair', 'default', '--yes', '--timeout', '120s']);
    expect([done.code, done.stderr]).toEqual([0, '']);

    // It ends when every portal takes writes again, and says so.
    expect(await writeStops(redis)).toEqual([]);
    expect(done.stdout).toMatch(/writes to \d+ partitions of default go on at every portal/);
    await eventually('writes go on', async () => (await said(redis.set('again', '1'))) === 'OK', 60_000);
    await reader.call('LV.CONSISTENCY', 'strong');
    for (let i = 0; i < lost; i++) expect([i, await reader.get(`k:${i}`)]).toEqual([i, `v${i}`]);
    for (let i = 0; i < kept; i++)
      expect([i, await reader.get(`old:${i}`)]).toEqual([i, i < 20 ? null : i < 30 ? 'changed' : 'old']);
    expect(await findingsOf(standalone.url, 'replica-witness')).toEqual([]);
  }, 400_000);
});
