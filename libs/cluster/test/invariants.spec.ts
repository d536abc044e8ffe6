import type { ChunkState, UnitState } from '@levee/events';
import { InvariantViolation } from '@levee/kernel';
import { draft } from '../src';
import type { ClusterEvent } from '../src/state/event';
import { ClusterScript } from './cluster-script';

function shop() {
  const script = new ClusterScript().nodes(2, 3);
  const [left, right] = script.namespace('shop', { chunks: 2, replicas: 1 });
  const { state, journal } = script;
  const seq = journal.length + 1;
  const chunk = (change: Partial<ChunkState>): ClusterEvent => ({
    kind: 'chunk',
    entity: { ...(left as ChunkState), ...change, seq },
  });
  const used = state.unit(left?.replicas[0]?.unitId as string) as UnitState;
  const unit = (change: Partial<UnitState>): ClusterEvent => ({ kind: 'unit', entity: { ...used, ...change, seq } });
  const removed = (entity: 'unit' | 'chunk' | 'namespace', key: string): ClusterEvent => ({
    kind: 'removed',
    entity: { entity, key, change: 'Removed', seq, term: 1 },
  });
  const route = (change: object): ClusterEvent => ({
    kind: 'route',
    entity: { ...state.route(left?.chunkId as string)!, ...change, seq },
  });
  return { state, left: left as ChunkState, right: right as ChunkState, chunk, unit, used, removed, route };
}

describe('an event that does not fit the state never gets in', () => {
  it.each<[string, RegExp, (of: ReturnType<typeof shop>) => ClusterEvent]>([
    ['a chunk over the slots of another', /^I9: .*overlaps shop#1\/c00002/, (of) => of.chunk({ slotEnd: 500_001 })],
    ['a new chunk over the slots of another', /^I9/, (of) => of.chunk({ chunkId: 'new', replicas: [] })],
    ['a chunk without slots', /^I9/, (of) => of.chunk({ slotEnd: 0 })],
    ['a chunk older than the one known', /^I6/, (of) => ({ kind: 'chunk', entity: { ...of.left, seq: 1 } })],
    ['a replica in a unit of another chunk', /^I10/, (of) => of.chunk({ replicas: of.right.replicas })],
    [
      'a unit whose generation falls',
      /^I10: .*falls from generation 1 to 0/,
      (of) => of.unit({ state: 'free', chunkId: null, generation: 0 }),
    ],
    ['a unit freed under its replica', /^I10: .*whose primary/, (of) => of.unit({ state: 'free', chunkId: null })],
    ['a unit given to another chunk', /^I10/, (of) => of.unit({ chunkId: of.right.chunkId })],
    ['a unit taken again under its replica', /^I10/, (of) => of.unit({ generation: 2 })],
    ['a free unit with a chunk', /^I10/, (of) => of.unit({ state: 'free' })],
    ['a unit that goes under its replica', /^I10/, (of) => of.removed('unit', of.used.unitId)],
    ['a chunk that goes before its route', /^I9/, (of) => of.removed('chunk', of.left.chunkId)],
    ['a namespace that goes before its chunks', /^I9/, (of) => of.removed('namespace', 'shop')],
    ['a route with other slots than its chunk', /^I9/, (of) => of.route({ slotEnd: 400_000 })],
    ['a route to a replica that its chunk has not', /^I10/, (of) => of.route({ replicas: of.right.replicas })],
    [
      'another cluster id',
      /never becomes other/,
      () => ({ kind: 'cluster', entity: { clusterId: 'other', change: 'ClusterFounded', seq: 99, term: 1 } }),
    ],
  ])('%s', (_what, message, event) => {
    const of = shop();
    const candidate = draft(of.state);
    for (const target of [candidate, of.state]) {
      expect(() => target.evolve(event(of))).toThrow(InvariantViolation);
      expect(() => target.evolve(event(of))).toThrow(message);
    }
  });

  it('a snapshot that contradicts itself does not settle', () => {
    const of = shop();
    of.state.absorb(of.unit({ state: 'free', chunkId: null }));
    expect(() => of.state.settle()).toThrow(/^I10/);
  });

  it('a draft is committed once, and takes nothing afterwards', () => {
    const of = shop();
    const candidate = draft(of.state);
    candidate.evolve(of.chunk({ change: 'Touched' }));
    candidate.commit();
    expect(of.state.chunk(of.left.chunkId)?.change).toBe('Touched');
    expect(() => candidate.commit()).toThrow(InvariantViolation);
    expect(() => candidate.evolve(of.chunk({}))).toThrow(InvariantViolation);
  });
});
