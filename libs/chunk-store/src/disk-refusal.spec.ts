import { ChunkStoreFailure } from './chunk-store-failure';
import { diskRefusal } from './disk-refusal';

const level = (message: string): Error => Object.assign(new Error(message), { code: 'LEVEL_IO_ERROR' });

describe('what a disk says when it takes no more', () => {
  it.each<[string, Error, string | undefined]>([
    ['a write of LevelDB', level('IO error: /d/000048.log: No space left on device'), 'DISK_FULL'],
    ['a write of Node', new Error('ENOSPC: no space left on device, write'), 'DISK_FULL'],
    ['a quota', level('IO error: /d/000048.log: Disk quota exceeded'), 'DISK_FULL'],
    ['a limit of the process', level('IO error: /d/000048.log: File too large'), 'DISK_FULL'],
    [
      'an opening',
      new Error('Database failed to open', { cause: level('IO error: /d/000049.ldb: No space left on device') }),
      'DISK_FULL',
    ],
    [
      'a write after the one that failed',
      new ChunkStoreFailure('REPLICA_CLOSED', 'a write of c1 failed before', {
        cause: level('IO error: /d/000048.log: No space left on device'),
      }),
      'DISK_FULL',
    ],
    ['no descriptors', level('IO error: /d/000050.ldb: Too many open files'), 'DISK_REFUSES'],
    ['a remounted file system', level('IO error: /d/LOCK: Read-only file system'), 'DISK_REFUSES'],
    ['a file that is made immutable', level('IO error: /d/000048.log: Operation not permitted'), 'DISK_REFUSES'],
    ['an opening by Node', new Error("EROFS: read-only file system, open '/d/g1.opening'"), 'DISK_REFUSES'],
    ['a broken table', level('Corruption: block checksum mismatch'), undefined],
    ['a missing table', level('IO error: /d/000005.ldb: No such file or directory'), undefined],
    ['a full unit, which is another matter', new ChunkStoreFailure('UNIT_FULL', 'c1 takes 9 bytes of 8'), undefined],
  ])('%s', (_what, error, code) => {
    expect(diskRefusal(error)?.code).toBe(code);
  });

  it('keeps what was found before, and ends with causes that go in a circle', () => {
    const found = diskRefusal(level('IO error: No space left on device'));
    expect(diskRefusal(new Error('tried again', { cause: found }))).toBe(found);
    const circle = new Error('round');
    circle.cause = circle;
    expect(diskRefusal(circle)).toBeUndefined();
  });
});
