import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnitDisk } from '@levee/chunk-store';
import { ClusterState } from '@levee/cluster';
import { silentLogger } from '@levee/kernel';
import { LeftUnits } from './left-units';

const unitId = 'n1/u00';
const unit = { unitId, nodeId: 'n1', storeId: 's', capacityBytes: 65_536, engine: 'leveldb' } as const;

describe('units that lost decisions gave out', () => {
  const folder = mkdtempSync(join(tmpdir(), 'left-units-'));
  let disk: UnitDisk;

  beforeAll(async () => {
    const specs = [{ unitId, capacityBytes: 65_536, engine: 'leveldb' as const }];
    disk = await UnitDisk.open({ folder, specs, newStoreId: () => 's' });
    for (const name of ['g2', 'g7', 'g9.cleared', 'gx'])
      mkdirSync(join(folder, 'units', 'u00', name), { recursive: true });
    writeFileSync(join(folder, 'units', 'u00', 'g7', '000003.log'), 'twelve bytes');
    writeFileSync(join(folder, 'units', 'u00', 'g8.owner'), 'new');
  });
  afterAll(async () => {
    await disk.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const viewOf = (generation: number, { short, free = false }: { short?: string; free?: boolean } = {}) => {
    const state = new ClusterState();
    const is = free ? ({ state: 'free', chunkId: null } as const) : ({ state: 'allocated', chunkId: 'c' } as const);
    state.absorb({ kind: 'unit', entity: { ...unit, ...is, generation, change: 'Test', seq: 1, term: 1 } });
    return { state, short };
  };

  it('are named with their folders, and hold what would clear them', async () => {
    const left = new LeftUnits(viewOf(2), disk, silentLogger);
    expect(left.problem).toBeUndefined();
    await left.look();
    const path = join(folder, 'units', 'u00', 'g7');
    expect(left.all).toEqual([{ unitId, generation: 7, folder: path, bytes: 12 }]);
    expect(left.problem).toContain(`${path} is of a decision that the journal lost`);
  });

  it('are those too that a node brought back: the unit is free, in the generation that the disk has', async () => {
    const left = new LeftUnits(viewOf(7, { free: true }), disk, silentLogger);
    await left.look();
    expect(left.all.map(({ generation }) => generation)).toEqual([2, 7]);
  });

  it('are none where decisions in force name what is there', async () => {
    const generations: typeof disk.generations = (isAsked) =>
      disk.generations((of, generation) => generation === 7 && isAsked(of, generation));
    const left = new LeftUnits(viewOf(7), { generations }, silentLogger);
    await left.look();
    expect([left.all, left.problem]).toEqual([[], undefined]);
  });

  it('are not judged by a journal that is short, nor by a disk that could not be read', async () => {
    const short = new LeftUnits(viewOf(2, { short: 'JOURNAL_SHORT' }), disk, silentLogger);
    await short.look();
    expect(short.all).toEqual([]);
    let fails = true;
    const generations: typeof disk.generations = (isAsked) =>
      fails ? Promise.reject(new Error('EIO')) : disk.generations(isAsked);
    const left = new LeftUnits(viewOf(2), { generations }, silentLogger);
    await left.look();
    fails = false;
    await left.look();
    expect(left.all).toHaveLength(1);
  });
});
