import { type CrashPoint, crashPointsOf, isLoss, pointsIn, written } from './simulation/crash-points';
import { crashRun, type RunReport } from './simulation/crash-run';
import { doublePointsOf } from './simulation/double-points';
import type { Scenario } from './simulation/scenario';
import { scenarios } from './simulation/scenarios';
import type { Effect } from './simulation/trace';
import { tell } from './support/counts';
import { shuffled } from './support/crash-points';
import { dice, full, seed } from './support/seed';

/**
 * `npm test` draws so many scenarios, and points of them for so long in all, some of each at least; `npm run test:full`
 * takes all points of all scenarios.
 */
const drawing = { scenarios: 3, forMs: 5_000, shareOfDoubles: 0.3, leastPoints: 2 } as const;
/** Points of each scenario to which a second one is drawn, with full counts. */
const firstsOfDoubles = 20;
const runMsMax = 30_000;
/** Points of all scenarios together, at the least. */
const pointsMin = 300;

/** `LEVEE_TEST_POINT='<as printed>' npx jest test/crash-matrix` repeats one point of the matrix, single or double. */
const wanted = process.env['LEVEE_TEST_POINT'];

/** The whole story of what befell one run, when that went wrong. */
function problemOf(report: RunReport, points: readonly CrashPoint[]): string | undefined {
  if (report.faults.length === 0) return undefined;
  const repeat = `LEVEE_TEST_SEED=${seed} LEVEE_TEST_POINT='${written(points)}' npx jest test/crash-matrix`;
  const last = report.said.split('\n').slice(wanted === undefined ? -40 : -2_000);
  return [...points.map(({ says }) => says), repeat, ...report.faults, ...last].join('\n');
}

/** What was tried of one kind of points. */
class Trial {
  count = 0;
  /** The stories of those that went wrong. */
  readonly problems: string[] = [];
  seconds = 0;

  constructor(
    private readonly scenario: Scenario,
    private readonly forMs: number,
  ) {}

  /** All of it is tried with full counts, else as much as there is time for. */
  get goesOn(): boolean {
    return full || this.count < drawing.leastPoints || this.seconds * 1_000 <= this.forMs;
  }

  async run(points: readonly CrashPoint[], keepEffects = false): Promise<readonly Effect[]> {
    const begunMs = performance.now();
    const report = await crashRun(this.scenario, { seed, points, keepEffects });
    const problem = problemOf(report, points);
    if (problem !== undefined) this.problems.push(problem);
    this.count++;
    this.seconds += (performance.now() - begunMs) / 1_000;
    return report.effects;
  }
}

/** Every other first one is a node that is given up, and returns while something else befalls. */
function lossesBetween(points: readonly CrashPoint[]): CrashPoint[] {
  const losses = points.filter(isLoss);
  const others = points.filter((point) => !isLoss(point));
  return points.flatMap((_, i) => [...losses.slice(i, i + 1), ...others.slice(i, i + 1)]);
}

/** A run that tells where second points may strike is a run of its first point alone, and judged as one. */
async function tryAll(scenario: Scenario, matrix: readonly CrashPoint[]): Promise<{ single: Trial; double: Trial }> {
  const forMs = (share: number): number => (drawing.forMs * share) / drawing.scenarios;
  const single = new Trial(scenario, forMs(1 - drawing.shareOfDoubles));
  const double = new Trial(scenario, forMs(drawing.shareOfDoubles));
  const firsts = lossesBetween(shuffled(matrix, dice(seed + 1))).slice(0, firstsOfDoubles);
  const done = new Set<CrashPoint>();
  for (const first of firsts) {
    if (!double.goesOn) break;
    done.add(first);
    const effects = await single.run([first], true);
    for (const points of doublePointsOf(first, effects, seed)) if (double.goesOn) await double.run(points);
  }
  // In an order that the seed decides: another run begins with other points.
  for (const point of shuffled(matrix, dice(seed))) {
    if (!single.goesOn) break;
    if (!done.has(point)) await single.run([point]);
  }
  return { single, double };
}

describe('whatever befalls a process at whatever step, the cluster ends whole (I1 to I18)', () => {
  const points = new Map<string, number>();
  const drawn = new Set(full ? scenarios : shuffled(scenarios, dice(seed + 2)).slice(0, drawing.scenarios));

  for (const scenario of scenarios)
    it(
      scenario.name,
      async () => {
        if (wanted !== undefined) {
          if (!wanted.startsWith(`${scenario.name}:`)) return;
          const points = pointsIn(wanted);
          expect(problemOf(await crashRun(scenario, { seed, points }), points)).toBeUndefined();
          return;
        }
        const quiet = await crashRun(scenario, { seed, keepEffects: true });
        expect(quiet.faults).toEqual([]);
        const matrix = crashPointsOf(scenario.name, quiet.effects, seed);
        points.set(scenario.name, matrix.length);
        if (!drawn.has(scenario)) return;
        const { single, double } = await tryAll(scenario, matrix);
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
