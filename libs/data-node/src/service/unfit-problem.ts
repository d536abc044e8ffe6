import { isSourceLost } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';

/**
 * [safety] Why nothing of it may be read, as far as this node has heard: in a fork that is being filled, what is not copied
 * yet would look absent, and a topic that is no longer the one that was bound says nothing about what is held.
 */
export function unfitProblem(namespace: NamespaceState): string | undefined {
  const { name, state, forkedFrom, sourceFinding, sourceProblem } = namespace;
  if (state === 'creating' && forkedFrom !== null)
    return `LVNOTREADY namespace '${name}' is a fork of ${forkedFrom} that is being filled, as far as this node has heard`;
  if (!isSourceLost(namespace)) return undefined;
  return `LVNOTREADY namespace '${name}' is not read (${sourceProblem ?? sourceFinding})`;
}
