import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import { AppProcess } from '../support/app-process';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { type Finding, findingsOf } from '../support/findings';
import { scratchFolder } from '../support/standalone-process';

interface Stat {
  readonly problem: string | null;
  readonly replicas: readonly {
    readonly namespace: string;
    readonly readable: boolean;
    readonly problem: string | null;
    readonly positions: readonly {
      readonly nextOffset: number;
      readonly ageMs: number | null;
      readonly problem: string | null;
    }[];
  }[];
}

/** What others do to our topics: transactions left open, topics deleted, recreated, cut. Real processes, real Kafka. */
describe('a log that others touch', () => {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  const prefix = `foreignlogs${process.pid}`;
  let dir: string;
  let cluster: ClusterProcess;
  let admin: Admin;
  let kafka: Kafka;
  const producers: Producer[] = [];

  beforeAll(async () => {
    if (brokers === '')
      throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
    dir = scratchFolder('foreign');
    const shape = [
      '--masters',
      '1',
      '--portals',
      '1',
      '--nodes',
      '2',
      '--replicas',
      '2',
      '--partitions',
      '1',
      '--chunks',
      '1',
    ];
    cluster = await ClusterProcess.start(['--brokers', brokers, '--dir', join(dir, 'cluster'), ...shape], {
      LEVEE_TOPIC_PREFIX: prefix,
      LEVEE_TOPIC_CHECK: '1s',
      LEVEE_UNITS: '8x64MiB:leveldb',
    });
    const retry = { initialRetryTime: 20, retries: 30 };
    kafka = new Kafka({ clientId: 'foreign', brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry });
    admin = kafka.admin();
    await admin.connect();
  }, 180_000);

  afterAll(async () => {
    for (const producer of producers) await producer.disconnect().catch(() => undefined);
    await admin?.disconnect();
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 240_000);

  const portal = (): string => cluster.doors.portals[0]?.http ?? '';
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${portal()}${path}`, { signal: AbortSignal.timeout(20_000), ...init });

  const create = async (name: string): Promise<string> => {
    const answer = await ask('/v1/namespaces', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, partitions: 1, chunks: 1, replicas: 2 }),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    await eventually('it serves', async () => (await put(name, 'first', '1')) === 204);
    return `${prefix}.binlog.${name}`;
  };

  const put = async (namespace: string, key: string, value: string): Promise<number> => {
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await ask(`/v1/kv/${namespace}/${key}`, { method: 'PUT', headers, body: value });
    await answer.text();
    return answer.status;
  };

  const get = async (namespace: string, key: string, consistency: string): Promise<[number, string]> => {
    const answer = await ask(`/v1/kv/${namespace}/${key}`, { headers: { 'levee-consistency': consistency } });
    return [answer.status, await answer.text()];
  };

  const doctor = async (rule: string): Promise<Finding | undefined> => (await findingsOf(portal(), rule))[0];

  const stats = (): Promise<Stat[]> =>
    Promise.all(
      cluster.doors.nodes.map(
        async ({ http }) =>
          (await (await fetch(`${http}/v1/node`, { signal: AbortSignal.timeout(3_000) })).json()) as Stat,
      ),
    );

  const replicasOf = async (namespace: string) =>
    (await stats()).flatMap(({ replicas }) => replicas.filter((of) => of.namespace === namespace));

  const masterReady = async (): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${cluster.doors.masters[0]?.http}/health/ready`, {
      signal: AbortSignal.timeout(3_000),
    });
    return { status: answer.status, text: await answer.text() };
  };

  it('a transaction that a producer leaves open: readers do not hang, age grows and says why, the doctor names who', async () => {
    const topic = await create('open');
    const producer = kafka.producer({
      transactionalId: `left-open-${prefix}`,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: 60_000,
      allowAutoTopicCreation: false,
    });
    producers.push(producer);
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ key: 'theirs', value: 'inside', partition: 0 }] });
    expect(await put('open', 'ours', 'after')).toBe(204);

    const late = await eventually('the age grows', async () => {
      const positions = (await replicasOf('open')).flatMap((of) => of.positions);
      return positions.length === 2 && positions.every(({ ageMs }) => (ageMs ?? 0) > 2_000) ? positions : undefined;
    });
    for (const { problem } of late) expect(problem).toMatch(/transaction that a producer left open holds back/);
    expect(await get('open', 'first', 'eventual')).toEqual([200, '1']);
    const startedMs = performance.now();
    const [status, text] = await get('open', 'ours', 'strong');
    expect([status, /LVBEHIND/.test(text)]).toEqual([503, true]);
    expect(performance.now() - startedMs).toBeLessThan(15_000);

    const found = await eventually('the doctor names it', () => doctor('open-transaction'), 30_000, 500);
    expect(found.finding).toMatch(
      new RegExp(`producer \\d+ epoch 0 \\(transactional id 'left-open-${prefix}'\\).*${topic} partition 0`),
    );
    expect(found.command).toMatch(new RegExp(`abort --topic ${topic} --partition 0 --start-offset \\d+`));
    await transaction.abort();
    expect(await eventually('it ends', async () => (await get('open', 'ours', 'strong'))[0] === 200)).toBe(true);
    await eventually('the age falls', async () =>
      (await replicasOf('open')).every((of) => of.positions.every((at) => (at.ageMs ?? Infinity) < 2_000)),
    );
  }, 240_000);

  it('a binlog deleted and created again under running nodes: nothing is cleared, and it is said', async () => {
    const topic = await create('again');
    const [end] = await admin.fetchTopicOffsets(topic);
    await eventually('both replicas hold all of it', async () => {
      const positions = (await replicasOf('again')).flatMap((of) => of.positions);
      return positions.length === 2 && positions.every(({ nextOffset }) => nextOffset >= Number(end?.high));
    });
    await admin.deleteTopics({ topics: [topic] });
    await eventually('it is gone', async () => !(await admin.listTopics()).includes(topic));
    const settings = { 'cleanup.policy': 'compact', 'message.timestamp.type': 'LogAppendTime' };
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await eventually('it is there again', async () => {
      const topics = [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }];
      return (await admin.createTopics({ topics })) || (await admin.listTopics()).includes(topic);
    });
    const replicas = await eventually(
      'its replicas are witnesses of what is gone',
      async () => {
        const of = await replicasOf('again');
        return of.length === 2 && of.every(({ problem }) => /is a witness/.test(problem ?? '')) ? of : undefined;
      },
      30_000,
    );
    expect(replicas).toHaveLength(2);
    await eventually('the nodes say why', async () =>
      (await stats()).every(({ problem }) => /I14.*is a witness.*deleted and created again/.test(problem ?? '')),
    );
    expect(await get('again', 'first', 'eventual')).toEqual([200, '1']);
    await eventually('writes stand still', async () => (await put('again', 'second', '2')) === 503);
    expect(await eventually('the doctor says so', () => doctor('replica-witness'), 30_000, 500)).toMatchObject({
      command: expect.stringContaining('levee log repair again'),
    });
    const found = await eventually('the doctor says it', () => doctor('binlog-lost'), 30_000, 500);
    expect(found.finding).toMatch(/(without its|is no) Genesis/);
    await eventually(
      'the master says so',
      async () => {
        const { status, text } = await masterReady();
        return status === 503 && text.includes(topic);
      },
      30_000,
    );
  }, 240_000);

  it('records deleted below a replica that is behind: it does not jump, it is copied from one that is past them', async () => {
    const topic = await create('cut');
    await cluster.stop('n2');
    for (let i = 0; i < 20; i++) expect(await put('cut', `k${i}`, `v${i}`)).toBe(204);
    // Kafka refuses to cut a topic that is only compacted: whoever does it has to change that first.
    const configEntries = [
      { name: 'cleanup.policy', value: 'compact,delete' },
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
    ];
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
    // The broker answers before it goes by what was altered.
    const cut = { topic, partitions: [{ partition: 0, offset: '15' }] };
    await eventually('it is cut', () => admin.deleteTopicRecords(cut).then(() => true), 30_000, 100);
    const node = await AppProcess.start('data-node', {
      KAFKA_BROKERS: brokers,
      LEVEE_TOPIC_PREFIX: prefix,
      LEVEE_UNITS: '8x64MiB:leveldb',
      LEVEE_NODE_ID: 'n2',
      LEVEE_DATA_DIR: join(dir, 'cluster'),
    });
    await eventually(
      'n2 is copied',
      async () => {
        const answer = await fetch(`${node.url}/v1/node`, { signal: AbortSignal.timeout(2_000) });
        const { replicas } = (await answer.json()) as Stat;
        return replicas.find((of) => of.namespace === 'cut')?.readable === true;
      },
      60_000,
    );
    const found = await eventually('the doctor says it', () => doctor('binlog-lost'), 30_000, 500);
    expect(found.command).toContain('from a backup');
    // Alone it answers for what was deleted from the log, and for what is behind.
    await cluster.stop('n1');
    for (const i of [3, 14, 15, 19]) expect(await get('cut', `k${i}`, 'session')).toEqual([200, `v${i}`]);
    expect(await node.end()).toBe(0);
  }, 240_000);
});
