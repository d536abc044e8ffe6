import { logsOf, rows } from './requirements/page';
import type { HeldBy } from './requirements/row';
import { type DrawnSuite, kinds, logOf, type LogName } from './support/drawn';

const seeds = Array.from({ length: 1_000 }, (_, i) => i * 7_919);
const suites: readonly DrawnSuite[] = Object.values(kinds).flat();

describe('what a quick run draws', () => {
  it.each(Object.entries(kinds))('shows %s on both logs, whatever the seed', (_kind, ofKind) => {
    for (const seed of seeds) expect(new Set(ofKind.map((suite) => logOf(suite, seed))).size).toBe(2);
  });

  it.each(suites)('shows %s on each log in two of five runs, at least', (suite) => {
    const onKafka = seeds.filter((seed) => logOf(suite, seed) === 'real Kafka').length;
    expect(onKafka).toBeGreaterThan(0.4 * seeds.length);
    expect(onKafka).toBeLessThan(0.6 * seeds.length);
  });

  it('holds each row of docs/requirements.md in every run', () => {
    const shownOn = { embedded: 'the embedded log', Kafka: 'real Kafka' } as const;
    const isShown = (test: HeldBy, log: LogName): boolean =>
      logsOf(test).some((name) => name !== 'in memory' && shownOn[name] === log);
    const suiteOf = ({ file }: HeldBy): DrawnSuite | undefined =>
      suites.find((suite) => file === `test/e2e/${suite}.test.ts`);
    const fallsOut = (seed: number): string[] =>
      rows
        .filter(({ tests }) => tests.length > 0)
        .filter(
          ({ tests }) =>
            !tests.some((test) => {
              const suite = suiteOf(test);
              return suite === undefined || isShown(test, logOf(suite, seed));
            }),
        )
        .map(({ ids }) => ids);
    for (const seed of seeds.slice(0, 200)) expect([seed, fallsOut(seed)]).toEqual([seed, []]);
  });
});
