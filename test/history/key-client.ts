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

/** The code words of the doors (DESIGN section 7). Anything else that a door says about a write is unknown. */
export function outcomeOfCode(code: string | undefined, op: Operation['op']): Exclude<Outcome, 'ok'> {
  const word = (code ?? '').toUpperCase().replace(/^LV/, '');
  if (word === 'PENDING' && op !== 'get') return 'pending';
  if (word === 'DEFINITE' || word === 'LIMIT' || word === 'ERR' || word === 'NOAUTH') return 'definite';
  return 'indefinite';
}
