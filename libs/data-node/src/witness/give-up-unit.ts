import type { KeptPosition, SetAside } from '@levee/chunk-store';
import { messageOf } from '@levee/kernel';
import { firstUnreadable } from '../holes/first-unreadable';
import type { HostedWorld } from '../replica/hosted-world';
import type { Candidate } from './clear-gate';

/** How what a replica holds is given up, once its database is closed; or why it is not yet, in words. */
export type GivingUp = { readonly now: () => Promise<void> } | { readonly problem: string };

/**
 * [safety] What a replica held goes only once another one is whole in its place: a stretch of the log that cannot be
 * read is known only when it is met, and then this may be the last copy (I14). It is kept aside meanwhile. Where it
 * cannot be the log is read first, as far as the replica had come.
 */
export async function givingUp(
  world: HostedWorld,
  of: Candidate,
  { reason, damaged, from }: { readonly reason: string; readonly damaged: boolean; readonly from: 'log' | 'peer' },
): Promise<GivingUp> {
  const { disk } = world;
  const { unitId, generation } = of.identity;
  const clear = { now: () => disk.clearUnit(unitId, generation) };
  const held = of.current;
  const positions =
    held && of.places.all.map(({ partition }) => ({ partition, nextOffset: held.nextOffset(partition) }));
  if (!damaged && positions?.every(({ nextOffset }) => nextOffset === 0) === true) return clear;
  // Of what was made since, what is kept already holds everything; a learner is nobody's last copy.
  if (isCovered(positions, disk.needed(unitId, generation)) || of.assignment.role === 'learner')
    return damaged ? { now: () => disk.setAside(unitId, generation, reason) } : clear;
  const unkept = await disk.keepProblem(unitId);
  if (unkept === undefined)
    return { now: () => disk.keep(unitId, generation, { reason, damaged, positions: positions ?? null }) };
  if (from === 'peer') return { problem: unkept };
  for (const { partition } of of.places.all) {
    const upTo = positions?.find((each) => each.partition === partition)?.nextOffset;
    const hole = await firstUnreadable(world.log, of.identity, partition, upTo);
    if (hole === undefined) continue;
    of.holes.found(hole);
    return { problem: `${hole.why}, and ${unkept}` };
  }
  return damaged ? { now: () => disk.setAside(unitId, generation, reason) } : clear;
}

/** Damaged files cover nothing: nobody knows what can be read of them. */
function isCovered(positions: readonly KeptPosition[] | undefined, kept: SetAside | undefined): boolean {
  const by = kept?.keptFor?.damaged === false ? kept.keptFor.positions : null;
  if (positions === undefined || by === null) return false;
  return positions.every(({ partition, nextOffset }) =>
    by.some((each) => each.partition === partition && each.nextOffset >= nextOffset),
  );
}

/** The replica is whole: what it held before is not needed any more. */
export function letGoKept({ disk, logger }: HostedWorld, { unitId, generation }: Candidate['identity']): void {
  const kept = disk.needed(unitId, generation);
  if (kept === undefined) return;
  disk.letGoKept(unitId, generation).then(
    () => logger.info({ unitId, folder: kept.folder }, 'a replica is whole again: what it held before is let go'),
    (error: unknown) => logger.warn({ unitId, error: messageOf(error) }, 'what a replica held before is still kept'),
  );
}
