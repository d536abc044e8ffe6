import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { leftToOthers, turns } from '../tools/turns.cjs';
import { isByTurns, logsOf, rows } from './requirements/page';
import type { HeldBy, Row } from './requirements/row';
import { type DrawnSuite, kinds, logOf } from './support/drawn';

const seeds = Array.from({ length: 500 }, (_, i) => i * 7_919);
const onOneLog: readonly DrawnSuite[] = Object.values(kinds).flat();
const inTurns = Object.values(turns).flatMap((places) =>
  places.flatMap((suites) => suites.map((suite) => [suite, 1 / places.length] as const)),
);
const fileOf = (suite: string): string => `test/e2e/${suite}.test.ts`;
const left = new Map(seeds.map((seed) => [seed, new Set(leftToOthers(seed).map(({ suite }) => suite))]));
const isLeftOut = (suite: string, seed: number): boolean => left.get(seed)?.has(suite) === true;
const takesTurns = (file: string): boolean => inTurns.some(([suite]) => suite === file);

/** As a share of all of them. */
const often = (runs: number, share: number): void => {
  expect(runs).toBeGreaterThan(0.8 * share * seeds.length);
  expect(runs).toBeLessThan(1.2 * share * seeds.length);
};

/** What Levee promises first: nothing acknowledged is lost, reads are what they say, on each log, whatever fails. */
const promises = [
  ...['crash', 'cluster', 'cuts'].map(fileOf),
  'libs/log-kafka/test/kafka-log.kafka.spec.ts',
  'libs/log-kafka/test/append-outcomes.kafka.spec.ts',
  'libs/log-embedded/test/contract.spec.ts',
  'apps/portal/test/acknowledgements.spec.ts',
  'test/crash-matrix.test.ts',
  'test/simulation.test.ts',
];

const known = new Map<string, ReturnType<typeof logsOf>>();
/** Read once, for all seeds. */
function logs(test: HeldBy): ReturnType<typeof logsOf> {
  const name = `${test.file} ${test.title}`;
  const found = known.get(name) ?? logsOf(test);
  known.set(name, found);
  return found;
}

/** Whether a run of this seed has the test. */
function isShown(test: HeldBy, seed: number): boolean {
  if (isLeftOut(test.file, seed)) return false;
  const suite = onOneLog.find((each) => fileOf(each) === test.file);
  if (suite === undefined) return true;
  return logs(test).includes(logOf(suite, seed) === 'real Kafka' ? 'Kafka' : 'embedded');
}

describe('what a quick run draws', () => {
  it.each(Object.entries(kinds))('shows %s on both logs, of those that it has', (_kind, ofKind) => {
    for (const seed of seeds) expect(new Set(ofKind.map((suite) => logOf(suite, seed))).size).toBe(2);
  });

  it('shows plans, doors and portals on both logs, whatever the seed', () => {
    const inEachRun = Object.entries(kinds).filter(([, ofKind]) => !ofKind.some((suite) => takesTurns(fileOf(suite))));
    expect(inEachRun.map(([kind]) => kind)).toEqual(['plans', 'doors', 'portals']);
  });

  it.each(onOneLog)('shows %s on each log in two of five runs that have it, at least', (suite) =>
    often(seeds.filter((seed) => logOf(suite, seed) === 'real Kafka').length, 1 / 2),
  );

  it.each(inTurns)('has %s in its share of runs', (suite, share) => {
    expect(existsSync(join(__dirname, '..', suite))).toBe(true);
    expect(share).toBeGreaterThanOrEqual(1 / 3);
    often(seeds.filter((seed) => !isLeftOut(suite, seed)).length, share);
  });

  it.each(Object.entries(turns))('has one place of suites about %s in every run', (_shows, places) => {
    for (const seed of seeds) {
      const isLeft = (suite: string): boolean => isLeftOut(suite, seed);
      const shown = places.filter((suites) => !suites.every(isLeft));
      expect(shown).toHaveLength(1);
      expect(shown.flat().filter(isLeft)).toEqual([]);
    }
  });

  it.each(promises)('has %s in every run', (suite) => {
    expect(existsSync(join(__dirname, '..', suite))).toBe(true);
    expect(takesTurns(suite)).toBe(false);
  });

  it('holds each row of docs/requirements.md in every run, but those that it says are held by turns', () => {
    const held = rows.filter(({ tests }) => tests.length > 0);
    const fallsOut = (seed: number): Row[] => held.filter(({ tests }) => !tests.some((test) => isShown(test, seed)));
    const some = seeds.slice(0, 100);
    const fell = some.flatMap(fallsOut);
    for (const row of held) {
      const times = fell.filter((one) => one === row).length;
      expect([row.ids, times > 0]).toEqual([row.ids, isByTurns(row)]);
      expect([row.ids, times < 0.8 * some.length]).toEqual([row.ids, true]);
    }
  });
});
