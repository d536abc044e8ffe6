import { explain } from './explanation';
import { checkKey, type CheckOptions } from './linearizability';
import { byKey, isWrite, type History, type Operation, type Outcome } from './operation';
import { checkSessions } from './session-consistency';

export interface Judgement {
  /** Texts for a person; none means that the history is legal. */
  readonly faults: readonly string[];
  readonly keys: number;
  readonly outcomes: Readonly<Record<'reads' | 'writes', Readonly<Record<Outcome, number>>>>;
  /** Longest time in which no operation of the kind succeeded, between the first and the last success. */
  readonly longestGapMs: Readonly<Record<'reads' | 'writes', number>>;
  /** Time from invocation to answer of what succeeded. */
  readonly latencyMs: Readonly<
    Record<'reads' | 'writes', { readonly p50: number; readonly p99: number; readonly max: number }>
  >;
  /** What failures said, most frequent first. */
  readonly reasons: readonly string[];
}

/** Judges writes and strong reads by linearizability and everything by sessions. A check that times out is a fault. */
export function judge(history: History, options: CheckOptions = {}): Judgement {
  const faults: string[] = [];
  const keys = byKey(history);
  for (const [key, operations] of keys) {
    const strong = operations.filter((o) => isWrite(o) || o.consistency !== 'session');
    const verdict = checkKey(key, strong, options);
    if (verdict.kind === 'violation') faults.push(explain(key, strong, verdict));
    if (verdict.kind === 'timeout')
      faults.push(`${key}: not judged within ${Math.round(verdict.afterMs)} ms; ${strong.length} operations`);
    faults.push(...checkSessions(key, operations).map((violation) => violation.text));
  }
  const [reads, writes] = [history.filter((o) => !isWrite(o)), history.filter(isWrite)];
  return {
    faults,
    keys: keys.size,
    outcomes: { reads: count(reads), writes: count(writes) },
    longestGapMs: { reads: longestGap(reads), writes: longestGap(writes) },
    latencyMs: { reads: latency(reads), writes: latency(writes) },
    reasons: reasons(history),
  };
}

const succeeded = (o: Operation): boolean => o.outcome === 'ok' || o.outcome === 'pending';

function count(operations: readonly Operation[]): Record<Outcome, number> {
  const counts = { ok: 0, pending: 0, definite: 0, indefinite: 0 };
  for (const { outcome } of operations) counts[outcome] += 1;
  return counts;
}

function longestGap(operations: readonly Operation[]): number {
  const times = operations
    .filter(succeeded)
    .map((o) => o.completedAtNs as number)
    .sort((a, b) => a - b);
  let longest = 0;
  for (let i = 1; i < times.length; i++) longest = Math.max(longest, (times[i] as number) - (times[i - 1] as number));
  return longest / 1e6;
}

function latency(operations: readonly Operation[]): { p50: number; p99: number; max: number } {
  const took = operations
    .filter(succeeded)
    .map((o) => ((o.completedAtNs as number) - o.invokedAtNs) / 1e6)
    .sort((a, b) => a - b);
  const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: took.at(-1) ?? 0 };
}

/** Those of `Judgement.reasons` that operations of this kind gave. */
export const reasonsOf = ({ reasons }: Pick<Judgement, 'reasons'>, kind: 'reads' | 'writes'): string[] =>
  reasons.filter((reason) => /^\d+ x get /.test(reason) === (kind === 'reads'));

function reasons(history: History): string[] {
  const counts = new Map<string, number>();
  for (const { op, outcome, reason } of history) {
    if (reason === undefined) continue;
    const text = `${op} ${outcome}: ${reason.replace(/\d{2,}/g, 'N').slice(0, 160)}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([text, times]) => `${times} x ${text}`);
}
