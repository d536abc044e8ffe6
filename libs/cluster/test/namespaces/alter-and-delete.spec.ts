import { describeNamespace, viewNamespaces, viewRoutes } from '../../src';
import { nextEffects } from '../../src/effects';
import { ClusterScript, MiB, problemsOf } from '../cluster-script';

function shop(knobs: Record<string, unknown> = {}): ClusterScript {
  const script = new ClusterScript().nodes(3, 8);
  script.namespace('shop', { chunks: 4, replicas: 3, partitions: 8, ...knobs });
  return script;
}

describe('AlterNamespace', () => {
  it.each([
    [{ ack: 'all' }],
    [{ consistency: 'strong' }],
    [{ maxStalenessMs: 5_000 }],
    [{ requestsPerSecond: 100 }],
    [{ chunkRequestsPerSecond: 10 }],
    [{ chunkCapacityBytes: 128 * MiB }],
    [{ failoverStrategy: 'manual' }],
    [{ expectedBytes: 64 * MiB }],
    [{ expectedRequestsPerSecond: 500 }],
    [{ multi: 'batch' }],
    [{ flush: 'sweep' }],
    [{ ack: 'primary', consistency: 'eventual', requestsPerSecond: 7 }],
  ])('%j takes effect at once, and again changes nothing', (change) => {
    const script = shop();
    const events = script.accept('AlterNamespace', { name: 'shop', ...change });
    expect(events).toMatchObject([{ kind: 'namespace', entity: { ...change, change: 'NamespaceAltered' } }]);
    expect(script.accept('AlterNamespace', { name: 'shop', ...change })).toEqual([]);
    expect(nextEffects(script.state)).toEqual([]);
  });

  it.each<[Record<string, number>, Record<string, number>]>([
    [{ expectedBytes: 1_000 * MiB }, { expectedBytes: 900 * MiB, chunkCapacityBytes: 100 * MiB }],
    [{ expectedRequestsPerSecond: 400, chunkRequestsPerSecond: 100 }, { chunkRequestsPerSecond: 90 }],
  ])('what a plan made untrue of %j refuses no other change', (knobs, related) => {
    const script = shop({ ...knobs, chunkCapacityBytes: 256 * MiB });
    const namespace = script.state.namespace('shop')!;
    // As after chunks were merged.
    const [chunk] = script.state.chunksOf('shop');
    const fewer = jest.spyOn(script.state, 'chunksOf').mockReturnValue([chunk!, chunk!, chunk!]);
    expect(script.accept('AlterNamespace', { name: 'shop', ack: 'all' })).toHaveLength(1);
    expect(script.accept('AlterNamespace', { name: 'shop', ...knobs, consistency: 'strong' })).toHaveLength(1);
    for (const [knob, value] of Object.entries(related))
      expect(script.answer('AlterNamespace', { name: 'shop', [knob]: value })).toMatch(/^BAD_KNOB/);
    fewer.mockRestore();
    expect(namespace.ack).toBe('logged');
  });

  it('null takes a limit away', () => {
    const script = shop({ maxStalenessMs: 1_000, requestsPerSecond: 5 });
    script.accept('AlterNamespace', { name: 'shop', maxStalenessMs: null, requestsPerSecond: null });
    expect(script.state.namespace('shop')).toMatchObject({ maxStalenessMs: null, requestsPerSecond: null });
  });

  it('a longer history window asks for other settings of the binlog, until they are there', () => {
    const script = shop();
    script.accept('AlterNamespace', { name: 'shop', historyWindowMs: 3_600_000 });
    script.accept('AlterNamespace', { name: 'shop', ack: 'all' });
    const payload = { name: 'shop', number: 1, historyWindowMs: 3_600_000 };
    expect(nextEffects(script.state)).toMatchObject([
      {
        kind: 'adjustBinlog',
        binlog: 'levee.binlog.shop',
        partitions: 8,
        historyWindowMs: 3_600_000,
        thenSubmit: { kind: 'ConfirmHistoryWindow', payload },
      },
    ]);
    expect(script.accept('ConfirmHistoryWindow', { ...payload, historyWindowMs: 1 })).toEqual([]);
    expect(script.accept('ConfirmHistoryWindow', payload)).toHaveLength(1);
    expect(script.accept('ConfirmHistoryWindow', payload)).toEqual([]);
    expect(nextEffects(script.state)).toEqual([]);
  });

  it.each([
    [{ partitions: 16 }, 'KNOB_FIXED: partitions of shop is 8 and cannot change: slots belong to partitions for ever'],
    [{ hashAlgorithm: 'murmur2-hashtag' }, 'KNOB_FIXED: hashAlgorithm of shop is murmur2 and cannot change'],
    [{ chunks: 5 }, 'KNOB_FIXED: chunks of shop is 4 and cannot change: chunks are split and merged by plans'],
    [{ replicas: 2 }, 'KNOB_FIXED: replicas of shop is 3 and cannot change'],
    [{ maxTtlMs: 5_000 }, 'accepted'],
    [{ maxTtlMs: 5 }, 'BAD_KNOB: AlterNamespace.maxTtlMs is 5, it must be an integer from 1000'],
    [{ partitionStrategy: 'range' }, 'KNOB_FIXED: partitionStrategy of shop is hash'],
    [{ binlog: 'other' }, 'KNOB_FIXED: binlog of shop is levee.binlog.shop and cannot change: the name of a binlog'],
    [{ colour: 'red' }, "UNKNOWN_KNOB: AlterNamespace has no setting that may change 'colour': there are name, "],
    [{ ack: 'some' }, 'BAD_KNOB: AlterNamespace.ack is "some", it must be one of logged, primary, all'],
    [{ ack: null }, 'accepted'],
    [{ partitions: 8, chunks: 4 }, 'accepted'],
    [{ maxStalenessMs: 1 }, 'BAD_KNOB: AlterNamespace.maxStalenessMs is 1, it must be an integer from 100'],
    [{ chunkCapacityBytes: 512 * MiB }, 'UNIT_TOO_SMALL: chunkCapacityBytes cannot become 536870912: unit n'],
    [{ expectedBytes: 4_096 * MiB }, 'BAD_KNOB: expectedBytes is 4294967296, but 4 chunks of'],
    [{ name: 'carts' }, 'NAMESPACE_UNKNOWN: there is no namespace carts'],
  ])('%j is answered with %s', (change, answer) => {
    expect(shop().answer('AlterNamespace', { name: 'shop', ...change })).toContain(answer);
  });

  it('needs an active namespace', () => {
    const script = shop();
    script.accept('CreateNamespace', { name: 'carts', chunks: 1 });
    expect(script.answer('AlterNamespace', { name: 'carts', ack: 'all' })).toMatch(/^NAMESPACE_NOT_READY/);
  });
});

describe('DeleteNamespace', () => {
  it('takes everything out of sight at once, has the binlog deleted, and the name starts anew', () => {
    const script = shop();
    const units = script.state.chunksOf('shop').flatMap(({ replicas }) => replicas.map((of) => of.unitId));
    script.accept('DeleteNamespace', { name: 'shop' });
    expect(script.state.namespace('shop')?.state).toBe('deleting');
    expect(script.state.chunksOf('shop')).toEqual([]);
    expect([...script.state.routesOf('shop')]).toEqual([]);
    for (const unitId of units) expect(script.state.unit(unitId)?.state).toBe('reclaiming');
    expect(nextEffects(script.state)).toEqual([
      {
        kind: 'deleteBinlog',
        namespace: 'shop',
        number: 1,
        binlog: 'levee.binlog.shop',
        thenSubmit: { kind: 'FinishDeletion', payload: { name: 'shop', number: 1 } },
      },
    ]);
    expect(script.answer('CreateNamespace', { name: 'shop' })).toMatch(/^NAMESPACE_NOT_READY: .*being deleted/);
    expect(script.accept('DeleteNamespace', { name: 'shop' })).toEqual([]);
    expect(problemsOf(script.state)).toEqual([]);

    script.accept('FinishDeletion', { name: 'shop', number: 1 });
    expect(viewNamespaces(script.state)).toEqual([]);
    expect(describeNamespace(script.state, 'shop')).toMatchObject({ code: 'NAMESPACE_UNKNOWN' });
    expect(viewRoutes(script.state, 'shop')).toMatchObject({ code: 'NAMESPACE_UNKNOWN' });
    expect(script.accept('FinishDeletion', { name: 'shop', number: 1 })).toEqual([]);
    expect(nextEffects(script.state)).toEqual([]);
    for (const unitId of units) script.accept('FinishReclaim', { unitId, generation: 1 });
    script.namespace('shop', { chunks: 8, replicas: 3 });
    expect(script.state.namespace('shop')).toMatchObject({ number: 2, binlog: 'levee.binlog.shop_2', state: 'active' });
    expect(script.state.chunksOf('shop')[0]).toMatchObject({ chunkId: 'shop#2/c00001' });
    for (const unitId of units) expect(script.state.unit(unitId)?.generation).toBe(2);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('of a namespace still being created takes its units back too', () => {
    const script = new ClusterScript().nodes(3, 8);
    script.accept('CreateNamespace', { name: 'shop', chunks: 2, replicas: 3 });
    script.accept('DeleteNamespace', { name: 'shop' });
    expect(script.answer('ActivateNamespace', { name: 'shop', number: 1 })).toMatch(/^NAMESPACE_NOT_READY/);
    expect(nextEffects(script.state)).toMatchObject([{ kind: 'deleteBinlog' }]);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('takes back the units of dead replicas, which their node clears when it returns', () => {
    const script = shop();
    const node = { nodeId: 'n1', incarnation: 'run-1-n1', silentMs: 9_000, observers: ['m1'], reports: [] };
    script.accept('SuspectNode', node);
    script.accept('LoseNode', node);
    script.accept('DeleteNamespace', { name: 'shop' });
    expect([...script.state.unitsOf('n1')].filter((unit) => unit.state === 'reclaiming')).toHaveLength(4);
    expect(script.accept('ReviveNode', node).map((event) => event.kind)).toEqual(['node']);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it.each([
    [{ name: 'carts' }, 'NAMESPACE_UNKNOWN: there is no namespace carts'],
    [{ name: 'shop', number: 2 }, 'NAMESPACE_UNKNOWN: there is no namespace shop#2, but #1'],
    [{ name: 'shop', really: true }, "BAD_COMMAND: DeleteNamespace has no field 'really'"],
  ])('%j is refused: %s', (payload, answer) => {
    expect(shop().answer('DeleteNamespace', payload)).toContain(answer);
  });

  it('is finished by the master only when it was begun', () => {
    expect(shop().answer('FinishDeletion', { name: 'shop', number: 1 })).toMatch(
      /^NAMESPACE_NOT_READY: .*nobody deletes it/,
    );
  });
});
