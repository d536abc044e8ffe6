import type { HostedWorld } from '../hosted-world';
import { type Candidate, whyNotClear } from './clear-gate';

/** What a replica is built anew from; `undefined`: neither may be, for people to decide. */
export interface RebuildSource {
  readonly from: 'log' | 'peer' | undefined;
  readonly problem: string;
}

/** [safety] The log once it is seen to hold all that the replica had (I14), else a peer that is past what the log lost. */
export async function rebuildSource(world: HostedWorld, of: Candidate, reason: string): Promise<RebuildSource> {
  const hindrance = await whyNotClear(world, of);
  if (hindrance === undefined) return { from: 'log', problem: reason };
  if (hindrance.hole && (await of.holes.findPeer())) return { from: 'peer', problem: reason };
  const problem = `I14: ${reason}; but ${hindrance.why}, so the log cannot rebuild it: nothing is cleared${hindrance.hole ? of.holes.unfit : ''}`;
  return { from: undefined, problem };
}
