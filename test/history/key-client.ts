import type { Operation, Outcome } from './operation';

export type Consistency = 'strong' | 'session';

/** An operation that failed, with the only thing that matters of a failure: what it says about the outcome. */
export class OperationFailed extends Error {
  constructor(
    readonly outcome: Exclude<Outcome, 'ok'>,
    reason: string,
  ) {
    super(reason);
  }
}

/** Longer than a portal takes for its own word, which is worth more: 15 s (`appendMs`), and what a busy machine adds. */
export const defaultDeadlineMs = 20_000;

/** One client of a workload. Every call ends within a deadline; a failure is an `OperationFailed`. */
export interface KeyClient {
  readonly name: string;
  /** Changes whenever what the door promises to a session starts anew. */
  readonly session: string;
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  del(key: string): Promise<void>;
  /** Makes sure of a connection where there is one, so that `session` names the one the next operation uses. */
  ready?(): Promise<void>;
  close(): void;
}

/** Codes of the doors (docs/errors.md) that say of a write that it did not happen and never will. */
const definiteCodes = new Set([
  'LVDEFINITE',
  'LVLIMIT',
  'LVRESERVED',
  'LVNAMESPACE',
  'LVSESSION',
  'LVUNSUPPORTED',
  'LVUNAVAILABLE',
  'LVNOTREADY',
  'LVSTOPPING',
]);

/** What a failure's code says about the outcome; of a code that is not listed nothing is known. */
export function outcomeOfCode(code: string | undefined, op: Operation['op']): Exclude<Outcome, 'ok'> {
  if ((code === 'LVPENDING' || code === 'LVUNCOUNTED') && op !== 'get') return 'pending';
  return code !== undefined && definiteCodes.has(code) ? 'definite' : 'indefinite';
}
