import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeLock } from '@levee/log-embedded';

/** Whether another process gets the lock of a folder. */
function otherProcessGets(lock: string): boolean {
  const script = `const {ClassicLevel}=require('classic-level');
    new ClassicLevel(${JSON.stringify(lock)}).open().then(() => process.exit(11), (e) => process.exit(e.cause.code === 'LEVEL_LOCKED' ? 12 : 13))`;
  const { status } = spawnSync(process.execPath, ['-e', script], { cwd: process.cwd(), stdio: 'inherit' });
  expect([11, 12]).toContain(status);
  return status === 11;
}

describe('the lock of a folder', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'levee-lock-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['by its name', 'by another name', 'at the same time'])(
    'holds after this process tried to take it again, %s',
    async (how) => {
      const path = join(folder, 'lock');
      const taking = takeLock(path);
      const again = how === 'at the same time' ? takeLock(path) : undefined;
      const lock = await taking;
      if (how === 'by another name') {
        symlinkSync(path, join(folder, 'alias'));
        expect(await takeLock(join(folder, 'alias'))).toBeUndefined();
      } else expect(await (again ?? takeLock(path))).toBeUndefined();
      expect(otherProcessGets(path)).toBe(false);
      await lock?.release();
      expect(otherProcessGets(path)).toBe(true);
      await (await takeLock(path))?.release();
    },
  );
});
