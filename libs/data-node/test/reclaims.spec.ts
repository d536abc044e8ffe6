import { getEventListeners } from 'node:events';
import type { NodeDisk } from '@levee/chunk-store';
import type { ClusterView } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { type Log, systemClock, systemNewId, systemTimers } from '@levee/log';
import { UnitReclaims } from '../src/membership/unit-reclaims';
import { topics, until } from './small-cluster';

const unit = { unitId: 'n1/u01', generation: 3, storeId: 's1', state: 'reclaiming' };

describe('what a node clears', () => {
  let cleared: string[];
  let appended: number;
  let registered: boolean;
  let release: () => void;
  let clearFails: boolean;
  let reclaims: UnitReclaims;

  beforeEach(() => {
    cleared = [];
    appended = 0;
    registered = true;
    clearFails = false;
    const closed = new Promise<void>((resolve) => (release = resolve));
    const disk = {
      storeId: 's1',
      clearUnit: async (unitId: string, generation: number) => {
        cleared.push(`${unitId}@${generation}`);
        if (clearFails) throw new Error('the disk refuses');
      },
      letGoKept: () => Promise.resolve(),
    };
    const log = { append: async () => (appended++, { baseOffset: 0 }) };
    const state = { unitsOf: () => [unit], unit: () => unit };
    const view = { state, outcome: async () => ({ rejectionCode: null }) };
    reclaims = new UnitReclaims(log as unknown as Log, topics, view as unknown as ClusterView, {
      nodeId: 'n1',
      disk: disk as unknown as NodeDisk,
      host: { closed: () => closed },
      isRegistered: () => registered,
      clock: systemClock,
      timers: { after: (_, action) => systemTimers.after(1, action) },
      newId: systemNewId,
      logger: silentLogger,
    });
  });
  afterEach(() => reclaims.stop());

  it('is what the state takes from the registered process, once nothing of it is open', async () => {
    reclaims.check();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(cleared).toEqual([]);
    release();
    await until('the report', () => appended === 1);
    expect(cleared).toEqual(['n1/u01@3']);
  });

  it('is nothing where another process was registered in its place, also when that happens meanwhile (I10)', async () => {
    registered = false;
    release();
    reclaims.check();
    registered = true;
    reclaims.check();
    registered = false;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([cleared, appended]).toEqual([[], 0]);
  });

  it('is tried again without leaving anything behind', async () => {
    clearFails = true;
    release();
    reclaims.check();
    await until('many tries', () => cleared.length > 30);
    const { signal } = (reclaims as unknown as { stopping: AbortController }).stopping;
    expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1);
  });
});
