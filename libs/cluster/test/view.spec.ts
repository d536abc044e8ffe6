import { entityKey, entityTopic, eventOfRecord, recordOfKind } from '../src/state/event';
import type { ChunkReplica } from '@levee/events';
import { describeNamespace, type RouteView, viewNodes, viewRoutes, viewUnits } from '../src/views/view';
import { ClusterScript, MiB } from './cluster-script';

function shop(): ClusterScript {
  const script = new ClusterScript().nodes(3, 4);
  script.namespace('shop', { chunks: 2, replicas: 3, partitions: 8 });
  return script;
}

describe('describe namespace', () => {
  it('shows the settings, the chunks, what they take, and what producers must set', () => {
    const view = describeNamespace(shop().state, 'shop');
    expect(view).toMatchObject({
      namespace: { name: 'shop', ack: 'logged' },
      chunks: [{ chunkId: 'shop#1/c00001' }, { chunkId: 'shop#1/c00002' }],
      totals: { units: 6, capacityBytes: 6 * 256 * MiB, quotaBytes: 2 * 256 * MiB },
      producers: { topic: 'levee.binlog.shop', partitions: 8, rule: 'partition = (murmur2(key) & 0x7fffffff) % 8' },
    });
  });

  it('tells librdkafka users which partitioner to take, and that hashtags need their own', () => {
    const script = shop();
    const settings = (name: string): string => JSON.stringify(describeNamespace(script.state, name));
    expect(settings('shop')).toContain('partitioner=murmur2_random');
    script.accept('CreateNamespace', { name: 'tags', chunks: 1, replicas: 1, hashAlgorithm: 'murmur2-hashtag' });
    expect(settings('tags')).not.toContain('murmur2_random');
    expect(settings('tags')).toContain('what stands between the first {');
  });

  it('of an unknown one names those that exist', () => {
    expect(describeNamespace(shop().state, 'shoes')).toEqual({
      code: 'NAMESPACE_UNKNOWN',
      message: "there is no namespace 'shoes': there are shop",
    });
  });
});

describe('routes', () => {
  it('are by ascending slot, with addresses joined in', () => {
    const view = viewRoutes(shop().state, 'shop');
    expect(view).toMatchObject({
      change: 'metaChange',
      binlog: 'levee.binlog.shop',
      routes: [{ slotStart: 0 }, { slotStart: 500_000, slotEnd: 1_000_000 }],
    });
    expect(JSON.stringify(view)).toContain('host-n2:7400');
  });

  it('S57: say which nodes are silent, and which replicas are dead with one that was given up', () => {
    const script = shop();
    const chunk = script.state.chunksOf('shop')[0]!;
    const [lost] = chunk.replicas as [ChunkReplica];
    const shown = (): RouteView | undefined => {
      const view = viewRoutes(script.state, 'shop');
      return 'routes' in view ? view.routes.find(({ chunkId }) => chunkId === chunk.chunkId) : undefined;
    };
    expect(shown()?.dead).toEqual([]);
    const silent = { silentMs: 20_000, observers: ['m1'], reports: [] };
    const observed = { nodeId: lost.nodeId, incarnation: `run-1-${lost.nodeId}`, ...silent };
    script.accept('SuspectNode', observed);
    expect(shown()?.replicas.map(({ nodeId, nodeState }) => [nodeId, nodeState])).toContainEqual([
      lost.nodeId,
      'suspect',
    ]);
    script.accept('LoseNode', observed);
    expect(shown()?.replicas.map(({ nodeId }) => nodeId)).not.toContain(lost.nodeId);
    expect(shown()?.dead).toEqual([{ nodeId: lost.nodeId, unitId: lost.unitId }]);
  });

  it('have a version that also a new address of a node raises, and are sent only when it changed', () => {
    const script = shop();
    const version = (): number => (viewRoutes(script.state, 'shop') as { version: number }).version;
    const before = version();
    expect(viewRoutes(script.state, 'shop', before)).toEqual({
      change: 'notChange',
      namespace: 'shop',
      version: before,
    });
    script.node('n2', { unitCount: 4, respAddress: 'moved:1' });
    expect(version()).toBeGreaterThan(before);
    expect(viewRoutes(script.state, 'shop', before)).toMatchObject({ change: 'metaChange' });
  });

  it('of a version from the future are a clear error', () => {
    expect(viewRoutes(shop().state, 'shop', 999)).toMatchObject({ code: 'VERSION_FROM_FUTURE' });
    expect(viewRoutes(shop().state, 'none', 999)).toMatchObject({ code: 'NAMESPACE_UNKNOWN' });
  });
});

describe('nodes and units', () => {
  it('are totalled per node', () => {
    const script = shop();
    const [first] = viewNodes(script.state);
    expect(first).toMatchObject({
      node: { nodeId: 'n1' },
      units: { free: 2, allocated: 2, reclaiming: 0 },
      capacityBytes: 4 * 256 * MiB,
      freeBytes: 2 * 256 * MiB,
    });
    const primaries = viewNodes(script.state).map((view) => view.replicas.primary);
    expect(primaries.sort()).toEqual([0, 1, 1]);
    expect(viewUnits(script.state, 'n2').map((unit) => unit.state)).toEqual(['allocated', 'allocated', 'free', 'free']);
    expect(viewUnits(script.state)).toHaveLength(12);
    expect([...script.state.chunksOn('n1')].map((chunk) => chunk.chunkId).sort()).toEqual([
      'shop#1/c00001',
      'shop#1/c00002',
    ]);
  });
});

describe('events', () => {
  it('know their record, key and topic', () => {
    const script = shop();
    for (const event of script.state.events()) {
      expect(eventOfRecord(recordOfKind[event.kind], event.entity)).toEqual(event);
      expect(entityTopic(event)).toBe(event.kind === 'route' ? 'routes' : 'metadata');
    }
    expect([...script.state.events()].map(entityKey)).toEqual(
      expect.arrayContaining(['cluster', 'namespace/shop', 'node/n1', 'unit/n1/u00', 'chunk/shop#1/c00001']),
    );
    expect(eventOfRecord('Put', {})).toBeUndefined();
  });
});
