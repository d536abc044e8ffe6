import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClassicLevel } from 'classic-level';
import { checkFiles, intoTables, openLevelDb } from '@levee/chunk-store';
import { systemClock } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { dice, seed } from '../../../test/support/seed';

/** Whole numbers below a bound, of the run's seed. */
function wholeDice(): (below: number) => number {
  const random = dice();
  return (below) => Math.floor(random() * below);
}

const read = (files: string): string[] => readdirSync(files).filter((name) => /^(CURRENT|MANIFEST-|\d+\.)/.test(name));

describe('the files of a database', () => {
  let root: string;
  let pristine: string;
  let folder: string;
  let copies = 0;

  const check = (state: 'closed' | 'open' = 'closed') => checkFiles(folder, { state }, systemClock);
  const only = (ending: RegExp): string => join(folder, read(folder).find((name) => ending.test(name)) as string);
  const damaged = (words: RegExp) => ({ code: 'REPLICA_DAMAGED', message: expect.stringMatching(words) as string });
  const flip = (path: string, at: number, by = 1): void => {
    const bytes = readFileSync(path);
    bytes[at] = (bytes[at] as number) ^ by;
    writeFileSync(path, bytes);
  };

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'levee-files-'));
    pristine = join(root, 'pristine');
    const db = await openLevelDb(pristine);
    const write = async (round: number, batches = 40): Promise<void> => {
      for (let i = 0; i < batches; i++) {
        const batch = db.batch();
        for (let k = 0; k < 50; k++) batch.put(Buffer.from(`key ${i * 50 + k}`), Buffer.from(`${round} `.repeat(30)));
        await batch.write();
      }
    };
    const intoTable = async (round: number): Promise<void> => {
      await write(round);
      await intoTables(db);
    };
    await intoTable(0);
    await intoTable(1);
    // Its manifest tells of tables that went.
    await (db as unknown as ClassicLevel<Buffer, Buffer>).compactRange(Buffer.from('a'), Buffer.from('z'));
    // So few that nothing is compacted without being asked for.
    await intoTable(2);
    await intoTable(3);
    await write(4, 10);
    for (let i = 0; i < 20; i++) await db.put(Buffer.from(`last ${i}`), Buffer.from(`value ${i}`));
    // As kill -9 leaves it, and with no file that nobody reads: each edit of the manifest counts then.
    const killed = join(root, 'killed');
    await eventually('its files stand still while they are copied', async () => {
      rmSync(killed, { recursive: true, force: true });
      cpSync(pristine, killed, { recursive: true });
      const { live } = await checkFiles(killed, { state: 'closed' }, systemClock);
      const files = (ending: RegExp): number => read(killed).filter((name) => ending.test(name)).length;
      return files(/\.log$/) === 1 && files(/\.ldb$/) === live.length;
    });
    await db.close();
    rmSync(pristine, { recursive: true });
    pristine = killed;
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  beforeEach(() => {
    folder = join(root, `copy-${copies++}`);
    cpSync(pristine, folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('are whole as LevelDB writes them, closed, killed and open', async () => {
    expect((await check()).live.length).toBeGreaterThan(2);
    const db = await openLevelDb(folder);
    const open = await check('open');
    expect(open.checked).toEqual(open.live);
    await db.close();
    expect((await check()).bytes).toBeGreaterThan(20_000);
  });

  it('every byte of every table, manifest and of CURRENT counts: one that changes is found', async () => {
    const below = wholeDice();
    const unseen: string[] = [];
    for (const name of read(folder).filter((each) => !each.endsWith('.log'))) {
      const path = join(folder, name);
      const bytes = readFileSync(path);
      // The ends, where the footer and the last edit are, byte by byte; the rest by the dice.
      const places = new Set<number>();
      for (let i = 0; i < Math.min(400, bytes.length); i++) places.add(bytes.length - 1 - i);
      for (let i = 0; i < 200; i++) places.add(below(bytes.length));
      for (const at of places) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ (1 << below(8));
        writeFileSync(path, changed);
        const found = await check().then(
          () => undefined,
          (error: { code?: string }) => error.code,
        );
        if (found !== 'REPLICA_DAMAGED') unseen.push(`${name}:${at} of ${bytes.length} ${found ?? ''}`);
      }
      writeFileSync(path, bytes);
    }
    expect({ seed, unseen }).toEqual({ seed, unseen: [] });
  }, 180_000);

  it('a changed byte of a write-ahead file is found, or nothing is lost but the very last record', async () => {
    const path = only(/\.log$/);
    const bytes = readFileSync(path);
    const below = wholeDice();
    const lastRecord = bytes.lastIndexOf('last 19') - 7 - 12 - 3;
    let harmless = 0;
    for (let i = 0; i < 600; i++) {
      const at = i < 100 ? bytes.length - 1 - i : below(bytes.length);
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ (1 << below(8));
      writeFileSync(path, changed);
      const whole = await check().then(
        () => true,
        () => false,
      );
      if (!whole) continue;
      harmless++;
      expect([seed, at]).toEqual([seed, Math.max(at, lastRecord)]);
    }
    expect(harmless).toBeGreaterThan(0);
  }, 180_000);

  it('a write-ahead file that ends in the middle of a record is whole; a hole in it is not', async () => {
    const path = only(/\.log$/);
    const bytes = readFileSync(path);
    truncateSync(path, bytes.length - 5);
    await check();
    writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(5_000)]));
    await check();
    bytes.fill(0, 200, 4_000);
    writeFileSync(path, bytes);
    await expect(check()).rejects.toMatchObject(damaged(/\.log is damaged at byte \d+/));
  });

  it.each([
    ['CURRENT', /^CURRENT$/, /CURRENT.*is missing; nothing was changed/],
    ['the manifest', /^MANIFEST/, /MANIFEST-\d+.*it is missing/],
    ['a table', /\.ldb$/, /\.ldb.*the manifest names it, and it is missing/],
    ['the write-ahead file', /\.log$/, /\.log.*the manifest names it, and it is missing/],
  ])('%s that is gone is named, and nothing is made in its place', async (_, file, words) => {
    unlinkSync(only(file));
    const before = readdirSync(folder);
    await expect(check()).rejects.toMatchObject(damaged(words));
    expect(readdirSync(folder)).toEqual(before);
  });

  it.each([
    ['cut', (path: string) => truncateSync(path, 900)],
    ['empty', (path: string) => truncateSync(path, 0)],
    ['longer', (path: string) => writeFileSync(path, Buffer.alloc(10), { flag: 'a' })],
    ['zeroed', (path: string) => writeFileSync(path, Buffer.alloc(readFileSync(path).length))],
  ])('a table that is %s is damaged', async (_, bend) => {
    bend(only(/\.ldb$/));
    await expect(check()).rejects.toMatchObject(damaged(/\.ldb/));
  });

  it('skips tables that were looked at, and of an open database those that a compaction takes away', async () => {
    const db = await openLevelDb(folder);
    const { live } = await check('open');
    flip(join(folder, `${String(live[0]).padStart(6, '0')}.ldb`), 40);
    expect((await checkFiles(folder, { state: 'open', skip: live }, systemClock)).checked).toEqual([]);
    await db.close();
    await expect(check()).rejects.toMatchObject(damaged(/checksum of the block/));
  });

  it('an open database stays whole while it is written and compacted', async () => {
    const db = await openLevelDb(folder, { writeBufferBytes: 64 << 10, blockCacheBytes: 64 << 10 });
    let writing = true;
    let looks = 0;
    const writer = (async () => {
      // However long a look takes, there are some while it is written.
      for (let i = 0; writing && (i < 300 || looks < 3); i++) {
        const batch = db.batch();
        for (let k = 0; k < 50; k++) batch.put(Buffer.from(`key ${(i * 31 + k) % 2000}`), Buffer.alloc(100, i));
        await batch.write();
      }
      writing = false;
    })();
    try {
      while (writing) {
        await check('open');
        looks++;
      }
    } finally {
      writing = false;
      await writer;
      await db.close();
    }
    expect(looks).toBeGreaterThan(2);
  });
});
