import { decode, decodeAs, encode } from '@levee/codec';
import { featureLevel } from '@levee/events';
import { asPartition } from '@levee/kernel';
import type { EmbeddedLog } from '@levee/log-embedded';
import {
  nodeRegistration,
  openLog,
  openView,
  run,
  startMaster,
  topics,
  type TestMaster,
} from '../../master/test/control-plane';
import { eventually } from '../../master/test/eventually';
import type { ClusterView } from '../src';
import { recordsOf } from './cut-log';

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
const shop = { name: 'shop', partitions: 1, chunks: 1, replicas: 1 };
const tooOld = (level: number, what: string): RegExp =>
  new RegExp(`^portal p1 reads records of feature level ${level}, ${what}: upgrade it first`);

test.each([
  ['a cordon', 2, 'a cordon needs 2', cordon],
  ['a drain', 2, 'a cordon needs 2', { kind: 'ProposePlan', payload: { kind: 'drain', nodeId: 'n1' } }],
  [
    'a namespace whose MULTI is a batch',
    3,
    'multi batch needs 3',
    { kind: 'CreateNamespace', payload: { ...shop, multi: 'batch' } },
  ],
  [
    'a namespace of raw records',
    4,
    'recordFormat raw needs 4',
    { kind: 'CreateNamespace', payload: { ...shop, recordFormat: 'raw' } },
  ],
  [
    'a namespace whose keys librdkafka places',
    4,
    'hashAlgorithm crc32 needs 4',
    { kind: 'CreateNamespace', payload: { ...shop, hashAlgorithm: 'crc32' } },
  ],
])('%s waits until every process reads it, and its command says who was heard', async (_what, level, why, command) => {
  await beat('portal', 'p1', level - 1);
  await beat('dispatcher', 'd1', level);
  await heard('dispatcher', 'd1', level);
  const refused = await run(log, view, command);
  const rejectionMessage: unknown = expect.stringMatching(tooOld(level - 1, why));
  expect(refused).toMatchObject({ rejectionCode: 'NODE_TOO_OLD', rejectionMessage });
  expect((await recorded())['heard']).toEqual(
    [
      { process: 'portal p1', featureLevel: level - 1 },
      { process: 'dispatcher d1', featureLevel: level },
      { process: 'master m1', featureLevel },
    ].sort((one, other) => one.featureLevel - other.featureLevel),
  );
  await beat('portal', 'p1', level);
  await heard('portal', 'p1', level);
  expect(await run(log, view, command)).toMatchObject({ rejectionCode: null });
});

test('a namespace is written as older processes read it, until its MULTI is a batch, and then again', async () => {
  const versions = async (): Promise<number[]> => {
    const last = (await recordsOf(log, topics.journal)).at(-1)?.value ?? Buffer.alloc(0);
    return decodeAs('Decision', last)
      .events.map((bytes) => decode(bytes))
      .filter(({ name }) => name === 'NamespaceState')
      .map(({ version }) => version);
  };
  const written: number[][] = [];
  const submit = async (kind: string, payload: object): Promise<void> => {
    expect(await run(log, view, { kind, payload })).toMatchObject({ rejectionCode: null });
    written.push(await versions());
  };
  await submit('CreateNamespace', shop);
  await eventually('the namespace being active', () => view.state.namespace('shop')?.state === 'active');
  await submit('AlterNamespace', { name: 'shop', ack: 'all' });
  await submit('AlterNamespace', { name: 'shop', multi: 'batch' });
  await submit('AlterNamespace', { name: 'shop', ack: 'logged' });
  const again = await openView(log);
  expect(again.state.namespace('shop')).toMatchObject({ multi: 'batch', flush: 'refuse', ack: 'logged' });
  await again.close();
  await submit('AlterNamespace', { name: 'shop', multi: 'refuse' });
  await submit('CreateNamespace', { ...shop, name: 'raw', recordFormat: 'raw' });
  await submit('CreateNamespace', { ...shop, name: 'tags', hashAlgorithm: 'murmur2-hashtag' });
  await submit('CreateNamespace', { ...shop, name: 'theirs', hashAlgorithm: 'fnv1a', multi: 'batch' });
  expect(written).toEqual([[1], [1], [2], [2], [1], [3], [1], [3]]);
  expect(view.state.namespace('raw')).toMatchObject({ recordFormat: 'raw', sourceTopic: null, writable: true });
});

test('who submits cannot say who was heard, and a silent process counts over a takeover', async () => {
  await beat('portal', 'p1', 1);
  await master.close();
  master = await startMaster(log, { instance: 'm2', claimAtOnce: true });
  await eventually('the reign', () => master.master.candidacy.role === 'active');
  expect(master.master.heartbeats.latest('portal', 'p1')).toBeUndefined();
  const forged = { ...cordon, payload: { nodeId: 'n1', heard: [{ process: 'portal p1', featureLevel: 9 }] } };
  const refused = await run(log, view, forged);
  expect(refused).toMatchObject({
    rejectionCode: 'NODE_TOO_OLD',
    rejectionMessage: expect.stringMatching(tooOld(1, 'a cordon needs 2')),
  });
  expect((await recorded())['heard']).toContainEqual({ process: 'portal p1', featureLevel: 1 });
  expect(await run(log, view, { kind: 'UncordonNode', payload: { nodeId: 'n1' } })).toMatchObject({
    rejectionCode: null,
  });
});
