import { reject } from '../../rejection';
import type { Decider } from '../decider';
import { replaced } from './alter-user';
import { readToken, readUserName, unknownUser, userLimits } from './user-fields';

/** `{name, tokenId, sha256, expiresAtMs?}`: who holds the token is that user. Tokens that have expired are dropped. */
export const createToken: Decider = (state, fields, context) => {
  const name = readUserName(fields);
  const token = readToken(fields, context.nowMs);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const user = state.user(name);
  if (user === undefined) return unknownUser(name);
  const known = user.tokens.find(({ tokenId }) => tokenId === token.tokenId);
  if (known?.sha256 === token.sha256) return [];
  if (known !== undefined) return reject('USER_EXISTS', `${name} has a token ${token.tokenId} already`);
  const valid = user.tokens.filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > context.nowMs);
  if (valid.length >= userLimits.tokensMax)
    return reject('USER_LIMIT', `${name} has ${valid.length} tokens, which is as many as may be: revoke one`);
  return replaced(state, { ...user, tokens: [...valid, token] }, 'TokenCreated', context);
};

/** `{name, tokenId}` */
export const revokeToken: Decider = (state, fields, context) => {
  const name = readUserName(fields);
  const tokenId = fields.text('tokenId', 32);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const user = state.user(name);
  if (user === undefined) return unknownUser(name);
  const tokens = user.tokens.filter((token) => token.tokenId !== tokenId);
  if (tokens.length === user.tokens.length)
    return reject('TOKEN_UNKNOWN', `${name} has no token '${tokenId}': levee token list ${name} shows them`);
  return replaced(state, { ...user, tokens }, 'TokenRevoked', context);
};
