import { rmSync } from 'node:fs';
import { hashOf, slotOf } from '@levee/keyspace';
import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { type Admin, CompressionTypes, Kafka, logLevel, type Producer } from 'kafkajs';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { levee } from '../support/levee-command';
import { PlanDoor, type Route } from '../support/plan-door';
import { folderOf, tamperWith } from '../support/replica-tampering';
import { scratchFolder } from '../support/standalone-process';
import { TopicOfOthers } from '../support/topic-of-others';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const brokers = process.env.KAFKA_BROKERS ?? '';
const run = `boundproof${process.pid}`;
const intervalMs = 24_000;
const partitions = 4;
const still = Array.from({ length: 400 }, (_, i) => `still:${i}`);
const hot = Array.from({ length: 200 }, (_, i) => `hot:${i}`);

interface Proof {
  readonly namespace: string;
  readonly chunkId: string;
  readonly verdict: string;
  readonly message: string;
  readonly checkedAtMs: number;
  readonly replicas: readonly { readonly nodeId: string; readonly holds: string }[];
}

/** Real Kafka, whose cleaner takes what was replaced at once, and whose retention takes segments. */
describe('replicas of topics of others are proved against them', () => {
  const kafka = new Kafka({ clientId: 'team', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  let dir: string;
  let cluster: ClusterProcess;
  let admin: Admin;
  let producer: Producer;
  let log: KafkaLog;
  const topics: Record<string, TopicOfOthers> = {};
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    dir = scratchFolder('bound-proof');
    admin = kafka.admin();
    producer = kafka.producer({ allowAutoTopicCreation: false });
    await Promise.all([admin.connect(), producer.connect()]);
    log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'auditor' });
    cluster = await ClusterProcess.start(
      [
        ...['--brokers', brokers, '--dir', dir, '--masters', '1', '--dispatchers', '1', '--nodes', '3'],
        ...['--partitions', '4', '--chunks', '2', '--replicas', '3'],
      ],
      { LEVEE_TOPIC_PREFIX: run, LEVEE_UNITS: '16x64MiB:leveldb', LEVEE_PROOF_INTERVAL: `${intervalMs}ms` },
    );
    const small = { 'segment.ms': '1000', 'segment.bytes': '1048576' };
    const compacted = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01', ...small };
    const settings: Record<string, Record<string, string>> = {
      compacted: { ...compacted, 'min.compaction.lag.ms': '0', 'max.compaction.lag.ms': '1000' },
      both: { ...compacted, 'cleanup.policy': 'compact,delete', 'retention.ms': '20000' },
      aging: { 'cleanup.policy': 'delete', 'retention.ms': '20000', ...small },
    };
    for (const [kind, of] of Object.entries(settings)) {
      const topic = { name: `${run}-${kind}`, partitions, hashAlgorithm: 'murmur2', settings: of } as const;
      topics[kind] = await TopicOfOthers.create(admin, producer, topic);
      await topics[kind].send([...still, ...hot].map((key) => [key, `value of ${key}`] as const));
      const expires = kind === 'compacted' ? [] : ['--expire-with-retention'];
      const words = [
        'namespace',
        'create',
        kind,
        '--from-topic',
        topic.name,
        '--record-format',
        'raw',
        '--chunks',
        '2',
      ];
      const { code, stderr } = await levee(url(), [...words, '--replicas', '3', ...expires]);
      expect([kind, code, stderr]).toEqual([kind, 0, '']);
      ends.push(writing(topics[kind]));
    }
  }, 240_000);

  afterAll(async () => {
    for (const end of ends.splice(0)) await end();
    const said = await cluster?.end();
    await Promise.all([producer.disconnect(), admin.disconnect(), log.close()]);
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  const url = (): string => cluster.doors.portals[0]?.http ?? '';

  /** Replaces and deletes the hot keys without end, as fast as it is taken. */
  function writing(topic: TopicOfOthers): () => Promise<void> {
    let over = false;
    let sent = 0;
    const done = (async () => {
      while (!over) {
        const entries = Array.from({ length: 200 }, () => {
          const key = hot[sent++ % hot.length] as string;
          return [key, sent % 7 === 0 ? null : `${sent} `.padEnd(200, '.')] as const;
        });
        await topic.send(entries, CompressionTypes.GZIP);
        // From long ago, from a time to come, and where they do not belong.
        const odd = [-86_400_000, -19_000, -5_000, 600_000].map((ms, i) => ({
          ...topic.message(`odd:${(sent + i) % 40}`, `${sent}`),
          timestamp: String(Date.now() + ms),
        }));
        const astray = { key: hot[sent % hot.length] as string, value: 'astray', partition: sent % partitions };
        await producer.send({ topic: topic.name, acks: -1, messages: [...odd, astray] });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    return () => {
      over = true;
      return done;
    };
  }

  const proofs = async (): Promise<Proof[]> => {
    const answer = await fetch(`${url()}/v1/log/${run}.digests/0`, { signal: AbortSignal.timeout(30_000) });
    const lines = (await answer.text()).split('\n').filter((line) => line !== '');
    const records = lines.map((line) => JSON.parse(line) as { record?: string; value: Proof });
    return records.flatMap(({ record, value }) => (record === 'ChunkProof' ? [value] : []));
  };
  const told = (of: readonly Proof[]): string =>
    of.map(({ chunkId, verdict, message }) => `${chunkId} ${verdict}: ${message}`).join('\n');
  const startsOf = async (kind: string): Promise<number> =>
    (await log.offsets(`${run}-${kind}`)).reduce((sum, { startOffset }) => sum + startOffset, 0);

  const hasGaps = async (): Promise<boolean> => {
    const [first] = await log.offsets(`${run}-compacted`);
    const stop = new AbortController();
    try {
      const from = { nextOffset: first!.startOffset, leaderEpoch: -1 };
      for await (const batch of log.tail(`${run}-compacted`, first!.partition, from, { signal: stop.signal })) {
        if (batch.missingBelow !== undefined) return true;
        if (batch.nextOffset >= batch.endOffset) break;
      }
      return false;
    } finally {
      stop.abort();
    }
  };

  /** Both chunks of each namespace, so often since then, with all three replicas. */
  const provedSince = (sinceMs: number, times: number): Promise<true> =>
    eventually(
      `each namespace is proved ${times} times`,
      async () => {
        const all = (await proofs()).filter(({ checkedAtMs }) => checkedAtMs > sinceMs);
        const whole = all.filter(
          ({ verdict, replicas }) => verdict === 'proved' && replicas.every(({ holds }) => holds === 'same'),
        );
        const missing = Object.keys(topics).filter(
          (kind) => whole.filter(({ chunkId }) => chunkId.startsWith(`${kind}#1/`)).length < 2 * times,
        );
        if (missing.length > 0) throw new Error(`not proved: ${missing.join()}; ${told(all)}`);
        return true as const;
      },
      intervalMs * 10,
      1_000,
    );

  it('while Kafka compacts, while segments go, while producers write: proved, and nobody is blamed', async () => {
    await provedSince(0, 2);
    const blamed = async (): Promise<string> =>
      told((await proofs()).filter(({ verdict }) => !['proved', 'incomplete', 'notProvable'].includes(verdict)));
    expect(await blamed()).toBe('');
    // Else nothing was shown.
    await eventually('retention took segments', async () => (await startsOf('aging')) > 0, 120_000, 500);
    await eventually('the cleaner took records', hasGaps, 120_000, 500);

    // One node's replicas are built anew from what is there now: they are compared with those that saw it all.
    const home = cluster.doors.nodes.find(({ name }) => name === 'n3')?.dir ?? '';
    const routes = (await Promise.all(Object.keys(topics).map((kind) => new PlanDoor(cluster).routes(kind)))).flat();
    await cluster.stop('n3');
    for (const { chunkId, replicas } of routes)
      for (const { nodeId, unitId, generation } of replicas)
        if (nodeId === 'n3') rmSync(folderOf({ home, unitId, generation, chunkId }), { recursive: true });
    const goneAtMs = Date.now();
    await cluster.start('n3');
    await provedSince(goneAtMs, 1);
    expect(await blamed()).toBe('');
  }, 600_000);

  it('a value that is changed in one replica is found and healed, and nobody else is blamed', async () => {
    const key = still[7] as string;
    const slot = slotOf(hashOf(Buffer.from(key), 'murmur2'), partitions);
    const routes = await new PlanDoor(cluster).routes('compacted');
    const chunk = routes.find((of: Route & { slotStart?: number; slotEnd?: number }) => {
      return (of.slotStart ?? 0) <= slot && slot < (of.slotEnd ?? 0);
    }) as Route;
    const replica = chunk.replicas.find(({ nodeId }) => nodeId === 'n2') as { unitId: string; generation: number };
    const home = cluster.doors.nodes.find(({ name }) => name === 'n2')?.dir ?? '';
    await cluster.stop('n2');
    const struckAtMs = Date.now();
    const { unitId, generation } = replica;
    await tamperWith({ home, unitId, generation, chunkId: chunk.chunkId }, (of) => of.remove(key));
    await cluster.start('n2');
    const since = async (): Promise<Proof[]> => (await proofs()).filter(({ checkedAtMs }) => checkedAtMs > struckAtMs);
    const [found] = await eventually(
      'it is found',
      async () => {
        const all = await since();
        const differing = all.filter(({ verdict }) => verdict === 'replicaDiffers');
        if (differing.length === 0) throw new Error(told(all));
        return differing;
      },
      intervalMs * 8,
      1_000,
    );
    expect(found?.chunkId).toBe(chunk.chunkId);
    expect(found?.replicas.filter(({ holds }) => holds === 'other').map(({ nodeId }) => nodeId)).toEqual(['n2']);
    await eventually(
      'it is proved again',
      async () => {
        const last = (await since()).filter(({ chunkId }) => chunkId === chunk.chunkId).at(-1);
        return last?.verdict === 'proved' && last.replicas.every(({ holds }) => holds === 'same');
      },
      intervalMs * 8,
      1_000,
    );
    const others = (await since()).filter(({ verdict }) => verdict === 'replicaDiffers' || verdict === 'logDiffers');
    expect(new Set(others.map(({ chunkId }) => chunkId))).toEqual(new Set([chunk.chunkId]));
    const client = new Redis({
      port: cluster.respPorts[0] as number,
      host: '127.0.0.1',
      username: 'compacted',
      password: '-',
    });
    try {
      for (let i = 0; i < 12; i++) expect(await client.get(key)).toBe(`value of ${key}`);
    } finally {
      client.disconnect();
    }
    const listed = await levee(url(), ['audit', 'proofs', 'compacted']);
    expect([listed.code, listed.stdout]).toEqual([0, expect.stringMatching(/ proved .* 3 of 3/)]);
  }, 600_000);
});
