import { InvariantViolation } from '@levee/kernel';
import { Liveness, livenessLimits, type WatchedNode } from '../../src';
import { checkLivenessLimits } from '../../src/liveness/liveness-limits';
import { isStorm } from '../../src/liveness/storm';
import { ClusterScript } from '../cluster-script';

const limits = livenessLimits({ heartbeatMs: 300, lostAfterMs: 10_000 });
const tickMs = 100;

interface Conditions {
  /** Nodes whose heartbeats arrive. */
  readonly beating?: readonly string[];
  /** Of another run than the registered one. */
  readonly incarnation?: string;
  /** The observer's own heartbeats arrive; default true. */
  readonly self?: boolean;
  /** The observer stands at the end; default true. */
  readonly atEnd?: boolean;
  /** The observer does not run at all: it reads nothing, then everything at once. */
  readonly paused?: boolean;
  /** Reporters of errors towards n1. */
  readonly reporters?: readonly string[];
}

/** An observer at a simulated clock; every process beats every 300 ms. Decisions are adopted as the rules say. */
class Watch {
  readonly liveness = new Liveness('m1', limits);
  readonly said: string[] = [];
  readonly states = new Map<string, WatchedNode['state']>();
  evidence: unknown;
  storm = false;
  nowMs = 5_000;

  constructor(readonly nodeIds: readonly string[] = ['n1', 'n2', 'n3', 'n4']) {
    for (const nodeId of nodeIds) this.states.set(nodeId, 'up');
  }

  run(forMs: number, conditions: Conditions = {}): this {
    const { beating = this.nodeIds, self = true, atEnd = true, paused = false, reporters = [] } = conditions;
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs;) {
      this.nowMs += tickMs;
      if (paused) continue;
      if (this.nowMs % 300 < tickMs) {
        for (const nodeId of beating)
          this.liveness.heard({ nodeId, incarnation: conditions.incarnation ?? 'run-1' }, this.nowMs);
        for (const by of reporters)
          this.liveness.reported(by, { nodeId: 'n1', code: 'UNREACHABLE', count: 2 }, this.nowMs);
        if (self) this.liveness.heardSelf();
      }
      if (atEnd) this.liveness.atEnd(this.nowMs);
      this.adopt();
    }
    return this;
  }

  private adopt(): void {
    const nodes = this.nodeIds.map((nodeId) => ({ nodeId, incarnation: 'run-1', state: this.states.get(nodeId)! }));
    const { findings, storm } = this.liveness.findings(nodes, this.nowMs);
    this.storm = storm !== undefined;
    for (const { kind, payload } of findings) {
      this.said.push(`${kind} ${payload.nodeId}`);
      this.evidence = payload;
      this.states.set(payload.nodeId, { SuspectNode: 'suspect', LoseNode: 'lost', ReviveNode: 'up' }[kind] as 'up');
    }
  }
}

const others = ['n2', 'n3', 'n4'];

describe('the failure detector', () => {
  it.each<[string, readonly (readonly [number, Conditions])[], readonly string[]]>([
    ['says nothing while all are heard', [[60_000, {}]], []],
    [
      'forgives 1.2 s',
      [
        [3_000, {}],
        [1_200, { beating: others }],
        [3_000, {}],
      ],
      [],
    ],
    [
      'suspects after 1.5 s',
      [
        [3_000, {}],
        [2_100, { beating: others }],
      ],
      ['SuspectNode n1'],
    ],
    [
      'gives up after lostAfter',
      [
        [3_000, {}],
        [10_900, { beating: others }],
      ],
      ['SuspectNode n1', 'LoseNode n1'],
    ],
    [
      'believes a return after three heartbeats',
      [
        [3_000, {}],
        [2_400, { beating: others }],
        [1_200, {}],
      ],
      ['SuspectNode n1', 'ReviveNode n1'],
    ],
    [
      'does not believe a single heartbeat',
      [
        [3_000, {}],
        [2_400, { beating: others }],
        [600, {}],
        [1_200, { beating: others }],
      ],
      ['SuspectNode n1'],
    ],
    [
      'brings a lost node back',
      [
        [3_000, {}],
        [11_000, { beating: others }],
        [1_200, {}],
      ],
      ['SuspectNode n1', 'LoseNode n1', 'ReviveNode n1'],
    ],
    [
      'counts nothing without its own heartbeats',
      [
        [3_000, {}],
        [60_000, { beating: [], self: false }],
      ],
      [],
    ],
    [
      'counts nothing while it is not at the end',
      [
        [3_000, {}],
        [60_000, { beating: [], atEnd: false }],
      ],
      [],
    ],
    [
      'counts nothing while it is paused itself',
      [
        [3_000, {}],
        [60_000, { paused: true }],
        [3_000, {}],
      ],
      [],
    ],
    [
      'begins anew after its own silence',
      [
        [3_000, {}],
        [900, { beating: others }],
        [5_000, { beating: [], self: false }],
        [300, { beating: others }],
      ],
      [],
    ],
    [
      'does not take another run for the node',
      [
        [3_000, {}],
        [2_400, { incarnation: 'run-0' }],
      ],
      ['SuspectNode n1', 'SuspectNode n2', 'SuspectNode n3', 'SuspectNode n4'],
    ],
    [
      'believes two reporters after 700 ms of silence',
      [
        [3_000, {}],
        [1_200, { beating: others, reporters: ['portal p1', 'portal p2'] }],
      ],
      ['SuspectNode n1'],
    ],
    [
      'does not believe one reporter alone',
      [
        [3_000, {}],
        [1_200, { beating: others, reporters: ['portal p1'] }],
        [3_000, {}],
      ],
      [],
    ],
    [
      'does not suspect whom it hears, whatever others report',
      [[30_000, { reporters: ['portal p1', 'portal p2'] }]],
      [],
    ],
  ])('%s', (_what, phases, said) => {
    const watch = new Watch();
    for (const [forMs, conditions] of phases) watch.run(forMs, conditions);
    expect(watch.said).toEqual(said);
  });

  it('brakes in a storm: nodes that vanish at once are suspect, none is given up, and the alarm says who', () => {
    const watch = new Watch(['n1', 'n2', 'n3', 'n4', 'n5']).run(3_000);
    watch.run(60_000, { beating: ['n3', 'n4', 'n5'] });
    expect(watch.said).toEqual(['SuspectNode n1', 'SuspectNode n2']);
    expect(watch.storm).toBe(true);
    watch.run(1_500, { beating: ['n2', 'n3', 'n4', 'n5'] });
    expect(watch.said.slice(2)).toEqual(['ReviveNode n2', 'LoseNode n1']);
    expect(watch.storm).toBe(false);
  });

  it('leaves a node in maintenance alone, and counts from its end', () => {
    const watch = new Watch().run(3_000);
    watch.states.set('n1', 'maintenance');
    watch.run(60_000, { beating: others });
    expect(watch.said).toEqual([]);
    watch.states.set('n1', 'suspect');
    watch.run(9_000, { beating: others });
    expect(watch.said).toEqual([]);
    watch.run(2_000, { beating: others });
    expect(watch.said).toEqual(['LoseNode n1']);
  });

  it('gives evidence that the rules accept', () => {
    const watch = new Watch().run(3_000).run(1_200, { beating: others, reporters: ['portal p1', 'portal p2'] });
    expect(watch.evidence).toMatchObject({
      nodeId: 'n1',
      observers: ['m1'],
      reports: [{ by: 'portal p1', code: 'UNREACHABLE', count: 2 }, { by: 'portal p2' }],
    });
    const script = new ClusterScript().nodes(4);
    const incarnation = script.state.node('n1')?.incarnation;
    expect(script.answer('SuspectNode', { ...(watch.evidence as object), incarnation })).toBe('accepted');
  });

  it('does not remember nodes that are gone, nor reports without end', () => {
    const watch = new Watch().run(300, {});
    for (let i = 0; i < 1_000; i++)
      watch.liveness.reported(`portal p${i}`, { nodeId: 'n1', code: 'X', count: 1 }, watch.nowMs);
    watch.run(1_600, { beating: others });
    const { reports } = (watch.evidence ?? { reports: [] }) as { reports: unknown[] };
    expect(reports.length).toBeLessThanOrEqual(32);
    expect(watch.liveness.findings([], watch.nowMs)).toEqual({ findings: [], storm: undefined });
  });
});

describe('limits of the failure detector', () => {
  it.each([
    [{ suspectAfterMs: 800 }, 'a node survives two lost heartbeats'],
    [{ lostAfterMs: 1_500 }, 'a node is suspect (1500 ms) before it is lost (1500 ms)'],
    [{ gapMsMax: 1_600 }, 'one look alone never makes a node suspect'],
    [{ reportedSuspectAfterMs: 2_000 }, 'reports speed suspicion up'],
    [{ reportersMin: 1 }, 'one reporter may be the one cut off'],
  ])('%j are refused: %s', (change, message) => {
    expect(() => checkLivenessLimits({ ...limits, ...change })).toThrow(InvariantViolation);
    expect(() => checkLivenessLimits({ ...limits, ...change })).toThrow(message);
  });

  it.each([30, 300, 1_000, 5_000])('fit heartbeats every %d ms', (heartbeatMs) => {
    expect(() => livenessLimits({ heartbeatMs, lostAfterMs: 600_000 })).not.toThrow();
  });

  it.each([
    [1, 1, false],
    [1, 2, false],
    [1, 3, false],
    [2, 3, true],
    [2, 6, false],
    [3, 6, true],
    [33, 100, false],
    [34, 100, true],
  ])('%d of %d silent: storm %s', (silent, watched, storm) => {
    expect(isStorm({ silent, watched })).toBe(storm);
  });
});
