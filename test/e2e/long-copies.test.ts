import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { ClusterProcess } from '../support/cluster-process';
import { ColdKeys } from '../support/cold-keys';
import { eventually } from '../support/deadline';
import { PlanDoor, type Route } from '../support/plan-door';
import { scratchFolder } from '../support/standalone-process';

const namespace = 'graves';
/** A copy may last half of it; when it has passed, Kafka forgets that a key was deleted. */
const deleteRetentionMs = 6_000;
const keys = 3_000;
const valueBytes = 8_000;

interface LogLine {
  readonly offset: number;
  readonly key?: string | null;
  readonly value?: unknown;
}

/** A copy that lasts longer than the log remembers deletions. */
describe('a copy that its log overtakes', () => {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  const topicPrefix = `graves${process.pid}`;
  const binlog = `${topicPrefix}.binlog.${namespace}`;
  let dir: string;
  let cluster: ClusterProcess;
  let door: PlanDoor;

  beforeAll(async () => {
    if (brokers === '')
      throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
    dir = scratchFolder('long-copies');
    const shape = ['--masters', '1', '--portals', '1', '--nodes', '2', '--replicas', '1', '--chunks', '1'];
    cluster = await ClusterProcess.start(['--brokers', brokers, '--dir', dir, '--partitions', '1', ...shape], {
      LEVEE_TOPIC_PREFIX: topicPrefix,
      LEVEE_UNITS: '4x64MiB:leveldb',
      LEVEE_BARRIER_INTERVAL: '500ms',
      // Its copy stands still for as long as Kafka takes to forget.
      LEVEE_PLAN_STALL: '5m',
      // A second or more to freeze it in the middle, also for a busy machine; done within half of what is remembered.
      LEVEE_COPY_BYTES_PER_SECOND: '12MiB',
    });
    door = new PlanDoor(cluster);
    const knobs = { name: namespace, partitions: 1, chunks: 1, replicas: 1, historyWindowMs: 1_000 };
    await door.post('/v1/namespaces', knobs);
    await forgetsSoon();
  }, 180_000);

  afterAll(async () => {
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  /** The binlog is compacted as soon as Kafka can, and forgets deletions after `deleteRetentionMs`. */
  async function forgetsSoon(): Promise<void> {
    const admin = new Kafka({ clientId: 'graves', brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const resource = { type: 2, name: binlog } as const;
      const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
      const own = (resources[0]?.configEntries ?? []).filter(({ isDefault, configSource }) =>
        configSource === undefined ? !isDefault : Number(configSource) === 1,
      );
      const wanted: Record<string, string> = {
        ...Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue])),
        'delete.retention.ms': `${deleteRetentionMs}`,
        'segment.ms': '500',
        'min.compaction.lag.ms': '0',
        'max.compaction.lag.ms': '1000',
        'min.cleanable.dirty.ratio': '0.001',
      };
      const configEntries = Object.entries(wanted).map(([name, value]) => ({ name, value }));
      await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
    } finally {
      await admin.disconnect();
    }
  }

  it('does not bring back what was deleted meanwhile', async () => {
    const port = cluster.respPorts[0] as number;
    const cold = await ColdKeys.write(port, { prefix: 'k', count: keys, valueBytes, namespace });
    const [route] = (await door.routes(namespace)) as [Route];
    const from = route.replicas[0]?.nodeId as string;
    const to = ['n1', 'n2'].find((nodeId) => nodeId !== from) as string;
    const before = unitBytes(to);
    const planId = await door.propose({ kind: 'move', chunkId: route.chunkId, from, to, observeMs: 200 });
    // The target freezes with a part of the copy on its disk.
    const { pid } = cluster.doors.nodes.find(({ name }) => name === to)!;
    const copied = await eventually(
      'a part is copied',
      () => {
        if (unitBytes(to) - before <= 1_000_000) return undefined;
        // At once: no word to who runs it is as quick.
        process.kill(pid as number, 'SIGSTOP');
        return unitBytes(to) - before;
      },
      60_000,
      1,
    );
    await cluster.pause(to);
    expect(copied).toBeLessThan((keys * valueBytes * 2) / 3);

    const firstDeletion = await endOfBinlog();
    await cold.deleteSome(port);
    await untilForgotten(port, firstDeletion);
    expect(await door.plan(planId)).toMatchObject({ state: 'running', step: 'copy' });
    await cluster.resume(to);

    const done = await door.becomes(planId, ['done'], 90_000);
    expect(done.targets[0]?.replicas[0]?.nodeId).toBe(to);
    expect((await door.routes(namespace))[0]?.replicas.map(({ nodeId }) => nodeId)).toEqual([to]);
    expect(await cold.wrong(port)).toEqual([]);
    // Going on behind the last key would have left them there: it began anew, and said why.
    const log = readFileSync(cluster.doors.nodes.find(({ name }) => name === to)?.log ?? '', 'utf8');
    expect(log).toMatch(/half of delete\.retention\.ms.*begins anew/);
  }, 240_000);

  /** Other keys are written meanwhile, since Kafka cleans what is followed by something. */
  async function untilForgotten(port: number, firstDeletion: number): Promise<void> {
    const redis = new Redis(port, '127.0.0.1');
    try {
      await redis.call('LV.USE', namespace);
      let filler = 0;
      await eventually(
        'no deletion is left in the log',
        async () => {
          await redis.set(`filler${filler++}`, 'x');
          const lines = await linesFrom(firstDeletion);
          const deletions = lines.filter(({ key, value }) => value === null && (key ?? '').startsWith('k'));
          return deletions.length === 0 && filler > 1;
        },
        90_000,
        250,
      );
    } finally {
      redis.disconnect();
    }
  }

  async function endOfBinlog(): Promise<number> {
    const { topics } = await door.get<{ topics: { name: string; offsets: { endOffset: number }[] }[] }>(
      '/v1/log/topics',
    );
    return topics.find(({ name }) => name === binlog)?.offsets[0]?.endOffset ?? -1;
  }

  async function linesFrom(offset: number): Promise<LogLine[]> {
    const url = `${cluster.doors.portals[0]?.http}/v1/log/${binlog}/0?from=${offset}`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(20_000) });
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
    const text = (await answer.text()).trim();
    return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as LogLine);
  }

  /** Bytes of all units of a node. */
  function unitBytes(nodeId: string): number {
    const home = cluster.doors.nodes.find(({ name }) => name === nodeId)?.dir ?? '';
    const units = [join(home, 'units'), join(home, nodeId, 'units')].find((path) => existsSync(path));
    if (units === undefined) throw new Error(`no units below ${home}`);
    return readdirSync(units, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce(
        (sum, { parentPath, name }) => sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
  }
});
