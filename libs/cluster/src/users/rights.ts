import type { UserGrant, UserState } from '@levee/events';
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
  return user.grants.some((grant) => grant.right === right && (!isNamespaceRight(right) || covers(grant, namespace)));
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
