import type { StoreErrorCode, StoreFailure } from '../store-errors';

/** Worst first: what a caller must not take for something milder. */
const gravity: readonly StoreErrorCode[] = [
  'LVINDEFINITE',
  'LVDEFINITE',
  'LVSTOPPED',
  'LVFULL',
  'LVLIMIT',
  'LVRESERVED',
  'LVPENDING',
];

/** One error for several keys: how many failed in which way, under the code of the worst. */
export function summarize(what: string, total: number, failures: readonly StoreFailure[]): string {
  const counts = new Map<StoreErrorCode, number>();
  for (const { code } of failures) counts.set(code, (counts.get(code) ?? 0) + 1);
  const worst = gravity.find((code) => counts.has(code)) ?? (failures[0] as StoreFailure).code;
  const first = failures.find(({ code }) => code === worst) as StoreFailure;
  if (total === 1) return first.text;
  const parts = [...counts].map(([code, n]) => `${n} ${code}`).join(', ');
  return `${worst} ${total - failures.length} of ${total} keys ${what}, failed: ${parts}; the first: ${first.message}`;
}
