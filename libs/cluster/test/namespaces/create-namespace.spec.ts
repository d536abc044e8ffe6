import { nextEffects } from '../../src/effects';
import { unitBudget } from '../../src/placement/unit-budget';
import { simulateCreation } from '../../src/views/simulate-creation';
import { ClusterScript, MiB, problemsOf } from '../cluster-script';

describe('CreateNamespace', () => {
  it('takes units for every replica and waits for its binlog', () => {
    const script = new ClusterScript().nodes(3);
    script.accept('CreateNamespace', { name: 'shop.orders', chunks: 4, replicas: 3, partitions: 8 });
    expect(script.state.namespace('shop.orders')).toMatchObject({
      number: 1,
      binlog: 'levee.binlog.shop.orders',
      state: 'creating',
      nextChunk: 5,
    });
    expect(script.state.chunksOf('shop.orders').map((chunk) => [chunk.chunkId, chunk.slotStart])).toEqual([
      ['shop.orders#1/c00001', 0],
      ['shop.orders#1/c00002', 250_000],
      ['shop.orders#1/c00003', 500_000],
      ['shop.orders#1/c00004', 750_000],
    ]);
    expect([...script.state.routesOf('shop.orders')]).toEqual([]);
    expect(nextEffects(script.state)).toEqual([
      {
        kind: 'createBinlog',
        namespace: 'shop.orders',
        number: 1,
        binlog: 'levee.binlog.shop.orders',
        partitions: 8,
        historyWindowMs: 604_800_000,
        clusterId: 'c-1',
        hashAlgorithm: 'murmur2',
        createdAtMs: script.nowMs,
        thenSubmit: { kind: 'ActivateNamespace', payload: { name: 'shop.orders', number: 1 } },
      },
    ]);
  });

  it('once activated has a route for every slot, the primary first, and no effect left', () => {
    const script = new ClusterScript().nodes(3);
    script.namespace('shop', { chunks: 4, replicas: 2 });
    expect(nextEffects(script.state)).toEqual([]);
    expect(problemsOf(script.state)).toEqual([]);
    for (const route of script.state.routesOf('shop'))
      expect(route.replicas.map((replica) => replica.role)).toEqual(['primary', 'follower']);
  });

  it('that fails gives its units back once they are cleared, and the next of that name gets another binlog', () => {
    const script = new ClusterScript().nodes(3, 4);
    script.accept('CreateNamespace', { name: 'shop', chunks: 4, replicas: 3 });
    expect(script.state.freeUnitCount('n1')).toBe(0);
    script.accept('FailNamespace', { name: 'shop', number: 1, reason: 'the topic exists' });
    expect(script.state.freeUnitCount('n1')).toBe(0);
    for (const { unitId, state, generation } of [...script.state.units()]) {
      expect(state).toBe('reclaiming');
      script.accept('FinishReclaim', { unitId, generation });
    }
    expect(script.state.freeUnitCount('n1')).toBe(4);
    expect(script.accept('FailNamespace', { name: 'shop', number: 1 })).toEqual([]);
    expect(script.answer('ActivateNamespace', { name: 'shop', number: 1 })).toMatch(/^NAMESPACE_NOT_READY: .*deleted/);
    const chunks = script.namespace('shop', { chunks: 2, replicas: 3 });
    expect(script.state.namespace('shop')).toMatchObject({ number: 2, binlog: 'levee.binlog.shop_2' });
    expect(chunks[0]).toMatchObject({ chunkId: 'shop#2/c00001', replicas: [{ generation: 2 }, {}, {}] });
    expect(script.answer('ActivateNamespace', { name: 'shop', number: 1 })).toMatch(/^NAMESPACE_UNKNOWN: .*but #2/);
  });

  it('of what exists with equal settings is accepted and changes nothing; with others it is refused by name', () => {
    const script = new ClusterScript().nodes(3);
    script.namespace('shop', { chunks: 4, ack: 'all' });
    expect(script.accept('CreateNamespace', { name: 'shop', chunks: 4, ack: 'all' })).toEqual([]);
    expect(script.accept('CreateNamespace', { name: 'shop' })).toEqual([]);
    expect(script.answer('CreateNamespace', { name: 'shop', chunks: 5 })).toBe(
      'NAMESPACE_EXISTS: namespace shop exists with other settings: chunks is 4, not 5',
    );
  });

  it('without settings suits the cluster', () => {
    const script = new ClusterScript().nodes(2);
    script.namespace('shop');
    expect(script.state.namespace('shop')).toMatchObject({
      partitions: 64,
      chunks: 2,
      replicas: 2,
      hashAlgorithm: 'murmur2',
      partitionStrategy: 'hash',
      ack: 'logged',
      consistency: 'session',
      maxStalenessMs: null,
      chunkCapacityBytes: 256 * MiB,
      failoverStrategy: 'automatic',
      historyWindowMs: 604_800_000,
      maxTtlMs: null,
    });
  });

  it.each([
    ['a small cluster', 3, 32, 2],
    ['a large one', 40, 64, 24],
    ['one that is nearly full', 3, 4, 1],
  ])('without settings begins with few chunks on %s', (_name, nodes, unitsEach, chunks) => {
    const script = new ClusterScript().nodes(nodes, unitsEach);
    script.namespace('shop');
    expect(script.state.namespace('shop')?.chunks).toBe(chunks);
  });

  it('without settings leaves the spare units alone, which named chunks may take', () => {
    const script = new ClusterScript().nodes(3, 32);
    script.namespace('default', { chunks: 8, replicas: 3 });
    const created: string[] = [];
    for (let i = 1; script.answer('CreateNamespace', { name: `app${i}` }) === 'accepted'; i++) created.push(`app${i}`);
    expect(created.length).toBeGreaterThanOrEqual(10);
    expect(unitBudget(script.state)).toEqual({ free: 9, spare: 9 });
    expect(script.answer('CreateNamespace', { name: 'late' })).toMatch(
      /^NOT_ENOUGH_UNITS: 1 chunk with 3 replicas needs 3 free units.*there are 9, and 9 of them are kept.*--chunks 1\): levee node list .*levee namespace delete.*levee namespace resize.*LEVEE_UNITS/,
    );
    expect(script.answer('CreateNamespace', { name: 'late', chunks: 1 })).toBe('accepted');
  });

  it('can be thought through: the same namespace as it would be, and nothing is changed', () => {
    const script = new ClusterScript().nodes(3);
    const context = { nowMs: script.nowMs, topicPrefix: 'levee' };
    const thought = simulateCreation(script.state, { name: 'shop', replicas: 2 }, context);
    expect(script.state.counts).toMatchObject({ namespaces: 0, chunks: 0 });
    expect(thought).toMatchObject({ totals: { units: 6 }, budget: { free: 90, spare: 9 } });
    script.accept('CreateNamespace', { name: 'shop', replicas: 2 });
    const placement = script.state.chunksOf('shop').map(({ replicas }) => replicas);
    expect('chunks' in thought && thought.chunks.map(({ replicas }) => replicas)).toEqual(placement);
    expect(simulateCreation(script.state, { name: 'shop', replicas: 3 }, context)).toMatchObject({
      code: 'NAMESPACE_EXISTS',
    });
  });

  it('plans its chunks by what is expected', () => {
    const script = new ClusterScript().nodes(1, 200);
    script.namespace('big', { replicas: 1, chunkCapacityBytes: 256 * MiB, expectedBytes: 100 * 256 * MiB * 0.7 });
    expect(script.state.namespace('big')?.chunks).toBe(100);
    script.namespace('busy', { replicas: 1, expectedRequestsPerSecond: 400_000 });
    expect(script.state.namespace('busy')?.chunks).toBe(40);
  });

  it.each([
    [{ partitions: 7 }, /^BAD_KNOB: partitions is 7, it must divide 1,000,000: one of 1, 2, 4, 5, 8, 10,/],
    [{ partitions: 1_000_000 }, /^BAD_KNOB: partitions is 1000000/],
    [{ partitions: '8' }, /^BAD_KNOB: CreateNamespace.partitions is "8", it must be an integer/],
    [{ chunks: 4_097 }, /^BAD_KNOB: CreateNamespace.chunks is 4097, it must be an integer from 1 to 4096/],
    [{ replicas: 4 }, /^NOT_ENOUGH_DOMAINS: 4 replicas need 4 failure domains.*there are 3.*LEVEE_DOMAIN/],
    [{ replicas: 0 }, /^BAD_KNOB: CreateNamespace.replicas is 0/],
    [
      { chunks: 33, replicas: 3 },
      /^NOT_ENOUGH_UNITS: 33 chunks with 3 replicas need 99 free units.*of 96 free units 96/,
    ],
    [{ chunkCapacityBytes: 512 * MiB }, /^NOT_ENOUGH_UNITS: .*of 96 free units 0 are that large/],
    [
      { hashAlgorithm: 'md5' },
      /^BAD_KNOB: .*hashAlgorithm is "md5", it must be one of murmur2, murmur2-hashtag, crc32, fnv1a/,
    ],
    [{ recordFormat: 'json' }, /^BAD_KNOB: .*recordFormat is "json", it must be one of put, raw/],
    [{ writable: false }, /^BAD_KNOB: writable and expireWithRetention are of namespaces that are bound to a topic/],
    [{ expireWithRetention: true }, /^BAD_KNOB: writable and expireWithRetention are of namespaces/],
    [
      { sourceTopic: 'prices', writable: true },
      /^BAD_KNOB: writable needs recordFormat raw \(--record-format raw\), and it is put/,
    ],
    [
      { sourceTopic: 'prices', writable: true, recordFormat: 'raw', maxTtlMs: 60_000 },
      /^BAD_KNOB: maxTtlMs cannot be set: a time to live would be a header of Levee's in prices/,
    ],
    [
      { sourceTopic: 'prices', writable: true, recordFormat: 'raw', consistency: 'strong' },
      /^BAD_KNOB: consistency cannot be strong: .*fence into prices/,
    ],
    [
      { sourceTopic: 'prices', writable: true, recordFormat: 'raw', flush: 'sweep' },
      /^BAD_KNOB: flush cannot be sweep/,
    ],
    [
      { sourceTopic: 'prices', expireWithRetention: true },
      /^BAD_KNOB: expireWithRetention needs recordFormat raw \(--record-format raw\), and it is put/,
    ],
    [
      { sourceTopic: 'prices', partitions: 6 },
      /^BAD_KNOB: partitions cannot be set: they are those of the topic prices/,
    ],
    [{ sourceTopic: 'prices', consistency: 'strong' }, /^BAD_KNOB: consistency cannot be strong: .*fence into prices/],
    [{ sourceTopic: 'prices', historyWindowMs: 60_000 }, /^BAD_KNOB: historyWindowMs cannot be set: prices keeps/],
    [{ sourceTopic: 'prices', flush: 'sweep' }, /^BAD_KNOB: flush cannot be sweep/],
    [{ sourceTopic: 'prices', maxTtlMs: 60_000 }, /^BAD_KNOB: maxTtlMs is of writes/],
    [{ sourceTopic: 'a topic' }, /^BAD_KNOB: sourceTopic 'a topic' is no name/],
    [{ sourceTopic: 'levee.journal' }, /^BAD_KNOB: sourceTopic levee.journal belongs to Levee itself/],
    [{ sourceTopic: '__consumer_offsets' }, /^BAD_KNOB: sourceTopic __consumer_offsets belongs to Kafka itself/],
    [{ partitionStrategy: 'range' }, /^BAD_KNOB: .*partitionStrategy is "range", it must be one of hash/],
    [{ ack: 'none' }, /^BAD_KNOB: .*ack is "none", it must be one of logged, primary, all/],
    [{ consistency: 'weak' }, /^BAD_KNOB: .*one of eventual, session, strong/],
    [{ failoverStrategy: 'never' }, /^BAD_KNOB: .*one of automatic, manual/],
    [{ maxStalenessMs: 1 }, /^BAD_KNOB: .*maxStalenessMs is 1, it must be an integer from 100 to 86400000 ms/],
    [{ requestsPerSecond: 0 }, /^BAD_KNOB: .*requestsPerSecond is 0/],
    [{ chunkRequestsPerSecond: -5 }, /^BAD_KNOB: .*chunkRequestsPerSecond is -5/],
    [{ historyWindowMs: 1 }, /^BAD_KNOB: .*historyWindowMs is 1/],
    [{ maxTtlMs: 999 }, /^BAD_KNOB: .*maxTtlMs is 999, it must be an integer from 1000 to/],
    [{ chunks: 2, expectedBytes: 2 ** 40 }, /^BAD_KNOB: expectedBytes is .* set chunks to at least 4096/],
    [{ expectedBytes: 2 ** 50 }, /^BAD_KNOB: the allocation plan needs \d+ chunks, one command creates at most 4096/],
    [
      { requestsPerSecond: 10, expectedRequestsPerSecond: 20 },
      /^BAD_KNOB: .*20, above the limit requestsPerSecond of 10/,
    ],
    [
      { chunks: 2, chunkRequestsPerSecond: 10, expectedRequestsPerSecond: 21 },
      /^BAD_KNOB: .*2 chunks of chunkRequestsPerSecond 10 serve 20/,
    ],
    [{ colour: 'red' }, /^UNKNOWN_KNOB: CreateNamespace has no setting 'colour': there are name, partitions, /],
    [{ name: 'Shop' }, /^BAD_NAME: 'Shop' is no namespace name/],
    [{ name: 7 }, /^BAD_COMMAND: CreateNamespace.name is 7/],
  ])('refuses %j by name', (knobs, answer) => {
    const script = new ClusterScript().nodes(3);
    expect(script.answer('CreateNamespace', { name: 'shop', ...knobs })).toMatch(answer);
    expect(script.state.counts).toMatchObject({ namespaces: 0, chunks: 0 });
  });
});
