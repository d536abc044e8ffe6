import type { StoreErrorCode, StoreFailure } from '@levee/client';
import { ofKey, shownKey } from './shown-key';

/** What became of one key of a command. */
export interface KeyFailure {
  readonly key: Buffer;
  readonly failure: StoreFailure;
}

/** Worst first: what a caller must not take for something milder. */
const gravity: readonly StoreErrorCode[] = [
  'LVINDEFINITE',
  'LVDEFINITE',
  'LVSTOPPED',
  'LVREADONLY',
  'LVFULL',
  'LVLIMIT',
  'LVRESERVED',
  'LVPENDING',
];

/** One error for several keys: how many failed in which way, under the code of the worst. */
export function summarize(what: string, total: number, failures: readonly KeyFailure[]): string {
  const counts = new Map<StoreErrorCode, number>();
  for (const { failure } of failures) counts.set(failure.code, (counts.get(failure.code) ?? 0) + 1);
  const worst = gravity.find((code) => counts.has(code)) ?? (failures[0] as KeyFailure).failure.code;
  const first = failures.find(({ failure }) => failure.code === worst) as KeyFailure;
  if (total === 1) return ofKey(first.failure, first.key);
  const parts = [...counts].map(([code, n]) => `${n} ${code}`).join(', ');
  return `${worst} ${total - failures.length} of ${total} keys ${what}, failed: ${parts}; the first: ${first.failure.message} (key ${shownKey(first.key)})`;
}
