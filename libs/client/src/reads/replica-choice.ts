import type { Clock } from '@levee/kernel';
import type { PointRead } from '../operations';
import type { ReadReplica, ReadRoute, ReadTarget } from '../routes/namespace-routes';

/**
 * Which replica of the route is next, of those not tried yet, in doubt or not; -1 = none. Eventual reads begin with any
 * that is up, another one with each `turn`. Call {@link take} when it is asked: until then it counts as not tried.
 */
export function choose(
  route: ReadRoute,
  read: PointRead,
  turn: number,
  doubted: boolean,
  clock: Clock,
  except?: ReadTarget,
): number {
  if (read.routeSeq !== route.seq) {
    read.routeSeq = route.seq;
    read.tried = 0;
  }
  const { readable, upCount } = route;
  const shift = read.consistency === 'eventual' && upCount > 1 ? turn % upCount : 0;
  for (let n = 0; n < readable.length; n++) {
    const i = n < upCount ? (n + shift) % upCount : n;
    const { target } = readable[i] as ReadReplica;
    if ((read.tried & (1 << i)) !== 0 || target === except || !target.link.usable) continue;
    if (target.link.isDoubted(clock) === doubted) return i;
  }
  return -1;
}

/** The replica is asked now. */
export function take(route: ReadRoute, choice: number, read: PointRead): ReadTarget {
  read.tried |= 1 << choice;
  return (route.readable[choice] as ReadReplica).target;
}
