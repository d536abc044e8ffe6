/**
 * What portals and SDKs say to data nodes: RESP commands whose argument and reply are ONE binary frame each, because
 * a RESP array of thousands of small bulks costs more to parse than the reads themselves, and because everything that
 * an answer depends on is then under one checksum. This table is the only definition; both sides use the writers and
 * readers of this folder.
 *
 * Commands (ms are durations unless they end in `AtMs`/`nowMs`):
 *
 *   LV.HELLO clusterId nodeId storeId [proof]                 -> JSON NodeHello | -LVWRONGNODE … | -LVWRONGCLUSTER … | -NOAUTH …
 *            (proof: base64url of HMAC-SHA256 by the cluster key of `node <nodeId> <storeId>`, where there is a key)
 *            (empty arguments are not checked; the first command of a portal's connection)
 *            (whatever is damaged in it fits nobody, so it needs no checksum)
 *            (without a proof a user, who has said by AUTH, HELLO or a certificate who he is, stays that)
 *   LV.READ  <readRequest>                                     -> <readReply>
 *   LV.AWAIT <awaitRequest>                                    -> <awaitReply>
 *   LV.RANGE <rangeRequest>                                    -> <rangeReply>
 *   LV.COPY  <copyOpen>                                        -> <copyOpened>
 *            (a snapshot of those slots behind the key `after`, empty = from the first; for nodes that build a replica)
 *   LV.COPY  <copyNext>                                        -> <copyFrame>, by ascending key; sequence counts from 0
 *   LV.COPY  <copyClose>                                       -> OK
 *   LV.STAT                                                    -> JSON
 *   LV.WITNESS                                                 -> JSON WitnessReport: what logs lost and replicas here hold
 *   LV.LETGO unitId generation (partition:cutOffset:nextOffset)... -> OK | -LVNOTWITNESS why
 *            (people accept the loss that a witness names, by its exact figures: it is built anew from the log)
 *   LV.GET   ns key                                            -> bulk | nil (for people with redis-cli; eventual)
 *
 * `tableVersion`: highest seq the asker has seen; a node whose own is higher says so in the reply, and the asker
 * evaluates its routes again. `maxAgeMs` -1: any age. `deadlineMs`: how long the node may wait for positions; it
 * answers LVBEHIND for what is still missing then. `nowMs`: the asker's clock for expiry, which never falls in a
 * session. A whole command fails as a RESP error: -LVNOTREADY (control topics not read yet), -LVNAMESPACE (unknown
 * here), -ERR (malformed, or damaged on its way).
 *
 * Frames (little endian; u64 = low word, high word, at most 2^53-1; text = length u16, UTF-8; each ends with the crc32c
 * u32 of all that precedes it; that of an answer goes on from the one of its request, so that it fits no other):
 *
 *   readRequest   count u32, then each: slot u32, minOffset u64 (0 = none), keyLength u16, key
 *                 minOffset is a next offset of the slot's partition: the replica must have applied up to it
 *                 then tableVersion u64, maxAgeMs+1 u64, nowMs u64, deadlineMs u64, namespace text
 *   readReply     ageMs u32, tableVersion u64, count u32, positionCount u32, then per entry in order one of
 *                   0 nil: nextOffset u64 that its replica had applied when it looked (a session must not read
 *                     older than the deletion it has seen)
 *                   1 value: offset u64, expiresAtMs u64 (0 = never), valueLength u32, value
 *                   2 error: length u16, text beginning with a code of `entryErrorCodes`
 *                   3 again: the reply is full; ask for this key again
 *                 then positionCount times: partition u32, nextOffset u64 (applied, of the touched partitions;
 *                 the lowest over the replicas touched; a hint for the asker's next requests, no promise)
 *   awaitRequest  tableVersion u64, deadlineMs u64, namespace text, count u32, then each: partition u32, nextOffset u64,
 *                 chunkId text
 *   awaitReply    tableVersion u64, count u32, then per entry: 0 applied | 1 behind: applied nextOffset u64
 *                   | 2 moved: seq u64 of the route that says so (this node does not hold the chunk)
 *   rangeRequest  tableVersion u64, maxAgeMs+1 u64, nowMs u64, deadlineMs u64, limit u64, bytesMax u64, keysOnly u8,
 *                 namespace text, chunkId text, fromLength u32, from (inclusive), toLength u32, to (exclusive; both
 *                 empty = open), count u32, then each: partition u32, nextOffset u64 (what the replica must have applied)
 *   rangeReply    ageMs u32, tableVersion u64, count u32, positionCount u32, nextKeyLength u32 (2^32-1 = range done),
 *                 then per key in byte order: 1 keyLength u16, key, offset u64, expiresAtMs u64, valueLength u32, value
 *                                           | 2 keyLength u16, key, length u16, error text (an unreadable value)
 *                 then positions as in readReply, then the next key (the first not looked at)
 *   copyOpen      0 u8, namespace text, chunkId text, slotStart u32, slotEnd u32, afterLength u32, after
 *   copyNext      1 u8, copyId text, sequence u32, bytesMax u64
 *   copyClose     2 u8, copyId text
 *   copyOpened    copyId text, bytesEstimate u64, count u32, then each partition of the slots: partition u32,
 *                 nextOffset u64, leaderEpoch+1 u32, completeAtMs u64, as they are inside the snapshot
 *   copyFrame     sequence u32, last u8, then entries until the end: keyLength u16, storedLength u32, database key,
 *                 stored value (see `stored-value.ts` in @levee/chunk-store)
 *
 * Where a node asks who somebody is, users with the right to read the namespace may send LV.READ and LV.RANGE, and the
 * rest is for processes of the cluster: -NOAUTH, -NOPERM. Both are also given in place of an answer that was waited for. A
 * chunk of another namespace than LV.RANGE names is not there.
 *
 * LV.RANGE and the blocks of LV.COPY are made a few at a time for each connection; more than may wait are refused with
 * -LVLIMIT (blocks with -LVCOPYBUSY), and those whose turn does not come in time with -LVNOTREADY.
 *
 * LV.COPY fails with -LVNOTREADY (the source is not readable), -LVMOVED (it does not hold the chunk), -LVCOPYBUSY (too
 * many copies are open: ask again later), -LVCOPYGONE (no such copy any more: open another behind the last key).
 */
export const nodeCommands = {
  hello: 'LV.HELLO',
  read: 'LV.READ',
  await: 'LV.AWAIT',
  range: 'LV.RANGE',
  copy: 'LV.COPY',
  stat: 'LV.STAT',
  witness: 'LV.WITNESS',
  letGo: 'LV.LETGO',
  get: 'LV.GET',
} as const;

/** The answer to LV.WITNESS. */
export interface WitnessReport {
  readonly nodeId: string;
  readonly witnesses: readonly WitnessFacts[];
}

/** One partition of one replica that holds what its log lost. */
export interface WitnessFacts {
  readonly namespace: string;
  readonly binlog: string;
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly nodeId: string;
  readonly storeId: string;
  readonly unitId: string;
  readonly generation: number;
  /** Its unit was given out by a decision that the journal lost: no decision in force names it. */
  readonly left?: boolean;
  /** It can be copied. */
  readonly readable: boolean;
  readonly partition: number;
  /** From here on the log does not hold what the replica has seen. */
  readonly cutOffset: number;
  /** False: the log cannot say where; nothing it holds is known to be older or newer than what the replica holds. */
  readonly cutKnown: boolean;
  /** Where the replica stands. */
  readonly nextOffset: number;
  readonly leaderEpoch: number;
  /** `null` while they are not counted. */
  readonly keysAtStake: number | null;
  /** The first of them, for people; absent while they are not counted. */
  readonly keys?: readonly string[];
  readonly why: string;
}

export const nodeProtocolLimits = {
  /** Entries of one LV.READ or LV.AWAIT. */
  entriesMax: 8_192,
  /** A LV.RANGE reply stops taking values above this (one value always fits). */
  replyBytesMax: 8 * 1024 * 1024,
  /** The same for LV.READ: nobody knows how large values are before they are read, and others wait behind them. */
  readReplyBytesMax: 1024 * 1024,
  /** Keys at stake that a LV.WITNESS names, and that people are shown; all are counted. */
  keysNamedMax: 10,
  rangeLimitMax: 10_000,
  keyBytesMax: 65_535,
} as const;

/** First word of a per-entry error. */
const entryErrorCodes = [
  /** `LVMOVED <seq> <route as JSON>`: this node does not serve the slot (any more). */
  'LVMOVED',
  /** `LVBEHIND <partition>:<applied nextOffset>`: the position did not come within the deadline. */
  'LVBEHIND',
  /** `LVSTALE <ageMs>`: the replica last stood at the end longer ago than `maxAgeMs`. */
  'LVSTALE',
  /** `LVUNREADABLE <partition>:<offset> <reason>`: the key's last record cannot be interpreted; final, do not poll. */
  'LVUNREADABLE',
  /** `LVNOTREADY <why>`: the replica is loading, rewound or incomplete. */
  'LVNOTREADY',
  /** `LVLIMIT <which, and what to do>`: more requests a second than the chunk may have at one node; do not poll. */
  'LVLIMIT',
  /** `LVSTOPPED <partition>:<cutOffset> <why>`: the log lost what the replica holds; it answers no position above. */
  'LVSTOPPED',
  /** `LVDAMAGED <why>`: the stored value failed its CRC; the replica rebuilds itself. */
  'LVDAMAGED',
] as const;
export type EntryErrorCode = (typeof entryErrorCodes)[number];

export interface EntryError {
  readonly code: EntryErrorCode;
  /** What follows the code. */
  readonly detail: string;
}

export interface NodeHello {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly storeId: string;
  readonly incarnation: string;
}

/** An applied (or wanted) next offset of one partition of the namespace's binlog. */
export interface PartitionPosition {
  readonly partition: number;
  readonly nextOffset: number;
}

export function entryErrorText(code: EntryErrorCode, detail: string): string {
  return `${code} ${detail}`;
}

/** `undefined` when the text does not begin with a known code. */
export function parseEntryError(text: string): EntryError | undefined {
  const space = text.indexOf(' ');
  const word = space < 0 ? text : text.slice(0, space);
  const code = entryErrorCodes.find((known) => known === word);
  return code && { code, detail: space < 0 ? '' : text.slice(space + 1) };
}
