import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseUnitSpecs, UnitDisk, type UnitDiskOptions, wrongKind } from '@levee/chunk-store';

describe('unit specs', () => {
  it.each<[string, string]>([
    ['2x256MiB:leveldb', 'n1/u01 268435456 leveldb, n1/u02 268435456 leveldb'],
    ['1x1GiB', 'n1/u01 1073741824 leveldb'],
    ['1x1MiB:memory, 1x2MiB', 'n1/u01 1048576 memory, n1/u02 2097152 leveldb'],
  ])('%s', (text, expected) => {
    const shown = parseUnitSpecs(text, 'n1').map((unit) => `${unit.unitId} ${unit.capacityBytes} ${unit.engine}`);
    expect(shown.join(', ')).toBe(expected);
  });

  it.each(['', '0x1MiB', '1x1KiB', '1x5TiB', '32', '1x256MB', '1x256MiB:rocksdb', '5000x1MiB', '1x1MiB,,'])(
    'refuses %j with what to write instead',
    (text) => {
      expect(() => parseUnitSpecs(text, 'n1')).toThrow(expect.objectContaining({ code: 'UNIT_SPEC_INVALID' }));
    },
  );
});

describe('a unit disk', () => {
  let folder: string;
  const disks: UnitDisk[] = [];
  let stores = 0;
  const open = async (options: Partial<UnitDiskOptions> = {}): Promise<UnitDisk> => {
    const specs = parseUnitSpecs('2x1MiB,1x1MiB:memory', 'n1');
    const disk = await UnitDisk.open({ folder, specs, newStoreId: () => `store-${++stores}`, ...options });
    disks.push(disk);
    return disk;
  };
  const reopen = async (disk: UnitDisk): Promise<UnitDisk> => {
    await disk.close();
    disks.splice(disks.indexOf(disk), 1);
    return open();
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'levee-disk-'));
  });
  afterEach(async () => {
    for (const disk of disks.splice(0)) await disk.close();
    await rm(folder, { recursive: true, force: true });
  });
  const k = (text: string): Buffer => Buffer.from(text);

  it('has one identity for ever; an empty folder is a new store', async () => {
    const disk = await open();
    const { storeId } = disk;
    const again = await reopen(disk);
    expect(again.storeId).toBe(storeId);
    await again.close();
    disks.length = 0;
    await rm(folder, { recursive: true });
    expect((await open()).storeId).not.toBe(storeId);
  });

  it.each<[string, (path: string) => Promise<unknown>, RegExp]>([
    ['storeId', (path) => mkdir(path), /^a folder stands where a file must be: .*storeId.*; nothing was changed: move/],
    ['storeId.copy', (path) => mkdir(path), /^a folder stands where a file must be: .*storeId\.copy/],
    ['units', (path) => writeFile(path, 'x'), /^a file stands where a folder must be: .*units'; nothing was changed/],
    ['set-aside', (path) => writeFile(path, 'x'), /^a file stands where a folder must be: .*set-aside/],
  ])('says what stands where %s must be, and how to mend that', async (name, put, says) => {
    const disk = await open();
    await disk.close();
    disks.length = 0;
    const path = join(folder, name);
    await rename(path, `${path}.away`).catch(() => undefined);
    await put(path);
    await expect(open()).rejects.toMatchObject({
      code: 'DISK_REFUSES',
      message: expect.stringMatching(says) as string,
    });
    await rm(path, { recursive: true });
    await rename(`${path}.away`, path).catch(() => undefined);
    expect((await open()).storeId).toBe(disk.storeId);
  });

  it('says so of a unit too', async () => {
    const disk = await open();
    await writeFile(join(folder, 'units', 'u01'), 'x');
    const found = await disk.openUnit('n1/u01', 1).catch((error: unknown) => wrongKind(error));
    expect(found).toMatchObject({
      code: 'DISK_REFUSES',
      message: expect.stringMatching(/a file stands where a folder must be: .*u01/) as string,
    });
  });

  it('joins one cluster and refuses every other', async () => {
    const disk = await open();
    expect(disk.clusterId).toBeUndefined();
    await disk.joinCluster('c1');
    const again = await reopen(disk);
    expect(again.clusterId).toBe('c1');
    await again.joinCluster('c1');
    await expect(again.joinCluster('c2')).rejects.toMatchObject({ code: 'DISK_FOREIGN' });
  });

  it('is held by one process', async () => {
    const disk = await open();
    await expect(open()).rejects.toMatchObject({ code: 'DISK_IN_USE' });
    const alias = `${folder}.alias`;
    await symlink(folder, alias);
    await expect(open({ folder: alias })).rejects.toMatchObject({ code: 'DISK_IN_USE' });
    await rm(alias);
    // Also against others, after this process tried: closing a file drops the locks of a process on it.
    const script = `const {ClassicLevel}=require('classic-level');
      new ClassicLevel(${JSON.stringify(join(folder, 'lock'))}).open().then(() => process.exit(11), () => process.exit(12))`;
    expect(spawnSync(process.execPath, ['-e', script]).status).toBe(12);
    await reopen(disk);
  });

  // Address 0 of a process can be opened, and not read: EIO, as a disk says it.
  it('knows itself when the disk cannot read one copy of who it is', async () => {
    if (!existsSync('/proc/self/mem')) return;
    let disk = await open();
    const { storeId } = disk;
    for (const name of ['storeId', 'storeId.copy']) {
      await disk.close();
      disks.length = 0;
      await rm(join(folder, name));
      await symlink('/proc/self/mem', join(folder, name));
      disk = await open();
      expect(disk.storeId).toBe(storeId);
      // Mended by then.
      expect(await readFile(join(folder, name), 'utf8')).toContain(storeId);
    }
    await disk.close();
    disks.length = 0;
    for (const name of ['storeId', 'storeId.copy']) {
      await rm(join(folder, name));
      await symlink('/proc/self/mem', join(folder, name));
    }
    // It may be readable again in a moment: nobody is told to begin anew.
    await expect(open()).rejects.toMatchObject({ code: 'EIO' });
  });

  it('opens and clears exactly one generation of a unit (I10)', async () => {
    const disk = await open();
    const first = await disk.openUnit('n1/u01', 1);
    await first.put(k('a'), k('1'));
    await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject({ code: 'UNIT_CONFLICT' });
    await expect(disk.clearUnit('n1/u01', 1)).rejects.toMatchObject({ code: 'UNIT_CONFLICT' });
    await disk.closeUnit('n1/u01', 1);
    const second = await disk.openUnit('n1/u01', 2);
    expect(await second.get(k('a'))).toBeUndefined();
    expect(await disk.generationOf('n1/u01')).toBe(2);
    await second.put(k('b'), k('2'));
    await disk.clearUnit('n1/u01', 1);
    await disk.clearUnit('n1/u01', 1);
    expect(existsSync(join(folder, 'units/u01/g1'))).toBe(false);
    expect(await second.get(k('b'))).toEqual(k('2'));
    await expect(disk.openUnit('n1/u99', 1)).rejects.toMatchObject({ code: 'UNIT_UNKNOWN' });
    await expect(disk.openUnit('n1/u01', 0)).rejects.toThrow(/I10/);
  });

  it('keeps what a generation holds across restarts, except in memory', async () => {
    const disk = await open();
    await (await disk.openUnit('n1/u01', 3)).put(k('a'), k('1'));
    await (await disk.openUnit('n1/u03', 3)).put(k('a'), k('1'));
    const again = await reopen(disk);
    expect(await (await again.openUnit('n1/u01', 3)).get(k('a'))).toEqual(k('1'));
    expect(await (await again.openUnit('n1/u03', 3)).get(k('a'))).toBeUndefined();
  });

  it('offers only the units that fit into the free space, and those that hold something already', async () => {
    const disk = await open({ freeBytes: async () => 1.5 * 2 ** 20 });
    expect(disk.units.map(({ unitId }) => unitId)).toEqual(['n1/u01', 'n1/u03']);
    expect(disk.unitsRefused).toBe(1);
    await disk.openUnit('n1/u01', 1);
    await disk.close();
    disks.length = 0;
    expect((await open({ freeBytes: async () => 0 })).units.map(({ unitId }) => unitId)).toEqual(['n1/u01', 'n1/u03']);
  });

  it('says how much space is missing when not one unit fits', async () => {
    const specs = parseUnitSpecs('1x1MiB', 'n1');
    await expect(open({ specs, freeBytes: async () => 10 })).rejects.toMatchObject({
      code: 'DISK_TOO_SMALL',
      message: expect.stringMatching(/10 bytes free.*LEVEE_UNITS/) as string,
    });
  });

  describe('formatted by a plan', () => {
    const units = parseUnitSpecs('1x2MiB:memory,3x1MiB:leveldb', 'n1');
    const format = { planId: 'p7', units };
    const free = [
      { unitId: 'n1/u01', generation: 3 },
      { unitId: 'n1/u02', generation: 0 },
      { unitId: 'n1/u03', generation: 2 },
    ];
    const used = async (disk: UnitDisk, unitId: string, generation: number): Promise<void> => {
      await (await disk.openUnit(unitId, generation)).put(k('a'), k('1'));
      await disk.closeUnit(unitId, generation);
    };

    it('has the units of the plan, also when it is opened with other settings', async () => {
      const disk = await open();
      await used(disk, 'n1/u01', 3);
      expect(disk.format).toBeUndefined();
      await disk.reformat(format, free);
      expect([disk.units, disk.format, disk.unitsRefused]).toEqual([units, format, 0]);
      expect(existsSync(join(folder, 'units/u01'))).toBe(false);
      await used(disk, 'n1/u04', 1);
      const again = await reopen(disk);
      expect([again.units, again.format?.planId, again.storeId]).toEqual([units, 'p7', disk.storeId]);
      expect(await again.generationOf('n1/u04')).toBe(1);
    });

    it('is cleared up to the generations called free, never above (I10)', async () => {
      const disk = await open();
      await used(disk, 'n1/u01', 2);
      const taken = await disk.openUnit('n1/u01', 4);
      await taken.put(k('b'), k('2'));
      await disk.reformat(format, free);
      expect(existsSync(join(folder, 'units/u01/g2'))).toBe(false);
      expect(await taken.get(k('b'))).toEqual(k('2'));
      expect(await disk.generationOf('n1/u01')).toBe(4);
    });

    it('is not touched while one of the units is open, nor when the new ones do not fit', async () => {
      let freeBytes = 3 * 2 ** 20;
      const disk = await open({ freeBytes: async () => freeBytes });
      const before = disk.units;
      await disk.openUnit('n1/u01', 3);
      await expect(disk.reformat(format, free)).rejects.toMatchObject({ code: 'UNIT_CONFLICT' });
      await disk.closeUnit('n1/u01', 3);
      freeBytes--;
      await expect(disk.reformat(format, free)).rejects.toMatchObject({
        code: 'DISK_TOO_SMALL',
        message: expect.stringMatching(/3145727 bytes free.*plan p7 wants take 3145728.*cancel the plan/) as string,
      });
      expect([disk.units, disk.format]).toEqual([before, undefined]);
      expect(existsSync(join(folder, 'units/u01/g3'))).toBe(true);
      const again = await reopen(disk);
      expect(again.units).toEqual(before);
    });

    it('finishes at the next start what the end of the process cut short', async () => {
      const disk = await open();
      for (const generation of [1, 3, 4]) await used(disk, 'n1/u01', generation);
      await disk.close();
      disks.length = 0;
      // As a process leaves it that dies between the record and the last unit.
      await writeFile(join(folder, 'units.json'), JSON.stringify({ ...format, toClear: free }));
      await mkdir(join(folder, 'units/u03/g2.cleared'), { recursive: true });
      const again = await open();
      expect(again.units).toEqual(units);
      expect(await readdir(join(folder, 'units/u01'))).toEqual(['g4', 'g4.owner']);
      expect(existsSync(join(folder, 'units/u03'))).toBe(false);
      expect(JSON.parse((await readFile(join(folder, 'units.json'), 'utf8')).split('\n')[0] ?? '')).toEqual({
        ...format,
        toClear: [],
      });
    });

    it.each(['{', '{}', '{"planId":"p1","units":[{"unitId":"n1/u01"}],"toClear":[]}', '[]', 'null'])(
      'refuses the record %j instead of guessing',
      async (text) => {
        await (await open()).close();
        disks.length = 0;
        await writeFile(join(folder, 'units.json'), text);
        await expect(open()).rejects.toMatchObject({ code: 'FORMAT_DAMAGED' });
      },
    );
  });
});
