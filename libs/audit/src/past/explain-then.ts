import { explainSubject } from '@levee/cluster';
import { decodeAs } from '@levee/codec';
import type { ChunkState, Decision, PlanState } from '@levee/events';
import { sha256Of } from '@levee/journal';
import { isoTime } from '@levee/kernel';
import type { AuditWorld } from '../verify/walk-partition';
import { walkPartition } from '../verify/walk-partition';
import { journalThen, type JournalThen } from './journal-then';
import { answerOf, notThere, type PastAnswer } from './past-answer';
import type { PastQuestion } from './routes-then';

/** One link of the chain from how something was to who asked for it. */
export interface CauseLink {
  readonly link: 'route' | 'chunk' | 'node' | 'decision' | 'plan' | 'digests' | 'evidence' | 'asked by' | 'lost';
  /** The decision that it stands in. */
  readonly seq: number;
  readonly what: string;
  /** Plain JSON, as it was recorded. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface ExplainedThen extends PastAnswer {
  readonly subject: string;
  /** How it was, in one line; `null`: not provable. */
  readonly was: string | null;
  /** From how it was back to who asked. */
  readonly chain: readonly CauseLink[];
}

const chainLimits = { linksMax: 200 } as const;

/**
 * Why a chunk, plan or node was as it was: from its route over the decision, the plan and what was compared, to the
 * command and who gave it. Every link was read from the journal. Fails with NOT_FOUND where it was not there then, and as
 * {@link journalThen} does.
 */
export async function explainThen(
  world: AuditWorld,
  { subject, moment, ...how }: PastQuestion & { readonly subject: string },
): Promise<ExplainedThen> {
  const then = await journalThen(world, moment, how);
  const answer = answerOf(then);
  if (then.verdict === 'not provable') return { ...answer, subject, was: null, chain: [] };
  const { state } = then.fold;
  const was = explainSubject(state, subject, then.decision?.atMs ?? 0);
  if (was === undefined)
    throw notThere('NOT_FOUND', `there was no chunk, plan or node '${subject.slice(0, 200)}'`, moment);
  const chain = new CauseChain(world, then);
  const [chunk, plan, node, route] = [
    state.chunk(subject),
    state.plan(subject),
    state.node(subject),
    state.route(subject),
  ];
  if (plan !== undefined) await chain.plan(plan);
  else if (chunk !== undefined) await chain.chunk(chunk, route);
  else if (node !== undefined) {
    chain.add('node', node.seq, `${subject} became what it was: ${node.change}`, { state: node.state });
    await chain.decision(node.seq);
  }
  const { links, isBroken, isCut } = chain;
  if (!isBroken && !isCut) return { ...answer, subject, was: was.now, chain: links };
  const message = isBroken
    ? 'a decision of the chain stood where the journal cannot be read: see the link that is lost'
    : `the chain has more than ${chainLimits.linksMax} links: ask for one of its plans or nodes by itself`;
  return { ...answer, verdict: 'not provable', reason: 'decision-lost', message, subject, was: was.now, chain: links };
}

/** A decision as it stands in the journal. */
interface ReadDecision {
  readonly decision: Decision;
  readonly offset: number;
  readonly sha256: string;
}

/** Follows what each decision rests on, each decision once. */
class CauseChain {
  readonly links: CauseLink[] = [];
  isBroken = false;
  /** There is more than may be told in one answer. */
  isCut = false;
  private readonly visited = new Set<number>();
  private readonly plans = new Set<string>();

  constructor(
    private readonly world: AuditWorld,
    private readonly then: JournalThen,
  ) {}

  add(link: CauseLink['link'], seq: number, what: string, facts: CauseLink['facts'] = {}): void {
    if (this.links.length < chainLimits.linksMax) this.links.push({ link, seq, what, facts });
    else this.isCut = true;
  }

  async chunk(chunk: ChunkState, route: { readonly seq: number; readonly change: string } | undefined): Promise<void> {
    const { chunkId, slotStart, slotEnd, replicas } = chunk;
    const places = replicas.map(({ role, unitId, generation, storeId }) => ({ role, unitId, generation, storeId }));
    const facts = { slotStart, slotEnd, replicas: places };
    if (route === undefined) this.add('chunk', chunk.seq, `${chunkId} has no route: ${chunk.change}`, facts);
    else this.add('route', route.seq, `the route of ${chunkId}: ${route.change}`, facts);
    await this.decision(route?.seq ?? chunk.seq);
    if (chunk.seq !== route?.seq) await this.decision(chunk.seq);
  }

  /** The decision and what it rests on, down to who asked. */
  async decision(seq: number): Promise<void> {
    if (this.visited.has(seq)) return;
    this.visited.add(seq);
    if (this.links.length >= chainLimits.linksMax) {
      this.isCut = true;
      return;
    }
    const read = await this.read(seq);
    if (read === undefined) return;
    const { decision, offset, sha256 } = read;
    const { command, term, decidedAtMs, commandOffset } = decision;
    this.add('decision', seq, `decision ${seq} of term ${term}: ${command.kind}`, {
      ...{ journalOffset: offset, sha256, previousSha256: decision.previousSha256, decidedAt: isoTime(decidedAtMs) },
    });
    const fields = fieldsOf(command.payload);
    const planId = typeof fields['planId'] === 'string' ? fields['planId'] : undefined;
    if (command.kind === 'ProposePlan') this.add('evidence', seq, `what it was proposed for`, proposalFacts(fields));
    else if (planId !== undefined) await this.plan(planId);
    else if (typeof fields['silentMs'] === 'number')
      this.add('evidence', seq, `what was heard of ${String(fields['nodeId'])}`, fields);
    this.add('asked by', seq, `${command.principal} at ${isoTime(command.submittedAtMs)}`, {
      ...{ command: command.id, kind: command.kind, commandOffset, payload: shown(fields) },
    });
    await this.causes(seq, command.kind, fields);
  }

  /** As it was at the moment; by its id alone when it was forgotten by then. */
  async plan(of: PlanState | string): Promise<void> {
    const planId = typeof of === 'string' ? of : of.planId;
    if (this.plans.has(planId)) return;
    this.plans.add(planId);
    const plan = typeof of === 'string' ? this.then.fold.state.plan(of) : of;
    const proposedBy = Number(planId.slice(1));
    if (plan !== undefined) {
      const { kind, state, step, trigger, policyVersion, sources, targets, parent } = plan;
      const to = targets.flatMap(({ replicas }) => replicas.map(({ unitId, generation }) => ({ unitId, generation })));
      this.add('plan', plan.seq, `${planId} ${kind} is ${state}, step ${step}: proposed for ${trigger}`, {
        ...{ sources, to, policyVersion, parent },
      });
      if (plan.verified !== null) {
        const seq = plan.history.findLast(({ step: of, what }) => of === 'verify' && what === 'ended')?.seq;
        this.add('digests', seq ?? plan.seq, `both sides were compared at one barrier`, fieldsOf(plan.verified));
        if (seq !== undefined) await this.decision(seq);
      }
    }
    if (Number.isSafeInteger(proposedBy)) await this.decision(proposedBy);
    if (typeof plan?.parent === 'string') await this.plan(plan.parent);
  }

  private async causes(seq: number, kind: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
    const { places } = this.then;
    const { name, number, trigger, evidence } = fields;
    const isOfOne = kind === 'ActivateNamespace' || kind === 'FinishFork';
    if (isOfOne && typeof name === 'string' && typeof number === 'number') {
      const made = places.madeBy({ name, number });
      if (made !== undefined) await this.decision(made);
    }
    if (kind !== 'ProposePlan' || trigger !== 'deadReplica') return;
    for (const nodeId of deadIn(evidence)) {
      const lost = places.lostBefore(nodeId, seq);
      if (lost !== undefined) await this.decision(lost);
    }
  }

  private async read(seq: number): Promise<ReadDecision | undefined> {
    const offset = this.then.places.offsetOf(seq);
    const found = offset === undefined ? undefined : await decisionAt(this.world, offset);
    if (found?.decision.seq === seq) return found;
    this.isBroken = true;
    this.add('lost', seq, `not provable: decision ${seq} stood where the journal cannot be read`);
    return undefined;
  }
}

async function decisionAt(world: AuditWorld, offset: number): Promise<ReadDecision | undefined> {
  let found: ReadDecision | undefined;
  await walkPartition(
    world,
    { topic: world.topics.journal, partition: 0, from: offset, to: offset + 1 },
    {
      onBatch: ({ records }) => {
        const value = records.find((record) => record.offset === offset)?.value;
        if (value) found = { decision: decodeAs('Decision', value), offset, sha256: sha256Of(value) };
      },
      onHole: () => undefined,
      isEnough: () => found !== undefined,
    },
  );
  return found;
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : { payload: value };
  } catch {
    return { payload: text };
  }
}

/** Without what the master noted of processes, and digests, which stand in a link of their own. */
function shown(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { heard: _heard, digests: _digests, evidence: _evidence, passwordHash: _hash, ...asked } = fields;
  return asked;
}

function proposalFacts({ evidence, trigger, policyVersion }: Readonly<Record<string, unknown>>): CauseLink['facts'] {
  const told = typeof evidence === 'string' ? fieldsOf(evidence) : (evidence as Record<string, unknown> | undefined);
  return { trigger: trigger ?? 'operator', policyVersion: policyVersion ?? 0, ...told };
}

/** Nodes of the dead replicas that a proposal names. */
function deadIn(evidence: unknown): string[] {
  const told = typeof evidence === 'string' ? fieldsOf(evidence) : Object(evidence);
  const dead: unknown = (told as Record<string, unknown>)['dead'];
  if (!Array.isArray(dead)) return [];
  const ids = dead.map((each: unknown) => (Object(each) as Record<string, unknown>)['nodeId']);
  return [...new Set(ids.filter((id): id is string => typeof id === 'string'))];
}
