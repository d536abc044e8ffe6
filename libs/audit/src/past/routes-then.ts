import { type RoutesView, viewRoutes } from '@levee/cluster';
import type { AuditWorld } from '../verify/walk-partition';
import { journalThen, type Moment } from './journal-then';
import { answerOf, notThere, type PastAnswer } from './past-answer';

export interface PastQuestion {
  readonly moment: Moment;
  /** By so much the clocks of brokers may differ. */
  readonly clockMarginMs?: number | undefined;
  /** Most bytes of the journal taken at once. */
  readonly bytesMax?: number | undefined;
}

export interface RoutesThen extends PastAnswer {
  /** Which replicas of which chunks were entitled to answer; `null`: not provable. */
  readonly routes: Extract<RoutesView, { change: 'metaChange' }> | null;
}

/**
 * The routes of a namespace as they were, from the journal alone. Of a replica's roles `primary` and `follower` were
 * entitled to answer, `retired` only readers with an older route. Fails with NAMESPACE_UNKNOWN where it was not there
 * then, and as {@link journalThen} does.
 */
export async function routesThen(
  world: AuditWorld,
  { namespace, moment, ...how }: PastQuestion & { readonly namespace: string },
): Promise<RoutesThen> {
  const then = await journalThen(world, moment, how);
  const answer = answerOf(then);
  if (then.verdict === 'not provable') return { ...answer, routes: null };
  const routes = viewRoutes(then.fold.state, namespace);
  if ('code' in routes) throw notThere(routes.code, routes.message, moment);
  return { ...answer, routes: routes.change === 'metaChange' ? routes : null };
}
