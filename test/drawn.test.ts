import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { leftToOthers, turns } from '../tools/turns.cjs';
import { logsOf, rows } from './requirements/page';
import type { HeldBy } from './requirements/row';
import { type DrawnSuite, kinds, logOf } from './support/drawn';

const seeds = Array.from({ length: 500 }, (_, i) => i * 7_919);
const onOneLog: readonly DrawnSuite[] = Object.values(kinds).flat();
const inTurns = Object.values(turns).flat();
const fileOf = (suite: string): string => `test/e2e/${suite}.test.ts`;
const leftOut = (seed: number): string[] => leftToOthers(seed).map(({ suite }) => suite);

/** Of all of them. */
const often = (runs: number): void => {
  expect(runs).toBeGreaterThan(0.4 * seeds.length);
  expect(runs).toBeLessThan(0.6 * seeds.length);
};

/** Whether a run of this seed has the test. */
function isShown(test: HeldBy, seed: number): boolean {
  if (leftOut(seed).some((suite) => fileOf(suite) === test.file)) return false;
  const suite = onOneLog.find((each) => fileOf(each) === test.file);
  if (suite === undefined) return true;
  return logsOf(test).includes(logOf(suite, seed) === 'real Kafka' ? 'Kafka' : 'embedded');
}

describe('what a quick run draws', () => {
  it.each(Object.entries(kinds))('shows %s on both logs, whatever the seed', (_kind, ofKind) => {
    for (const seed of seeds) expect(new Set(ofKind.map((suite) => logOf(suite, seed))).size).toBe(2);
  });

  it.each(onOneLog)('shows %s on each log in two of five runs, at least', (suite) =>
    often(seeds.filter((seed) => logOf(suite, seed) === 'real Kafka').length),
  );

  it.each(inTurns)('has %s in two of five runs, at least', (suite) => {
    expect(existsSync(join(__dirname, '..', fileOf(suite)))).toBe(true);
    often(seeds.filter((seed) => !leftOut(seed).includes(suite)).length);
  });

  it.each(Object.entries(turns))('has one suite about %s in every run', (_shows, suites) => {
    for (const seed of seeds) {
      const left = leftOut(seed);
      expect(suites.filter((suite) => !left.includes(suite))).toHaveLength(1);
    }
  });

  it('holds each row of docs/requirements.md in every run', () => {
    const held = rows.filter(({ tests }) => tests.length > 0);
    const fallsOut = (seed: number): string[] =>
      held.filter(({ tests }) => !tests.some((test) => isShown(test, seed))).map(({ ids }) => ids);
    for (const seed of seeds.slice(0, 100)) expect([seed, fallsOut(seed)]).toEqual([seed, []]);
  });
});
