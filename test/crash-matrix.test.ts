import { type CrashPoint, crashPointsOf, isLoss, pointsIn, written } from './simulation/crash-points';
import { crashRun } from './simulation/crash-run';
import { doublePointsOf } from './simulation/double-points';
import type { Scenario } from './simulation/scenario';
import { scenarios } from './simulation/scenarios';
import { tell } from './support/counts';
import { shuffled } from './support/crash-points';
import { dice, full, seed } from './support/seed';

/** `npm test` draws points for so long in all, and some of each scenario at least; `npm run test:full` takes them all. */
const drawing = { forMs: 35_000 / scenarios.length, shareOfDoubles: 0.3, leastPoints: 2 } as const;
/** Points of each scenario to which a second one is drawn, with full counts. */
const firstsOfDoubles = 20;
const runMsMax = 30_000;
/** Points of all scenarios together, at the least. */
const pointsMin = 300;

/** `LEVEE_TEST_POINT='<as printed>' npx jest test/crash-matrix` repeats one point of the matrix, single or double. */
const wanted = process.env['LEVEE_TEST_POINT'];

/** The whole story of what befell one run, when that went wrong. */
async function problemOf(scenario: Scenario, points: readonly CrashPoint[]): Promise<string | undefined> {
  const report = await crashRun(scenario, { seed, points });
  if (report.faults.length === 0) return undefined;
  const repeat = `LEVEE_TEST_SEED=${seed} LEVEE_TEST_POINT='${written(points)}' npx jest test/crash-matrix`;
  const last = report.said.split('\n').slice(wanted === undefined ? -40 : -2_000);
  return [...points.map(({ says }) => says), repeat, ...report.faults, ...last].join('\n');
}

type Points = AsyncIterable<readonly CrashPoint[]> | Iterable<readonly CrashPoint[]>;

interface Trial {
  readonly count: number;
  /** The stories of those that went wrong. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

/** Tries what is drawn: all of it with full counts, else for so long. */
async function tried(scenario: Scenario, drawn: Points, forMs: number): Promise<Trial> {
  const begunMs = performance.now();
  const problems: string[] = [];
  let count = 0;
  for await (const points of drawn) {
    if (!full && count >= drawing.leastPoints && performance.now() - begunMs > forMs) break;
    count++;
    const problem = await problemOf(scenario, points);
    if (problem !== undefined) problems.push(problem);
  }
  return { count, problems, seconds: (performance.now() - begunMs) / 1_000 };
}

/** Every other first one is a node that is given up, and returns while something else befalls. */
function lossesBetween(points: readonly CrashPoint[]): CrashPoint[] {
  const losses = points.filter(isLoss);
  const others = points.filter((point) => !isLoss(point));
  return points.flatMap((_, i) => [...losses.slice(i, i + 1), ...others.slice(i, i + 1)]);
}

async function* doubles(scenario: Scenario, firsts: readonly CrashPoint[]): AsyncGenerator<readonly CrashPoint[]> {
  for (const first of firsts.slice(0, firstsOfDoubles)) {
    const { effects } = await crashRun(scenario, { seed, points: [first], keepEffects: true });
    yield* doublePointsOf(first, effects, seed);
  }
}

describe('whatever befalls a process at whatever step, the cluster ends whole (I1 to I18)', () => {
  const points = new Map<string, number>();

  for (const scenario of scenarios)
    it(
      scenario.name,
      async () => {
        if (wanted !== undefined) {
          if (!wanted.startsWith(`${scenario.name}:`)) return;
          expect(await problemOf(scenario, pointsIn(wanted))).toBeUndefined();
          return;
        }
        const quiet = await crashRun(scenario, { seed, keepEffects: true });
        expect(quiet.faults).toEqual([]);
        const matrix = crashPointsOf(scenario.name, quiet.effects, seed);
        points.set(scenario.name, matrix.length);
        const { forMs, shareOfDoubles } = drawing;
        // In an order that the seed decides: another run begins with other points.
        const singles = shuffled(matrix, dice(seed)).map((point) => [point]);
        const single = await tried(scenario, singles, forMs * (1 - shareOfDoubles));
        const firsts = lossesBetween(shuffled(matrix, dice(seed + 1)));
        const double = await tried(scenario, doubles(scenario, firsts), forMs * shareOfDoubles);
        for (const [name, { count, problems, seconds }] of Object.entries({ single, double }))
          tell({
            scenario: `crash matrix: ${scenario.name}, ${name} points`,
            repetitions: count,
            failures: problems.length,
            figure: 's for all of them',
            values: [seconds],
          });
        expect([...single.problems, ...double.problems].join('\n\n')).toBe('');
      },
      full ? 3_600_000 : runMsMax * 4,
    );

  it(`has at least ${pointsMin} points`, () => {
    if (wanted !== undefined) return;
    const total = [...points.values()].reduce((sum, count) => sum + count, 0);
    expect(total).toBeGreaterThanOrEqual(pointsMin);
  });
});
