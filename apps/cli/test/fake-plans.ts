interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const beganMs = Date.UTC(2026, 0, 2, 3, 4, 5);

function plan(change: object = {}): object {
  return {
    planId: 'p42',
    kind: 'move',
    namespace: 'default',
    state: 'running',
    step: 'copy',
    attempt: 1,
    approved: true,
    nodeId: null,
    sources: ['default#1/c00001'],
    trigger: 'operator',
    failureCode: null,
    failureMessage: null,
    ...change,
  };
}

const steps = [
  {
    number: 1,
    name: 'something is reported',
    state: 'done',
    atMs: beganMs,
    seq: 42,
    evidence: '{"by":"http 127.0.0.1"}',
  },
  { number: 6, name: 'the data is copied', state: 'running', atMs: beganMs + 1_000, seq: null, evidence: '' },
  { number: 8, name: 'both sides agree, the routes change', state: 'waiting', atMs: null, seq: null, evidence: '' },
];

const progress = (percent: number): object[] => [
  {
    unitId: 'n4/u00',
    chunkId: 'default#1/c00001',
    step: 'copy',
    recordsCopied: percent * 10,
    bytesCopied: percent * 1_000,
    bytesTotal: 100_000,
    bytesPerSecond: 2_500_000,
    lagRecords: -1,
    percent,
    remainingMs: 3_200,
  },
];

/** A drain that has nowhere to go. */
const stuck = {
  outcome: 'running at parts, waiting for unit n9/u00: no failure domain is left',
  ...{ chunksBefore: [], chunksAfter: [], nodesBefore: [], nodesAfter: [] },
  ...{ replicasMade: 0, bytes: 0, expectedMs: 0 },
};

const place = { chunkId: 'default#1/c00001', slotStart: 0, slotEnd: 125_000 };
const done = {
  outcome: 'done',
  chunksBefore: [{ ...place, replicas: ['primary n1/u00@1', 'follower n2/u00@1'] }],
  chunksAfter: [{ ...place, replicas: ['primary n4/u00@1', 'follower n2/u00@1'] }],
  nodesBefore: ['n1', 'n2', 'n4'].map((nodeId) => ({ nodeId, replicas: 4, primaries: 2, unitsFree: 28 })),
  nodesAfter: [
    { nodeId: 'n1', replicas: 3, primaries: 1, unitsFree: 29 },
    { nodeId: 'n2', replicas: 4, primaries: 2, unitsFree: 28 },
    { nodeId: 'n4', replicas: 5, primaries: 3, unitsFree: 27 },
  ],
  ...{ replicasMade: 1, bytes: 100_000, expectedMs: 600_002 },
};

const report = (change: object = {}, more: object = {}): object => ({
  plan: plan(change),
  steps,
  progress: [],
  parts: [],
  ...more,
});

const waitingFor = (reason: string, s: number) => ({ reason, sinceMs: beganMs + s * 1_000, isAlarm: false });

/** What a portal says of plans; `undefined`: that is another one's business. */
export function answerPlans(request: {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: Buffer;
}): Answer | undefined {
  const { method, path, query, body } = request;
  switch (`${method} ${path}`) {
    case 'GET /v1/plans':
      return {
        status: 200,
        body: {
          plans: [
            plan(),
            plan({ planId: 'p44', kind: 'drain', state: 'proposed', approved: false, sources: [], nodeId: 'n3' }),
            plan({ planId: 'p45', kind: 'merge', state: 'failed', failureMessage: 'digests differ in partition 3' }),
          ],
        },
      };
    case 'POST /v1/plans': {
      const asked = JSON.parse(body.toString()) as { kind: string; chunkId?: string; nodeId?: string };
      if (asked.chunkId === 'default#1/c00009')
        return { status: 409, body: { code: 'PLAN_CONFLICT', message: 'plan p42 moves default#1/c00009 already' } };
      const prediction = asked.nodeId === 'n9' ? stuck : { ...done, asked };
      const cannotEnd = 'default#1/c00001 has replicas in every failure domain: start a node in another domain';
      const dry = query === 'dryRun=1' ? { prediction } : asked.nodeId === 'n9' ? { cannotEnd } : {};
      return { status: 201, body: report({ kind: asked.kind, state: 'proposed', step: 'allocate' }, dry) };
    }
    case 'GET /v1/plans/p42':
      return { status: 200, body: report({}, { progress: progress(40) }) };
    case 'POST /v1/plans/p42/cancel':
      return { status: 200, body: report({ state: 'reclaiming', step: 'reclaim' }) };
    case 'POST /v1/plans/p42/rollback':
      return {
        status: 409,
        body: { code: 'PLAN_NOT_READY', message: 'plan p42 is running: cancel it, a rollback needs a switch' },
      };
    case 'POST /v1/plans/p42/finish': {
      const { reason } = JSON.parse(body.toString()) as { reason?: string };
      const evidence = JSON.stringify({ finishedBy: 'http 127.0.0.1', reason });
      const step = { number: 9, name: 'observed', state: 'running', atMs: beganMs, seq: 43, evidence };
      return { status: 200, body: report({ state: 'observing', step: 'observe' }, { steps: [step] }) };
    }
    case 'POST /v1/plans/p45/finish': {
      const message = 'plan p45 (merge) is failed at step verify and cannot be finished; possible now: retry, cancel';
      return { status: 409, body: { code: 'PLAN_NOT_READY', message } };
    }
    case 'GET /v1/plans/p42/watch':
      return {
        status: 200,
        body: [
          ...[0, 1, 2].map((s) => report({}, { progress: progress(10), waits: waitingFor('its part p43', s) })),
          ...[3, 4].map((s) => report({}, { progress: progress(90), waits: waitingFor('node n4', s) })),
          report({ state: 'done' }),
        ]
          .map((each) => `${JSON.stringify(each)}\n`)
          .join(''),
      };
    case 'GET /v1/plans/p44/watch': {
      const waits = { reason: 'approval', sinceMs: beganMs, isAlarm: false };
      const waiting = report({ planId: 'p44', kind: 'drain', state: 'proposed', approved: false }, { waits });
      return { status: 200, body: `${JSON.stringify(waiting)}\n${JSON.stringify(waiting)}\n` };
    }
    case 'GET /v1/plans/p45/watch':
      return {
        status: 200,
        body: `${JSON.stringify(report({ planId: 'p45', state: 'failed', failureCode: 'DIGEST_MISMATCH', failureMessage: 'digests differ' }))}\n`,
      };
    case 'GET /v1/explain':
      return {
        status: 200,
        body: {
          subject: decodeURIComponent(query.replace('subject=', '')),
          now: 'serves slots 0..1000000 from n1, n2',
          chain: [{ atMs: beganMs, seq: 42, what: 'PlanSwitched', evidence: 'p42' }],
          ...(query === 'subject=n2'
            ? { reasons: [], dispatcher: 'no dispatcher was heard of since this portal started' }
            : {
                reasons: [
                  {
                    atMs: beganMs,
                    what: 'nothing to do',
                    evidence: JSON.stringify({ load: 120.25, share: 99.123, perUnit: null }),
                  },
                ],
              }),
        },
      };
    default:
      return undefined;
  }
}
