import { creationAsked } from '../src/commands/namespaces/born';
import { type DirectRoutes, viewDirect } from '../src/views/view-direct';
import { ClusterScript } from './cluster-script';

function shop(): ClusterScript {
  const script = new ClusterScript().nodes(3, 8);
  script.namespace('shop', { chunks: 2, replicas: 3, partitions: 8 });
  return script;
}

const told = (script: ClusterScript, name = 'shop'): DirectRoutes => {
  const view = viewDirect(script.state, name);
  if (!('routes' in view)) throw new Error(JSON.stringify(view));
  return view;
};

describe('how nodes are asked for a namespace', () => {
  it('names its creation, its log, how keys are placed, and each node once', () => {
    const { nodes, routes, ...facts } = told(shop());
    expect(facts).toMatchObject({
      askedAs: '@shop#1 shop#1',
      log: 'levee.binlog.shop',
      partitions: 8,
      hashAlgorithm: 'murmur2',
      consistency: 'session',
      notDirect: null,
    });
    expect(nodes.map(({ nodeId }) => nodeId).sort()).toEqual(['n1', 'n2', 'n3']);
    expect(routes.map(({ slotStart, upCount }) => [slotStart, upCount])).toEqual([
      [0, 3],
      [500_000, 3],
    ]);
    for (const route of routes) expect([...route.nodes].sort()).toEqual([0, 1, 2]);
  });

  it('says how its log is followed, or why it is not for now', () => {
    const script = shop();
    expect(told(script).follow).toEqual({
      clusterId: script.state.clusterId,
      creation: 'shop#1',
      bornAs: 'shop',
      binlog: 'levee.binlog.shop',
      sourceTopicId: null,
      recordFormat: 'put',
      hiddenAfterMs: null,
      maxStalenessMs: null,
    });
    script.accept('AlterNamespace', { name: 'shop', maxStalenessMs: 500, requestsPerSecond: 10 });
    expect(told(script)).toMatchObject({ follow: { maxStalenessMs: 500 }, notDirect: /requestsPerSecond/ });
    script.accept('DeleteNamespace', { name: 'shop' });
    expect(viewDirect(script.state, 'shop')).toMatchObject({ follow: 'it is deleting' });
  });

  it('a suspect node is asked last, and counts as not up', () => {
    const script = shop();
    const [first] = told(script).routes;
    const primary = told(script).nodes[first?.nodes[0] as number]?.nodeId as string;
    const heard = { incarnation: `run-1-${primary}`, silentMs: 20_000, observers: ['m1'], reports: [] };
    script.accept('SuspectNode', { nodeId: primary, ...heard });
    const after = told(script);
    const [route] = after.routes;
    expect(route?.upCount).toBe(2);
    expect(after.nodes[route?.nodes[2] as number]?.nodeId).toBe(primary);
  });

  it('is told anew when a route, a node or a setting has changed, and not otherwise', () => {
    const script = shop();
    const { version } = told(script);
    expect(viewDirect(script.state, 'shop', version)).toEqual({ change: 'notChange', version });
    script.namespace('other', { chunks: 1, replicas: 1 });
    expect(viewDirect(script.state, 'shop', version)).toEqual({ change: 'notChange', version });
    script.accept('AlterNamespace', { name: 'shop', consistency: 'strong' });
    const altered = told(script);
    expect(altered.version).toBeGreaterThan(version);
    expect(altered.consistency).toBe('strong');
    expect(viewDirect(script.state, 'shop', altered.version + 1)).toMatchObject({ code: 'VERSION_FROM_FUTURE' });
    expect(viewDirect(script.state, 'shoes')).toMatchObject({ code: 'NAMESPACE_UNKNOWN' });
  });

  it('is not to be done where only portals can count the requests', () => {
    const script = shop();
    script.accept('AlterNamespace', { name: 'shop', requestsPerSecond: 5 });
    expect(told(script).notDirect).toMatch(/requestsPerSecond/);
  });

  it('names a creation that nodes refuse once they have heard of a later one', () => {
    const before = shop();
    const asked = told(before).askedAs;
    const named = (number: number) => (name: string) =>
      name === 'shop' ? { name, number, bornAs: null, bornNumber: null } : undefined;
    expect(creationAsked(named(1), asked)).toBe('shop#1');
    expect(creationAsked(named(2), asked)).toBeUndefined();
  });
});
