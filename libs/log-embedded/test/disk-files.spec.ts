import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskFiles } from '../src/store/disk-files';
import { MirroredJournal, readJournal } from '../src/store/mirrored-journal';
import { put } from '../src/store/log-store';

const onLinux = process.platform === 'linux';

describe('a file that is synced at every write', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'levee-files-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('holds what was written one after the other, and at most zeros behind it', async () => {
    const file = await new DiskFiles(folder).create('f', { synced: true });
    const written: Buffer[] = [];
    // Less and more than the room that is made ahead, pieces of many sizes, and turns in which room is made or not.
    for (let n = 1; n <= 60; n++) {
      const pieces = Array.from({ length: n % 4 || 1 }, (_, i) => Buffer.alloc((n * 7919 * (i + 1)) % 180_000, n));
      written.push(...pieces);
      await file.append(pieces);
      if (n % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await file.close();
    const wanted = Buffer.concat(written);
    const found = readFileSync(join(folder, 'f'));
    expect(wanted.length).toBeGreaterThan(4 * 1024 * 1024);
    expect(found.subarray(0, wanted.length).equals(wanted)).toBe(true);
    const behind = found.subarray(wanted.length);
    expect(behind.every((byte) => byte === 0)).toBe(true);
    expect(behind.length).toBeLessThanOrEqual(2 * 1024 * 1024);
    if (onLinux) expect(behind.length).toBeGreaterThan(0);
  });

  it('a journal is read to its last frame, whatever room was made behind it, and is whole', async () => {
    const files = new DiskFiles(folder);
    const journal = await MirroredJournal.create(files, 1, 1);
    for (let sequence = 1; sequence <= 200; sequence++)
      await journal.append(sequence, [put(Buffer.from(`k${sequence}`), Buffer.alloc(sequence * 150, sequence))]);
    const whileOpen = await readJournal(files, 1);
    expect(whileOpen).toMatchObject({ beheaded: false, troubles: [] });
    expect(whileOpen?.frames.length).toBe(200);
    await journal.close();
    const read = await readJournal(files, 1);
    expect(read).toMatchObject({ firstSequence: 1, beheaded: false, troubles: [] });
    expect(read?.frames.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
    await files.close();
  });
});
