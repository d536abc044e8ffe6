import { isNamespaceRight, type NamespaceRight, type Right } from '@levee/cluster';
import type { Access } from './door-command';
import type { DoorSession } from './door-session';

export const noAuth = 'NOAUTH Authentication required.';

/** Why a command is not carried out for whoever sent it, as a RESP error; asked anew for each, so that rights hold at once. */
export function accessProblem(
  access: Access | ((args: readonly Buffer[]) => Access),
  args: readonly Buffer[],
  session: DoorSession,
): string | undefined {
  const asked = typeof access === 'function' ? access(args) : access;
  if (asked === 'open') return undefined;
  const { principal } = session;
  if (principal === undefined) return noAuth;
  const namespace = asked !== 'user' && isNamespaceRight(asked) ? session.namespaceName : undefined;
  // Whoever is nobody any more may do nothing, so the most frequent answer takes one question.
  if (asked !== 'user' && principal.may(asked, namespace)) return undefined;
  if (principal.problem !== undefined) return `NOAUTH ${principal.problem}: AUTH again`;
  // Without a namespace nothing is done: its own error says why.
  if (asked === 'user' || (namespace !== undefined && session.problem !== undefined)) return undefined;
  return noRight(principal.name, asked, namespace);
}

function noRight(principal: string, right: Right | NamespaceRight, namespace?: string): string {
  const where = namespace === undefined ? '' : ` in namespace '${namespace.slice(0, 200)}'`;
  return `NOPERM ${principal} has not the right ${right}${where}`;
}
