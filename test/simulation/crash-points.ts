import { dice } from '../support/seed';
import { shapeDefault } from './simulated-cluster';
import type { Effect } from './trace';

/** `power`: killed together with its machine, so that writes of units that were not synced may be gone. */
type Action = 'kill' | 'power' | 'pause';

/** One place at which something befalls one process. */
export interface CrashPoint {
  readonly scenario: string;
  /** Which effect of the run, counted from its beginning. */
  readonly effect: number;
  readonly when: 'before' | 'after';
  readonly victim: string;
  readonly action: Action;
  /** Until it is started again, or goes on. */
  readonly awayMs: number;
  /** For people: what the victim was, and what it, or who else, was about to do in which phase. */
  readonly says: string;
}

/** As LEVEE_TEST_POINT has it: what befalls one run. */
export const written = (points: readonly CrashPoint[]): string =>
  points
    .map(({ scenario, effect, when, victim, action, awayMs: away }) =>
      [scenario, effect, when, victim, action, away].join(':'),
    )
    .join('+');

export function pointsIn(text: string): CrashPoint[] {
  return text.split('+').map((says) => {
    const [scenario = '', effect, when, victim = '', action, away] = says.split(':');
    return {
      scenario,
      effect: Number(effect),
      when: when === 'before' ? 'before' : 'after',
      victim,
      action: action as Action,
      awayMs: Number(away),
      says,
    };
  });
}

/** Heartbeats are soft state: a crash between two of them is a crash at the effect before or after. */
const soft = new Set(['append levee.heartbeats']);

/** Short ones, ones past the take-over of a master, and some past the loss of a node. */
const awayMs = [400, 1_500, 3_000, 6_000, 12_000] as const;

/** Of a node, and for so long that it is given up: its replicas are dead, and then it returns. */
export const isLoss = ({ victim, awayMs: away }: Pick<CrashPoint, 'victim' | 'awayMs'>): boolean =>
  victim.startsWith('n') && away > shapeDefault.lostAfterMs;

/**
 * Every phase of a scenario, every role in it, every kind of effect of that role: before and after it, killed, without
 * power, paused; and at each boundary between two phases every role killed and paused. Of many effects of one kind the
 * first and one more are taken. `effects` are those of a run in which nothing befell, of the same seed.
 */
export function crashPointsOf(scenario: string, effects: readonly Effect[], seed: number): CrashPoint[] {
  const throwDice = dice(seed);
  const away = (): number => awayMs[Math.floor(throwDice() * awayMs.length)] as number;
  const points: CrashPoint[] = [];
  for (const [what, alike] of grouped(effects.filter(({ kind, role }) => !soft.has(kind) && role !== 'other'))) {
    const first = alike[0] as Effect;
    const other = alike[Math.floor(throwDice() * alike.length)] as Effect;
    const at = (effect: Effect, when: 'before' | 'after', action: Action): void => {
      const says = `${effect.role} ${effect.process}: ${action} ${when} ${what}`;
      points.push({ scenario, effect: effect.number, when, victim: effect.process, action, awayMs: away(), says });
    };
    at(first, 'before', 'kill');
    at(other, 'after', 'kill');
    at(first, 'after', 'pause');
    if (first.kind.startsWith('unit')) at(other, 'after', 'power');
  }
  return [...points, ...boundaries(scenario, effects, away)].sort((a, b) => a.effect - b.effect);
}

function boundaries(scenario: string, effects: readonly Effect[], away: () => number): CrashPoint[] {
  const points: CrashPoint[] = [];
  const actors = new Map<string, string>();
  let before: Effect | undefined;
  for (const effect of effects) {
    if (effect.role !== 'other') actors.set(effect.role, effect.process);
    if (before !== undefined && before.phase !== effect.phase)
      for (const [role, victim] of actors)
        for (const action of ['kill', 'pause'] as const) {
          const says = `${role} ${victim}: ${action} as '${before.phase}' becomes '${effect.phase}'`;
          points.push({ scenario, effect: effect.number, when: 'before', victim, action, awayMs: away(), says });
        }
    before = effect;
  }
  return points;
}

function grouped(effects: readonly Effect[]): Map<string, Effect[]> {
  const groups = new Map<string, Effect[]>();
  for (const effect of effects) {
    const what = `'${effect.kind}' of a ${effect.role} in '${effect.phase}'`;
    const group = groups.get(what);
    if (group === undefined) groups.set(what, [effect]);
    else group.push(effect);
  }
  return groups;
}
