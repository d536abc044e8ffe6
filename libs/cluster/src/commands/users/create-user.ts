import { featureLevels, type UserState } from '@levee/events';
import { reject } from '../../rejection';
import { stamp, type Decider } from '../decider';
import { levelProblem, readHeardLevels } from '../heard-levels';
import { isSameGrant, readGrants, readPasswordHash, readToken, readUserName, userLimits } from './user-fields';

/**
 * `{name, passwordHash?, defaultNamespace?, grants?, tokens?}`: somebody who may do what the grants say, and no more. With
 * the same fields again nothing changes.
 */
export const createUser: Decider = (state, fields, context) => {
  const name = readUserName(fields);
  const passwordHash = fields.optional('passwordHash', (field) => readPasswordHash(fields, field), null);
  const defaultNamespace = fields.optional('defaultNamespace', (field) => fields.text(field), null);
  const grants = fields.optional('grants', (field) => readGrants(fields, field), []);
  const readTokens = (field: string) =>
    fields.objects(field, userLimits.tokensMax, (each) => readToken(each, context.nowMs));
  const tokens = fields.optional('tokens', readTokens, []);
  if (new Set(tokens.map(({ tokenId }) => tokenId)).size < tokens.length)
    fields.refuse(reject('BAD_COMMAND', 'two tokens have one id: give each its own'));
  const heard = readHeardLevels(fields);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const wanted = { name, passwordHash, defaultNamespace, grants, tokens };
  const before = state.user(name);
  if (before !== undefined && isSame(before, wanted)) return [];
  if (before !== undefined) return reject('USER_EXISTS', `there is a user '${name}' already: levee user show ${name}`);
  const tooOld = levelProblem(state, heard, { what: 'a user', level: featureLevels.users });
  if (tooOld !== undefined) return tooOld;
  if (state.counts.users >= userLimits.usersMax)
    return reject('USER_LIMIT', `there are ${state.counts.users} users, which is as many as may be: delete one`);
  const entity: UserState = {
    ...wanted,
    number: context.seq,
    state: 'active',
    createdAtMs: context.nowMs,
    ...stamp(context, 'UserCreated'),
  };
  return [{ kind: 'user', entity }];
};

type Wanted = Pick<UserState, 'passwordHash' | 'defaultNamespace' | 'grants' | 'tokens'>;

function isSame(user: UserState, { passwordHash, defaultNamespace, grants, tokens }: Wanted): boolean {
  return (
    user.passwordHash === passwordHash &&
    user.defaultNamespace === defaultNamespace &&
    user.grants.length === grants.length &&
    grants.every((grant) => user.grants.some((has) => isSameGrant(has, grant))) &&
    tokens.every(({ sha256 }) => user.tokens.some((has) => has.sha256 === sha256))
  );
}
