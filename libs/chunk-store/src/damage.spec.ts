import { ChunkStoreFailure } from './chunk-store-failure';
import { damageOf } from './damage';

const level = (code: string, message: string): Error => Object.assign(new Error(message), { code });
const inside = (cause: unknown): Error => new Error('outer', { cause });

describe('what an error says about the files of a replica', () => {
  it.each<[string, unknown, boolean]>([
    ['a checksum of ours', new ChunkStoreFailure('REPLICA_DAMAGED', 'x'), true],
    ['what LevelDB found', level('LEVEL_CORRUPTION', 'Corruption: block checksum mismatch'), true],
    ['the same, inside', inside(inside(level('LEVEL_CORRUPTION', 'Corruption: bad block'))), true],
    [
      'a write that failed before for that',
      new ChunkStoreFailure('REPLICA_CLOSED', 'x', { cause: level('LEVEL_CORRUPTION', 'y') }),
      true,
    ],
    ['a table that is gone', level('LEVEL_IO_ERROR', 'IO error: /d/000007.ldb: No such file or directory'), true],
    ['a device that cannot read', level('LEVEL_IO_ERROR', 'IO error: /d/000007.ldb: Input/output error'), true],
    ['a full disk', level('LEVEL_IO_ERROR', 'IO error: /d/000048.log: No space left on device'), false],
    ['a corruption for want of space', inside(level('LEVEL_CORRUPTION', 'Corruption: No space left on device')), false],
    ['too many open files', level('LEVEL_IO_ERROR', 'IO error: /d/CURRENT: Too many open files'), false],
    ['a closed database', level('LEVEL_DATABASE_NOT_OPEN', 'Database is not open'), false],
    ['another replica', new ChunkStoreFailure('REPLICA_MISMATCH', 'x'), false],
    ['no error', undefined, false],
    ['a missing file that is not the engine’s', level('ENOENT', 'no such file or directory'), false],
  ])('%s', (_, error, damaged) => {
    expect(damageOf(error)?.code).toBe(damaged ? 'REPLICA_DAMAGED' : undefined);
  });
});
