import fs, { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../test/support/deadline';
import { DiskFiles } from '../src/store/disk-files';
import { MirroredJournal, readJournal } from '../src/store/mirrored-journal';
import { put } from '../src/store/log-store';

const onLinux = process.platform === 'linux';
/** Made at once. */
const roomBytes = 1024 * 1024;

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

  /**
   * As Linux tells of pages that could not be written back: each open file once, whoever asks first. The pages are those of
   * the third append, while room is made; the making asks first.
   */
  it('does not confirm what could not be written while it made room, whoever was told first', async () => {
    const untold = new Set<number>();
    const making: Array<() => void> = [];
    let contents = 0;
    const real = fs.write.bind(fs) as (...args: unknown[]) => void;
    const spy = jest.spyOn(fs, 'write').mockImplementation(((...args: unknown[]) => {
      const [fd, piece] = args as [number, Buffer];
      const done = args.at(-1) as (error: Error | null, bytes?: number) => void;
      const told = (bytes: number): void => {
        if (untold.delete(fd)) done(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }));
        else done(null, bytes);
      };
      real(...args.slice(0, -1), (_: unknown, bytes: number) => {
        if (piece.length === roomBytes && contents >= 2) making.push(() => told(bytes));
        else if (piece.length < roomBytes && ++contents === 3) {
          for (let each = 0; each < 4096; each++) untold.add(each);
          for (const made of making.splice(0)) made();
          setImmediate(() => told(bytes));
        } else told(bytes);
      });
    }) as typeof fs.write);
    try {
      const file = await new DiskFiles(folder).create('f', { synced: true });
      await file.append([Buffer.alloc(100, 1)]);
      // More than three quarters of the room that is made by then: the next is begun.
      await file.append([Buffer.alloc(800_000, 2)]);
      if (onLinux) await eventually('room is being made', () => making.length === 1);
      else for (let each = 0; each < 4096; each++) untold.add(each);
      await expect(file.append([Buffer.alloc(100, 3)])).rejects.toThrow('EIO');
      await file.close();
    } finally {
      spy.mockRestore();
    }
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
