import { isTakenAway, nodeCounts } from '../../src/views/node-counts';
import { ClusterScript } from '../cluster-script';

const silent = (nodeId: string, kind: 'SuspectNode' | 'LoseNode') => ({
  nodeId,
  incarnation: `run-1-${nodeId}`,
  silentMs: kind === 'SuspectNode' ? 1_500 : 60_000,
  observers: ['m1'],
  reports: [{ by: 'portal p1', code: 'UNREACHABLE', count: 3, agoMs: 200 }],
});
const gone = (script: ClusterScript, nodeId: string): void => {
  for (const kind of ['SuspectNode', 'LoseNode'] as const) script.accept(kind, silent(nodeId, kind));
};
const none = { up: 0, suspect: 0, lost: 0, maintenance: 0, takenAway: 0 };

describe('how many nodes are in each state', () => {
  /** Four nodes; `shop` has a replica on n1, n2 and n3. */
  const shop = (): ClusterScript => {
    const script = new ClusterScript().nodes(3, 8);
    script.namespace('shop', { chunks: 2, replicas: 3 });
    script.node('n4', { unitCount: 8 });
    return script;
  };

  it('a node that falls silent is lost, and taken away only if it was cordoned and holds nothing', () => {
    const script = shop();
    expect(nodeCounts(script.state)).toEqual({ ...none, up: 4 });
    gone(script, 'n4');
    expect(nodeCounts(script.state)).toEqual({ ...none, up: 3, lost: 1 });
    script.accept('CordonNode', { nodeId: 'n4' });
    expect(nodeCounts(script.state)).toEqual({ ...none, up: 3, takenAway: 1 });
    script.accept('UncordonNode', { nodeId: 'n4' });
    expect(nodeCounts(script.state)).toEqual({ ...none, up: 3, lost: 1 });
  });

  it('a cordoned node is not taken away while it lives, nor while a replica of what serves is counted on', () => {
    const script = shop();
    script.accept('CordonNode', { nodeId: 'n4' });
    expect(nodeCounts(script.state)).toEqual({ ...none, up: 4 });
    script.accept('CordonNode', { nodeId: 'n1' });
    gone(script, 'n1');
    expect(nodeCounts(script.state)).toEqual({ ...none, up: 3, lost: 1 });
  });

  it.each([
    ['up', false],
    ['maintenance', false],
    ['suspect', true],
    ['lost', true],
  ] as const)('one that is %s, cordoned and without a replica: taken away is %s', (state, is) => {
    expect(isTakenAway({ nodeId: 'n1', state, cordoned: true }, [])).toBe(is);
    expect(isTakenAway({ nodeId: 'n1', state, cordoned: false }, [])).toBe(false);
  });
});
