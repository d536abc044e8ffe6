import { CliFailure } from './exit';
import type { Row } from './output';

/** The list in a reply: the reply itself, or its field of that name. */
export function rowsOf(reply: unknown, field: string): readonly Row[] {
  const list = Array.isArray(reply) ? (reply as unknown[]) : (reply as Row | null)?.[field];
  if (!Array.isArray(list)) throw new CliFailure('MALFORMED', `the portal's answer has no list of ${field}`);
  return list as Row[];
}
