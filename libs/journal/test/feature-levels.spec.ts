import { decodeAs, encode } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import type { EmbeddedLog } from '@levee/log-embedded';
import type { ClusterView } from '../src';
import { nodeRegistration, openLog, openView, run, startMaster, topics, type TestMaster } from './control-plane';
import { recordsOf } from './cut-log';
import { eventually } from './eventually';

let log: EmbeddedLog;
let view: ClusterView;
let master: TestMaster;

beforeEach(async () => {
  log = await openLog();
  master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  view = await openView(log);
  for (const nodeId of ['n1', 'n2']) await run(log, view, nodeRegistration(nodeId, 4));
});

afterEach(async () => {
  await view.close();
  await master.close();
  await log.close();
});

const beat = (kind: 'portal' | 'dispatcher', id: string, featureLevel: number) =>
  log.append(topics.heartbeats, asPartition(0), [
    {
      key: Buffer.from(`${kind}/${id}`),
      value: encode('Heartbeat', {
        ...{ kind, id, incarnation: 'i', address: '127.0.0.1:1', sentAtMs: 1, featureLevel },
        ...{ positions: [], loads: [], moves: [], freeDiskBytes: -1, errors: [] },
      }),
    },
  ]);

const heard = (kind: 'portal' | 'dispatcher', id: string, featureLevel: number) =>
  eventually(
    'the master hears it',
    () => master.master.heartbeats.latest(kind, id)?.beat.featureLevel === featureLevel,
  );

const recorded = async (): Promise<Record<string, unknown>> => {
  const last = (await recordsOf(log, topics.journal)).at(-1)?.value ?? Buffer.alloc(0);
  return JSON.parse(decodeAs('Decision', last).command.payload) as Record<string, unknown>;
};

const cordon = { kind: 'CordonNode', payload: { nodeId: 'n1' } };
const tooOld = /^portal p1 reads records of feature level 1, a cordon needs 2: upgrade it first/;

test.each([
  ['a cordon', cordon],
  ['a drain', { kind: 'ProposePlan', payload: { kind: 'drain', nodeId: 'n1' } }],
])('%s waits until every process reads it, and its command says who was heard', async (_what, command) => {
  await beat('portal', 'p1', 1);
  await beat('dispatcher', 'd1', 2);
  await heard('dispatcher', 'd1', 2);
  const refused = await run(log, view, command);
  expect(refused).toMatchObject({ rejectionCode: 'NODE_TOO_OLD', rejectionMessage: expect.stringMatching(tooOld) });
  expect((await recorded())['heard']).toMatchObject([
    { process: 'portal p1', featureLevel: 1 },
    { process: 'dispatcher d1', featureLevel: 2 },
    { process: 'master m1', featureLevel: 2 },
  ]);
  await beat('portal', 'p1', 2);
  await heard('portal', 'p1', 2);
  expect(await run(log, view, command)).toMatchObject({ rejectionCode: null });
});

test('who submits cannot say who was heard, and a silent process counts over a takeover', async () => {
  await beat('portal', 'p1', 1);
  await master.close();
  master = await startMaster(log, { instance: 'm2', claimAtOnce: true });
  await eventually('the reign', () => master.master.candidacy.role === 'active');
  expect(master.master.heartbeats.latest('portal', 'p1')).toBeUndefined();
  const forged = { ...cordon, payload: { nodeId: 'n1', heard: [{ process: 'portal p1', featureLevel: 9 }] } };
  const refused = await run(log, view, forged);
  expect(refused).toMatchObject({ rejectionCode: 'NODE_TOO_OLD', rejectionMessage: expect.stringMatching(tooOld) });
  expect((await recorded())['heard']).toContainEqual({ process: 'portal p1', featureLevel: 1 });
  expect(await run(log, view, { kind: 'UncordonNode', payload: { nodeId: 'n1' } })).toMatchObject({
    rejectionCode: null,
  });
});
