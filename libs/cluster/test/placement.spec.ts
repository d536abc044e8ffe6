import fc from 'fast-check';
import { placeChunks, type PlacedReplica, type PlacementRequest } from '../src/placement/place-chunks';
import type { CandidateNode } from '../src/placement/candidate-nodes';

type Engine = CandidateNode['freeUnits'][number]['engine'];

function site(
  nodeId: string,
  free: number,
  options: { domain?: string; bytes?: number; engine?: Engine } = {},
): CandidateNode {
  const { domain = nodeId, bytes = 100, engine = 'leveldb' } = options;
  return {
    nodeId,
    domain,
    primaries: 0,
    freeUnits: Array.from({ length: free }, (_, i) => ({ unitId: `${nodeId}/u${i}`, capacityBytes: bytes, engine })),
  };
}

const request = (chunks: number, replicas: number, other: Partial<PlacementRequest> = {}): PlacementRequest => ({
  chunks,
  replicas,
  unitBytesMin: 1,
  requestsPerSecondPerChunk: 0,
  ...other,
});

function placed(sites: readonly CandidateNode[], wanted: PlacementRequest): readonly (readonly PlacedReplica[])[] {
  const placement = placeChunks(sites, wanted);
  if ('code' in placement) throw new Error(`${placement.code}: ${placement.message}`);
  return placement.chunks;
}

function counts(chunks: readonly (readonly PlacedReplica[])[], of: 'primaries' | 'replicas'): Record<string, number> {
  const found: Record<string, number> = {};
  for (const replicas of chunks)
    for (const { nodeId } of of === 'primaries' ? replicas.slice(0, 1) : replicas)
      found[nodeId] = (found[nodeId] ?? 0) + 1;
  return found;
}

const spread = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);

const anySites = fc
  .array(fc.record({ free: fc.nat(8), domain: fc.constantFrom('d1', 'd2', 'd3', 'd4') }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((list) => list.map(({ free, domain }, i) => site(`n${i}`, free, { domain })));
const anyWish = fc
  .record({ chunks: fc.integer({ min: 1, max: 12 }), replicas: fc.integer({ min: 1, max: 4 }) })
  .map(({ chunks, replicas }) => request(chunks, replicas));

describe('placement', () => {
  it('puts replicas of a chunk into different domains and each into a unit of its own, or says why not', () => {
    fc.assert(
      fc.property(anySites, anyWish, (sites, wanted) => {
        const placement = placeChunks(sites, wanted);
        // Each domain takes every chunk at most once, so this much room is both needed and enough.
        const room = ['d1', 'd2', 'd3', 'd4'].map((domain) =>
          sites.filter((of) => of.domain === domain).reduce((sum, of) => sum + of.freeUnits.length, 0),
        );
        const usable = room.reduce((sum, free) => sum + Math.min(free, wanted.chunks), 0);
        if ('code' in placement) {
          const domains = new Set(sites.map((of) => of.domain)).size;
          expect(domains < wanted.replicas || usable < wanted.chunks * wanted.replicas).toBe(true);
          expect(placement.code).toBe(domains < wanted.replicas ? 'NOT_ENOUGH_DOMAINS' : 'NOT_ENOUGH_UNITS');
          return;
        }
        const domainOf = new Map(sites.map((of) => [of.nodeId, of.domain]));
        const units = placement.chunks.flatMap((replicas) => replicas.map((replica) => replica.unitId));
        expect(new Set(units).size).toBe(wanted.chunks * wanted.replicas);
        for (const replicas of placement.chunks)
          expect(new Set(replicas.map((replica) => domainOf.get(replica.nodeId))).size).toBe(wanted.replicas);
      }),
      { numRuns: 500 },
    );
  });

  it('no single hand-over of a primary would make the counts more even', () => {
    fc.assert(
      fc.property(anySites, anyWish, (sites, wanted) => {
        const placement = placeChunks(sites, wanted);
        if ('code' in placement) return;
        const primaries = counts(placement.chunks, 'primaries');
        for (const [first, ...others] of placement.chunks)
          for (const { nodeId } of others)
            expect((primaries[first?.nodeId ?? ''] ?? 0) - (primaries[nodeId] ?? 0)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [3, 8, 3],
    [3, 24, 3],
    [4, 24, 2],
    [5, 24, 3],
    [7, 100, 3],
    [10, 64, 2],
    [13, 1_000, 3],
  ])(
    'on %d equal nodes %d chunks with %d replicas: primaries and replicas differ by one at most',
    (nodes, chunks, r) => {
      const sites = Array.from({ length: nodes }, (_, i) => site(`n${i}`, chunks));
      const placement = placed(sites, request(chunks, r));
      expect(spread(Object.values(counts(placement, 'primaries')))).toBeLessThanOrEqual(1);
      expect(spread(Object.values(counts(placement, 'replicas')))).toBeLessThanOrEqual(1);
      expect(Object.keys(counts(placement, 'primaries'))).toHaveLength(nodes);
    },
  );

  it('lets many nodes share the work of one that dies', () => {
    const sites = Array.from({ length: 8 }, (_, i) => site(`n${i}`, 60));
    const placement = placed(sites, request(120, 2));
    for (const { nodeId } of sites) {
      const heirs = placement.filter(([first]) => first?.nodeId === nodeId).map(([, second]) => second?.nodeId);
      expect(new Set(heirs).size).toBeGreaterThanOrEqual(4);
    }
  });

  it('leaves the same number of units free on each of unequal nodes, as far as replicas reach', () => {
    const sites = [site('big', 20), site('mid', 12), site('low', 10)];
    expect(counts(placed(sites, request(12, 1)), 'replicas')).toEqual({ big: 10, mid: 2 });
  });

  it('takes the smallest unit that is large enough, and keeps the larger ones', () => {
    const mixed: CandidateNode = {
      ...site('n1', 0),
      freeUnits: [10, 40, 20, 30].map((capacityBytes) => ({
        unitId: `n1/${capacityBytes}`,
        capacityBytes,
        engine: 'leveldb',
      })),
    };
    expect(placed([mixed], request(2, 1, { unitBytesMin: 15 })).flat()).toEqual([
      { nodeId: 'n1', unitId: 'n1/20' },
      { nodeId: 'n1', unitId: 'n1/30' },
    ]);
  });

  it('prefers memory for busy chunks, and disk else', () => {
    const both: CandidateNode = {
      ...site('n1', 0),
      freeUnits: (['leveldb', 'memory'] as const).map((engine) => ({
        unitId: `n1/${engine}`,
        capacityBytes: 10,
        engine,
      })),
    };
    expect(placed([both], request(1, 1))[0]?.[0]?.unitId).toBe('n1/leveldb');
    expect(placed([both], request(1, 1, { requestsPerSecondPerChunk: 50_000 }))[0]?.[0]?.unitId).toBe('n1/memory');
  });

  it('does not depend on the order in which nodes are listed', () => {
    fc.assert(
      fc.property(anySites, anyWish, (sites, wanted) => {
        expect(placeChunks([...sites].reverse(), wanted)).toEqual(placeChunks(sites, wanted));
      }),
    );
  });

  it('refuses when one failure domain holds all nodes', () => {
    const sites = ['n1', 'n2', 'n3'].map((nodeId) => site(nodeId, 9, { domain: 'rack-1' }));
    expect(placeChunks(sites, request(1, 2))).toMatchObject({
      code: 'NOT_ENOUGH_DOMAINS',
      message: expect.stringContaining('there are 1 (3 nodes)') as string,
    });
  });

  it('handles 100,000 chunks on 1,000 nodes', () => {
    const sites = Array.from({ length: 1_000 }, (_, i) => site(`n${i}`, 320, { domain: `rack-${i % 50}` }));
    const started = process.cpuUsage();
    const placement = placed(sites, request(100_000, 3));
    const tookMs = process.cpuUsage(started).user / 1_000;
    expect(spread(Object.values(counts(placement, 'replicas')))).toBeLessThanOrEqual(2);
    expect(spread(Object.values(counts(placement, 'primaries')))).toBeLessThanOrEqual(2);
    expect(tookMs).toBeLessThan(20_000);
  });
});
