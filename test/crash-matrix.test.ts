import { type Action, type CrashPoint, crashPointsOf } from './simulation/crash-points';
import { crashRun } from './simulation/crash-run';
import type { Scenario } from './simulation/scenario';
import { scenarios } from './simulation/scenarios';
import { dice, full, seed } from './support/seed';

/** `npm test` draws points for so long in all, and some of each scenario at least; `npm run test:full` takes them all. */
const drawing = { forMs: 40_000 / scenarios.length, leastPoints: 2 } as const;
const runMsMax = 30_000;
/** Points of all scenarios together, at the least. */
const pointsMin = 300;

/** `LEVEE_TEST_POINT='<as printed>' npx jest test/crash-matrix` repeats one point of the matrix. */
const wanted = process.env['LEVEE_TEST_POINT'];

const written = ({ scenario, effect, when, victim, action, awayMs }: CrashPoint): string =>
  [scenario, effect, when, victim, action, awayMs].join(':');

function pointIn(text: string): CrashPoint {
  const [scenario = '', effect, when, victim = '', action, awayMs] = text.split(':');
  return {
    scenario,
    effect: Number(effect),
    when: when === 'before' ? 'before' : 'after',
    victim,
    action: action as Action,
    awayMs: Number(awayMs),
    says: text,
  };
}

/** The whole story of a point that went wrong. */
async function problemOf(scenario: Scenario, point: CrashPoint): Promise<string | undefined> {
  const report = await crashRun(scenario, { seed, points: [point] });
  if (report.faults.length === 0) return undefined;
  const repeat = `LEVEE_TEST_SEED=${seed} LEVEE_TEST_POINT='${written(point)}' npx jest test/crash-matrix`;
  const last = report.said.split('\n').slice(wanted === undefined ? -40 : -2_000);
  return [point.says, repeat, ...report.faults, ...last].join('\n');
}

/** In an order that the seed decides: another run begins with other points. */
function shuffled(points: readonly CrashPoint[]): CrashPoint[] {
  const throwDice = dice(seed);
  const keyed = points.map((point) => ({ point, key: throwDice() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ point }) => point);
}

describe('whatever befalls a process at whatever step, the cluster ends whole (I1 to I18)', () => {
  const points = new Map<string, number>();

  for (const scenario of scenarios)
    it(
      scenario.name,
      async () => {
        if (wanted !== undefined) {
          if (!wanted.startsWith(`${scenario.name}:`)) return;
          expect(await problemOf(scenario, pointIn(wanted))).toBeUndefined();
          return;
        }
        const quiet = await crashRun(scenario, { seed, keepEffects: true });
        expect(quiet.faults).toEqual([]);
        const matrix = crashPointsOf(scenario.name, quiet.effects, seed);
        points.set(scenario.name, matrix.length);
        const problems: string[] = [];
        const begunMs = performance.now();
        let tried = 0;
        for (const point of shuffled(matrix)) {
          if (!full && tried >= drawing.leastPoints && performance.now() - begunMs > drawing.forMs) break;
          tried++;
          const problem = await problemOf(scenario, point);
          if (problem !== undefined) problems.push(problem);
        }
        expect(problems.join('\n\n')).toBe('');
      },
      full ? 3_600_000 : runMsMax * 4,
    );

  it(`has at least ${pointsMin} points`, () => {
    if (wanted !== undefined) return;
    const total = [...points.values()].reduce((sum, count) => sum + count, 0);
    expect(total).toBeGreaterThanOrEqual(pointsMin);
  });
});
