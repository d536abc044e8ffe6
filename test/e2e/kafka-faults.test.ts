import { rmSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import { RespClient } from '../history/resp-client';
import { ClusterProcess } from '../support/cluster-process';
import { failed, pause, underLoad } from '../support/cluster-under-load';
import { failuresOf, tell } from '../support/counts';
import { eventually } from '../support/deadline';
import { bound, dice, full, seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

const counts = full ? { kills: 10, pauses: 5, downMs: 20_000 } : { kills: 1, pauses: 1, downMs: 6_000 };
const brokers = ['k1', 'k2', 'k3'];

/** Brings its own Kafka of three brokers: the one of KAFKA_BROKERS is not ours to break. */
describe('a cluster whose Kafka fails', () => {
  const random = dice(seed);
  /** Another seed begins with another one. */
  const first = Math.floor(random() * brokers.length);
  const figures: Record<string, unknown> = {};
  const dir = scratchFolder('kafka-faults');
  let cluster: ClusterProcess;

  beforeAll(async () => {
    cluster = await ClusterProcess.start(
      ['--kafka-nodes', '3', '--dir', dir, '--partitions', '8', '--chunks', '8', '--replicas', '3'],
      { LEVEE_TOPIC_PREFIX: `faults${process.pid}` },
      180_000,
    );
  }, 240_000);

  afterAll(async () => {
    const said = await cluster?.end();
    for (const [what, figure] of Object.entries(figures))
      process.stdout.write(`kafka faults, seed ${seed}, ${what}: ${JSON.stringify(figure)}\n`);
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  /** The next fault would otherwise take the second of three from partitions that need two. */
  const allInSync = async (): Promise<void> => {
    const admin = new Kafka({ brokers: cluster.doors.kafka.brokers.split(','), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      await eventually(
        'all replicas are in sync',
        async () => {
          const { topics } = await admin.fetchTopicMetadata();
          return topics.every(({ partitions }) => partitions.every(({ isr }) => isr.length === brokers.length));
        },
        60_000,
        100,
      );
    } finally {
      await admin.disconnect();
    }
  };

  /** S12: what each master knows is in its memory: nodes, namespaces, routes, units, at once. */
  const mastersAnswer = async (): Promise<void> => {
    const readMs = 1_000;
    for (const { name, http } of cluster.doors.masters) {
      const read = async (path: string): Promise<string> => {
        const answer = await fetch(`${http}${path}`, { signal: AbortSignal.timeout(bound(readMs)) });
        expect([name, path, answer.status]).toEqual([name, path, 200]);
        return answer.text();
      };
      const { nodes } = JSON.parse(await read('/v1/nodes')) as { nodes: { node: { nodeId: string } }[] };
      expect(nodes.map(({ node }) => node.nodeId)).toEqual(['n1', 'n2', 'n3']);
      expect(await read('/v1/namespaces')).toContain('"name":"default"');
      const { routes } = JSON.parse(await read('/v1/routes/default')) as { routes: unknown[] };
      expect(routes).toHaveLength(8);
      expect(await read('/v1/nodes/n1/units')).toContain('"unitId":"n1/u');
      expect(JSON.parse(await read('/v1/status'))).toMatchObject({ digest: expect.stringMatching(/^[0-9a-f]{32}$/) });
    }
  };

  it(
    `kill -9 of a broker that leads partitions, ${counts.kills} times under load: nothing is lost, doubled or reordered`,
    async () => {
      const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
        for (let round = 0; round < counts.kills; round++) {
          const broker = brokers[(first + round) % brokers.length] as string;
          await pause(random() * 500);
          await cluster.kill(broker);
          await pause(3_000);
          await cluster.start(broker);
          await pause(1_000);
          await allInSync();
        }
      });
      figures['broker killed'] = judgement;
      tell({
        scenario: 'broker that leads partitions killed, three brokers',
        repetitions: counts.kills,
        failures: failuresOf(judgement),
        figure: 'ms of the slowest write',
        values: [judgement.latencyMs.writes.max],
      });
      expect(failed(judgement)).toEqual([]);
    },
    counts.kills * 60_000 + 180_000,
  );

  it(
    `a broker that is stopped until it is deposed and then continued, ${counts.pauses} times, never makes a strong read stale`,
    async () => {
      const judgement = await underLoad(cluster, { consistency: 'strong', random }, async () => {
        for (let round = 0; round < counts.pauses; round++) {
          const broker = brokers[(first + round) % brokers.length] as string;
          await cluster.pause(broker);
          await pause(4_000);
          await cluster.resume(broker);
          await pause(1_000);
          await allInSync();
        }
      });
      figures['broker paused'] = judgement;
      tell({
        scenario: 'broker paused until it is deposed, then continued: strong reads',
        repetitions: counts.pauses,
        failures: failuresOf(judgement),
      });
      expect(failed(judgement)).toEqual([]);
    },
    counts.pauses * 60_000 + 180_000,
  );

  it(
    `without Kafka for ${counts.downMs / 1000} s session reads go on, writes fail as definite or unknown or wait, and all resumes by itself`,
    async () => {
      const judgement = await underLoad(cluster, { consistency: 'session', random }, async () => {
        await cluster.kill(brokers.join(','));
        const askedMs = performance.now();
        await mastersAnswer();
        await pause(counts.downMs - (performance.now() - askedMs));
        await mastersAnswer();
        await cluster.start(brokers.join(','));
        const upMs = performance.now();
        const late = new RespClient('late', { ports: cluster.respPorts, consistency: 'strong' });
        await eventually('writes are answered again', () => late.set('written-after', 'yes').then(() => true), 60_000);
        expect(await late.get('written-after')).toBe('yes');
        late.close();
        figures['ms from Kafka serving to a write and a strong read'] = Math.round(performance.now() - upMs);
      });
      figures['no Kafka'] = judgement;
      tell({
        scenario: `no Kafka for ${counts.downMs / 1000} s: session reads`,
        repetitions: 1,
        failures: judgement.faults.length + judgement.outcomes.reads.definite + judgement.outcomes.reads.indefinite,
        figure: 'longest ms without a read',
        values: [judgement.longestGapMs.reads],
      });
      expect(failed(judgement, ['reads'])).toEqual([]);
      expect(judgement.longestGapMs.reads).toBeLessThan(bound(2_000));
      const ownDeadline = /no answer within|aborted due to timeout/;
      expect(judgement.reasons.filter((r) => !/LVDEFINITE|LVINDEFINITE/.test(r) && !ownDeadline.test(r))).toEqual([]);
    },
    counts.downMs + 240_000,
  );
});
