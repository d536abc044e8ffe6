import { readFileSync, rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { ClusterView, controlTopics } from '@levee/journal';
import { asPartition, silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { KafkaLog } from '@levee/log-kafka';
import { ClusterProcess } from '../support/cluster-process';
import { reigning } from '../support/cluster-under-load';
import { eventually } from '../support/deadline';
import { damagedRoute, decisionOfDeposed, lastRoute } from '../support/forgery';
import { scratchFolder } from '../support/standalone-process';

const partition = asPartition(0);

/** Somebody with a plain Kafka producer and the right to write where only the master should. */
describe('records that a stranger writes into the control topics', () => {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  const prefix = `forged${process.pid}`;
  const topics = controlTopics(prefix);
  let dir: string;
  let cluster: ClusterProcess;
  let log: KafkaLog;
  let view: ClusterView;

  beforeAll(async () => {
    if (brokers === '')
      throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
    dir = scratchFolder('forged');
    cluster = await ClusterProcess.start(
      ['--brokers', brokers, '--dir', dir, '--nodes', '2', '--partitions', '2', '--chunks', '2', '--replicas', '2'],
      { LEVEE_TOPIC_PREFIX: prefix },
    );
    log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'stranger' });
    view = await viewOf();
  }, 180_000);

  afterAll(async () => {
    await view?.close();
    await log?.close();
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  const viewOf = async (): Promise<ClusterView> => {
    const opened = new ClusterView(log, topics, { logger: silentLogger, clock: systemClock, timers: systemTimers });
    await opened.start();
    return opened;
  };

  const portal = (path: string, at = 0): Promise<Response> =>
    fetch(`${cluster.doors.portals[at]?.http}${path}`, { signal: AbortSignal.timeout(20_000) });

  const routes = async (at: number): Promise<unknown> => (await portal('/v1/routes/default', at)).json();

  const decideSomething = async (): Promise<number> => {
    const answer = await fetch(`${cluster.doors.portals[0]?.http}/v1/commands`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        kind: 'RequestBarrier',
        payload: { id: randomUUID(), namespace: 'default', digest: false },
      }),
      signal: AbortSignal.timeout(20_000),
    });
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { seq: number }).seq;
  };

  const takeOver = async (): Promise<void> => {
    const before = await reigning(cluster);
    await cluster.kill(before.name);
    await reigning(cluster, { except: before.name });
    await cluster.start(before.name);
  };

  const logOf = (name: string): string => {
    const { masters, nodes, portals } = cluster.doors;
    return readFileSync([...masters, ...nodes, ...portals].find((one) => one.name === name)?.log as string, 'utf8');
  };

  const everybody = (): string[] => {
    const { masters, nodes, portals } = cluster.doors;
    return [...masters, ...nodes, ...portals].map(({ name }) => name);
  };

  it('a decision with the term of a master that was followed by another changes nothing, and every process says so', async () => {
    await takeOver();
    await decideSomething();
    await view.readToEnd(10_000);
    const before = await routes(0);
    const { seq } = view.journal.position;
    const decision = decisionOfDeposed(view, 'n1');
    await log.append(topics.journal, partition, [{ key: null, value: decision }]);
    const next = await decideSomething();
    await view.readToEnd(10_000);
    expect(view.stats().voidRecords).toBeGreaterThan(0);
    expect(view.state.node('n1')).toMatchObject({ state: 'up' });
    expect(next).toBeGreaterThan(seq);
    for (const at of [0, 1]) expect(await routes(at)).toEqual(before);
    for (const name of everybody())
      await eventually(`${name} reports the record`, () =>
        /"record":"Decision"[^\n]*a record of a deposed master is void/.test(logOf(name)),
      );
  }, 120_000);

  it.each([
    ['a route that names other nodes', damagedRoute],
    ['bytes that are no record', () => Buffer.from('no record at all')],
  ] as const)(
    '%s in a compacted topic changes nothing: who starts next says so and reads the journal, the next master mends it',
    async (_what, damage) => {
      const before = await routes(0);
      const [key, good] = await lastRoute(log, topics.routes);
      await log.append(topics.routes, partition, [{ key: Buffer.from(key), value: damage(good) }]);
      expect(await routes(0)).toEqual(before);
      const logged = logOf('p2').length;
      await cluster.stop('p2');
      await cluster.start('p2');
      expect(await routes(1)).toEqual(before);
      expect(logOf('p2').slice(logged)).toMatch(/the compacted topics cannot be used/);
      await takeOver();
      await eventually(
        'a boot needs the journal no more',
        async () => {
          const booted = await viewOf();
          try {
            expect(booted.journal.digest).toBe(view.journal.digest);
            return booted.boot?.source === 'checkpoint';
          } finally {
            await booted.close();
          }
        },
        30_000,
        500,
      );
      expect(await routes(1)).toEqual(before);
    },
    120_000,
  );
});
