import { assert } from '@levee/kernel';

/**
 * What all attempts to store one batch prove together (I3, I20).
 *
 * - `clean`: every attempt so far was answered with proof that it stored nothing, or there was none: the batch is not in
 *   the log and never will be.
 * - `sending`: handed to a socket, all earlier attempts were proof.
 * - `doubtful`: the outcome of some attempt is unknown. Proof about a later attempt does not change that.
 * - `resending`: `doubtful`, and handed to a socket again.
 * - `stored`: some attempt, or a repetition that the broker recognised, was acknowledged. It resolves every doubt.
 */
export type Attempts = 'clean' | 'sending' | 'doubtful' | 'resending' | 'stored';

/** `handed`: its bytes may leave the process from now on. The others: how that attempt ended. */
export type AttemptEvent = 'handed' | 'proof' | 'unknown' | 'stored';

const table: Readonly<Record<Attempts, Partial<Record<AttemptEvent, Attempts>>>> = {
  clean: { handed: 'sending' },
  sending: { proof: 'clean', unknown: 'doubtful', stored: 'stored' },
  doubtful: { handed: 'resending' },
  resending: { proof: 'doubtful', unknown: 'doubtful', stored: 'stored' },
  stored: {},
};

export function nextAttempts(attempts: Attempts, event: AttemptEvent): Attempts {
  const next = table[attempts][event];
  assert(next !== undefined, `I3, I20: a batch that is ${attempts} meets '${event}'`);
  return next;
}

/** Nothing of the batch was or will be stored: its failure is definite, and its sequence numbers are still free. */
export function isProvenAbsent(attempts: Attempts): boolean {
  return attempts === 'clean';
}
