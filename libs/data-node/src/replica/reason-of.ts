import type { Replica } from '@levee/chunk-store';
import { defined } from '@levee/kernel';
import type { LogHoles } from '../holes/log-holes';
import type { LogCuts } from '../witness/log-cuts';
import type { HostedPlaces } from './hosted-places';
import type { HostedState } from './life/replica-life';

/** A replica as far as it says why it cannot be read. */
export interface ExplainedReplica {
  readonly chunkId: string;
  readonly state: HostedState;
  readonly readable: boolean;
  readonly problem: string | undefined;
  readonly current: Replica | undefined;
  readonly places: HostedPlaces;
  readonly cuts: LogCuts;
  readonly holes: LogHoles;
}

/** Why it is not readable, in words. */
export function reasonOf({
  chunkId,
  cuts,
  holes,
  readable,
  state,
  places,
  current,
  problem,
}: ExplainedReplica): string {
  if (cuts.any) return defined(cuts.problem, 'a cut');
  if (readable) return 'readable';
  const first = state === 'stuck' ? problem : holes.problem;
  const trouble = first ?? problem ?? places.all.find((place) => place.trouble !== undefined)?.trouble;
  const where = current === undefined ? '' : places.behindOf(current);
  return `${chunkId} is ${state}${where}${trouble === undefined ? '' : `: ${trouble}`}`;
}
