import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Judgement } from '../history/judgement';
import { seed } from './seed';

/** One line of the table that `npm run test:full` ends with. */
export interface Count {
  readonly scenario: string;
  readonly repetitions: number;
  /** Operations that failed, and contradictions that the checkers found. */
  readonly failures: number;
  /** What `values` are, in words with their unit; the table has their p50, p99 and highest. */
  readonly figure?: string;
  readonly values?: readonly number[];
}

/** Adds a line to the table; without a test command around the tests nobody reads it. */
export function tell(count: Count): void {
  const folder = process.env.LEVEE_TEST_SCRATCH;
  if (folder === undefined) return;
  const sorted = [...(count.values ?? [])].sort((a, b) => a - b);
  const at = (share: number): number | undefined =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  const { values: _values, ...rest } = count;
  const line = { ...rest, seed, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) };
  appendFileSync(join(folder, 'counts.ndjson'), `${JSON.stringify(line)}\n`);
}

/** Contradictions and failed operations of a judged history. */
export const failuresOf = ({ faults, outcomes }: Judgement): number =>
  faults.length +
  [outcomes.reads, outcomes.writes].reduce((sum, { definite, indefinite }) => sum + definite + indefinite, 0);
