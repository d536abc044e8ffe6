import { ChunkStoreFailure, damageOf, diskRefusal, wrongKind } from '@levee/chunk-store';
import { failureCode, messageOf } from '@levee/kernel';

/**
 * What is to be done with a replica that met an error. rebuild: its files are damaged. standStill: its disk takes no
 * more for now. stuck: they are somebody else's, or not for us to judge. again: later it may work.
 */
export interface OpenVerdict {
  readonly todo: 'rebuild' | 'standStill' | 'stuck' | 'again';
  readonly code: string | undefined;
  readonly problem: string;
  /** As it was met. */
  readonly error: unknown;
}

export function openVerdict(error: unknown): OpenVerdict {
  const found = damageOf(error) ?? diskRefusal(error) ?? wrongKind(error) ?? error;
  const code = failureCode(found);
  return { todo: todoOf(found, code), code, problem: messageOf(found), error };
}

function todoOf(error: unknown, code: string | undefined): OpenVerdict['todo'] {
  if (code === 'REPLICA_DAMAGED') return 'rebuild';
  if (code === 'DISK_FULL' || code === 'DISK_REFUSES') return 'standStill';
  // In use for now, or the process ends.
  if (code === 'DISK_IN_USE' || code === 'REPLICA_CLOSED') return 'again';
  return error instanceof ChunkStoreFailure ? 'stuck' : 'again';
}
