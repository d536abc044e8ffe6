import { CrashDisk, type PowerLossMode } from '@levee/crash-level';

/** A variable: abstract-level's own options do not know `sync`, its implementations do. */
const synced: object = { sync: true };
const k = (text: string): Buffer => Buffer.from(text);

async function stored(disk: CrashDisk): Promise<Record<string, string>> {
  const db = disk.open();
  const found: Record<string, string> = {};
  for await (const [key, value] of db.iterator()) found[key.toString()] = value.toString();
  await db.close();
  return found;
}

describe('CrashLevel', () => {
  it('behaves like any abstract-level: put, get, del, batch, clear, iterators, snapshots, sublevels', async () => {
    const disk = new CrashDisk();
    const db = disk.open();
    await db.put(k('a'), k('1'));
    await db.batch([
      { type: 'put', key: k('b'), value: k('2') },
      { type: 'put', key: k('c'), value: k('3') },
      { type: 'del', key: k('a') },
    ]);
    await db.sublevel('sub', { valueEncoding: 'utf8' }).put('x', 'y', {});
    const snapshot = db.snapshot();
    await db.del(k('b'));
    expect(await db.get(k('b'), { snapshot })).toEqual(k('2'));
    await snapshot.close();
    expect(await db.get(k('b'))).toBeUndefined();
    await db.clear({ gte: k('c') });
    await db.close();
    expect(await stored(disk)).toEqual({ '!sub!x': 'y' });
  });

  it('keeps everything when only the process ends', async () => {
    const disk = new CrashDisk();
    const db = disk.open();
    await db.put(k('a'), k('1'));
    await db.close();
    expect(await stored(disk)).toEqual({ a: '1' });
  });

  const modes: readonly PowerLossMode[] = ['forget', 'prefix', 'tear'];
  it.each(modes)('a synced write and every write before it survive power loss (%s)', async (mode) => {
    for (let seed = 0; seed < 20; seed++) {
      const disk = new CrashDisk();
      const db = disk.open();
      await db.put(k('a'), k('1'));
      await db.put(k('b'), k('2'), synced);
      await db.put(k('c'), k('3'));
      await disk.powerLoss(seed, mode);
      expect(await stored(disk)).toMatchObject({ a: '1', b: '2' });
    }
  });

  it.each([
    ['forget', ['']],
    ['prefix', ['', 'a', 'ab', 'abc']],
  ] as const)('unsynced writes after power loss: %s leaves one of %j', async (mode, outcomes) => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const disk = new CrashDisk();
      const db = disk.open();
      for (const key of 'abc') await db.put(k(key), k('value'));
      await disk.powerLoss(seed, mode);
      seen.add(Object.keys(await stored(disk)).join(''));
    }
    expect([...seen].sort()).toEqual(outcomes);
  });

  it('tears the next write: some operations missing, the last value cut', async () => {
    const shapes = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const disk = new CrashDisk();
      const db = disk.open();
      await db.batch([
        { type: 'put', key: k('a'), value: k('12345678') },
        { type: 'put', key: k('b'), value: k('12345678') },
      ]);
      await disk.powerLoss(seed, 'tear');
      const found = await stored(disk);
      shapes.add(
        Object.entries(found)
          .map(([key, value]) => `${key}${value.length === 8 ? '' : '~'}`)
          .join(''),
      );
    }
    expect(shapes).toEqual(new Set(['a~', 'ab~', 'ab']));
  });

  it('the same seed loses the same', async () => {
    const run = async (): Promise<Record<string, string>> => {
      const disk = new CrashDisk();
      const db = disk.open();
      for (let n = 0; n < 30; n++) await db.put(k(String(n)), k('v'));
      await disk.powerLoss(4711, 'tear');
      return stored(disk);
    };
    expect(await run()).toEqual(await run());
  });

  it('a sync under way when the power goes does not succeed', async () => {
    const disk = new CrashDisk();
    const db = disk.open();
    await db.open();
    disk.holdSyncs();
    const write = db.put(k('a'), k('1'), synced);
    const outcome = expect(write).rejects.toThrow(/power is lost/);
    await new Promise((resolve) => setImmediate(resolve));
    await disk.powerLoss(0, 'forget');
    await outcome;
    expect(await stored(disk)).toEqual({});
    await expect(db.put(k('b'), k('2'))).rejects.toThrow();
  });

  it('a disk that ignores sync loses synced writes', async () => {
    const disk = new CrashDisk({ ignoreSync: true });
    const db = disk.open();
    await db.put(k('a'), k('1'), synced);
    await disk.powerLoss(0, 'forget');
    expect(await stored(disk)).toEqual({});
  });
});
