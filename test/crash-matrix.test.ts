import { type Action, type CrashPoint, crashPointsOf } from './simulation/crash-points';
import { crashRun } from './simulation/crash-run';
import type { Scenario } from './simulation/scenario';
import { scenarios } from './simulation/scenarios';
import { dice, full, seed } from './support/seed';

/** Points of each scenario that a run of `npm test` draws; `npm run test:full` takes them all. */
const drawn = 12;
const runMsMax = 30_000;

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
  const report = await crashRun(scenario, { seed, point });
  if (report.faults.length === 0) return undefined;
  const repeat = `LEVEE_TEST_SEED=${seed} LEVEE_TEST_POINT='${written(point)}' npx jest test/crash-matrix`;
  const last = report.said.split('\n').slice(wanted === undefined ? -40 : -2_000);
  return [point.says, repeat, ...report.faults, ...last].join('\n');
}

function draw(points: readonly CrashPoint[]): readonly CrashPoint[] {
  if (full) return points;
  const left = [...points];
  const throwDice = dice(seed);
  return Array.from({ length: Math.min(drawn, left.length) }, () =>
    left.splice(Math.floor(throwDice() * left.length), 1),
  ).flat();
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
        const quiet = await crashRun(scenario, { seed });
        expect(quiet.faults).toEqual([]);
        const matrix = crashPointsOf(scenario.name, quiet.effects, seed);
        points.set(scenario.name, matrix.length);
        const problems: string[] = [];
        for (const point of draw(matrix)) {
          const problem = await problemOf(scenario, point);
          if (problem !== undefined) problems.push(problem);
        }
        expect(problems.join('\n\n')).toBe('');
      },
      runMsMax * (full ? 200 : drawn),
    );
});
