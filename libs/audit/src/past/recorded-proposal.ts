import type { ProposedPlan, Trigger } from '@levee/cluster';
import type { Decision } from '@levee/events';
import type { RecordedFacts } from './recorded-loads';

/** What a dispatcher proposed, and what became of it. */
export interface RecordedProposal {
  readonly seq: number;
  /** By the log's clock, ms since 1970. */
  readonly atMs: number;
  readonly principal: string;
  readonly policyVersion: number;
  readonly payload: ProposedPlan;
  readonly facts: RecordedFacts;
  readonly chunkIds: readonly string[];
  /** `null`: the master let it begin. */
  readonly rejection: string | null;
}

/** `undefined`: another command, or a person's. */
export function recordedProposal(
  { command, seq, rejectionCode, events }: Decision,
  atMs: number,
): RecordedProposal | undefined {
  // The same command once more, as of two dispatchers that lead at once, was answered and changed nothing.
  if (command.kind !== 'ProposePlan' || events.length === 0) return undefined;
  let fields: Record<string, unknown>;
  try {
    fields = Object(JSON.parse(command.payload)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { policyVersion, trigger, kind, chunkId, chunkIds, evidence } = fields;
  if (typeof policyVersion !== 'number' || policyVersion === 0) return undefined;
  if (typeof trigger !== 'string' || typeof kind !== 'string') return undefined;
  const facts = (typeof evidence === 'object' && evidence !== null ? evidence : {}) as RecordedFacts;
  const listed = Array.isArray(chunkIds) ? chunkIds.filter((id): id is string => typeof id === 'string') : [];
  return {
    ...{ seq, atMs, principal: command.principal, policyVersion, facts, rejection: rejectionCode },
    payload: { ...fields, evidence: facts } as unknown as ProposedPlan,
    chunkIds: typeof chunkId === 'string' ? [chunkId] : listed,
  };
}

/** What the figures of a round are kept by: as the rules name what they found. */
export const findingOf = ({ payload, chunkIds, facts }: RecordedProposal): string => {
  const node = { hotNode: facts['from'], emptyNode: facts['to'], unevenPrimaries: facts['from'] } as Partial<
    Record<Trigger, unknown>
  >;
  const named = node[payload.trigger];
  const of = typeof named === 'string' ? named : chunkIds.join('+');
  return `${payload.trigger}/${of}`;
};

/** In words, such as `hotChunk split app#1/c00001 at 512`. */
export function proposalWords({ trigger, kind, chunkId, chunkIds, from, to, at }: ProposedPlan): string {
  const words = [trigger, kind, chunkId ?? chunkIds?.join(' and ')];
  if (from !== undefined) words.push(`from ${from}`);
  if (to !== undefined) words.push(`to ${to}`);
  if (at !== undefined) words.push(`at slot ${at}`);
  return words.filter((word) => word !== undefined).join(' ');
}

/** The same finding: whatever is done about it, and where. */
export const sameFinding = (a: ProposedPlan, b: ProposedPlan): boolean =>
  a.trigger === b.trigger && (chunksIn(a) === chunksIn(b) || (isOfNode(a) && nodeIn(a) === nodeIn(b)));

export const samePlan = (a: ProposedPlan, b: ProposedPlan): boolean =>
  (['kind', 'from', 'to', 'at', 'parts', 'unitId'] as const).every(
    (field) => (a[field] ?? null) === (b[field] ?? null),
  ) &&
  a.trigger === b.trigger &&
  chunksIn(a) === chunksIn(b);

const chunksIn = ({ chunkId, chunkIds }: ProposedPlan): string => chunkId ?? chunkIds?.join('+') ?? '';

/** Rules that begin with a node choose a chunk for it. */
const isOfNode = ({ trigger }: ProposedPlan): boolean =>
  trigger === 'hotNode' || trigger === 'emptyNode' || trigger === 'unevenPrimaries';

const nodeIn = ({ trigger, evidence, from, to }: ProposedPlan): unknown =>
  trigger === 'emptyNode' ? to : (evidence['from'] ?? from);
