import { checkKey, type KeyVerdict } from './linearizability';
import { contentOf, isWrite, type Operation } from './operation';

type Violation = Extract<KeyVerdict, { kind: 'violation' }>;

const shrinkDeadlineMs = 2_000;

/**
 * The fewest operations that still contradict each other. Only steps that cannot make a legal history illegal are
 * taken: what was invoked after the stuck answer goes; one read goes; all writes and reads of one content go together.
 */
function shrink(key: string, operations: readonly Operation[], found: Violation): readonly Operation[] {
  const nowMs = (): number => performance.now();
  const untilMs = nowMs() + shrinkDeadlineMs;
  const illegal = (candidate: readonly Operation[]): boolean =>
    nowMs() < untilMs && checkKey(key, candidate, { deadlineMs: 500 }).kind === 'violation';

  const stuckAtNs = found.stuck.completedAtNs as number;
  let kept: readonly Operation[] = operations.filter((o) => o.invokedAtNs <= stuckAtNs);
  for (const content of new Set(kept.map(contentOf))) {
    const without = kept.filter((o) => contentOf(o) !== content);
    if (illegal(without)) kept = without;
  }
  for (const read of kept.filter((o) => !isWrite(o))) {
    const without = kept.filter((o) => o !== read);
    if (illegal(without)) kept = without;
  }
  return kept;
}

/** What a person needs to see of a violation: the operations that contradict each other, in time, the last one marked. */
export function explain(key: string, operations: readonly Operation[], found: Violation): string {
  const kept = shrink(key, operations, found);
  const again = checkKey(key, kept);
  const { stuck, possible } = again.kind === 'violation' ? again : found;
  const startNs = Math.min(...kept.map((o) => o.invokedAtNs));
  const lines = [...kept]
    .sort((a, b) => a.invokedAtNs - b.invokedAtNs)
    .map((o) => `${o === stuck ? '->' : '  '} ${describe(o, startNs)}`);
  return [
    `${key}: not linearizable; ${lines.length} of its ${operations.length} operations contradict each other`,
    ...lines,
    `   before the answer marked -> it could hold ${possible.map(content).join(' or ')}${origin(stuck, operations)}`,
  ].join('\n');
}

export function describe(operation: Operation, startNs: number): string {
  const ms = (atNs: number): string => ((atNs - startNs) / 1e6).toFixed(3);
  const until = operation.completedAtNs === undefined ? '?' : ms(operation.completedAtNs);
  const what = isWrite(operation)
    ? `${operation.op}${operation.op === 'set' ? ` ${content(contentOf(operation))}` : ''}`
    : `get -> ${operation.outcome === 'ok' ? content(contentOf(operation)) : '?'}`;
  const how = operation.outcome === 'ok' ? '' : ` ${operation.outcome}`;
  const why = operation.reason === undefined ? '' : ` (${operation.reason})`;
  return `${`${ms(operation.invokedAtNs)}..${until} ms`.padEnd(26)} ${operation.session ?? operation.client}: ${what}${how}${why}`;
}

/** Says so when the stuck read found what nobody can have written. */
function origin(stuck: Operation, operations: readonly Operation[]): string {
  const found = contentOf(stuck);
  if (isWrite(stuck) || found === null) return '';
  const writers = operations.filter((o) => isWrite(o) && contentOf(o) === found);
  if (writers.length === 0) return `; nobody wrote ${content(found)}`;
  if (writers.every((o) => o.outcome === 'definite')) return `; the write of ${content(found)} failed definitely`;
  return '';
}

function content(value: string | null): string {
  if (value === null) return 'nothing';
  return value.length <= 40 ? JSON.stringify(value) : `${JSON.stringify(value.slice(0, 40))}…`;
}
