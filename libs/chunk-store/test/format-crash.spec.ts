import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseUnitSpecs, UnitDisk } from '@levee/chunk-store';

/** Steps until the process dies; what it still tries after that does nothing and fails. */
const life = { stepsLeft: Infinity, steps: 0 };

jest.mock('node:fs/promises', () => {
  const real = jest.requireActual<Record<string, (...args: unknown[]) => Promise<unknown>>>('node:fs/promises');
  const mortal =
    (name: string) =>
    (...args: unknown[]): Promise<unknown> => {
      if (life.stepsLeft <= 0) return Promise.reject(new Error('dead'));
      life.stepsLeft--;
      life.steps++;
      return (real[name] as (...of: unknown[]) => Promise<unknown>)(...args);
    };
  const changing = ['open', 'rename', 'rm', 'rmdir', 'mkdir'];
  return { ...real, ...Object.fromEntries(changing.map((name) => [name, mortal(name)])) };
});

const before = parseUnitSpecs('3x1MiB:leveldb', 'n1');
const units = parseUnitSpecs('1x2MiB:memory,3x1MiB:leveldb', 'n1');
const format = { planId: 'p7', units };
const free = [
  { unitId: 'n1/u01', generation: 2 },
  { unitId: 'n1/u02', generation: 1 },
  { unitId: 'n1/u03', generation: 0 },
];

/** A format is done again, or finished by the next process, wherever the first one, or the next one, dies. */
describe('a disk whose process dies while it is formatted', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'levee-format-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const open = (): Promise<UnitDisk> => UnitDisk.open({ folder, specs: before, newStoreId: () => 'store' });

  /** Two generations of a unit, a taken one above what is free of another, and what is left of an earlier clearing. */
  async function used(): Promise<UnitDisk> {
    const disk = await open();
    for (const [unitId, generation] of [
      ['n1/u01', 1],
      ['n1/u01', 2],
      ['n1/u02', 1],
      ['n1/u02', 2],
    ] as const) {
      await (await disk.openUnit(unitId, generation)).put(Buffer.from('a'), Buffer.from('1'));
      await disk.closeUnit(unitId, generation);
    }
    await mkdir(join(folder, 'units/u03/g0.cleared'), { recursive: true });
    return disk;
  }

  /** `work` in a process that dies after `steps` changes of the folder; how many it made. */
  async function mortal(steps: number, work: () => Promise<unknown>): Promise<number> {
    Object.assign(life, { stepsLeft: steps, steps: 0 });
    await work().catch(() => undefined);
    life.stepsLeft = Infinity;
    return life.steps;
  }

  /** The next process: exactly the old units, or exactly the new ones. */
  async function judged(): Promise<'old' | 'new'> {
    const disk = await open();
    try {
      expect(disk.storeId).toBe('store');
      const taken = await disk.openUnit('n1/u02', 2);
      expect(await taken.get(Buffer.from('a'))).toEqual(Buffer.from('1'));
      await disk.closeUnit('n1/u02', 2);
      if (disk.format === undefined) {
        expect(disk.units).toEqual(before);
        const old = await disk.openUnit('n1/u01', 2);
        expect(await old.get(Buffer.from('a'))).toEqual(Buffer.from('1'));
        await disk.closeUnit('n1/u01', 2);
        await disk.reformat(format, free);
        await judgedNew(disk);
        return 'old';
      }
      await judgedNew(disk);
      return 'new';
    } finally {
      await disk.close();
    }
  }

  async function judgedNew(disk: UnitDisk): Promise<void> {
    expect([disk.units, disk.format?.planId, disk.unitsRefused]).toEqual([units, 'p7', 0]);
    expect(existsSync(join(folder, 'units/u01'))).toBe(false);
    expect(existsSync(join(folder, 'units/u03'))).toBe(false);
    expect(await readdir(join(folder, 'units/u02'))).toEqual(['g2', 'g2.owner']);
    expect(JSON.parse((await readFile(join(folder, 'units.json'), 'utf8')).split('\n')[0] ?? '')).toEqual({
      ...format,
      toClear: [],
    });
  }

  it('has the old units and all they held, or the new ones, whichever step is the last', async () => {
    const found: string[] = [];
    for (let steps = 0; ; steps++) {
      const disk = await used();
      const made = await mortal(steps, () => disk.reformat(format, free));
      await disk.close();
      found.push(await judged());
      await rm(folder, { recursive: true });
      if (made < steps) break;
    }
    expect(found.length).toBeGreaterThan(12);
    // Once recorded it is never taken back.
    expect(found.join()).toMatch(/^(old,)+(new,)+new$/);
  }, 60_000);

  it('is finished even when the process that finishes it dies too, at any step', async () => {
    for (let steps = 0; ; steps++) {
      const disk = await used();
      await mortal(5, () => disk.reformat(format, free));
      await disk.close();
      const made = await mortal(steps, () => open().then((again) => again.close()));
      expect(await judged()).toBe('new');
      await rm(folder, { recursive: true });
      if (made < steps) break;
    }
  }, 60_000);
});
