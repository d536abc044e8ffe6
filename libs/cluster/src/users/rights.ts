import type { UserGrant, UserState } from '@levee/events';
import { meansAsides, nameBeside } from '../views/names-aside';
import { namespaceQuery } from '../views/namespace-query';

export type Right = UserGrant['right'];
/** Rights on namespaces: on keys the first two, on namespaces themselves the third. */
export type NamespaceRight = 'read' | 'write' | 'admin';

const namespaceRights: readonly [NamespaceRight, ...NamespaceRight[]] = ['read', 'write', 'admin'];
export const rights: readonly [Right, ...Right[]] = [...namespaceRights, 'operate', 'audit'];

export function isNamespaceRight(right: Right): right is NamespaceRight {
  return right !== 'operate' && right !== 'audit';
}

/**
 * Whether `user` has `right`: one on namespaces on this namespace, `operate` and `audit` at all. No right implies another,
 * and nobody who is not active has any.
 */
export function may(user: Pick<UserState, 'state' | 'grants'>, right: Right, namespace?: string): boolean {
  if (user.state !== 'active') return false;
  const grants = user.grants.filter((grant) => grant.right === right);
  if (!isNamespaceRight(right)) return grants.length > 0;
  const covering = grants.filter((grant) => covers(grant, namespace));
  const before = namespace === undefined ? undefined : nameBeside(namespace);
  if (covering.length === 0 || before === undefined) return covering.length > 0;
  // [safety] What `shop` held before a rewind lies below `shop` by its name alone: a right on `shop.*` was not given for it.
  return covering.some(({ namespaces }) => meansAsides(namespaces ?? '')) || may(user, right, before);
}

/** Whether the user has any right on the namespace, so that it may know that there is one. */
export function mayKnow(user: Pick<UserState, 'state' | 'grants'>, namespace: string): boolean {
  return may(user, 'operate') || namespaceRights.some((right) => may(user, right, namespace));
}

function covers({ namespaces }: UserGrant, namespace: string | undefined): boolean {
  if (namespaces === null || namespace === undefined) return false;
  const query = namespaceQuery(namespaces);
  return typeof query === 'function' && query(namespace);
}
