import type { ReplicaIdentity } from '@levee/chunk-store';
import type { Logger } from '@levee/kernel';
import type { LifeEffect, LifeEvent, ReplicaLife } from './replica-life';

export type LifeNews = Extract<LifeEffect, `tell${string}`>;

/** Says in the process's log what happened to a replica, with the error that did it. */
export function tellLife(
  logger: Logger,
  { identity: { chunkId, unitId }, life }: { readonly identity: ReplicaIdentity; readonly life: ReplicaLife },
  { effect, event }: { readonly effect: LifeNews; readonly event: LifeEvent },
): void {
  const { phase, problem, reason } = life;
  const facts = { chunkId, ...('error' in event && { error: event.error }) };
  switch (effect) {
    case 'tellRebuild':
      return logger.warn({ ...facts, unitId, reason }, 'rebuilding a replica from the log');
    case 'tellNoRoom':
      return logger.error({ ...facts, problem }, 'a replica stands still until its disk has room');
    case 'tellHindered':
      return logger.error({ ...facts, problem }, 'a replica can neither be trusted nor rebuilt');
    case 'tellStuck':
      return logger.error(facts, 'a replica cannot be opened; its files are left alone');
    case 'tellRetry':
      if (phase === 'opening') return logger.warn(facts, 'a replica could not be opened; trying again');
      return logger.warn({ ...facts, phase }, 'a replica is not what it should be yet; trying again');
  }
}
