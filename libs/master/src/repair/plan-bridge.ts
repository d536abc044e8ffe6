import { ClusterState, entityKey, type ClusterEvent } from '@levee/cluster';
import { decode } from '@levee/codec';
import type { Checkpoint } from '@levee/events';
import {
  bootLimits,
  brokersIn,
  type ChainPosition,
  type ControlTopics,
  EntityTable,
  holeWords,
  isAhead,
  isBridge,
  JournalChain,
  type JournalFold,
  type JournalHole,
  positionOf,
  type ProjectedTopic,
  readAcross,
  type Witness,
} from '@levee/journal';
import { asOffset, Failure, messageOf, type Clock, type Offset } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';

/** What a bridge over stretches of the journal that are gone would say (decision record 0031). */
export interface BridgePlan {
  readonly holes: readonly JournalHole[];
  /** `undefined`: nothing in force is missing, and readers only have to pass over the stretches. */
  readonly bridge: Bridge | undefined;
}

export interface Bridge {
  readonly state: ClusterState;
  readonly table: EntityTable;
  /** Of the bridge itself: above all that anybody has seen, or that may have stood in what is gone. */
  readonly seq: number;
  readonly term: number;
  /** Of the last decision that is known before it. */
  readonly previousSha256: string;
  readonly commandsOffset: number;
  /** Decisions that may have given out numbers which `state` does not know; 0 = it is proven to be the newest. */
  readonly lost: number;
  /** What proves the state, or why it is not the newest, in words. */
  readonly why: string;
}

interface Gathered {
  readonly clock: Clock;
  /** Of the whole journal, across the stretches. */
  readonly front: JournalFold;
  readonly holes: readonly JournalHole[];
  readonly projections: readonly ProjectedTopic[];
  readonly checkpoint: Checkpoint | undefined;
  readonly clusterId: string | undefined;
  /** All of them, also those that have seen less than there is. */
  readonly witnesses: readonly Witness[];
}

interface Known {
  readonly bytes: Buffer | undefined;
  readonly event: ClusterEvent | undefined;
  readonly seq: number;
}

/** A run of decisions that name each other. */
interface Run {
  readonly chain: JournalChain;
  /** Of the state after its last decision, and its term. */
  digest: string;
  term: number;
  readonly changes: Map<string, Known>;
  /** `changes` are the whole state. */
  isWhole: boolean;
  readonly who: string;
}

const runsMax = 32;

/**
 * What is in force behind stretches that cannot be read. The newest run of decisions gives the number, the term and the
 * digest of the state; the journal before the stretch, the compacted topics and the run itself give its entities, the
 * newest of each. Where their digest is the one that the master wrote beside its last decision, nothing is lost.
 */
export async function planBridge(log: Log, topics: ControlTopics, of: Gathered): Promise<BridgePlan> {
  const { front, holes, checkpoint } = of;
  const run = newestOf(front, await runsOf(log, topics, of));
  const { position, provenTo } = run?.chain ?? front.chain;
  const unknown = recordsIn(holes, provenTo);
  const witnesses = of.witnesses.filter((witness) => isAhead(witness, position));
  const seqMax = Math.max(position.seq, ...witnesses.map(({ seq }) => seq)) + unknown;
  const termMax = Math.max(position.term, front.position.term, ...witnesses.map(({ term }) => term)) + unknown;
  if (seqMax === front.position.seq && termMax === front.position.term) return { holes, bridge: undefined };
  const { found, isProven, problem } = stateBehind(of, run);
  const commandsOffset = Math.max(
    ...[position.commandsOffset, front.position.commandsOffset, checkpoint?.commandsOffset ?? -1],
  );
  const lost = seqMax - (isProven ? position.seq : front.position.seq);
  const who = run?.who ?? 'the journal';
  const why = isProven
    ? provenWords(who, { seq: position.seq, seqMax, unknown })
    : `what comes behind it is not proven (${problem})`;
  const { previousSha256 } = position;
  return { holes, bridge: { ...found, previousSha256, commandsOffset, seq: seqMax + 1, term: termMax + 1, lost, why } };
}

/** The run that knows more than the journal does across the stretches; `undefined`: none does. */
function newestOf({ chain }: JournalFold, runs: readonly Run[]): Run | undefined {
  let newest: Run | undefined;
  for (const run of runs) {
    const { seq, previousSha256 } = run.chain.position;
    const { position, provenTo } = newest?.chain ?? chain;
    const isSame = seq === position.seq && previousSha256 === position.previousSha256;
    // What a deposed master wrote too late may have higher numbers than what its successor decided.
    const isLater = newest === undefined || run.term === newest.term ? seq > position.seq : run.term > newest.term;
    if (isLater || (isSame && run.chain.provenTo > provenTo)) newest = run;
  }
  return newest;
}

type Base = Iterable<[string, Known]>;

interface Found {
  readonly found: Pick<Bridge, 'state' | 'table'>;
  readonly isProven: boolean;
  /** Why it is not, in words. */
  readonly problem: string;
}

/**
 * The entities come from the compacted topics, which do not know what was removed long ago, or from these and the journal
 * before the stretch, or from that alone: whichever has the digest that the master wrote. Where none has it, from the
 * first that keeps every rule; the compacted topics alone count only where they were written to a checkpoint.
 */
function stateBehind({ front, projections, checkpoint }: Gathered, run: Run | undefined): Found {
  const digest = run?.digest ?? front.digest;
  const [journal, topics] = [(): Base => foldedIn(front), (): Base => projectedIn(projections)];
  const bases = [[journal(), topics()], ...(checkpoint === undefined ? [] : [[topics()]]), [journal()]];
  let fallback: Found['found'] | undefined;
  let problem = '';
  for (const base of bases) {
    const { table, events } = newestOfEach(base, run);
    const state = wholeState(events);
    if (typeof state === 'string') problem ||= state;
    else if (table.digest === digest) return { found: { state, table }, isProven: true, problem };
    else fallback ??= { state, table };
  }
  problem ||= 'no copy of it has the digest that its master wrote';
  return { found: fallback ?? { state: front.state, table: front.table }, isProven: false, problem };
}

function provenWords(
  who: string,
  { seq, seqMax, unknown }: { readonly seq: number; readonly seqMax: number; readonly unknown: number },
): string {
  const proven = `the state after decision ${seq} is proven by its digest in ${who}`;
  if (unknown > 0) return `${proven}; up to ${unknown} decisions after it stood in what cannot be read`;
  return seqMax > seq ? `${proven}; decisions up to ${seqMax} were seen, and are known by number alone` : proven;
}

const seqOf = ({ chain }: Run): number => chain.position.seq;

/** Records of which nobody knows what they were: those of the stretches that nothing in force comes after. */
function recordsIn(holes: readonly JournalHole[], provenTo: Offset): number {
  let records = 0;
  for (const { fromOffset, toOffset = fromOffset } of holes)
    records += Math.max(0, toOffset - Math.max(fromOffset, provenTo));
  return records;
}

/** What the decisions behind the stretches say, run by run; the compacted topics' checkpoint begins one too. */
async function runsOf(log: Log, topics: ControlTopics, of: Gathered): Promise<Run[]> {
  const { clock, front, holes, checkpoint, clusterId } = of;
  const runs: Run[] = [];
  if (checkpoint !== undefined && clusterId !== undefined)
    runs.push(
      runFrom(positionOf(checkpoint, clusterId), { ...{ digest: checkpoint.digest }, who: 'the compacted topics' }),
    );
  const [first] = holes;
  const take = (record: StoredRecord): void => {
    const isTaken = runs.map((run) => goesOn(run, record)).includes(true);
    const decision = isTaken ? undefined : decisionIn(record);
    if (decision === undefined || decision.seq <= front.position.seq || runs.length >= runsMax) return;
    if (runs.some((run) => seqOf(run) >= decision.seq)) return;
    const { seq, term, previousSha256 } = decision;
    const at = { seq: seq - 1, term, previousSha256, commandsOffset: -1, nextOffset: record.offset, clusterId };
    const run = runFrom(at, { digest: '', who: `decision ${seq} and those after it` });
    try {
      if (goesOn(run, record)) runs.push(run);
    } catch {
      // What cannot be read and follows nothing that can is nobody's decision.
    }
  };
  await readAcross(log, topics.journal, {
    clock,
    deadlineMs: bootLimits.readDeadlineMs,
    from: asOffset(Math.min(first?.fromOffset ?? 0, checkpoint?.journalOffset ?? Infinity)),
    onBatch: ({ records }) => records.forEach(take),
    onHole: () => undefined,
  });
  return runs;
}

const runFrom = (at: ChainPosition, { digest, who }: { readonly digest: string; readonly who: string }): Run => ({
  chain: new JournalChain(at),
  term: at.term,
  changes: new Map(),
  isWhole: false,
  ...{ digest, who },
});

/** True when the record is the run's next decision. */
function goesOn(run: Run, record: StoredRecord): boolean {
  if (record.offset < run.chain.position.nextOffset) return false;
  const link = run.chain.accept(record);
  if (link.kind !== 'decision') return false;
  const { decision, events } = link;
  run.digest = decision.stateDigest;
  run.term = decision.term;
  if (isBridge(decision)) {
    run.changes.clear();
    run.isWhole = true;
  }
  for (const [i, event] of events.entries()) {
    const isGone = event.kind === 'removed';
    const bytes = isGone ? undefined : Buffer.from(decision.events[i] as Uint8Array);
    run.changes.set(entityKey(event), { bytes, event: isGone ? undefined : event, seq: decision.seq });
  }
  return true;
}

function decisionIn({ value }: StoredRecord): { seq: number; term: number; previousSha256: string } | undefined {
  try {
    const decoded = value === null ? undefined : decode(value);
    return decoded?.name === 'Decision' ? decoded.record : undefined;
  } catch {
    return undefined;
  }
}

function* foldedIn({ state, table }: JournalFold): Generator<[string, Known]> {
  for (const event of state.events()) {
    const key = entityKey(event);
    yield [key, { bytes: table.get(key), event, seq: event.entity.seq }];
  }
}

function* projectedIn(projections: readonly ProjectedTopic[]): Generator<[string, Known]> {
  for (const { entities } of projections) yield* entities;
}

/** The newest that is known of each entity. */
function newestOfEach(
  base: readonly Base[],
  run: Run | undefined,
): { readonly table: EntityTable; readonly events: readonly ClusterEvent[] } {
  const known = new Map<string, Known>();
  for (const each of [...(run?.isWhole === true ? [] : base), run?.changes ?? []])
    for (const [key, of] of each) if (of.seq > (known.get(key)?.seq ?? 0)) known.set(key, of);
  const table = new EntityTable();
  const events: ClusterEvent[] = [];
  for (const [key, { bytes, event }] of known) {
    if (bytes === undefined || event === undefined) continue;
    table.set(key, bytes);
    events.push(event);
  }
  return { table, events };
}

/** The state that these entities make, or which rule they break. */
function wholeState(events: readonly ClusterEvent[]): ClusterState | string {
  const state = new ClusterState();
  try {
    for (const event of [...events].sort((a, b) => a.entity.seq - b.entity.seq)) state.absorb(event);
    state.settle();
    return state;
  } catch (error) {
    return `what is known of it contradicts itself: ${messageOf(error)}`;
  }
}

/** [safety] Before anything is written: a stretch that no reader can pass over is not bridged. */
export function refuseImpassable(log: Log, journal: string, [hole]: readonly JournalHole[]): void {
  if (hole === undefined || (brokersIn(log) === '' && hole.toOffset !== undefined)) return;
  const mend =
    brokersIn(log) === ''
      ? "put back a copy of the log's folder"
      : "offsets on Kafka are the broker's, so no reader can pass over it. Let a replica lead that has it whole " +
        '(kafka-leader-election.sh), and let the damaged one be copied anew; or restore the topic from a backup';
  throw new Failure('JOURNAL_DAMAGED', `${holeWords(journal, hole)}; nothing was changed: ${mend}`);
}
