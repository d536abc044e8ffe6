import { reject, type Rejection } from '../rejection';
import type { CommandContext } from './decider';

/** What only a node may say about itself is refused from anybody else; `undefined` = it is that node that speaks. */
export function foreignVoice(nodeId: string, what: string, { principal }: CommandContext): Rejection | undefined {
  if (principal === `node ${nodeId}`) return undefined;
  return reject('FORBIDDEN', `'${principal.slice(0, 200)}' is not node ${nodeId}, which alone speaks for ${what}`);
}
