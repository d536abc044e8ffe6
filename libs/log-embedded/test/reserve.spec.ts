import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPartition, silentLogger } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { LogFailure } from '@levee/log';
import { Reserve } from '../src/reserve';

const bytes = 3 * 1024 * 1024 + 17;
const full = (): Error =>
  new LogFailure('LOG_UNAVAILABLE', 'cannot open the log', {
    cause: Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }),
  });

describe('the room that a log keeps on its disk', () => {
  let folder: string;
  let reserve: Reserve;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'levee-reserve-'));
    reserve = new Reserve(folder, silentLogger, bytes);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const file = () => join(folder, 'reserve');

  it('is there once it was made, whole again after a part of it was', async () => {
    await reserve.keep();
    expect(statSync(file()).size).toBe(bytes);
    await new Reserve(folder, silentLogger, 5).keep();
    await reserve.keep();
    expect(statSync(file()).size).toBe(bytes);
  });

  it('is not made where the disk has not much more', async () => {
    await new Reserve(folder, silentLogger, 2 ** 50).keep();
    expect(existsSync(file())).toBe(false);
  });

  it('is given up for an opening that ends for want of room, and that is tried again', async () => {
    await reserve.keep();
    let tries = 0;
    const opened = await reserve.opened(() => {
      if (++tries === 1) return Promise.reject(full());
      expect(existsSync(file())).toBe(false);
      return Promise.resolve('open');
    });
    expect([opened, tries]).toEqual(['open', 2]);
    // The second time there is none: then the message is the disk's own.
    await expect(reserve.opened(() => Promise.reject(full()))).rejects.toThrow('cannot open the log');
  });

  it('stays for whatever else keeps a log from being opened', async () => {
    await reserve.keep();
    await expect(reserve.opened(() => Promise.reject(new Error('in use')))).rejects.toThrow('in use');
    expect(existsSync(file())).toBe(true);
  });

  it('is made by upkeep beside a log, which does not mind that it is there or gone', async () => {
    let log = await EmbeddedLog.open({ location: folder, cleanEveryMs: 20, reserveBytes: bytes });
    await log.ensureTopics([{ name: 't', partitions: 1, settings: { 'cleanup.policy': 'delete' } }]);
    await log.append('t', asPartition(0), [{ key: null, value: Buffer.from('v') }]);
    for (let i = 0; i < 3_000 && !existsSync(file()); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(existsSync(file())).toBe(true);
    await log.close();
    for (const remove of [false, true]) {
      if (remove) rmSync(file());
      log = await EmbeddedLog.open({ location: folder, cleanEveryMs: 0 });
      expect((await log.offsets('t'))[0]?.endOffset).toBe(1);
      await log.close();
    }
  });
});
