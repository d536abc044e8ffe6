import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkedAheadMsMax, checkIn, type FileChecker, ReaderThread } from '@levee/chunk-store';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { damaged, FilledDisk, k } from './filled-disk';

describe('a unit whose files are not what was written (I19)', () => {
  const at = new FilledDisk();

  beforeEach(() => at.begin());
  afterEach(() => at.end());

  it('is not opened while one byte of a table is wrong, and opens when it is put right', async () => {
    await at.filled();
    at.changeTable();
    await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb is damaged/));
    at.changeTable();
    const db = await at.disk.openUnit('n1/u01', 1);
    expect(await db.get(k('key 7'))).toEqual(k('value 7'));
  });

  it('with CURRENT missing is never made anew: nothing in its folder changes', async () => {
    await at.filled();
    unlinkSync(join(at.unit(), 'CURRENT'));
    const before = readdirSync(at.unit());
    await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/CURRENT.*missing.*nothing was changed/));
    expect(readdirSync(at.unit())).toEqual(before);
    // Nor by a version that had no word of its own beside the folder.
    unlinkSync(`${at.unit()}.owner`);
    await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/CURRENT/));
    expect(readdirSync(at.unit())).toEqual(before);
  });

  it('whose folder is gone is no empty unit', async () => {
    await at.filled();
    rmSync(at.unit(), { recursive: true });
    await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/missing/));
    await at.disk.clearUnit('n1/u01', 1);
    expect(await (await at.disk.openUnit('n1/u01', 1)).get(k('key 7'))).toBeUndefined();
  });

  it('that a process died making is made again', async () => {
    await at.filled();
    unlinkSync(join(at.unit(), 'CURRENT'));
    writeFileSync(`${at.unit()}.owner`, 'new\n');
    expect(await (await at.disk.openUnit('n1/u01', 1)).get(k('key 7'))).toBeUndefined();
  });

  it('waits for a disk that takes writes, whatever room that says it has', async () => {
    expect(await at.disk.hasRoom()).toBe(true);
    expect(existsSync(join(at.folder, 'probe'))).toBe(false);
    mkdirSync(join(at.folder, 'probe'));
    expect(await at.disk.hasRoom()).toBe(false);
    rmSync(join(at.folder, 'probe'), { recursive: true });
    expect(await at.disk.hasRoom()).toBe(true);
  });

  it('whose opening ended the process twice is not opened a third time; once proves nothing', async () => {
    await at.filled();
    writeFileSync(`${at.unit()}.opening`, '|');
    await at.disk.openUnit('n1/u01', 1);
    expect(existsSync(`${at.unit()}.opening`)).toBe(false);
    await at.disk.closeUnit('n1/u01', 1);
    writeFileSync(`${at.unit()}.opening`, '||');
    await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/ended 2 times while it was opened/));
    await at.disk.setAside('n1/u01', 1, 'it kills');
    await at.disk.openUnit('n1/u01', 1);
  });

  it('is looked at again while it is open: what is new, and what is due', async () => {
    await at.filled();
    const db = await at.disk.openUnit('n1/u01', 1);
    await db.put(k('another'), k('one'));
    const pace = { monotonicMs: () => 0 };
    const look = (sinceMs: number) => at.disk.scrub('n1/u01', 1, { sinceMs, tablesMax: 100, pace });
    await look(-1);
    expect((await look(-1))?.checked).toEqual([]);
    expect((await look(Infinity))?.checked.length).toBeGreaterThan(0);
    expect(at.disk.oldestCheckMs('n1/u01', 1)).toBeLessThanOrEqual(performance.now());
    at.changeTable();
    await expect(look(Infinity)).rejects.toMatchObject(damaged(/\.ldb/));
    expect(await at.disk.scrub('n1/u02', 1, { sinceMs: Infinity, tablesMax: 1, pace })).toBeUndefined();
  });

  it('is checked in the reader thread where there is one, which says how far it is and can be stopped', async () => {
    await at.filled();
    await at.disk.close();
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
              seen.push(at.disk.checkProgress('n1/u01', 1));
              await pace?.giveWay?.(bytes);
            },
          },
        });
      await at.open({ checkFiles });
      await at.disk.openUnit('n1/u01', 1);
      const whole = { bytes: expect.any(Number) as number, bytesTotal: expect.any(Number) as number };
      expect(seen[0]).toEqual(whole);
      expect(at.disk.checkProgress('n1/u01', 1)).toBeUndefined();
      await at.disk.closeUnit('n1/u01', 1);
      at.changeTable();
      await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb/));
      at.disk.stopChecks();
      await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
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
      await at.disk.openUnit('n1/u01', 1);
      await at.disk.closeUnit('n1/u01', 1);
      return looks.length - before;
    };

    beforeEach(async () => {
      await at.filled();
      await at.disk.close();
      looks = [];
      nowMs = 0;
      await at.open({ checkFiles, clock });
      await eventually('its check begins', () => looks.length > 0);
      expect(looks).toEqual([at.unit()]);
    });

    it('and not again at its first opening, but at every later one', async () => {
      expect(await openings()).toBe(0);
      expect(await openings()).toBe(1);
      at.changeTable();
      await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb/));
    });

    it('which holds for a minute', async () => {
      nowMs = checkedAheadMsMax + 1;
      at.changeTable();
      await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb/));
      expect(looks.length).toBe(2);
    });

    it('and what was damaged then is told to who opens it', async () => {
      await at.disk.close();
      at.changeTable();
      await at.open({ checkFiles, clock });
      await expect(at.disk.openUnit('n1/u01', 1)).rejects.toMatchObject(damaged(/\.ldb/));
      at.changeTable();
      expect(await openings()).toBe(1);
    });

    it('which says nothing of what comes in its place', async () => {
      await at.disk.clearUnit('n1/u01', 1);
      await at.filled();
      expect(await openings()).toBe(1);
    });
  });

  it('waits for nobody in the reader thread while it is closed, and for leave behind each slice while it is open', async () => {
    const db = await at.disk.openUnit('n1/u01', 1);
    for (let i = 0; i < 8; i++) await db.put(k(`key ${i}`), randomBytes(100_000));
    await at.disk.closeUnit('n1/u01', 1);
    await at.disk.openUnit('n1/u01', 1);
    await at.disk.closeUnit('n1/u01', 1);
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
        checkIn(thread)(at.unit(), { state, pace, signal: stop.signal });
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
    await at.disk.close();
    writeFileSync(join(at.folder, 'lock', 'CURRENT'), 'nonsense');
    await at.open();
    await at.filled();
  });

  it.each([
    ['lost', (path: string) => rmSync(path, { force: true })],
    ['changed', (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace(/./, 'X'))],
    ['empty', (path: string) => writeFileSync(path, '')],
    ['zeroed', (path: string) => writeFileSync(path, Buffer.alloc(readFileSync(path).length))],
  ])('who the disk is outlives one file that is %s, and no stranger takes its place', async (_, bend) => {
    await at.disk.joinCluster('c1');
    await at.disk.close();
    for (const name of ['storeId', 'clusterId']) {
      for (const file of [name, `${name}.copy`]) {
        bend(join(at.folder, file));
        await at.open({ newStoreId: () => 'another store' });
        expect([at.disk.storeId, at.disk.clusterId]).toEqual(['a store', 'c1']);
        await at.disk.joinCluster('c1');
        await at.disk.close();
      }
    }
    writeFileSync(join(at.folder, 'storeId'), 'X');
    writeFileSync(join(at.folder, 'storeId.copy'), 'X');
    await expect(at.open()).rejects.toMatchObject({
      code: 'DISK_DAMAGED',
      message: expect.stringMatching(/storeId/) as string,
    });
    rmSync(join(at.folder, 'storeId'));
    rmSync(join(at.folder, 'storeId.copy'));
    await at.open();
  });

  it('a disk that forgot who it is, and holds replicas, is not begun anew (I14)', async () => {
    await at.filled();
    await at.disk.close();
    const copy = readFileSync(join(at.folder, 'storeId.copy'));
    rmSync(join(at.folder, 'storeId'));
    rmSync(join(at.folder, 'storeId.copy'));
    const before = readdirSync(at.folder, { recursive: true });
    const opened = at.open({ newStoreId: () => 'another store' });
    await expect(opened).rejects.toMatchObject({
      code: 'DISK_DAMAGED',
      message: expect.stringMatching(/storeId and its copy are missing, and the folder holds replicas/) as string,
    });
    const unlocked = (names: (string | Buffer)[]) => names.map(String).filter((name) => !name.startsWith('lock'));
    expect(unlocked(readdirSync(at.folder, { recursive: true }))).toEqual(unlocked(before));
    writeFileSync(join(at.folder, 'storeId.copy'), copy);
    await at.open({ newStoreId: () => 'another store' });
    expect(at.disk.storeId).toBe('a store');
    expect(await (await at.disk.openUnit('n1/u01', 1)).get(k('key 7'))).toEqual(k('value 7'));
  });
});
