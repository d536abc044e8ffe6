import { followersBehind } from '../../src';
import { ClusterScript } from '../cluster-script';

const atMs = 1_000_000_000_000;
const position = (chunkId: string, partition: number, nextOffset: number, ageMs = 0) => ({
  ...{ namespace: 'shop', chunkId, partition, nextOffset, atEndAtMs: atMs - ageMs },
});

it.each<[string, [number, number][], [number, number][], number | undefined]>([
  // partitions 0 and 1 as [nextOffset, ms since it stood at the end], of the furthest follower and of the other
  [
    'as far as the other',
    [
      [9_000, 0],
      [9_000, 0],
    ],
    [
      [9_000, 0],
      [9_000, 0],
    ],
    undefined,
  ],
  [
    'a few records less',
    [
      [9_000, 0],
      [9_000, 0],
    ],
    [
      [8_900, 60_000],
      [8_900, 60_000],
    ],
    undefined,
  ],
  [
    'many records less, said a moment earlier',
    [
      [9_000, 0],
      [9_000, 0],
    ],
    [
      [1_000, 3_000],
      [9_000, 3_000],
    ],
    undefined,
  ],
  [
    'many records less for long',
    [
      [9_000, 0],
      [9_000, 0],
    ],
    [
      [1_000, 60_000],
      [9_000, 0],
    ],
    8_000,
  ],
  [
    'never at the end',
    [
      [9_000, 0],
      [9_000, 0],
    ],
    [
      [0, atMs],
      [0, atMs],
    ],
    18_000,
  ],
])('a follower that has applied %s', (_what, furthest, other, records) => {
  const script = new ClusterScript().nodes(4, 8);
  const [chunk] = script.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
  const { chunkId, replicas } = chunk!;
  const [leads, first, second] = replicas.map(({ nodeId }) => nodeId) as [string, string, string];
  const told = new Map([
    [first, furthest.map(([offset, ageMs], i) => position(chunkId, i, offset, ageMs))],
    [second, other.map(([offset, ageMs], i) => position(chunkId, i, offset, ageMs))],
  ]);
  const behind = followersBehind(script.state, leads, (nodeId) => told.get(nodeId) ?? []);
  expect(behind).toEqual(records === undefined ? [] : [{ chunkId, nodeId: second, records }]);
  // Of the chunks that it does not lead nothing is said, and who has said nothing is not behind.
  expect(followersBehind(script.state, first, (nodeId) => told.get(nodeId) ?? [])).toEqual([]);
  expect(followersBehind(script.state, leads, (nodeId) => (nodeId === second ? (told.get(second) ?? []) : []))).toEqual(
    [],
  );
});
