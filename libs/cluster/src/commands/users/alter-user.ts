import type { UserState } from '@levee/events';
import type { Rejection } from '../../rejection';
import { reject } from '../../rejection';
import type { ClusterEvent } from '../../state/event';
import type { ClusterState } from '../../state/state';
import { stamp, type CommandContext, type Decider } from '../decider';
import {
  isSameGrant,
  lastOperatorProblem,
  readGrants,
  readPasswordHash,
  readUserName,
  unknownUser,
  userLimits,
} from './user-fields';

/** `{name, passwordHash?, defaultNamespace?, state?}`: what is left out stays, null takes it away. */
export const alterUser: Decider = (state, fields, context) => {
  const name = readUserName(fields);
  const has = { passwordHash: fields.raw('passwordHash'), defaultNamespace: fields.raw('defaultNamespace') };
  const passwordHash = fields.optional('passwordHash', (field) => readPasswordHash(fields, field), null);
  const defaultNamespace = fields.optional('defaultNamespace', (field) => fields.text(field), null);
  const wanted = fields.optional(
    'state',
    (field) => fields.choice<UserState['state']>(field, ['active', 'disabled']),
    undefined,
  );
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const user = state.user(name);
  if (user === undefined) return unknownUser(name);
  const changed: UserState = {
    ...user,
    ...(has.passwordHash === undefined ? {} : { passwordHash }),
    ...(has.defaultNamespace === undefined ? {} : { defaultNamespace }),
    ...(wanted === undefined ? {} : { state: wanted }),
  };
  const isSame =
    changed.passwordHash === user.passwordHash &&
    changed.defaultNamespace === user.defaultNamespace &&
    changed.state === user.state;
  if (isSame) return [];
  const change =
    changed.state === user.state ? 'UserAltered' : changed.state === 'active' ? 'UserEnabled' : 'UserDisabled';
  return replaced(state, changed, change, context);
};

/** `{name, grants: [{right, namespaces?}]}`: it may do that too. */
export const grantRights: Decider = (state, fields, context) => {
  const name = readUserName(fields);
  const grants = readGrants(fields, 'grants');
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const user = state.user(name);
  if (user === undefined) return unknownUser(name);
  const added = grants.filter((grant) => !user.grants.some((has) => isSameGrant(has, grant)));
  if (added.length === 0) return [];
  const { grantsMax } = userLimits;
  if (user.grants.length + added.length > grantsMax)
    return reject(
      'USER_LIMIT',
      `${name} would have more than ${grantsMax} rights: one on shop.** is one on all below shop`,
    );
  return replaced(state, { ...user, grants: [...user.grants, ...added] }, 'RightsGranted', context);
};

/** `{name, grants: [{right, namespaces?}]}`: just these are taken away, as they were given. */
export const revokeRights: Decider = (state, fields, context) => {
  const name = readUserName(fields);
  const grants = readGrants(fields, 'grants');
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const user = state.user(name);
  if (user === undefined) return unknownUser(name);
  const left = user.grants.filter((has) => !grants.some((grant) => isSameGrant(has, grant)));
  return left.length === user.grants.length ? [] : replaced(state, { ...user, grants: left }, 'RightsRevoked', context);
};

/** `{name}`: nothing of it is left, and one of that name created later is somebody else. */
export const deleteUser: Decider = (state, fields, context) => {
  const name = readUserName(fields);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  if (state.user(name) === undefined) return unknownUser(name);
  const problem = lastOperatorProblem(state, name, undefined);
  return problem ?? [{ kind: 'removed', entity: { entity: 'user', key: name, ...stamp(context, 'UserDeleted') } }];
};

/** The user as it is now, unless nobody could undo that any more. */
export function replaced(
  state: ClusterState,
  user: UserState,
  change: string,
  context: CommandContext,
): readonly ClusterEvent[] | Rejection {
  return (
    lastOperatorProblem(state, user.name, user) ?? [{ kind: 'user', entity: { ...user, ...stamp(context, change) } }]
  );
}
