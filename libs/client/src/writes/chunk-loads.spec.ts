import type { Heartbeat } from '@levee/events';
import { asPartition } from '@levee/kernel';
import { ManualTime } from '../../test/manual-time';
import { CallbackAppend } from '../callback-operations';
import { StoreFailure, type StoreErrorCode } from '../store-errors';
import { ChunkLoads } from './chunk-loads';

const beat = (id: string, bytes: Readonly<Record<string, number>>): Heartbeat =>
  ({
    kind: 'node',
    id,
    positions: [],
    loads: Object.entries(bytes).map(([chunkId, storedBytes]) => ({ chunkId, storedBytes, liveKeys: 1 })),
  }) as unknown as Heartbeat;

function setUp() {
  const time = new ManualTime();
  const loads = new ChunkLoads(time);
  const stored = (): number => loads.of('c').storedBytes;
  const write = (): CallbackAppend => {
    const append = new CallbackAppend(Buffer.from('k'), Buffer.alloc(100), 'logged', undefined, () => undefined);
    append.partition = asPartition(0);
    append.load = loads.of('c');
    append.loadTurn = append.load.written(append.bytes);
    return append;
  };
  return { time, loads, stored, write };
}

describe('room that a write has taken in its chunk', () => {
  it.each<[StoreErrorCode, boolean]>([
    ['LVDEFINITE', true],
    ['LVLIMIT', true],
    ['LVNAMESPACE', true],
    ['LVSTOPPING', true],
    ['LVINDEFINITE', false],
    ['LVPENDING', false],
  ])('is given back when it ends with %s: %s', (code, back) => {
    const { loads, stored, write } = setUp();
    loads.take(beat('n1', { c: 1_000 }));
    const append = write();
    expect(stored()).toBe(1_000 + append.bytes);
    append.failed(new StoreFailure(code, 'the test says so'));
    append.failed(new StoreFailure('LVDEFINITE', 'again'));
    expect(stored()).toBe(back ? 1_000 : 1_000 + append.bytes);
  });

  it('is given back once, also when a node has counted anew meanwhile', () => {
    const { loads, stored, write } = setUp();
    loads.take(beat('n1', { c: 1_000 }));
    const append = write();
    loads.take(beat('n1', { c: 1_100 }));
    append.failed(new StoreFailure('LVDEFINITE', 'late'));
    expect(stored()).toBe(1_100);
  });
});

describe('what a node said that is silent since', () => {
  it('no longer keeps a chunk full, as long as another node tells of it', () => {
    const { time, loads, stored } = setUp();
    loads.take(beat('n1', { c: 9_000, only: 5 }));
    loads.take(beat('n2', { c: 9_000 }));
    for (let s = 0; s < 14; s++) {
      time.pass(1_000);
      loads.take(beat('n2', { c: 100 }));
    }
    expect(stored()).toBe(9_000);
    time.pass(1_000);
    loads.take(beat('n2', { c: 100 }));
    expect([stored(), loads.of('only').storedBytes]).toEqual([100, 5]);
    loads.take(beat('n1', { c: 200, only: 6 }));
    expect([stored(), loads.of('only').storedBytes]).toEqual([200, 6]);
    loads.take(beat('n1', { c: 200 }));
    expect(loads.of('only').storedBytes).toBe(0);
  });
});
