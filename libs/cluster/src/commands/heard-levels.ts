import type { PayloadFields } from '../payload';

/** A process that is no data node, as its heartbeats tell, and the feature level whose records it reads. */
export interface HeardLevel {
  /** `portal p1`, `dispatcher d1`, `master m1`. */
  readonly process: string;
  readonly featureLevel: number;
}

export const heardLevelLimits = {
  /** Evidence in one command: those of the lowest levels. */
  processesMax: 8,
  /** Heartbeats can be written by others: what does not fit is cut. */
  nameMax: 256,
  levelMax: 1_000_000,
} as const;

/** The field of a payload in which the master records whom it heard; whatever a submitter wrote there is replaced. */
export const heardField = 'heard';

/** True for commands whose events processes of an older version cannot read. */
export function needsHeardLevels(kind: string, payload: Readonly<Record<string, unknown>>): boolean {
  return kind === 'CordonNode' || (kind === 'ProposePlan' && payload['kind'] === 'drain');
}

/** Those of the lowest feature levels, the lowest first. */
export function lowestLevels(heard: Iterable<HeardLevel>): HeardLevel[] {
  const byLevel = (a: HeardLevel, b: HeardLevel): number =>
    a.featureLevel - b.featureLevel || (a.process < b.process ? -1 : 1);
  const { processesMax, nameMax, levelMax } = heardLevelLimits;
  return [...heard]
    .sort(byLevel)
    .slice(0, processesMax)
    .map(({ process: name, featureLevel }) => ({
      process: name.slice(0, nameMax),
      featureLevel: Math.min(levelMax, Math.max(0, featureLevel)),
    }));
}

export function readHeardLevels(fields: PayloadFields): readonly HeardLevel[] {
  const read = (name: string): HeardLevel[] =>
    fields.objects(name, heardLevelLimits.processesMax, (each) => ({
      process: each.text('process', heardLevelLimits.nameMax),
      featureLevel: each.integer('featureLevel', { min: 0, max: heardLevelLimits.levelMax }),
    }));
  return fields.has(heardField) ? read(heardField) : [];
}
