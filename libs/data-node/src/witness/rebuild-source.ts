import type { HostedWorld } from '../replica/hosted-world';
import { type Candidate, whyNotClear } from './clear-gate';
import { givingUp } from './give-up-unit';

/** What a replica is built anew from, and how what it holds is given up; else it stays, for people to decide. */
export type RebuildSource =
  | { readonly from: 'log' | 'peer'; readonly giveUp: () => Promise<void> }
  | { readonly from: undefined; readonly problem: string };

/** [safety] The log once it is seen to hold all that the replica had (I14), else a peer that is past what the log lost. */
export async function rebuildSource(
  world: HostedWorld,
  of: Candidate,
  reason: string,
  damaged: boolean,
): Promise<RebuildSource> {
  const stays = (why: string, more = ''): RebuildSource => ({
    from: undefined,
    problem: `I14: ${reason}; but ${why}: nothing is cleared${more}`,
  });
  const hindrance = await whyNotClear(world, of);
  if (hindrance !== undefined && !(hindrance.hole && (await of.holes.findPeer())))
    return stays(`${hindrance.why}, so the log cannot rebuild it`, hindrance.hole ? of.holes.unfit : '');
  const from = hindrance === undefined ? 'log' : 'peer';
  const leaving = await givingUp(world, of, { reason, damaged, from });
  return 'problem' in leaving ? stays(leaving.problem) : { from, giveUp: leaving.now };
}
