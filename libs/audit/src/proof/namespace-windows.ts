import { CodecFailure, decode } from '@levee/codec';
import { creationIdOf, creationOfChunk } from '@levee/cluster';
import type { ChunkState, NamespaceState } from '@levee/events';
import {
  type ControlTopics,
  furthestAhead,
  JournalChain,
  type Link,
  positionBefore,
  readProjections,
  readToEnd,
  seenBy,
  shortSentence,
  type Witness,
  witnessesOf,
} from '@levee/journal';
import { type Clock, Failure, failureCode, isoTime } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';

/** What the journal says of a namespace, newest creation: what it is now, and the windows it had before. */
export interface NamespaceWindows {
  readonly namespace: NamespaceState;
  /** Windows that were in force until some time, oldest first. */
  readonly earlier: readonly { readonly untilMs: number; readonly lagMs: number }[];
  /** Since when it serves; a fork was being filled before. ms since 1970, by the clock of the master. */
  readonly activeFromMs: number;
  /** When the name meant another binlog than now, oldest first: of these times the present one says nothing. */
  readonly others: readonly OtherBinlog[];
  readonly clusterId: string | undefined;
  /** Slots of every chunk it ever had, by id. */
  readonly chunks: ReadonlyMap<string, Pick<ChunkState, 'slotStart' | 'slotEnd' | 'state'>>;
}

interface OtherBinlog {
  readonly binlog: string;
  /** By the clock of the masters, ms since 1970. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** The namespace that has it now; `undefined`: none, it is gone. */
  readonly nowNamed: string | undefined;
}

const readDeadlineMs = 120_000;

/**
 * Reads the journal for one namespace without folding it: which decisions are in force is judged as every fold judges it,
 * and the events of those whose bytes name it are decoded. A change of the window is in force in the topic a while after
 * its decision; `effectMs` is added to it. Of what a journal that lost its beginning said there, nothing is known: until
 * its first decision any window may have been in force, and the name may have meant any binlog. Fails with NOT_FOUND,
 * JOURNAL_SHORT (the compacted topics have seen decisions that it lost), JOURNAL_UNREADABLE, and as the log does.
 */
export async function namespaceWindows(
  log: Log,
  topics: ControlTopics,
  { name, clock, effectMs }: { readonly name: string; readonly clock: Clock; readonly effectMs: number },
): Promise<NamespaceWindows> {
  // Before the journal: what they have seen by now stands in it.
  const witnesses = await witnessesIn(log, topics, clock);
  const known = await statesOf(log, topics, { wanted: [name], clock });
  const witness = furthestAhead(witnesses, known.endsAt);
  if (witness !== undefined)
    throw new Failure('JOURNAL_SHORT', shortSentence({ log, journal: topics.journal }, known.endsAt, seenBy(witness)));
  const last = known.states.findLast(({ state }) => state.name === name)?.state;
  if (last === undefined) throw new Failure('NOT_FOUND', `the journal knows no namespace ${name}`);
  // Under a name that it had before it changed places with another one.
  const wanted = [name, last.binlog, `${creationIdOf(last)}/`];
  const { states, chunks, clusterId } = last.bornAs === null ? known : await statesOf(log, topics, { wanted, clock });
  const own = states.filter(({ state }) => creationIdOf(state) === creationIdOf(last));
  const earlier = own.slice(1).flatMap(({ decidedAtMs, state }, i) => {
    const before = own[i]?.state.historyWindowMs ?? 0;
    return before === state.historyWindowMs ? [] : [{ untilMs: decidedAtMs + effectMs, lagMs: before }];
  });
  const { unknownToMs } = known;
  if (unknownToMs !== undefined) earlier.unshift({ untilMs: unknownToMs + effectMs, lagMs: 0 });
  const ownChunks = [...chunks].filter(([chunkId]) => creationOfChunk(chunkId) === creationIdOf(last));
  const others = otherBinlogs(known.states, last);
  if (unknownToMs !== undefined)
    others.unshift({ binlog: lostBinlog, fromMs: -Infinity, untilMs: unknownToMs, nowNamed: undefined });
  const first = own.find(({ state }) => state.state === 'active');
  const activeFromMs = first?.decidedAtMs ?? last.createdAtMs;
  return { namespace: last, earlier, activeFromMs, others, chunks: new Map(ownChunks), clusterId };
}

/** A name means another binlog after a rewind, its undoing, or when it is created again. */
function otherBinlogs(states: Said['states'], last: NamespaceState): OtherBinlog[] {
  const named = states.filter(({ state }) => state.name === last.name);
  return named.flatMap(({ decidedAtMs: fromMs, state: { binlog, state } }, i) => {
    const next = named[i + 1];
    if (next === undefined || binlog === last.binlog || state === 'deleted') return [];
    const now = states.findLast((each) => each.state.binlog === binlog)?.state;
    const nowNamed = now === undefined || now.state === 'deleted' || now.name === last.name ? undefined : now.name;
    return [{ binlog, fromMs, untilMs: next.decidedAtMs, nowNamed }];
  });
}

/**
 * [safety] Why the binlog that a name has now says nothing of what the name held at a time; `undefined`: it does. Clocks of
 * the masters and of who asks may differ by the margin.
 */
export function otherBinlogAt(
  { namespace, others }: NamespaceWindows,
  { atMs, clockMarginMs }: { readonly atMs: number; readonly clockMarginMs: number },
): { readonly message: string; readonly untilMs: number } | undefined {
  const then = others.filter(({ fromMs, untilMs }) => fromMs - clockMarginMs <= atMs && atMs < untilMs + clockMarginMs);
  const [other] = then;
  if (other === undefined) return undefined;
  const { binlog, fromMs, nowNamed } = other;
  const untilMs = Math.max(...then.map((each) => each.untilMs)) + clockMarginMs;
  const ask = nowNamed === undefined ? 'which no namespace has any more' : `which is ${nowNamed} now: ask that`;
  const when = `from ${isoTime(fromMs)} on, until ${isoTime(untilMs)} by clocks that may differ`;
  return { message: `${namespace.name} was ${binlog} ${when}, ${ask}`, untilMs };
}

const lostBinlog = 'a binlog that only the lost beginning of the journal names';

interface Said {
  readonly clusterId: string | undefined;
  readonly chunks: ReadonlyMap<string, ChunkState>;
  /** Of all namespaces that decisions are about in which a word is. */
  readonly states: readonly { readonly decidedAtMs: number; readonly state: NamespaceState }[];
  /** The journal lost its beginning: when its first decision was made. */
  readonly unknownToMs: number | undefined;
  readonly endsAt: { readonly seq: number; readonly term: number };
}

/** What the compacted topics have seen of the journal; one that is not there has seen nothing. */
async function witnessesIn(log: Log, topics: ControlTopics, clock: Clock): Promise<Witness[]> {
  try {
    return [...witnessesOf(topics, await readProjections(log, topics, clock))];
  } catch (error) {
    if (failureCode(error) !== 'TOPIC_MISSING') throw error;
    return [];
  }
}

async function statesOf(
  log: Log,
  topics: Pick<ControlTopics, 'journal'>,
  { wanted, clock }: { readonly wanted: readonly string[]; readonly clock: Clock },
): Promise<Said> {
  const chunks = new Map<string, ChunkState>();
  const states: { readonly decidedAtMs: number; readonly state: NamespaceState }[] = [];
  const words = wanted.map((each) => Buffer.from(each));
  const reading = new ChainReading((decision) => words.some((word) => decision.includes(word)));
  await readToEnd(log, topics.journal, {
    clock,
    deadlineMs: readDeadlineMs,
    onBatch: ({ records }) => {
      for (const record of records) {
        const link = reading.take(record);
        if (link?.kind !== 'decision') continue;
        const { decidedAtMs } = link.decision;
        for (const { kind, entity } of link.events) {
          if (kind === 'namespace') states.push({ decidedAtMs, state: entity });
          if (kind === 'chunk') chunks.set(entity.chunkId, entity);
        }
      }
    },
  });
  const { clusterId, unknownToMs, endsAt } = reading;
  return { clusterId, chunks, states, unknownToMs, endsAt };
}

/** Which records of a journal are in force, also of one that lost its beginning. */
class ChainReading {
  /** When the first decision was made, where what was before it is gone. */
  unknownToMs: number | undefined;
  private chain: JournalChain | undefined;
  private claimedBy: string | undefined;

  constructor(private readonly wantsEvents: (decision: Buffer) => boolean) {}

  get clusterId(): string | undefined {
    return this.chain?.position.clusterId ?? this.claimedBy;
  }

  get endsAt(): { readonly seq: number; readonly term: number } {
    return this.chain?.position ?? { seq: 0, term: 0 };
  }

  /** `undefined`: it cannot be judged. */
  take(record: StoredRecord): Link | undefined {
    if (this.chain === undefined && record.offset === 0) this.chain = new JournalChain(undefined, this.wantsEvents);
    return (this.chain ?? this.beginAt(record))?.accept(record);
  }

  private beginAt({ offset, value }: StoredRecord): JournalChain | undefined {
    const first = value === null ? undefined : read(value);
    if (first?.name === 'Claim') this.claimedBy ??= first.record.clusterId;
    if (first?.name !== 'Decision') return undefined;
    this.unknownToMs = first.record.decidedAtMs;
    this.chain = new JournalChain(positionBefore(first.record, offset, this.claimedBy), this.wantsEvents);
    return this.chain;
  }
}

function read(bytes: Uint8Array): ReturnType<typeof decode> | undefined {
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof CodecFailure) return undefined;
    throw error;
  }
}
