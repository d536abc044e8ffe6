import type { Heartbeat } from '@levee/events';
import { FullDisks } from './full-disks';

const sentAtMs = 1_000_000;
const position = (chunkId: string, behindMs: number) => ({
  ...{ namespace: 'ns', partition: 0, chunkId, nextOffset: 7 },
  atEndAtMs: sentAtMs - behindMs,
});
const beat = (id: string, freeDiskBytes: number, positions: Heartbeat['positions'], kind = 'node'): Heartbeat =>
  ({ kind, id, sentAtMs, freeDiskBytes, positions }) as never;

describe('full disks', () => {
  let nowMs: number;
  let hear: (beat: Heartbeat) => void;
  let disks: FullDisks;

  beforeEach(() => {
    nowMs = 0;
    const onHeartbeat = (listener: typeof hear): (() => void) => {
      hear = listener;
      return () => undefined;
    };
    disks = new FullDisks({ onHeartbeat }, { monotonicMs: () => nowMs });
  });

  it('are told of once every replica of a chunk stands still on one, and no more once one follows', () => {
    hear(beat('n1', 0, [position('c1', 20_000), position('c2', 20_000)]));
    hear(beat('n2', 4_096, [position('c1', sentAtMs)]));
    hear(beat('n3', 2 ** 40, [position('c2', 100)]));
    // Most heartbeats tell of no positions.
    for (const id of ['n1', 'n2', 'n3']) hear(beat(id, 0, []));
    expect(disks.troubles).toEqual([
      { what: 'disksFull', chunkId: 'c1', nodes: ['n1', 'n2'], message: expect.stringMatching(/free space/) as string },
    ]);
    hear(beat('n2', 2 ** 40, [position('c1', 100)]));
    expect(disks.troubles).toEqual([]);
  });

  it('are told of for one partition of several that nobody follows', () => {
    hear(beat('n1', 0, [position('c1', 100), { ...position('c1', 20_000), partition: 1 }]));
    expect(disks.troubles).toMatchObject([{ chunkId: 'c1' }]);
  });

  it.each([
    ['a full disk whose replicas follow', beat('n1', 0, [position('c1', 9_000)])],
    ['a replica that is behind on a disk with room', beat('n1', 2 ** 40, [position('c1', 60_000)])],
    ['a disk of which nothing is known', beat('n1', -1, [position('c1', 60_000)])],
    ['somebody who is no node', beat('p1', 0, [position('c1', 60_000)], 'portal')],
  ])('%s is none', (_, heard) => {
    hear(heard);
    expect(disks.troubles).toEqual([]);
  });

  it('of a node that is not heard any more do not count', () => {
    hear(beat('n1', 0, [position('c1', 20_000)]));
    hear(beat('n2', 2 ** 40, [position('c1', 100)]));
    nowMs = 20_000;
    hear(beat('n1', 0, [position('c1', 40_000)]));
    expect(disks.troubles).toMatchObject([{ chunkId: 'c1', nodes: ['n1'] }]);
    nowMs = 40_000;
    expect(disks.troubles).toEqual([]);
  });

  it('of whoever is silent is forgotten, however many come and go', () => {
    for (let n = 0; n < 1_000; n++) {
      nowMs = n * 1_000;
      hear(beat(`n${n}`, 0, [position('c1', 20_000)]));
    }
    expect(disks.size).toBe(16);
  });
});
