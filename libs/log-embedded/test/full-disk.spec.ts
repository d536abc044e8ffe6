import { asPartition } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { FileStore } from '../src/store/file-store';
import type { LogFiles } from '../src/store/log-files';
import { CrashFiles } from './crash-files';
import { readAll } from './embedded-storage';

const p0 = asPartition(0);
const limits = { journalBytes: 4000, rejournalBytes: 1000 };
const storeOn = (files: LogFiles, isNew: boolean): FileStore => new FileStore(files, { isNew, limits });

describe('a disk without room', () => {
  const full = (): Error => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });

  /** These files, on a disk that takes so many bytes more; of what does not fit it takes the beginning. */
  function withRoom(files: LogFiles, room: number): LogFiles {
    let left = room;
    return {
      ...files,
      create: async (name, options) => {
        const file = await files.create(name, options);
        const append = async (pieces: readonly Buffer[]): Promise<void> => {
          const bytes = Buffer.concat(pieces);
          const fitting = bytes.subarray(0, left);
          left -= fitting.length;
          await file.append([fitting]);
          if (fitting.length < bytes.length) throw full();
        };
        return { ...file, append };
      },
      write: async (name, bytes) => {
        left -= bytes.length;
        if (left < 0) {
          left = 0;
          await files.write(`${name}.new`, bytes.subarray(0, 1));
          throw full();
        }
        await files.write(name, bytes);
      },
    };
  }

  it.each([8, 40])('is left as it was by every opening of %s records that it has no room for', async (records) => {
    const files = new CrashFiles();
    let log = await EmbeddedLog.open({ store: storeOn(files.mount(), true), cleanEveryMs: 0 });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: {} }]);
    for (let n = 0; n < records; n++)
      await log.append('t', p0, [{ key: Buffer.from('k'), value: Buffer.from(`value ${n}`) }]);
    await log.close();
    const before = files.names();
    let failed = 0;
    for (let room = 0; ; room += 150) {
      const store = storeOn(withRoom(files.mount(), room), false);
      const opened = await store.open().then(
        () => true,
        () => false,
      );
      await store.close();
      if (opened) break;
      failed++;
      // One copy of the next checkpoint makes what it tells of count.
      if (files.names().some((name) => /^checkpoint.*a$/.test(name) && !before.includes(name))) break;
      expect([room, files.names()]).toEqual([room, before]);
    }
    expect(failed).toBeGreaterThan(3);
    log = await EmbeddedLog.open({ store: storeOn(files.mount(), false), cleanEveryMs: 0 });
    expect((await readAll(log, 't', 0)).length).toBe(records);
    await log.close();
  });
});
