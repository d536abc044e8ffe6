import { Failure } from '@levee/kernel';

/**
 * REPLICA_DAMAGED: what the disk returns is not what was written: stop serving the replica and rebuild it.
 * REPLICA_MISMATCH: the database belongs to another chunk, unit generation or cluster: never read or clear it.
 * COPY_BROKEN: a block of a copy is not what a source sends: ask for it again.
 * REPLICA_CLOSED: closed, or a write failed before; open it again.
 * READER_GONE: the reader thread ended under what was read; begin again.
 * UNIT_FULL: the hard limit of the unit; the replica stands still at its position.
 * UNIT_UNKNOWN, UNIT_CONFLICT: not a unit of this disk, or not this generation of it.
 * DISK_IN_USE: another process holds the folder. DISK_TOO_SMALL: not even one unit fits.
 * DISK_FULL, DISK_REFUSES: a write was refused for want of space, or of files, memory or leave; what is there is whole.
 * FORMAT_DAMAGED: the record of the units that a plan made cannot be read.
 * DISK_DAMAGED: who the folder is cannot be read: nothing in it is opened or changed.
 * DISK_FOREIGN: the folder belongs to another cluster.
 */
export type ChunkStoreFailureCode =
  | 'REPLICA_DAMAGED'
  | 'REPLICA_MISMATCH'
  | 'REPLICA_CLOSED'
  | 'READER_GONE'
  | 'COPY_BROKEN'
  | 'UNIT_FULL'
  | 'UNIT_UNKNOWN'
  | 'UNIT_CONFLICT'
  | 'UNIT_SPEC_INVALID'
  | 'FORMAT_DAMAGED'
  | 'DISK_DAMAGED'
  | 'DISK_IN_USE'
  | 'DISK_TOO_SMALL'
  | 'DISK_FULL'
  | 'DISK_REFUSES'
  | 'DISK_FOREIGN';

export class ChunkStoreFailure extends Failure<ChunkStoreFailureCode> {
  override readonly name = 'ChunkStoreFailure';
}
