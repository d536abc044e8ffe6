import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ContinuousProof } from '@levee/audit';
import { decode, encodePut, expiryHeader } from '@levee/codec';
import type { ChunkProof } from '@levee/events';
import { barrierKey, genesisKey, ProofView } from '@levee/journal';
import { asOffset, asPartition, silentLogger } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { systemClock, systemTimers } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { type TamperedReplica, tamperWith } from '../../../test/support/replica-tampering';
import { SmallCluster, topics, until } from './small-cluster';

jest.setTimeout(180_000);

const ns = 'shop.prices';
const topic = 'prices';
const partitions = 3;
const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);
const intervalMs = 2_000;

/** Nothing is written into a topic of others, and its owner compacts it at any time: its replicas are proved all the same. */
describe('replicas of a bound namespace are compared with its topic', () => {
  let cluster: SmallCluster;
  let proofs: ProofView;
  let proof: ContinuousProof;
  const model = new Map<string, string | null>();

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    model.clear();
    for (const nodeId of ['n1', 'n2', 'n3']) await cluster.node(nodeId);
    await until('all nodes being registered', () => [...cluster.view.state.nodes()].length === 3);
    const world = { log: cluster.log, clock: systemClock, timers: systemTimers, logger: silentLogger };
    proofs = new ProofView(cluster.log, topics, world);
  });
  afterEach(async () => {
    await proof?.stop();
    await proofs?.close();
    await cluster.close();
  });

  async function bind(settings: Record<string, string> = {}, knobs: object = {}): Promise<void> {
    await cluster.log.ensureTopics([
      { name: topic, partitions, settings: { 'cleanup.policy': 'compact', 'segment.ms': '50', ...settings } },
    ]);
    for (const key of keys) await produce(key, `value of ${key}`);
    for (const key of keys.slice(0, 30)) await produce(key, null);
    await cluster.command('CreateNamespace', { name: ns, sourceTopic: topic, chunks: 2, replicas: 3, ...knobs });
    await until('the namespace being active', () => cluster.view.state.namespace(ns)?.state === 'active');
    await cluster.ready();
  }

  const placeOf = (key: string) => asPartition(partitionOf(hashOf(Buffer.from(key), 'murmur2'), partitions));

  async function produce(key: string, value: string | null): Promise<void> {
    const bytes = Buffer.from(key);
    const isRaw = cluster.view.state.namespace(ns)?.recordFormat === 'raw';
    const put = value === null ? null : isRaw ? Buffer.from(value) : encodePut(bytes, Buffer.from(value), null);
    await cluster.log.append(topic, placeOf(key), [{ key: bytes, value: put }]);
    model.set(key, value);
  }

  function prove(): void {
    const world = { log: cluster.log, clock: systemClock, timers: systemTimers, logger: silentLogger };
    proof = new ContinuousProof(
      { instance: 'd1', topics, intervalMs, bytesPerSecond: 0 },
      { ...world, view: cluster.view, proofs, newId: () => randomUUID(), waits: () => false },
    );
    proofs.start();
    proof.start();
  }

  const records = async (): Promise<ChunkProof[]> =>
    (await cluster.records(topics.digests)).flatMap((value) => {
      const found = decode(value);
      return found.name === 'ChunkProof' ? [found.record] : [];
    });
  const found = async (verdict: ChunkProof['verdict']): Promise<ChunkProof[]> =>
    (await records()).filter((each) => each.verdict === verdict);
  const allProved = (): boolean => {
    const { chunks, proved } = proof.summary();
    return chunks === 2 && proved === 2;
  };
  const chunkOf = (key: string): string => {
    const { slot } = cluster.place(ns, key);
    return [...cluster.view.state.chunksOf(ns)].find((each) => each.slotStart <= slot && slot < each.slotEnd)!.chunkId;
  };
  const setAside = (nodeId: string): string[] => {
    const folder = join(cluster.folder, nodeId, 'set-aside');
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  const allSetAside = (): string[] => ['n1', 'n2', 'n3'].flatMap(setAside);

  async function tamper(nodeId: string, change: (replica: TamperedReplica) => Promise<void>): Promise<void> {
    const chunkId = chunkOf(victim);
    await cluster.stopNode(nodeId);
    const { unitId, generation } = cluster.view.state.chunk(chunkId)!.replicas.find((each) => each.nodeId === nodeId)!;
    await tamperWith({ home: join(cluster.folder, nodeId), unitId, generation, chunkId }, change);
    await cluster.node(nodeId);
    await cluster.ready();
  }

  const victim = keys[100]!;
  /** Not one of those that are written while it is proved. */
  const quiet = keys.filter((key) => key !== victim).slice(150);

  /** Writes as fast as it can, and has the log cleaned all the time. */
  function busy(of: readonly string[] = quiet): () => Promise<void> {
    let over = false;
    const writing = (async () => {
      for (let i = 0; !over; i++) {
        await produce(of[(i * 7) % of.length]!, i % 5 === 0 ? null : `round ${i}`);
        if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    const cleaning = (async () => {
      while (!over) {
        await (cluster.log as EmbeddedLog).compact(topic);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    return async () => {
      over = true;
      await Promise.all([writing, cleaning]);
    };
  }

  it('proves every chunk of a topic at rest, and writes nothing into it', async () => {
    await bind();
    const before = await cluster.log.offsets(topic);
    prove();
    await until('all chunks being proved', allProved);
    await until('all being proved once more', async () => (await found('proved')).length >= 4);
    expect((await records()).map(({ verdict, message }) => [verdict, message])).not.toContainEqual(
      expect.arrayContaining([expect.stringMatching(/iffer|undecided/)]),
    );
    const [first] = await found('proved');
    expect(first?.replicas.map(({ nodeId, holds }) => `${nodeId} ${holds}`).sort()).toEqual([
      'n1 same',
      'n2 same',
      'n3 same',
    ]);
    expect(await cluster.log.offsets(topic)).toEqual(before);
  });

  it.each<[string, (replica: TamperedReplica) => Promise<void>]>([
    ['a key is removed', (replica) => replica.remove(victim)],
    ['a value is changed', (replica) => replica.put(victim, 'another value', 7)],
  ])(
    'behind the back of one replica %s, while its producer writes and it is compacted: found and healed',
    async (_, change) => {
      await bind();
      await tamper('n2', change);
      const end = busy();
      try {
        prove();
        await until('it being found', async () => (await found('replicaDiffers')).length > 0, 60_000);
        await until('all chunks being proved', allProved, 60_000);
      } finally {
        await end();
      }
      const named = await found('replicaDiffers');
      expect(new Set(named.map(({ chunkId }) => chunkId))).toEqual(new Set([chunkOf(victim)]));
      for (const { replicas } of named)
        expect(replicas.filter(({ holds }) => holds === 'other').map(({ nodeId }) => nodeId)).toEqual(['n2']);
      expect([setAside('n1').length, setAside('n2').length, setAside('n3').length]).toEqual([0, 1, 0]);
      for (const nodeId of ['n1', 'n2', 'n3'])
        expect(await cluster.read(nodeId, ns, [victim])).toEqual([`value of ${victim}`]);
    },
  );

  it('nobody is blamed while a producer writes at full speed and the topic is compacted, round after round', async () => {
    await bind();
    const end = busy(keys);
    try {
      prove();
      await until('all being proved twice', async () => (await found('proved')).length >= 4, 100_000);
    } finally {
      await end();
    }
    expect((await records()).filter(({ verdict }) => verdict !== 'proved' && verdict !== 'incomplete')).toEqual([]);
    expect(allSetAside()).toEqual([]);
    expect(proof.stats()).toMatchObject({ blamed_total: 0, findings: 0 });
  });

  it.each([
    ['that is compacted', { 'cleanup.policy': 'compact' }, {}],
    ['that forgets by age', { 'cleanup.policy': 'delete', 'retention.ms': '3600000' }, { expireWithRetention: true }],
  ])(
    'whatever hostile producers write into a topic %s, replicas and log say the same of it',
    async (_, settings, knobs) => {
      await bind(settings, { recordFormat: 'raw', ...knobs });
      const isCompacted = settings['cleanup.policy'] === 'compact';
      const hostileKeys = [
        ...[
          Buffer.alloc(0),
          Buffer.alloc(40_000, 'x'),
          genesisKey,
          barrierKey,
          Buffer.from([0, 255, 0]),
          Buffer.from('{a}{b}'),
        ],
        ...(isCompacted ? [] : [null]),
      ];
      const expiries = [
        'abc',
        '-1',
        '0',
        '99999999999999999999',
        '1e3',
        '',
        '1',
        ...[1, 400, 800, 5_000].map((ms) => `${Date.now() + ms}`),
      ];
      let over = false;
      const writing = (async () => {
        for (let i = 0; !over; i++) {
          const key =
            i % 3 === 0 ? (hostileKeys[(i / 3) % hostileKeys.length] ?? null) : Buffer.from(keys[(i * 7) % 300]!);
          const value = i % 5 === 0 ? null : i % 4 === 0 ? Buffer.alloc(0) : Buffer.from(`round ${i}`);
          const headers =
            i % 2 === 0 ? [] : [{ key: expiryHeader, value: Buffer.from(expiries[i % expiries.length]!) }];
          // In whatever partition.
          await cluster.log.append(topic, asPartition(i % partitions), [{ key, value, headers }]);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      })();
      try {
        prove();
        await until('all being proved twice', async () => (await found('proved')).length >= 4, 100_000);
      } finally {
        over = true;
        await writing;
      }
      const others = (await records()).filter(({ verdict }) => verdict !== 'proved' && verdict !== 'incomplete');
      expect(others.map(({ verdict, message }) => `${verdict}: ${message}`)).toEqual([]);
      expect(allSetAside()).toEqual([]);
    },
  );

  it('nobody is blamed while a topic forgets by age, and a replica that lost a value is found', async () => {
    await bind(
      { 'cleanup.policy': 'delete', 'retention.ms': '3600000' },
      { recordFormat: 'raw', expireWithRetention: true },
    );
    prove();
    await until('all chunks being proved', allProved, 60_000);
    expect(allSetAside()).toEqual([]);
    await proof.stop();
    await tamper('n2', (replica) => replica.remove(victim));
    prove();
    await until('it being found', async () => (await found('replicaDiffers')).length > 0, 60_000);
    await until('all chunks being proved', allProved, 60_000);
    expect([setAside('n1').length, setAside('n2').length, setAside('n3').length]).toEqual([0, 1, 0]);
  });

  it('I14: where the beginning is gone, who differs may be older than that: it is told, and nobody is built anew', async () => {
    const settings = { 'cleanup.policy': 'compact', 'segment.ms': '50' };
    await cluster.log.ensureTopics([{ name: topic, partitions, settings }]);
    for (const key of keys) await produce(key, 'before');
    for (const { partition, endOffset } of await cluster.log.offsets(topic)) {
      const from = asOffset(endOffset - 2);
      expect(await (cluster.log as EmbeddedLog).deleteRecordsBefore(topic, partition, from)).toBe(from);
    }
    await bind();
    prove();
    await until('all chunks being proved', allProved, 60_000);
    await proof.stop();
    await tamper('n2', (replica) => replica.remove(victim));
    prove();
    await until('it being told twice', async () => (await found('undecided')).length > 1, 60_000);
    expect((await found('undecided')).map(({ chunkId }) => chunkId)).toContain(chunkOf(victim));
    expect((await found('undecided'))[0]?.message).toMatch(
      /on n2 holds .*; the partition begins at offset \d+: whether a replica is older than that is not known$/,
    );
    expect(await found('replicaDiffers')).toEqual([]);
    expect(allSetAside()).toEqual([]);
    expect(proof.stats()).toMatchObject({ blamed_total: 0 });
  });

  it('a topic that is another one now is not compared, and the reason is told', async () => {
    await bind();
    await cluster.log.deleteTopics([topic]);
    await cluster.log.ensureTopics([{ name: topic, partitions, settings: { 'cleanup.policy': 'compact' } }]);
    await until('the master finding it', () => cluster.view.state.namespace(ns)?.sourceFinding === 'recreated', 30_000);
    prove();
    await until('it being told', async () => (await found('notProvable')).length > 0);
    expect((await found('notProvable'))[0]?.message).toMatch(/was deleted and created again: shop.prices was bound to/);
    expect(allSetAside()).toEqual([]);
  });
});
