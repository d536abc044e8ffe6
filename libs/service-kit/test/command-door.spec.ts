import { randomUUID } from 'node:crypto';
import { of } from 'rxjs';
import { ClusterState } from '@levee/cluster';
import type { ClusterView, SubmittedCommand } from '@levee/journal';
import { CommandDoor, type LogClient } from '../src';

function setUp() {
  let nowMs = 0;
  const sent: SubmittedCommand[] = [];
  const state = new ClusterState();
  state.absorb({ kind: 'cluster', entity: { clusterId: 'c', change: 'Test', seq: 1, term: 1 } });
  const outcome = { rejectionCode: null, rejectionMessage: null, seq: 2, commandId: 'x' };
  const client = { send: (_pattern: string, command: SubmittedCommand) => (sent.push(command), of(outcome)) };
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const view = { state, seq: 1, term: 1 } as unknown as ClusterView;
  const delaysMs: number[] = [];
  const timers = {
    after: (delayMs: number, action: () => void) => {
      delaysMs.push(delayMs);
      const immediate = setImmediate(action);
      return () => clearImmediate(immediate);
    },
  };
  const door = new CommandDoor(client as unknown as LogClient, view, clock, timers);
  const create = (name: string, principal = 'http 10.0.0.1') =>
    door.run({ kind: 'CreateNamespace', payload: { name, chunks: 1, replicas: 1 }, principal });
  return { door, sent, delaysMs, create, state, pass: (ms: number) => (nowMs += ms) };
}

it.each<[string, object, string]>([
  ['Dance', {}, 'UNKNOWN_KIND'],
  ['constructor', {}, 'UNKNOWN_KIND'],
  ['LoseNode', { nodeId: 'n1' }, 'FORBIDDEN'],
  ['CreateNamespace', {}, 'BAD_COMMAND'],
  ['CreateNamespace', { name: 'Bad Name' }, 'BAD_NAME'],
  ['CreateNamespace', { name: 'fine', colour: 'red' }, 'UNKNOWN_KNOB'],
  ['CordonNode', { nodeId: 7 }, 'BAD_COMMAND'],
])('%s %j is refused at the door as %s, and nothing is written', async (kind, payload, code) => {
  const { door, sent } = setUp();
  await expect(door.run({ kind, payload: payload as never, principal: 'http a' })).rejects.toMatchObject({ code });
  expect(sent).toEqual([]);
});

it('what only a state refuses is written: it may be another one when it is decided', async () => {
  const { door, sent } = setUp();
  await door.run({ kind: 'CordonNode', payload: { nodeId: 'nobody' }, principal: 'http a' });
  expect(sent).toHaveLength(1);
});

it('one address gives so many commands a second, whatever becomes of them; others do not notice', async () => {
  const { door, sent, create, pass } = setUp();
  for (let i = 0; i < 50; i++) await create(`ns${i}`);
  await expect(create('one-more')).rejects.toMatchObject({
    code: 'LIMIT',
    message: 'more than 50 commands a second of http 10.0.0.1: nothing was written, slow down',
  });
  for (let i = 0; i < 60; i++)
    await expect(door.run({ kind: 'Dance', payload: {}, principal: 'http b' })).rejects.toMatchObject({
      code: i < 50 ? 'UNKNOWN_KIND' : 'LIMIT',
    });
  await create('elsewhere', 'http 10.0.0.2');
  pass(100);
  for (let i = 0; i < 5; i++) await create(`later${i}`);
  await expect(create('too-soon')).rejects.toMatchObject({ code: 'LIMIT' });
  expect(sent).toHaveLength(56);
});

it('one too many is told so after a while, so that who asks again at once is no busy loop; of very many who wait some at once', async () => {
  const { create, delaysMs, sent } = setUp();
  for (let i = 0; i < 50; i++) await create(`ns${i}`);
  expect(delaysMs).toEqual([]);
  const refused = await Promise.allSettled(Array.from({ length: 1_200 }, () => create('more')));
  expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
  expect(delaysMs).toEqual(Array.from({ length: 1_000 }, () => 250));
  await create('more').catch(() => undefined);
  expect([delaysMs.length, sent.length]).toEqual([1_001, 50]);
});

it('addresses that are heard no more are forgotten', async () => {
  const { create, sent } = setUp();
  for (let i = 0; i < 10_001; i++) await create('ns', `http ${i}`);
  for (let i = 0; i < 50; i++) await create('ns', 'http 0');
  expect(sent).toHaveLength(10_051);
});

it('a command that was decided gets its outcome and is not written again', async () => {
  const { door, sent, state } = setUp();
  const id = randomUUID();
  const entity = {
    commandId: id,
    kind: 'CreateNamespace',
    rejectionCode: null,
    rejectionMessage: null,
    decidedAtMs: 1,
    change: 'CommandAccepted',
    seq: 2,
    term: 1,
  };
  state.absorb({ kind: 'outcome', entity });
  const again = { id, kind: 'CreateNamespace', payload: { name: 'a' }, principal: 'http a' };
  expect(await door.run(again)).toEqual(entity);
  expect(sent).toEqual([]);
});
