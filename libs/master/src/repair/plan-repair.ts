import { ClusterState, type ClusterEvent } from '@levee/cluster';
import type { Checkpoint } from '@levee/events';
import {
  type Adopted,
  type ControlTopics,
  differences,
  EntityTable,
  foldJournal,
  heardWitnesses,
  holeIn,
  isAhead,
  type JournalFold,
  type JournalHole,
  missingFrom,
  ofCluster,
  type OutsideWitness,
  passingTopics,
  positionOf,
  type ProjectedTopic,
  readProjections,
  seenBy,
  staleEntities,
  stretchWords,
  type Witness,
  witnessesOf,
} from '@levee/journal';
import { Failure, messageOf, type Clock } from '@levee/kernel';
import type { Log } from '@levee/log';
import { type Bridge, type BridgePlan, planBridge, refuseImpassable } from './plan-bridge';
import { RefusedUnits, type UnknownGeneration } from './refused-units';

/** What `levee audit repair` found, and what it would do. */
export interface RepairPlan {
  /**
   * nothing: the journal is whole and the compacted topics say what it says. rewrite: the compacted topics are written
   * anew from the journal. pass-over: a stretch that cannot be read held nothing in force that is not known. restore: the
   * compacted topics, or what comes behind a stretch, give back what the journal lost. accept-loss: what the journal
   * lost is in no whole copy, and only numbers can be passed over.
   */
  readonly kind: 'nothing' | 'rewrite' | 'pass-over' | 'restore' | 'accept-loss';
  /** In words. */
  readonly why: string;
  readonly seq: number;
  readonly term: number;
  /** Decisions to be written, with numbers up to the highest that anybody has seen. */
  readonly decisions: number;
  /** Claims to be written, one for each term, above all that anybody has seen. */
  readonly claims: number;
  /** Entities that differ between the journal and what would be in force. */
  readonly entities: number;
  /** Entities of the compacted topics that would be written. */
  readonly rewritten: number;
  readonly foreignRecords: number;
  readonly witnesses: readonly Witness[];
  /** Stretches of the journal that cannot be read, and would be passed over. */
  readonly holes: readonly JournalHole[];
}

/** The plan, and what carrying it out needs. */
export interface Examined {
  readonly plan: RepairPlan;
  readonly fold: JournalFold;
  readonly projections: readonly ProjectedTopic[];
  /** What goes over stretches of the journal that cannot be read. */
  readonly bridge: Bridge | undefined;
  /** What shall be in force; `undefined` = what the journal says. */
  readonly target: { readonly state: ClusterState; readonly table: EntityTable } | undefined;
  /** In `levee.commands`; -1 = none. */
  readonly commandsOffset: number;
  /** `undefined`: nobody names one. */
  readonly clusterId: string | undefined;
  readonly seqMax: number;
  readonly termMax: number;
}

const shownMax = 20;
const notKept = 'a command there that was not decided is lost, and whoever waits for it is told that after a while';

/**
 * Looks at journal, compacted topics and heartbeats; changes nothing. Fails as `Log.tail` does, and with
 * JOURNAL_START_LOST: nothing can be folded when what the journal said first is gone.
 */
export async function examineJournal(
  log: Log,
  topics: ControlTopics,
  { clock, known: outside = [] }: { readonly clock: Clock; readonly known?: readonly OutsideWitness[] },
): Promise<Examined> {
  const { startOffset = 0 } = (await log.offsets(topics.journal))[0] ?? {};
  if (startOffset > 0)
    throw new Failure(
      'JOURNAL_START_LOST',
      `${topics.journal} begins at offset ${startOffset}, not at 0: its first decisions are gone, so nothing can be proven by ` +
        'it. Restore it from a backup; until then processes go on from the checkpoints behind that offset',
    );
  const refused = new RefusedUnits();
  const onAdopted = (adopted: Adopted): void => refused.add(adopted);
  const { fold, holes } = await foldJournal(log, topics, { clock, onAdopted, holes: 'cross' }).catch(
    (error: unknown): never => {
      const hole = holeIn(error);
      if (hole !== undefined) refuseImpassable(log, topics.journal, [hole]);
      throw error;
    },
  );
  refuseImpassable(log, topics.journal, holes);
  const unknown = refused.in(fold.state);
  const projections = await readProjections(log, topics, clock);
  const { seq, term } = fold.position;
  const clusterId = fold.position.clusterId ?? clusterIn(projections) ?? outside[0]?.clusterId;
  const all = [
    ...witnessesOf(topics, projections),
    ...(await heardWitnesses(log, topics, { clusterId, clock })),
    ...ofCluster(outside, clusterId),
  ];
  const witnesses = all.filter((witness) => isAhead(witness, fold.position));
  // Accepting the loss of a generation takes a decision, numbered above it.
  const seqOfUnits = unknown.map(({ generation }) => Math.max(seq + 1, generation));
  const seqMax = Math.max(seq, ...witnesses.map((witness) => witness.seq), ...seqOfUnits);
  const termMax = Math.max(term, ...witnesses.map((witness) => witness.term));
  const checkpoint = newestOf(projections);
  if (holes.length > 0) {
    const gathered = { clock, front: fold, holes, projections, checkpoint, clusterId, witnesses: all };
    return examinedHoles(await planBridge(log, topics, gathered), gathered);
  }
  const position = checkpoint && positionOf(checkpoint, clusterId);
  const missing = position && (await missingFrom(log, topics.journal, { position, clock }));
  const rewritten = staleEntities(fold.table, projections).size;
  const base = {
    ...{ seq, term, rewritten, foreignRecords: fold.chain.foreignRecords },
    ...{ claims: termMax + 1 - term, decisions: seqMax - seq, entities: 0, witnesses: witnesses.slice(0, shownMax) },
    holes,
  };
  const commandsOffset = Math.max(fold.position.commandsOffset, checkpoint?.commandsOffset ?? -1);
  const found = { fold, projections, clusterId, commandsOffset, seqMax, termMax, target: undefined, bridge: undefined };
  if (witnesses.length === 0 && missing === undefined) {
    const [unit] = unknown;
    if (unit !== undefined) return { ...found, plan: { ...base, kind: 'accept-loss', why: whyUnit(unit) } };
    const bad = projections.find(({ damaged }) => damaged !== undefined)?.damaged;
    if (rewritten === 0 && bad === undefined && checkpoint !== undefined) {
      const [damage] = (await log.examine(passingTopics(topics))).damage;
      const whole = 'the journal is whole and the compacted topics agree with it';
      if (damage === undefined) return { ...found, plan: { ...base, kind: 'nothing', why: whole } };
      const { topic, fromOffset, toOffset } = damage;
      const stretch = `${topic} cannot be read at offsets ${fromOffset} to ${toOffset - 1}, and would be passed over`;
      const plan = { ...base, kind: 'pass-over', claims: 0, why: `${whole}; ${stretch}: ${notKept}` } as const;
      return { ...found, plan };
    }
    const what = bad === undefined ? `${rewritten} entities differ` : `a record cannot be read: ${bad}`;
    const why = `the journal is whole; the compacted topics are not what it says (${what})`;
    return { ...found, plan: { ...base, kind: 'rewrite', why } };
  }
  const lost =
    witnesses[0] === undefined ? (missing ?? '') : seenBy(witnesses.reduce((a, b) => (b.seq > a.seq ? b : a)));
  const target = targetOf(fold, projections, checkpoint);
  if (typeof target === 'string') {
    const why = `the journal has lost its end (${lost}), and no whole copy of it is known: ${target}`;
    // That it is let go takes a decision too.
    const last = Math.max(seqMax, seq + 1);
    return { ...found, seqMax: last, plan: { ...base, decisions: last - seq, kind: 'accept-loss', why } };
  }
  const entities = differences(fold.table, new Map(target.table.entries())).size;
  const known = checkpoint?.seq ?? 0;
  if (seqMax > known) {
    const why = `the journal has lost its end (${lost}); the compacted topics give back everything up to decision ${known}, the others are known by number alone`;
    return { ...found, target, plan: { ...base, entities, kind: 'accept-loss', why } };
  }
  const why = `the journal has lost its end (${lost}); the compacted topics give everything back, as their digest shows`;
  return { ...found, target, plan: { ...base, entities, kind: 'restore', why } };
}

/** A journal with stretches that cannot be read: what a bridge over them says, or that none is needed. */
function examinedHoles(
  { holes, bridge }: BridgePlan,
  of: {
    readonly front: JournalFold;
    readonly projections: readonly ProjectedTopic[];
    readonly clusterId: string | undefined;
    readonly witnesses: readonly Witness[];
  },
): Examined {
  const { front: fold, projections, clusterId } = of;
  const { seq, term, commandsOffset } = fold.position;
  const { table } = bridge ?? fold;
  const witnesses = of.witnesses.filter((witness) => isAhead(witness, fold.position)).slice(0, shownMax);
  const base = {
    ...{ seq, term, witnesses, holes, foreignRecords: fold.chain.foreignRecords },
    rewritten: staleEntities(table, projections).size,
  };
  const found = { fold, projections, clusterId, commandsOffset, seqMax: seq, termMax: term, target: undefined, bridge };
  const where = holes.map((hole) => `${stretchWords(hole)}: ${hole.why}`).join('; ');
  if (bridge === undefined) {
    const why = `the journal has stretches that cannot be read and held nothing that is not known: ${where}`;
    return { ...found, plan: { ...base, kind: 'pass-over', why, claims: 0, decisions: 0, entities: 0 } };
  }
  const kind = bridge.lost === 0 ? 'restore' : 'accept-loss';
  const why = `the journal has stretches that cannot be read (${where}); ${bridge.why}`;
  const entities = differences(fold.table, new Map(table.entries())).size;
  return { ...found, plan: { ...base, kind, why, claims: bridge.term - term, decisions: 1, entities } };
}

function whyUnit({ nodeId, unitId, generation }: UnknownGeneration): string {
  return (
    `node ${nodeId} is refused since its unit ${unitId} is in generation ${generation}, which no decision gave out that the ` +
    'journal holds: one that it lost did. What is in that unit stays on its disk, and is nobody’s'
  );
}

/** What the compacted topics say, when they are whole and go on from where the journal ends; else why not. */
function targetOf(
  fold: JournalFold,
  projections: readonly ProjectedTopic[],
  checkpoint: Checkpoint | undefined,
): { state: ClusterState; table: EntityTable } | string {
  if (checkpoint === undefined) return 'the compacted topics have no checkpoint';
  const table = new EntityTable();
  const state = new ClusterState();
  const events: ClusterEvent[] = [];
  for (const { entities } of projections)
    for (const [key, { bytes, event, seq }] of entities) {
      const before = fold.table.get(key);
      if (seq > 0 && seq <= fold.position.seq && bytes !== undefined && before?.equals(bytes) !== true)
        return `${key} of decision ${seq} is another one in the journal than in the compacted topics: they are two histories`;
      if (event === undefined) continue;
      table.set(key, bytes);
      events.push(event);
    }
  if (checkpoint.seq < fold.position.seq)
    return 'the compacted topics are older than the journal, and of another history';
  if (table.digest !== checkpoint.digest) return 'the compacted topics are of different moments';
  try {
    for (const event of events.sort((a, b) => a.entity.seq - b.entity.seq)) state.absorb(event);
    state.settle();
  } catch (error) {
    return `the compacted topics contradict each other: ${messageOf(error)}`;
  }
  return { state, table };
}

/** Only where each topic has one. */
function newestOf(projections: readonly ProjectedTopic[]): Checkpoint | undefined {
  const all = projections.flatMap(({ checkpoint }) => checkpoint ?? []);
  if (all.length < projections.length) return undefined;
  return all.reduce((a, b) => (b.seq > a.seq ? b : a));
}

function clusterIn(projections: readonly ProjectedTopic[]): string | undefined {
  for (const { claim } of projections) if (claim !== undefined) return claim.clusterId;
  return undefined;
}
