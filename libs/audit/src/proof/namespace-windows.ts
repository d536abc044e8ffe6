import { beginsAs, CodecFailure, decode, type Decoded } from '@levee/codec';
import { creationIdOf, creationOfChunk } from '@levee/cluster';
import type { ChunkState, NamespaceState } from '@levee/events';
import { type ControlTopics, readToEnd } from '@levee/journal';
import { type Clock, Failure, isoTime } from '@levee/kernel';
import type { Log } from '@levee/log';

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
 * Reads the journal for one namespace without folding it: decisions whose bytes name it are decoded, others are not.
 * A change of the window is in force in the topic a while after its decision; `effectMs` is added to it. Fails with
 * NOT_FOUND, and as the log does.
 */
export async function namespaceWindows(
  log: Log,
  topics: Pick<ControlTopics, 'journal'>,
  { name, clock, effectMs }: { readonly name: string; readonly clock: Clock; readonly effectMs: number },
): Promise<NamespaceWindows> {
  const known = await statesOf(log, topics, { wanted: [name], clock });
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
  const ownChunks = [...chunks].filter(([chunkId]) => creationOfChunk(chunkId) === creationIdOf(last));
  const others = otherBinlogs(known.states, last);
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

interface Said {
  readonly clusterId: string | undefined;
  readonly chunks: ReadonlyMap<string, ChunkState>;
  /** Of all namespaces that decisions are about in which a word is. */
  readonly states: readonly { readonly decidedAtMs: number; readonly state: NamespaceState }[];
}

async function statesOf(
  log: Log,
  topics: Pick<ControlTopics, 'journal'>,
  { wanted, clock }: { readonly wanted: readonly string[]; readonly clock: Clock },
): Promise<Said> {
  let term = 0;
  let clusterId: string | undefined;
  const chunks = new Map<string, ChunkState>();
  const states: { readonly decidedAtMs: number; readonly state: NamespaceState }[] = [];
  const words = wanted.map((each) => Buffer.from(each));
  await readToEnd(log, topics.journal, {
    clock,
    deadlineMs: readDeadlineMs,
    onBatch: ({ records }) => {
      for (const { value } of records) {
        if (value === null) continue;
        const isAbout = beginsAs('Decision', value) && words.some((word) => value.includes(word));
        if (!beginsAs('Claim', value) && !isAbout) continue;
        const decoded = read(value);
        if (decoded?.name === 'Claim') {
          term = Math.max(term, decoded.record.term);
          clusterId ??= decoded.record.clusterId;
        }
        if (decoded?.name !== 'Decision' || decoded.record.term < term) continue;
        for (const bytes of decoded.record.events) {
          const event = read(bytes);
          if (event?.name === 'NamespaceState')
            states.push({ decidedAtMs: decoded.record.decidedAtMs, state: event.record });
          if (event?.name === 'ChunkState') chunks.set(event.record.chunkId, event.record);
        }
      }
    },
  });
  return { clusterId, chunks, states };
}

/** What cannot be read is no decision of this version, and cannot be about a namespace that it serves. */
function read(bytes: Uint8Array): Decoded | undefined {
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof CodecFailure) return undefined;
    throw error;
  }
}
