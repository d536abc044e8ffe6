import { ClusterState } from '@levee/cluster';
import { type Logger, silentLogger } from '@levee/kernel';
import { nodeCommands, readWitnessReport, RespError, type RespReply, type WitnessFacts } from '@levee/wire';
import type { EngineContext } from '../src/engine-context';
import type { NodeLink } from '../src/routes/node-link';
import { WriteStops } from '../src/writes/write-stops';
import { chunkEntity } from './cluster-entities';

const facts: WitnessFacts = {
  ...{ namespace: 'ns', binlog: 'b', chunkId: 'ns#1/c00000', slotStart: 0, slotEnd: 1_000_000 },
  ...{ nodeId: 'n1', storeId: 's-n1', unitId: 'n1/u1', generation: 1, readable: true },
  ...{
    partition: 0,
    cutOffset: 80,
    cutKnown: true,
    nextOffset: 120,
    leaderEpoch: 5,
    keysAtStake: 7,
    why: 'LOG_TRUNCATED',
  },
};

const report = (...witnesses: readonly unknown[]): Buffer => Buffer.from(JSON.stringify({ nodeId: 'n1', witnesses }));

const hostile: readonly [what: string, reply: Buffer | RespReply][] = [
  ['no JSON', Buffer.from('{')],
  ['JSON that is no object', Buffer.from('null')],
  ['no list', Buffer.from('{"nodeId":"n1","witnesses":{"length":1}}')],
  ['a list of nothing', report(null)],
  ['of texts', report('n1')],
  ['one good witness and one that is none', report(facts, null)],
  ['an offset that is a text', report({ ...facts, cutOffset: '80' })],
  ['an offset that is missing', report({ ...facts, nextOffset: undefined })],
  ['a namespace that is an object', report({ ...facts, namespace: { toString: 1 } })],
  ['keys that are no list', report({ ...facts, keys: 5 })],
  ['a count below 0', report({ ...facts, keysAtStake: -1 })],
  ['no bytes', 'OK'],
];

/** Stops of a cluster of one node; time passes when it is told to. */
function world() {
  const warned: string[] = [];
  const state = new ClusterState();
  state.absorb({ kind: 'chunk', entity: chunkEntity(['n1']) });
  let reply: RespReply = report();
  let next: (() => void) | undefined;
  const logger: Logger = { ...silentLogger, warn: (_facts: object, text: string) => warned.push(text) };
  const context = {
    ...{
      logger,
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
      limits: { witnessAskMs: 1_000, witnessEveryMs: 1_000 },
    },
    timers: { after: (_ms: number, run: () => void) => ((next = run), () => undefined) },
  };
  const link = {
    ...{ address: { nodeId: 'n1' }, usable: true },
    scans: {
      send([command]: readonly string[], _ms: number, done: (failure: undefined, reply: RespReply) => void): void {
        expect(command).toBe(nodeCommands.witness);
        done(undefined, reply);
      },
    },
  };
  const view = { state, onDecision: () => () => undefined };
  const of = new WriteStops(
    context as unknown as EngineContext,
    view,
    () => [link as unknown as NodeLink],
    () => undefined,
  );
  of.start();
  return {
    warned,
    stopped: () => [...(of.current.get('b')?.keys() ?? [])],
    /** The node is asked again, and answers this. */
    says(answer: RespReply): void {
      reply = answer;
      next?.();
    },
  };
}

it('a report of a node is read as it was told', () => {
  const told = [facts, { ...facts, partition: 1, keysAtStake: null, left: true, leaderEpoch: -1, keys: ['k'] }];
  expect(readWitnessReport(report(...told)).witnesses).toEqual(told);
  expect(readWitnessReport(report()).witnesses).toEqual([]);
  const later = { ...facts, ofLaterVersions: 1 };
  expect(readWitnessReport(report(later)).witnesses).toEqual([later]);
});

it.each(hostile)('an answer that is %s is not understood, in words', (_what, reply) => {
  expect(() => readWitnessReport(reply)).toThrow(/^an answer to LV.WITNESS is not understood: /);
});

it.each(hostile)('an answer that is %s stops nothing, ends no stop, and nodes are asked on', (_what, reply) => {
  const of = world();
  for (let i = 0; i < 3; i++) of.says(reply);
  expect([of.stopped(), of.warned.length]).toEqual([[], 1]);
  of.says(report(facts));
  expect(of.stopped()).toEqual([0]);
  for (let i = 0; i < 3; i++) of.says(reply);
  expect(of.stopped()).toEqual([0]);
  of.says(new RespError('LVNOTREADY starting'));
  expect(of.stopped()).toEqual([0]);
  of.says(report());
  expect(of.stopped()).toEqual([]);
});
