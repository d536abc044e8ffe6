import type { ControlTopics } from '@levee/journal';
import { asPartition, type Clock, Failure, isReservedKey } from '@levee/kernel';
import { hashOf, partitionOf, slotOf } from '@levee/keyspace';
import type { Log } from '@levee/log';
import type { OwnRecord } from './key-reading';
import { type NamespaceWindows, namespaceWindows, otherBinlogAt } from './namespace-windows';
import { type FoundDigest, nearestDigest } from './nearest-digest';
import { type Precondition, preconditions } from './preconditions';
import { type CompactionRules, type Cut, type Evidence, type Proof, prove } from './provability';
import { type KeyAnswer, proofLimits, readKey } from './read-key';
import type { ValueReading } from './record-value';

export interface LogQuestion {
  readonly namespace: string;
  readonly key: Buffer;
  readonly clockMarginMs?: number | undefined;
}

export interface LogWorld {
  readonly log: Log;
  readonly topics: ControlTopics;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly progress?: (nextOffset: number, endOffset: number) => void;
}

/** What both questions say beside their answer. */
interface Place extends ValueReading {
  readonly binlog: string;
  readonly partition: number;
  readonly slot: number;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Records of the partition that were there to be read. */
  readonly records: number;
  readonly readEndMs: number;
}

export interface StateAt extends Place {
  readonly proof: Proof;
  /** The newest record of the key below the cut: what it held, where that is proved. */
  readonly record: OwnRecord | undefined;
  readonly preconditions: readonly Precondition[];
  readonly digest: FoundDigest | undefined;
}

/**
 * What a key held at a cut, and whether the log proves it. Fails with NOT_FOUND (no such namespace), WRONG_PARTITION (a
 * position of a partition that is not the key's), RESERVED_KEY, and as `readKey` does.
 */
export async function stateAt(
  world: LogWorld,
  question: LogQuestion & { readonly cut: Cut; readonly partition: number | undefined },
): Promise<StateAt> {
  const found = await ask(world, { ...question, recordsMax: 1 });
  const { answer, place, windows } = found;
  if (question.partition !== undefined && question.partition !== place.partition)
    throw new Failure(
      'WRONG_PARTITION',
      `the key is in partition ${place.partition}, not in ${question.partition}: give a position of that one`,
    );
  const { reading, readEndMs, rules } = answer;
  const evidence = reading.evidence(readEndMs);
  const record = reading.candidate;
  const chunkIds = chunksOver(windows, place.slot);
  const { namespace } = question;
  const at = { namespace, partition: place.partition, chunkIds, offset: record?.offset ?? evidence.cutOffset };
  const digest = await nearestDigest(world.log, world.topics, { ...at, clock: world.clock });
  const told = { ...place, digest, preconditions: preconditions(evidence, rules) };
  const other = 'timeMs' in question.cut ? otherBinlog(windows, question, question.cut.timeMs) : undefined;
  if (other !== undefined) return { ...told, proof: other, record: undefined };
  return { ...told, proof: prove(question.cut, evidence, rules), record };
}

/** A record of the key, and whether it is proved that the key held it until the next one. */
export interface HistoryEntry {
  readonly record: OwnRecord;
  readonly untilNext: Proof;
}

export interface KeyHistory extends Place {
  /** Oldest first. */
  readonly entries: readonly HistoryEntry[];
  /** Older records that are there and not told. */
  readonly older: number;
  /** Whether the key was absent before the first entry; `undefined` when older ones are not told. */
  readonly before: Proof | undefined;
  readonly preconditions: readonly Precondition[];
}

/** All that the log holds of a key, newest `limit` records. Fails as {@link stateAt} does. */
export async function historyOf(
  world: LogWorld,
  question: LogQuestion & { readonly limit: number },
): Promise<KeyHistory> {
  const recordsMax = Math.min(question.limit, proofLimits.recordsMax);
  const { answer, place, windows } = await ask(world, { ...question, recordsMax });
  const { reading, readEndMs, rules } = answer;
  const { own, forgotten: older } = reading;
  const between = (record: OwnRecord | undefined, next: OwnRecord | undefined): [Proof, Evidence] => {
    const evidence = reading.evidenceBetween(record, next, readEndMs);
    return [prove({ nextOffset: evidence.cutOffset }, evidence, rules), evidence];
  };
  const entries = own.map((record, i) => ({ record, untilNext: between(record, own[i + 1])[0] }));
  const [before, evidence] = between(undefined, own[0]);
  return {
    ...place,
    entries,
    older,
    before: older > 0 ? undefined : (otherBinlog(windows, question, windows.others.at(-1)?.fromMs) ?? before),
    preconditions: preconditions(evidence, rules),
  };
}

/** At that time the name meant another binlog than the one that was read. */
function otherBinlog(
  windows: NamespaceWindows,
  { clockMarginMs = proofLimits.clockMarginMs }: LogQuestion,
  atMs: number | undefined,
): Proof | undefined {
  const other = atMs === undefined ? undefined : otherBinlogAt(windows, { atMs, clockMarginMs });
  if (other === undefined) return undefined;
  const { message, untilMs: provableFromMs } = other;
  return { verdict: 'not provable', reason: 'other-binlog', message, provableFromMs };
}

async function ask(
  world: LogWorld,
  question: LogQuestion & { readonly cut?: Cut; readonly recordsMax: number },
): Promise<{ readonly answer: KeyAnswer; readonly place: Place; readonly windows: NamespaceWindows }> {
  const { log, topics, clock } = world;
  const { key, namespace: name, cut, recordsMax } = question;
  if (isReservedKey(key)) throw new Failure('RESERVED_KEY', "keys that begin with 00 'levee' 00 are Levee's own");
  const clockMarginMs = question.clockMarginMs ?? proofLimits.clockMarginMs;
  const windows = await namespaceWindows(log, topics, { name, clock, effectMs: clockMarginMs });
  const { binlog, partitions, hashAlgorithm, recordFormat, hiddenAfterMs } = windows.namespace;
  const hash = hashOf(key, hashAlgorithm);
  const partition = asPartition(partitionOf(hash, partitions));
  const earlier: CompactionRules['earlier'] = windows.earlier;
  const asked = { topic: binlog, partition, key, cut, recordsMax, earlier, clockMarginMs };
  const answer = await readKey(log, asked, world);
  const { reading, readEndMs } = answer;
  const { startOffset, nextOffset: endOffset, recordsRead: records } = reading;
  const slot = slotOf(hash, partitions);
  const reads = { recordFormat, hiddenAfterMs };
  const place = { binlog, ...reads, partition, slot, startOffset, endOffset, records, readEndMs };
  return { answer, place, windows };
}

function chunksOver({ chunks }: NamespaceWindows, slot: number): ReadonlySet<string> {
  const over = [...chunks].filter(([, { slotStart, slotEnd }]) => slotStart <= slot && slot < slotEnd);
  return new Set(over.map(([chunkId]) => chunkId));
}
