const plannedKinds = ['move', 'split', 'merge'] as const;
export const plannedSteps = ['allocate', 'copy', 'catchUp', 'verify', 'switch', 'observe', 'reclaim'] as const;
const victims = ['source', 'target', 'master', 'dispatcher'] as const;

type PlannedKind = (typeof plannedKinds)[number];
type PlannedStep = (typeof plannedSteps)[number];
export type Victim = (typeof victims)[number];

/** What happens to which process when, in a run of real processes. */
export interface CrashPoint {
  /** failover: the primary's node dies and comes back. heal: it stays away until others make up for it. */
  readonly kind: PlannedKind | 'failover' | 'heal';
  /** Of the plan; of a failover nothing but the delay counts. */
  readonly step: PlannedStep;
  readonly victim: Victim;
  readonly action: 'kill' | 'pause';
  /** Milliseconds after the step's begin; 0 = at its boundary. */
  readonly insideMs: number;
  /** Milliseconds until the victim is started again, or goes on. */
  readonly awayMs: number;
}

const insideMsMax = 250;
const awayMs = { kill: { min: 100, max: 2_000 }, pause: { min: 300, max: 4_500 } } as const;

/**
 * The points of a seed: of every step of every kind two victims, so that over the seeds each victim has its turn, and
 * failovers and healing with each. Half of them are at a step's boundary.
 */
export function crashPoints(random: () => number): CrashPoint[] {
  const points: CrashPoint[] = [];
  const add = (kind: CrashPoint['kind'], step: PlannedStep, victim: Victim): void => {
    const action = random() < 0.5 ? 'kill' : 'pause';
    const { min, max } = awayMs[action];
    const insideMs = random() < 0.5 ? 0 : Math.ceil(random() * insideMsMax);
    points.push({ kind, step, victim, action, insideMs, awayMs: Math.round(min + random() * (max - min)) });
  };
  for (const kind of plannedKinds)
    for (const step of plannedSteps)
      for (const victim of shuffled(victims, random).slice(0, 2)) add(kind, step, victim);
  for (const victim of ['target', 'master', 'dispatcher'] as const) add('failover', 'switch', victim);
  for (const victim of victims)
    add('heal', plannedSteps[Math.floor(random() * plannedSteps.length)] as PlannedStep, victim);
  return points;
}

export const saysPoint = ({ kind, step, victim, action, insideMs, awayMs: away }: CrashPoint): string =>
  `${kind}: ${action} of the ${victim} ${insideMs === 0 ? 'when' : `${insideMs} ms after`} ${step} begins, for ${away} ms`;

/** In an order that the dice decide. */
export function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const keyed = values.map((value) => ({ value, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value);
}
