import { reject, type Rejection } from '../rejection';
import type { CommandContext } from './decider';

/** Why this caller may not say it: only the node itself may. `undefined` = the caller is that node. */
export function callerProblem(nodeId: string, what: string, { principal }: CommandContext): Rejection | undefined {
  if (principal === `node ${nodeId}`) return undefined;
  return reject('FORBIDDEN', `'${principal.slice(0, 200)}' is not node ${nodeId}, which alone speaks for ${what}`);
}
