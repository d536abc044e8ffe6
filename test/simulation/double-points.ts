import { dice } from '../support/seed';
import { type CrashPoint, crashPointsOf } from './crash-points';
import type { Effect } from './trace';

/** Two things that befall one run; the second effect is counted in the run that the first one made. */
export type DoublePoint = readonly [CrashPoint, CrashPoint];

/** Second points of one first point. */
const secondsEach = { atOnce: 1, whileAway: 2, later: 1 } as const;

/**
 * Drawn by the seed: `effects` are those after `first` in a run in which it alone befell. One other process is struck at
 * the very same effect, some while the first victim is away, and some when it is back, itself perhaps among them.
 */
export function doublePointsOf(first: CrashPoint, effects: readonly Effect[], seed: number): DoublePoint[] {
  const throwDice = dice(seed + first.effect);
  const draw = <T>(from: readonly T[], count: number): T[] =>
    from.length === 0 ? [] : Array.from({ length: count }, () => from[Math.floor(throwDice() * from.length)] as T);
  const seconds = crashPointsOf(first.scenario, effects, seed + first.effect).filter(
    ({ effect }) => effect > first.effect,
  );
  const backAtMs = (effects[0]?.atMs ?? 0) + first.awayMs;
  const atMs = new Map(effects.map((effect) => [effect.number, effect.atMs]));
  const isWhileAway = ({ effect }: CrashPoint): boolean => (atMs.get(effect) ?? 0) < backAtMs;
  const others = seconds.filter(({ victim }) => victim !== first.victim);
  const atOnce = draw(others, secondsEach.atOnce).map((second): CrashPoint => {
    const { effect, when } = first;
    return { ...second, effect, when, says: `at once ${second.victim}: ${second.action}` };
  });
  return [
    ...atOnce,
    ...draw(seconds.filter(isWhileAway), secondsEach.whileAway),
    ...draw(
      seconds.filter((point) => !isWhileAway(point)),
      secondsEach.later,
    ),
  ].map((second) => [first, second]);
}
