import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { KafkaProcess } from '../../libs/log-kafka/test/kafka-process';
import { AppProcess } from '../support/app-process';
import { eventually } from '../support/deadline';
import { findingsOf } from '../support/findings';
import { levee } from '../support/levee-command';
import { PortalProcess } from '../support/portal-process';
import { scratchFolder } from '../support/standalone-process';

const journal = 'levee.journal';
const nodeIds = ['n1', 'n2'] as const;
/** A read and its queue at the portal: 5 s, and what a busy machine adds. */
const answerMs = 12_000;

/** The broker comes back without the last decisions, and then nodes and portals restart, every time at new addresses. */
describe('a cluster on Kafka whose journal lost its end', () => {
  const dir = scratchFolder('short-journal');
  const nodes = new Map<string, AppProcess>();
  let kafka: KafkaProcess;
  let master: AppProcess;
  let portal: PortalProcess;
  let env: Record<string, string>;

  beforeAll(async () => {
    kafka = await KafkaProcess.start(1);
    env = { KAFKA_BROKERS: kafka.brokers.join(','), LEVEE_UNITS: '4x16MiB', LEVEE_DEFAULT_NAMESPACE: 'shop' };
    master = await AppProcess.start('master', env);
    await master.ready();
    for (const nodeId of nodeIds) await startNode(nodeId);
    for (const node of nodes.values()) await node.ready();
    portal = await PortalProcess.start(env, { ready: false });
    const shop = ['namespace', 'create', 'shop', '--partitions', '4', '--chunks', '2', '--replicas', '2'];
    expect((await levee(portal.url, shop)).stderr).toBe('');
  }, 240_000);

  afterAll(async () => {
    await portal?.end('SIGKILL');
    for (const process of [...nodes.values(), master]) process?.child.kill('SIGKILL');
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  const startNode = async (nodeId: string): Promise<void> => {
    const own = { ...env, LEVEE_NODE_ID: nodeId, LEVEE_DATA_DIR: join(dir, nodeId) };
    nodes.set(nodeId, await AppProcess.start('data-node', own));
  };
  const startPortal = async (): Promise<void> => {
    portal = await PortalProcess.start(env, { ready: false });
  };
  const kill = async (): Promise<void> => {
    for (const node of nodes.values()) {
      node.child.kill('SIGKILL');
      await node.exit();
    }
    await portal.end('SIGKILL');
  };

  /** What a client gets, or the first word of the error; never nothing. */
  const ask = async (...[command = '', ...args]: string[]): Promise<string | null> => {
    const redis = new Redis(portal.respPort, '127.0.0.1', { commandTimeout: answerMs, maxRetriesPerRequest: 0 });
    redis.on('error', () => undefined);
    try {
      return (await redis.call(command, ...args)) as string | null;
    } catch (error) {
      return (error as Error).message.split(' ')[0] as string;
    } finally {
      redis.disconnect();
    }
  };
  const serves = async (value: string): Promise<void> => {
    await eventually('it is read', async () => (await ask('GET', 'kept')) === 'value', 60_000, 200);
    await eventually('it is written', async () => (await ask('SET', 'other', value)) === 'OK', 60_000, 200);
    await eventually('what was written is read', async () => (await ask('GET', 'other')) === value, 60_000, 200);
  };
  const isShort = async (): Promise<boolean> =>
    (await (await fetch(`${portal.url}/health/ready`)).text()).includes('JOURNAL_SHORT');

  it('goes on reading and writing, whatever restarts in which order', async () => {
    await eventually('it serves', async () => (await ask('SET', 'kept', 'value')) === 'OK', 60_000, 200);
    const topics = (await (await fetch(`${portal.url}/v1/log/topics`)).json()) as {
      topics: { name: string; offsets: { endOffset: number }[] }[];
    };
    const end = topics.topics.find(({ name }) => name === journal)?.offsets[0]?.endOffset ?? 0;
    expect(end).toBeGreaterThan(0);
    expect((await levee(portal.url, ['node', 'maintenance', 'n2', '--for', '30m'])).stderr).toBe('');
    await kafka.comeBackWithout(journal, new Map([[0, end]]));
    await eventually('the portal says what is lost', isShort, 60_000, 200);
    await serves('as before');

    await kill();
    await startPortal();
    // Nobody can answer that yet: an error says so, and soon.
    expect(await ask('GET', 'kept')).toMatch(/^LV/);
    for (const nodeId of nodeIds) await startNode(nodeId);
    await serves('the portal first');
    expect(await isShort()).toBe(true);

    await kill();
    for (const nodeId of nodeIds) await startNode(nodeId);
    await startPortal();
    await serves('the nodes first');
    const short = await eventually(
      'the doctor says it',
      async () => (await findingsOf(portal.url, 'journal-short'))[0],
      60_000,
      200,
    );
    expect((await findingsOf(portal.url)).filter(({ rule }) => /^node-|^no-master/.test(rule))).toEqual([]);

    const command = short.command.split(' #')[0]?.trim().split(' ').slice(1) ?? [];
    const repaired = await levee(portal.url, [...command, '--yes']);
    expect([repaired.code, repaired.stderr]).toEqual([0, expect.stringMatching(/done/)]);
    await eventually('the master reigns', async () => (await master.readiness()).status === 200, 60_000, 200);
    for (const node of nodes.values()) await node.ready();
    await eventually('the portal is ready', async () => (await fetch(`${portal.url}/health/ready`)).ok, 60_000, 200);
    await serves('repaired');
  }, 420_000);
});
