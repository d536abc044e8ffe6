import type { PayloadFields } from '../payload';
import { reject, type Rejection } from '../rejection';
import { asksForNewer } from './namespaces/newer-words';
import type { ClusterState } from '../state/state';

/** A process that is no data node, as its heartbeats tell, and the feature level whose records it reads. */
export interface HeardLevel {
  /** `portal p1`, `dispatcher d1`, `master m1`. */
  readonly process: string;
  readonly featureLevel: number;
}

const heardLevelLimits = {
  /** Evidence in one command: those of the lowest levels. */
  processesMax: 8,
  /** Heartbeats can be written by others: what does not fit is cut. */
  nameMax: 256,
  levelMax: 1_000_000,
} as const;

/** The field of a payload in which the master records whom it heard; whatever a submitter wrote there is replaced. */
export const heardField = 'heard';

type Payload = Readonly<Record<string, unknown>>;

/** Commands with events that processes of an older version may not read, and when they have such. */
const newerEvents: ReadonlyMap<string, (payload: Payload) => boolean> = new Map([
  ['CordonNode', () => true],
  ['ProposePlan', ({ kind }: Payload) => kind === 'drain'],
  ['CreateNamespace', asksForNewer],
  ['AlterNamespace', asksForNewer],
  ['FreezeNamespace', () => true],
  ['SwapNamespaces', () => true],
  ['AcknowledgeFindings', () => true],
  ['CreateUser', () => true],
]);

/** Whether the payloads of such commands may have to say who was heard. */
export function mayNeedHeardLevels(kind: string): boolean {
  return newerEvents.has(kind);
}

export function needsHeardLevels(kind: string, payload: Payload): boolean {
  return newerEvents.get(kind)?.(payload) ?? false;
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

/**
 * Why what needs a feature level cannot be recorded yet. Nodes are registered; portals, dispatchers and masters are known
 * by their heartbeats, which the master records in the command.
 */
export function levelProblem(
  state: ClusterState,
  heard: readonly HeardLevel[],
  { what, level }: { readonly what: string; readonly level: number },
): Rejection | undefined {
  const reads = (featureLevel: number): string =>
    `reads records of feature level ${featureLevel}, ${what} needs ${level}: upgrade it first`;
  for (const { nodeId, featureLevel } of state.nodes())
    if (featureLevel < level) return reject('NODE_TOO_OLD', `node ${nodeId} ${reads(featureLevel)}`);
  for (const { process, featureLevel } of heard)
    if (featureLevel < level)
      return reject(
        'NODE_TOO_OLD',
        `${process} ${reads(featureLevel)}; one that was stopped counts for ten minutes after its last heartbeat`,
      );
  return undefined;
}
