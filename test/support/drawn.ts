import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { shuffled } from './crash-points';
import { dice, full, seed } from './seed';

/** What a whole quick run shows on one ground instead of on each: see docs/decisions/0066-drawn-variants.md. */
const draws = process.env.LEVEE_TEST_DRAWS === '1' && !full;

export type LogName = 'the embedded log' | 'real Kafka';

/** Suites that take the log as a parameter and may be drawn, by what they show: a kind is shown on both logs in each run. */
export const kinds = {
  plans: ['elastic', 'plans', 'pools'],
  disks: ['damage', 'disks'],
  past: ['continuous-proof', 'export'],
  doors: ['first-steps', 'wrong-input'],
  portals: ['portals', 'two-portals'],
} as const;

export type DrawnSuite = (typeof kinds)[keyof typeof kinds][number];

/** The log on which a run of this seed shows a suite: of a kind the other one than that of the suite before it. */
export function logOf(suite: DrawnSuite, runSeed: number): LogName {
  const all: readonly (readonly string[])[] = Object.values(kinds);
  const kind = all.findIndex((suites) => suites.includes(suite));
  const place = (all[kind] ?? []).indexOf(suite);
  const first = dice(runSeed + kind)() < 0.5 ? 0 : 1;
  return (first + place) % 2 === 0 ? 'the embedded log' : 'real Kafka';
}

/** Of a suite on each log, what this run shows. */
export function drawnLog<const V extends readonly [LogName, ...unknown[]]>(
  suite: DrawnSuite,
  variants: readonly V[],
): V[] {
  const log = logOf(suite, seed);
  notShown(
    suite,
    variants.map(([name]) => name).filter((name) => name !== log),
  );
  return variants.filter(([name]) => !draws || name === log);
}

/** One of several that show the same in another word. `of` says of what, and differs from draw to draw. */
export function drawnOne<V extends string>(of: string, variants: readonly V[]): V[] {
  const drawn = variants[Math.floor(dice(seed + of.length)() * variants.length)];
  notShown(
    of,
    variants.filter((name) => name !== drawn),
  );
  return variants.filter((name) => !draws || name === drawn);
}

/** A few of many that each show a fault of their own, in their order; a run says which it left. */
export function drawnSome<T>(of: string, all: readonly T[], few: number, nameOf: (one: T) => string): T[] {
  const drawn = new Set(shuffled(all, dice(seed + of.length)).slice(0, few));
  notShown(
    of,
    all.filter((one) => !drawn.has(one)).map((one) => nameOf(one)),
  );
  return all.filter((one) => !draws || drawn.has(one));
}

/** For the end of the run, where the test command says it. */
function notShown(of: string, names: readonly string[]): void {
  const folder = process.env.LEVEE_TEST_SCRATCH;
  if (!draws || folder === undefined) return;
  appendFileSync(join(folder, 'not-drawn.txt'), names.map((name) => `${of}: ${name}\n`).join(''));
}
