import type { UserGrant, UserState, UserToken } from '@levee/events';
import type { ClusterState } from '../state/state';

/** A user as people see it: nothing of its secrets, not even their hashes. */
export interface UserView {
  readonly name: string;
  readonly state: UserState['state'];
  readonly hasPassword: boolean;
  readonly defaultNamespace: string | null;
  readonly grants: readonly UserGrant[];
  readonly tokens: readonly Omit<UserToken, 'sha256'>[];
  /** In milliseconds since 1970-01-01T00:00:00Z. */
  readonly createdAtMs: number;
  /** What happened to it last, and the number of that decision. */
  readonly change: string;
  readonly seq: number;
}

/** By name. */
export function viewUsers(state: ClusterState): UserView[] {
  return [...state.users()].map(viewUser).sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function viewUser(user: UserState): UserView {
  const { name, defaultNamespace, grants, createdAtMs, change, seq, passwordHash } = user;
  const tokens = user.tokens.map(({ sha256: _sha256, ...token }) => token);
  return {
    ...{ name, state: user.state, hasPassword: passwordHash !== null, defaultNamespace, grants, tokens },
    ...{ createdAtMs, change, seq },
  };
}
