import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setAsideLimits } from '@levee/chunk-store';
import { FilledDisk, k } from './filled-disk';

describe('a unit that is given up (I14, I19)', () => {
  const at = new FilledDisk();

  beforeEach(() => at.begin());
  afterEach(() => at.end());

  it('is set aside as it is, with the reason, and empty afterwards; other units are left alone', async () => {
    await at.filled();
    await at.filled('n1/u02');
    at.changeTable();
    const names = readdirSync(at.unit()).sort();
    await at.disk.setAside('n1/u01', 1, 'a byte was wrong');
    const [kept] = at.disk.setAsides;
    expect(kept).toMatchObject({ unitId: 'n1/u01', generation: 1, reason: 'a byte was wrong' });
    expect(readdirSync(kept!.folder).sort()).toEqual([...names, 'set-aside.json'].sort());
    expect(await (await at.disk.openUnit('n1/u01', 1)).get(k('key 7'))).toBeUndefined();
    expect(await (await at.disk.openUnit('n1/u02', 1)).get(k('key 7'))).toEqual(k('value 7'));
    await at.disk.close();
    await at.open();
    expect(at.disk.setAsides).toEqual([kept]);
  });

  it('no more than so many are kept, the newest, and none where room is short', async () => {
    for (let i = 0; i < setAsideLimits.foldersMax + 2; i++) {
      await at.filled();
      await at.disk.setAside('n1/u01', 1, `number ${i}`);
    }
    expect(at.disk.setAsides.map(({ reason }) => reason)).toEqual(['number 2', 'number 3', 'number 4', 'number 5']);
    expect(readdirSync(join(at.folder, 'set-aside'))).toHaveLength(setAsideLimits.foldersMax);
    await at.disk.close();
    let free = 2 ** 40;
    await at.open({ freeBytes: async () => free });
    await at.filled();
    free = 0;
    await at.disk.setAside('n1/u01', 1, 'no room');
    expect(at.disk.setAsides).toEqual([]);
    expect(readdirSync(join(at.folder, 'set-aside'))).toEqual([]);
  });

  it('is kept until its replica is whole, whatever the limits, over restarts, and with a note that cannot be read', async () => {
    const what = { reason: 'too old', damaged: false, positions: [{ partition: 3, nextOffset: 7 }] };
    await at.filled();
    await at.disk.keep('n1/u01', 1, what);
    const kept = at.disk.needed('n1/u01', 1)!;
    expect(kept).toMatchObject({ reason: 'too old', keptFor: { damaged: false, positions: what.positions } });
    for (let i = 0; i < setAsideLimits.foldersMax + 2; i++) {
      await at.filled('n1/u02');
      await at.disk.setAside('n1/u02', 1, `number ${i}`);
    }
    expect(at.disk.setAsides).toHaveLength(setAsideLimits.foldersMax + 1);
    await at.disk.close();
    writeFileSync(join(kept.folder, 'set-aside.json'), '{"unitId": "n1');
    await at.open({ freeBytes: async () => 0 });
    expect(at.disk.needed('n1/u01', 1)).toMatchObject({ folder: kept.folder, keptFor: { positions: null } });
    // Another generation, or another unit, is nobody's.
    await at.disk.letGoKept('n1/u01', 2);
    await at.disk.letGoKept('n1/u02', 1);
    expect(at.disk.setAsides.map(({ folder }) => folder)).toEqual([kept.folder]);
    await at.disk.letGoKept('n1/u01', 1);
    expect(at.disk.setAsides).toEqual([]);
  });

  it('that was damaged stays within the limits when its replica is whole; what was not goes', async () => {
    await at.filled();
    await at.disk.keep('n1/u01', 1, { reason: 'too old', damaged: false, positions: [] });
    await at.filled('n1/u02');
    await at.disk.keep('n1/u02', 1, { reason: 'a byte was wrong', damaged: true, positions: null });
    for (const unitId of ['n1/u01', 'n1/u02']) await at.disk.letGoKept(unitId, 1);
    expect(at.disk.setAsides.map(({ reason, keptFor }) => [reason, keptFor])).toEqual([
      ['a byte was wrong', undefined],
    ]);
    await at.disk.close();
    await at.open();
    expect(at.disk.setAsides.map(({ reason, keptFor }) => [reason, keptFor])).toEqual([
      ['a byte was wrong', undefined],
    ]);
  });

  it('is kept for the next rebuild though what was kept for the one before is just being let go', async () => {
    const what = { damaged: false, positions: [{ partition: 3, nextOffset: 7 }] };
    await at.filled();
    await at.disk.keep('n1/u01', 1, { ...what, reason: 'first' });
    const letGo = at.disk.letGoKept('n1/u01', 1);
    // What is being removed is no copy that a rebuild may rely on.
    expect(at.disk.needed('n1/u01', 1)).toBeUndefined();
    await at.filled();
    const kept = at.disk.keep('n1/u01', 1, { ...what, reason: 'second' });
    await Promise.all([letGo, kept]);
    expect(at.disk.needed('n1/u01', 1)).toMatchObject({ reason: 'second' });
    expect(readdirSync(join(at.folder, 'set-aside'))).toHaveLength(1);
  });

  it('that was half removed when the process ended is removed to its end', async () => {
    await at.filled();
    await at.disk.keep('n1/u01', 1, { reason: 'too old', damaged: false, positions: [] });
    const kept = at.disk.needed('n1/u01', 1)!;
    await at.disk.close();
    renameSync(kept.folder, `${kept.folder}.gone`);
    await at.open();
    expect(at.disk.setAsides).toEqual([]);
    expect(readdirSync(join(at.folder, 'set-aside'))).toEqual([]);
  });

  it('has room to be kept while all that is filled anew fits beside it, and no third time', async () => {
    const { capacityBytes } = at.disk.spec('n1/u01');
    await at.disk.close();
    let free = 2 * capacityBytes;
    await at.open({ freeBytes: async () => free });
    expect(await at.disk.keepProblem('n1/u01')).toBeUndefined();
    await at.filled();
    await at.disk.keep('n1/u01', 1, { reason: 'first', damaged: true, positions: null });
    expect(await at.disk.keepProblem('n1/u02')).toBeUndefined();
    free--;
    expect(await at.disk.keepProblem('n1/u02')).toMatch(/no room to keep what n1\/u02 holds .*free some space/);
    free = 100 * capacityBytes;
    await at.filled();
    await at.disk.keep('n1/u01', 1, { reason: 'second', damaged: true, positions: null });
    expect(await at.disk.keepProblem('n1/u01')).toBe('2 folders of n1/u01 are kept already');
    expect(await at.disk.keepProblem('n1/u02')).toBeUndefined();
  });
});
