import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkedAheadMsMax,
  checkIn,
  type FileChecker,
  parseUnitSpecs,
  ReaderThread,
  setAsideLimits,
  UnitDisk,
  type UnitDiskOptions,
} from '@levee/chunk-store';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { eventually } from '../../../test/support/deadline';

const k = (text: string): Buffer => Buffer.from(text);

describe('a unit whose files are not what was written (I19)', () => {
  let folder: string;
  let disk: UnitDisk;
  const open = async (options: Partial<UnitDiskOptions> = {}): Promise<UnitDisk> => {
    const specs = parseUnitSpecs('2x1MiB,1x1MiB:memory', 'n1');
    return (disk = await UnitDisk.open({ folder, specs, newStoreId: () => 'a store', ...options }));
  };
  const unit = (name = 'u01', generation = 1): string => join(folder, 'units', name, `g${generation}`);
  const damaged = (words: RegExp) => ({ code: 'REPLICA_DAMAGED', message: expect.stringMatching(words) as string });

  /** A unit with a table: opening writes what was in the write-ahead file into one. */
  async function filled(unitId = 'n1/u01'): Promise<void> {
    const db = await disk.openUnit(unitId, 1);
    for (let i = 0; i < 50; i++) await db.put(k(`key ${i}`), k(`value ${i}`));
    await disk.closeUnit(unitId, 1);
    await disk.openUnit(unitId, 1);
    await disk.closeUnit(unitId, 1);
  }

  function changeTable(): void {
    const path = join(unit(), readdirSync(unit()).find((name) => name.endsWith('.ldb')) as string);
    const bytes = readFileSync(path);
    bytes[20] = (bytes[20] as number) ^ 1;
    writeFileSync(path, bytes);
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'levee-damage-'));
    await open();
  });
  afterEach(async () => {
    await disk.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is not opened while one byte of a table is wrong, and opens when it is put right', async () => {
    await filled();
    changeTable();
    await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb is damaged/));
    changeTable();
    const db = await disk.openUnit('n1/u01', 1);
    expect(await db.get(k('key 7'))).toEqual(k('value 7'));
  });

  it('with CURRENT missing is never made anew: nothing in its folder changes', async () => {
    await filled();
    unlinkSync(join(unit(), 'CURRENT'));
    const before = readdirSync(unit());
    await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/CURRENT.*missing.*nothing was changed/));
    expect(readdirSync(unit())).toEqual(before);
    // Nor by a version that had no word of its own beside the folder.
    unlinkSync(`${unit()}.owner`);
    await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/CURRENT/));
    expect(readdirSync(unit())).toEqual(before);
  });

  it('whose folder is gone is no empty unit', async () => {
    await filled();
    rmSync(unit(), { recursive: true });
    await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/missing/));
    await disk.clearUnit('n1/u01', 1);
    expect(await (await disk.openUnit('n1/u01', 1)).get(k('key 7'))).toBeUndefined();
  });

  it('that a process died making is made again', async () => {
    await filled();
    unlinkSync(join(unit(), 'CURRENT'));
    writeFileSync(`${unit()}.owner`, 'new\n');
    expect(await (await disk.openUnit('n1/u01', 1)).get(k('key 7'))).toBeUndefined();
  });

  it('is set aside as it is, with the reason, and empty afterwards; other units are left alone', async () => {
    await filled();
    await filled('n1/u02');
    changeTable();
    const names = readdirSync(unit()).sort();
    await disk.setAside('n1/u01', 1, 'a byte was wrong');
    const [kept] = disk.setAsides;
    expect(kept).toMatchObject({ unitId: 'n1/u01', generation: 1, reason: 'a byte was wrong' });
    expect(readdirSync(kept!.folder).sort()).toEqual([...names, 'set-aside.json'].sort());
    expect(await (await disk.openUnit('n1/u01', 1)).get(k('key 7'))).toBeUndefined();
    expect(await (await disk.openUnit('n1/u02', 1)).get(k('key 7'))).toEqual(k('value 7'));
    await disk.close();
    await open();
    expect(disk.setAsides).toEqual([kept]);
  });

  it('no more than so many are kept, the newest, and none where room is short', async () => {
    for (let i = 0; i < setAsideLimits.foldersMax + 2; i++) {
      await filled();
      await disk.setAside('n1/u01', 1, `number ${i}`);
    }
    expect(disk.setAsides.map(({ reason }) => reason)).toEqual(['number 2', 'number 3', 'number 4', 'number 5']);
    expect(readdirSync(join(folder, 'set-aside'))).toHaveLength(setAsideLimits.foldersMax);
    await disk.close();
    let free = 2 ** 40;
    await open({ freeBytes: async () => free });
    await filled();
    free = 0;
    await disk.setAside('n1/u01', 1, 'no room');
    expect(disk.setAsides).toEqual([]);
    expect(readdirSync(join(folder, 'set-aside'))).toEqual([]);
  });

  it('is kept until its replica is whole, whatever the limits, over restarts, and with a note that cannot be read', async () => {
    const what = { reason: 'too old', damaged: false, positions: [{ partition: 3, nextOffset: 7 }] };
    await filled();
    await disk.keep('n1/u01', 1, what);
    const kept = disk.needed('n1/u01', 1)!;
    expect(kept).toMatchObject({ reason: 'too old', keptFor: { damaged: false, positions: what.positions } });
    for (let i = 0; i < setAsideLimits.foldersMax + 2; i++) {
      await filled('n1/u02');
      await disk.setAside('n1/u02', 1, `number ${i}`);
    }
    expect(disk.setAsides).toHaveLength(setAsideLimits.foldersMax + 1);
    await disk.close();
    writeFileSync(join(kept.folder, 'set-aside.json'), '{"unitId": "n1');
    await open({ freeBytes: async () => 0 });
    expect(disk.needed('n1/u01', 1)).toMatchObject({ folder: kept.folder, keptFor: { positions: null } });
    // Another generation, or another unit, is nobody's.
    await disk.letGoKept('n1/u01', 2);
    await disk.letGoKept('n1/u02', 1);
    expect(disk.setAsides.map(({ folder }) => folder)).toEqual([kept.folder]);
    await disk.letGoKept('n1/u01', 1);
    expect(disk.setAsides).toEqual([]);
  });

  it('that was damaged stays within the limits when its replica is whole; what was not goes', async () => {
    await filled();
    await disk.keep('n1/u01', 1, { reason: 'too old', damaged: false, positions: [] });
    await filled('n1/u02');
    await disk.keep('n1/u02', 1, { reason: 'a byte was wrong', damaged: true, positions: null });
    for (const unitId of ['n1/u01', 'n1/u02']) await disk.letGoKept(unitId, 1);
    expect(disk.setAsides.map(({ reason, keptFor }) => [reason, keptFor])).toEqual([['a byte was wrong', undefined]]);
    await disk.close();
    await open();
    expect(disk.setAsides.map(({ reason, keptFor }) => [reason, keptFor])).toEqual([['a byte was wrong', undefined]]);
  });

  it('is kept for the next rebuild though what was kept for the one before is just being let go', async () => {
    const what = { damaged: false, positions: [{ partition: 3, nextOffset: 7 }] };
    await filled();
    await disk.keep('n1/u01', 1, { ...what, reason: 'first' });
    const letGo = disk.letGoKept('n1/u01', 1);
    // What is being removed is no copy that a rebuild may rely on.
    expect(disk.needed('n1/u01', 1)).toBeUndefined();
    await filled();
    const kept = disk.keep('n1/u01', 1, { ...what, reason: 'second' });
    await Promise.all([letGo, kept]);
    expect(disk.needed('n1/u01', 1)).toMatchObject({ reason: 'second' });
    expect(readdirSync(join(folder, 'set-aside'))).toHaveLength(1);
  });

  it('that was half removed when the process ended is removed to its end', async () => {
    await filled();
    await disk.keep('n1/u01', 1, { reason: 'too old', damaged: false, positions: [] });
    const kept = disk.needed('n1/u01', 1)!;
    await disk.close();
    renameSync(kept.folder, `${kept.folder}.gone`);
    await open();
    expect(disk.setAsides).toEqual([]);
    expect(readdirSync(join(folder, 'set-aside'))).toEqual([]);
  });

  it('has room to be kept while all that is filled anew fits beside it, and no third time', async () => {
    const { capacityBytes } = disk.spec('n1/u01');
    await disk.close();
    let free = 2 * capacityBytes;
    await open({ freeBytes: async () => free });
    expect(await disk.keepProblem('n1/u01')).toBeUndefined();
    await filled();
    await disk.keep('n1/u01', 1, { reason: 'first', damaged: true, positions: null });
    expect(await disk.keepProblem('n1/u02')).toBeUndefined();
    free--;
    expect(await disk.keepProblem('n1/u02')).toMatch(/no room to keep what n1\/u02 holds .*free some space/);
    free = 100 * capacityBytes;
    await filled();
    await disk.keep('n1/u01', 1, { reason: 'second', damaged: true, positions: null });
    expect(await disk.keepProblem('n1/u01')).toBe('2 folders of n1/u01 are kept already');
    expect(await disk.keepProblem('n1/u02')).toBeUndefined();
  });

  it('waits for a disk that takes writes, whatever room that says it has', async () => {
    expect(await disk.hasRoom()).toBe(true);
    expect(existsSync(join(folder, 'probe'))).toBe(false);
    mkdirSync(join(folder, 'probe'));
    expect(await disk.hasRoom()).toBe(false);
    rmSync(join(folder, 'probe'), { recursive: true });
    expect(await disk.hasRoom()).toBe(true);
  });

  it('whose opening ended the process twice is not opened a third time; once proves nothing', async () => {
    await filled();
    writeFileSync(`${unit()}.opening`, '|');
    await disk.openUnit('n1/u01', 1);
    expect(existsSync(`${unit()}.opening`)).toBe(false);
    await disk.closeUnit('n1/u01', 1);
    writeFileSync(`${unit()}.opening`, '||');
    await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/ended 2 times while it was opened/));
    await disk.setAside('n1/u01', 1, 'it kills');
    await disk.openUnit('n1/u01', 1);
  });

  it('is looked at again while it is open: what is new, and what is due', async () => {
    await filled();
    const db = await disk.openUnit('n1/u01', 1);
    await db.put(k('another'), k('one'));
    const pace = { monotonicMs: () => 0 };
    const look = (sinceMs: number) => disk.scrub('n1/u01', 1, { sinceMs, tablesMax: 100, pace });
    await look(-1);
    expect((await look(-1))?.checked).toEqual([]);
    expect((await look(Infinity))?.checked.length).toBeGreaterThan(0);
    expect(disk.oldestCheckMs('n1/u01', 1)).toBeLessThanOrEqual(performance.now());
    changeTable();
    await expect(look(Infinity)).rejects.toMatchObject(damaged(/\.ldb/));
    expect(await disk.scrub('n1/u02', 1, { sinceMs: Infinity, tablesMax: 1, pace })).toBeUndefined();
  });

  it('is checked in the reader thread where there is one, which says how far it is and can be stopped', async () => {
    await filled();
    await disk.close();
    const execArgv = ['--require', join(__dirname, '../../../test/support/ts-thread.cjs')];
    const thread = new ReaderThread({ clock: systemClock, timers: systemTimers, logger: silentLogger, execArgv });
    try {
      const seen: unknown[] = [];
      const checker = checkIn(thread);
      const checkFiles: FileChecker = (location, { pace, ...what }) =>
        checker(location, {
          ...what,
          pace: {
            monotonicMs: () => 0,
            giveWay: async (bytes) => {
              seen.push(disk.checkProgress('n1/u01', 1));
              await pace?.giveWay?.(bytes);
            },
          },
        });
      await open({ checkFiles });
      await disk.openUnit('n1/u01', 1);
      const whole = { bytes: expect.any(Number) as number, bytesTotal: expect.any(Number) as number };
      expect(seen[0]).toEqual(whole);
      expect(disk.checkProgress('n1/u01', 1)).toBeUndefined();
      await disk.closeUnit('n1/u01', 1);
      changeTable();
      await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb/));
      disk.stopChecks();
      await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
    } finally {
      await thread.close();
    }
  });

  describe('is checked when its disk is opened', () => {
    let nowMs = 0;
    let looks: string[] = [];
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    const checkFiles: FileChecker = (location, { pace: _pace, ...what }) => {
      looks.push(location);
      return checkIn(undefined)(location, what);
    };
    const openings = async (): Promise<number> => {
      const before = looks.length;
      await disk.openUnit('n1/u01', 1);
      await disk.closeUnit('n1/u01', 1);
      return looks.length - before;
    };

    beforeEach(async () => {
      await filled();
      await disk.close();
      looks = [];
      nowMs = 0;
      await open({ checkFiles, clock });
      await eventually('its check begins', () => looks.length > 0);
      expect(looks).toEqual([unit()]);
    });

    it('and not again at its first opening, but at every later one', async () => {
      expect(await openings()).toBe(0);
      expect(await openings()).toBe(1);
      changeTable();
      await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb/));
    });

    it('which holds for a minute', async () => {
      nowMs = checkedAheadMsMax + 1;
      changeTable();
      await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb/));
      expect(looks.length).toBe(2);
    });

    it('and what was damaged then is told to who opens it', async () => {
      await disk.close();
      changeTable();
      await open({ checkFiles, clock });
      await expect(disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb/));
      changeTable();
      expect(await openings()).toBe(1);
    });

    it('which says nothing of what comes in its place', async () => {
      await disk.clearUnit('n1/u01', 1);
      await filled();
      expect(await openings()).toBe(1);
    });
  });

  it('waits for nobody in the reader thread while it is closed, and for leave behind each slice while it is open', async () => {
    const db = await disk.openUnit('n1/u01', 1);
    for (let i = 0; i < 8; i++) await db.put(k(`key ${i}`), randomBytes(100_000));
    await disk.closeUnit('n1/u01', 1);
    await disk.openUnit('n1/u01', 1);
    await disk.closeUnit('n1/u01', 1);
    const execArgv = ['--require', join(__dirname, '../../../test/support/ts-thread.cjs')];
    const thread = new ReaderThread({ clock: systemClock, timers: systemTimers, logger: silentLogger, execArgv });
    try {
      let slices = 0;
      const giveWay = (): Promise<void> => {
        slices++;
        return new Promise(() => undefined);
      };
      const pace = { monotonicMs: () => 0, giveWay };
      const stop = new AbortController();
      const check = (state: 'open' | 'closed'): ReturnType<FileChecker> =>
        checkIn(thread)(unit(), { state, pace, signal: stop.signal });
      expect((await check('closed')).checked.length).toBeGreaterThan(0);
      expect(slices).toBeGreaterThan(0);
      slices = 0;
      const waiting = check('open').catch((error: unknown) => error);
      await eventually('a slice is over', () => slices > 0);
      expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))])).toBe('waits');
      stop.abort();
      expect(await waiting).toMatchObject({ code: 'REPLICA_CLOSED' });
    } finally {
      await thread.close();
    }
  });

  it('a lock that is damaged is made anew; it holds nothing', async () => {
    await disk.close();
    writeFileSync(join(folder, 'lock', 'CURRENT'), 'nonsense');
    await open();
    await filled();
  });

  it.each([
    ['lost', (path: string) => rmSync(path, { force: true })],
    ['changed', (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace(/./, 'X'))],
    ['empty', (path: string) => writeFileSync(path, '')],
    ['zeroed', (path: string) => writeFileSync(path, Buffer.alloc(readFileSync(path).length))],
  ])('who the disk is outlives one file that is %s, and no stranger takes its place', async (_, bend) => {
    await disk.joinCluster('c1');
    await disk.close();
    for (const name of ['storeId', 'clusterId']) {
      for (const file of [name, `${name}.copy`]) {
        bend(join(folder, file));
        await open({ newStoreId: () => 'another store' });
        expect([disk.storeId, disk.clusterId]).toEqual(['a store', 'c1']);
        await disk.joinCluster('c1');
        await disk.close();
      }
    }
    writeFileSync(join(folder, 'storeId'), 'X');
    writeFileSync(join(folder, 'storeId.copy'), 'X');
    await expect(open()).rejects.toMatchObject({
      code: 'DISK_DAMAGED',
      message: expect.stringMatching(/storeId/) as string,
    });
    rmSync(join(folder, 'storeId'));
    rmSync(join(folder, 'storeId.copy'));
    await open();
  });

  it('a disk that forgot who it is, and holds replicas, is not begun anew (I14)', async () => {
    await filled();
    await disk.close();
    const copy = readFileSync(join(folder, 'storeId.copy'));
    rmSync(join(folder, 'storeId'));
    rmSync(join(folder, 'storeId.copy'));
    const before = readdirSync(folder, { recursive: true });
    const opened = open({ newStoreId: () => 'another store' });
    await expect(opened).rejects.toMatchObject({
      code: 'DISK_DAMAGED',
      message: expect.stringMatching(/storeId and its copy are missing, and the folder holds replicas/) as string,
    });
    const unlocked = (names: (string | Buffer)[]) => names.map(String).filter((name) => !name.startsWith('lock'));
    expect(unlocked(readdirSync(folder, { recursive: true }))).toEqual(unlocked(before));
    writeFileSync(join(folder, 'storeId.copy'), copy);
    await open({ newStoreId: () => 'another store' });
    expect(disk.storeId).toBe('a store');
    expect(await (await disk.openUnit('n1/u01', 1)).get(k('key 7'))).toEqual(k('value 7'));
  });
});
