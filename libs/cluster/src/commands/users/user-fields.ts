import type { UserGrant, UserState, UserToken } from '@levee/events';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { isNamespaceRight, may, rights } from '../../users/rights';
import { namespaceQuery } from '../../views/namespace-query';

export const userLimits = { usersMax: 10_000, grantsMax: 64, tokensMax: 32, nameLengthMax: 63 } as const;

const timeMax = { min: 0, max: Number.MAX_SAFE_INTEGER };

export function readUserName(fields: PayloadFields): string {
  const name = fields.text('name', 256);
  if (name !== '' && (name.length > userLimits.nameLengthMax || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)))
    fields.refuse(
      reject(
        'BAD_NAME',
        `'${name.slice(0, 80)}' is no name of a user: at most ${userLimits.nameLengthMax} letters, digits, dots, dashes and underscores`,
      ),
    );
  return name;
}

/** A password never comes in a command: its hash does, and whatever else stands there is not repeated in the refusal. */
export function readPasswordHash(fields: PayloadFields, name: string): string {
  const value = fields.raw(name);
  if (typeof value === 'string' && isPasswordHash(value)) return value;
  fields.refuse(
    reject('BAD_COMMAND', `${name} is no hash of scrypt: the door makes it, as levee user passwd asks it to`),
  );
  return '';
}

/** Within what a door is willing to compute for a guess: 2^10 to 2^17 rounds of 8 blocks. */
function isPasswordHash(text: string): boolean {
  const match = /^scrypt\$(\d{2})\$8\$1\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=$/.exec(text);
  return match !== null && Number(match[1]) >= 10 && Number(match[1]) <= 17;
}

export function readGrants(fields: PayloadFields, name: string): UserGrant[] {
  const grants = fields.objects(name, userLimits.grantsMax, (each): UserGrant => {
    const right = each.choice('right', rights);
    const namespaces = each.optional('namespaces', (field) => each.text(field, 400), null);
    const problem = grantProblem({ right, namespaces });
    if (problem !== undefined) each.refuse(problem);
    return { right, namespaces };
  });
  return grants.filter((grant, i) => grants.findIndex((other) => isSameGrant(grant, other)) === i);
}

function grantProblem({ right, namespaces }: UserGrant): Rejection | undefined {
  if (isNamespaceRight(right) === (namespaces === null))
    return reject(
      'BAD_COMMAND',
      namespaces === null
        ? `the right ${right} is one on namespaces: name them, as in shop.*, or ** for all`
        : `the right ${right} is not about namespaces: leave out '${namespaces}'`,
    );
  const query = namespaceQuery(namespaces ?? '**');
  return typeof query === 'function' ? undefined : query;
}

export function isSameGrant(one: UserGrant, other: UserGrant): boolean {
  return one.right === other.right && one.namespaces === other.namespaces;
}

/** Of a token that is made now: its id, the hash of the whole, and when it ends. */
export function readToken(fields: PayloadFields, nowMs: number): UserToken {
  const tokenId = fields.text('tokenId', 32);
  const sha256 = fields.raw('sha256');
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256))
    fields.refuse(reject('BAD_COMMAND', 'sha256 is no SHA-256 in lower-case hexadecimal digits: the door makes it'));
  if (!/^[A-Za-z0-9_-]*$/.test(tokenId)) fields.refuse(reject('BAD_NAME', `'${tokenId}' is no id of a token`));
  const expiresAtMs = fields.optional('expiresAtMs', (name) => fields.integer(name, timeMax), null);
  return { tokenId, sha256: typeof sha256 === 'string' ? sha256 : '', createdAtMs: nowMs, expiresAtMs };
}

export function unknownUser(name: string): Rejection {
  return reject('USER_UNKNOWN', `there is no user '${name.slice(0, 80)}': levee user list shows them`);
}

/** Why `changed`, or, where it is absent, the removal of the user, would leave nobody who may operate the cluster. */
export function lastOperatorProblem(
  state: ClusterState,
  name: string,
  changed: UserState | undefined,
): Rejection | undefined {
  const before = state.user(name);
  if (before === undefined || !canOperate(before) || (changed !== undefined && canOperate(changed))) return undefined;
  for (const user of state.users()) if (user.name !== name && canOperate(user)) return undefined;
  return reject(
    'LAST_OPERATOR',
    `${name} is the last user who may operate the cluster: give the right to somebody else first`,
  );
}

/** It also has something to prove who it is. */
function canOperate(user: UserState): boolean {
  return may(user, 'operate') && (user.passwordHash !== null || user.tokens.length > 0);
}
