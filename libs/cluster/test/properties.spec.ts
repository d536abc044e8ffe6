import { Digest, hash128 } from '@levee/kernel';
import fc from 'fast-check';
import { draft, eventsOf } from '../src';
import { commandDeciders } from '../src/command-table';
import { entityKey, type ClusterEvent } from '../src/state/event';
import { ClusterState } from '../src/state/state';
import { ClusterScript, picture, problemsOf, registration } from './cluster-script';

type Step = readonly [kind: string, payload: Record<string, unknown>];

const nodeId = fc.constantFrom('n1', 'n2', 'n3', 'n4');
const name = fc.constantFrom('a', 'b', 'c');
const unitId = fc.tuple(nodeId, fc.nat(5)).map(([node, unit]) => `${node}/u0${unit}`);
const generation = fc.nat(3);
const number = fc.integer({ min: 1, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc
    .record({ node: nodeId, run: fc.nat(2), disk: fc.nat(12), unitCount: fc.constantFrom(3, 5, 6) })
    .map(({ node, run, disk, unitCount }): Step => [
      'RegisterNode',
      registration(node, {
        unitCount,
        incarnation: `run-${run}`,
        storeId: `store-${node}-${disk === 0 ? 'new' : 'old'}`,
      }),
    ]),
  fc
    .record({ name, chunks: fc.integer({ min: 1, max: 4 }), replicas: fc.integer({ min: 1, max: 3 }) })
    .map((payload): Step => ['CreateNamespace', payload]),
  fc.record({ name, number }).map((payload): Step => ['ActivateNamespace', payload]),
  fc.record({ name, number }).map((payload): Step => ['FailNamespace', payload]),
  fc
    .record({ unitId, generation, namespace: name, number, chunk: fc.integer({ min: 1, max: 4 }) })
    .map(({ unitId: unit, generation: seen, namespace, number: n, chunk }): Step => [
      'AllocateUnit',
      { unitId: unit, generation: seen, chunkId: `${namespace}#${n}/c0000${chunk}` },
    ]),
  fc.record({ unitId, generation }).map((payload): Step => ['ReclaimUnit', payload]),
  fc.record({ unitId, generation }).map((payload): Step => ['FinishReclaim', payload]),
  fc
    .record({
      kind: fc.constantFrom('SuspectNode', 'SuspectNode', 'LoseNode', 'ReviveNode'),
      node: nodeId,
      run: fc.nat(2),
    })
    .map(({ kind, node, run }): Step => [
      kind,
      { nodeId: node, incarnation: `run-${run === 2 ? 1 : 0}`, silentMs: 2_000, observers: ['m1'], reports: [] },
    ]),
  fc.record({ nodeId, forMs: fc.constant(5_000) }).map((payload): Step => ['MaintainNode', payload]),
  fc.record({ nodeId }).map((payload): Step => ['EndMaintenance', payload]),
  fc
    .record({
      name,
      failoverStrategy: fc.constantFrom('automatic', 'manual'),
      historyWindowMs: fc.integer({ min: 1_000, max: 1_002 }),
    })
    .map((payload): Step => ['AlterNamespace', payload]),
  fc.record({ name }).map((payload): Step => ['DeleteNamespace', payload]),
  fc.record({ name, number }).map((payload): Step => ['FinishDeletion', payload]),
);
const steps = fc
  .array(step, { minLength: 1, maxLength: 60 })
  .map((list): Step[] => [
    ...['n1', 'n2', 'n3'].map((node): Step => [
      'RegisterNode',
      registration(node, { unitCount: 6, incarnation: 'run-0', storeId: `store-${node}-old` }),
    ]),
    ...list,
  ]);

function played(list: readonly Step[]): ClusterScript {
  const script = new ClusterScript();
  for (const [kind, payload] of list) script.submit(kind, payload);
  return script;
}

/** As the journal keeps it: the sum of the hashes of the entities. */
function digestOf(state: ClusterState): string {
  const text = new TextEncoder();
  const digest = new Digest();
  for (const event of eventsOf(state))
    digest.add(hash128([text.encode(entityKey(event)), text.encode(JSON.stringify(event.entity))]));
  return digest.toHex();
}

describe('whatever is submitted, in whatever order', () => {
  it('I9, I10: every slot of a namespace is in one chunk and route, every unit in one replica', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const script = new ClusterScript();
        for (const [kind, payload] of list) {
          script.submit(kind, payload);
          expect(problemsOf(script.state)).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('a second attempt under another id changes nothing', () => {
    fc.assert(
      fc.property(steps, step, (list, [kind, payload]) => {
        const script = played(list);
        const first = script.submit(kind, payload);
        const second = script.submit(kind, payload);
        if (first.rejection !== undefined) expect(second.rejection).toEqual(first.rejection);
        else expect(second.rejection).toBeUndefined();
        expect(second.events.filter((event) => event.kind !== 'outcome')).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('I8: replaying the events, once, twice each, or as a snapshot in any order, gives the same digest', () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat()), (list, dice) => {
        const { state, journal } = played(list);
        const digest = digestOf(state);
        const once = new ClusterState();
        for (const event of journal.flat()) once.evolve(event);
        expect(digestOf(once)).toBe(digest);

        const twice = new ClusterState();
        for (const event of journal.flat()) for (const _ of [1, 2]) twice.evolve(event);
        expect(digestOf(twice)).toBe(digest);

        const snapshot = new ClusterState();
        for (const event of eventsOf(state)) snapshot.evolve(event);
        expect(digestOf(snapshot)).toBe(digest);

        const shuffled = [...eventsOf(state), ...journal.flat()]
          .map((event): [number, ClusterEvent] => [dice.next().value as number, event])
          .sort(([a], [b]) => a - b);
        const absorbed = new ClusterState();
        for (const [, event] of shuffled) absorbed.absorb(event);
        absorbed.settle();
        expect(digestOf(absorbed)).toBe(digest);
        expect(problemsOf(absorbed)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('a draft decides as the state does, does not touch it, and commits to the same', () => {
    fc.assert(
      fc.property(steps, steps, (list, more) => {
        const script = played(list);
        const before = picture(script.state);
        const candidate = draft(script.state);
        const onDraft = new ClusterScript({ founded: false });
        Object.assign(onDraft, { state: candidate, journal: [...script.journal] });
        for (const [kind, payload] of more) onDraft.submit(kind, payload, { id: `draft-${onDraft.journal.length}` });
        expect(picture(script.state)).toBe(before);
        const reference = played(list);
        for (const [kind, payload] of more)
          reference.submit(kind, payload, { id: `draft-${reference.journal.length}` });
        expect(picture(candidate)).toBe(picture(reference.state));
        expect(candidate.counts).toEqual(reference.state.counts);
        expect(problemsOf(candidate)).toEqual([]);
        candidate.commit();
        expect(picture(script.state)).toBe(picture(reference.state));
        expect(problemsOf(script.state)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('decide never throws on any payload', () => {
    const script = played([
      ['RegisterNode', registration('n1')],
      ['CreateNamespace', { name: 'a', chunks: 2 }],
    ]);
    const field = fc.constantFrom(
      ...['name', 'number', 'units', 'nodeId', 'unitId', 'chunkId', 'generation', 'partitions', 'chunks', 'clusterId'],
      ...[
        'replicas',
        'namespace',
        'id',
        'digest',
        'incarnation',
        'storeId',
        'respAddress',
        'expectedBytes',
        'silentMs',
        'observers',
        'reports',
        'forMs',
        'historyWindowMs',
        'maxStalenessMs',
        '__proto__',
      ],
    );
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('a', 'n1', 'n1/u00', 'a#1/c00001', 1, 0, -1, 1e308, null));
    const payload = fc.oneof(
      fc.json(),
      fc.string(),
      fc.array(fc.tuple(field, value)).map((pairs) => JSON.stringify(Object.fromEntries(pairs))),
    );
    const kind = fc.oneof(fc.constantFrom(...Object.keys(commandDeciders)), fc.string());
    fc.assert(
      fc.property(kind, payload, (kindOf, text) => {
        const { rejection } = script.submit(kindOf, text);
        if (rejection !== undefined) expect(rejection.message.length).toBeGreaterThan(10);
      }),
      { numRuns: 1_500 },
    );
    expect(problemsOf(script.state)).toEqual([]);
  });
});
