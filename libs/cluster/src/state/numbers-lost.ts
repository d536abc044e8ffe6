import type { ClusterState } from './state';

/** What `change` of the cluster says after a person let decisions go that the journal had lost. */
export const lossAccepted = 'LossAccepted';

/**
 * Decisions up to this number may have given out numbers that this state does not know: the journal lost them, and
 * somebody accepted that (decision record 0029). 0 = never. Each unit generation and each creation of a name took a
 * decision of its own, so none that disks or topics still hold is above it.
 */
export function numbersLostUpTo({ identity }: Pick<ClusterState, 'identity'>): number {
  return identity?.change === lossAccepted ? identity.seq : 0;
}

/** The next of such numbers: never one that was given before (I10). */
export function numberAfter(state: Pick<ClusterState, 'identity'>, last: number): number {
  return Math.max(last, numbersLostUpTo(state)) + 1;
}
