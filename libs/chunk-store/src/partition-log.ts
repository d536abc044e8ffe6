import type { ReplicaDatabase } from './engine';
import { checkChain } from './chain';
import { ChunkStoreFailure } from './chunk-store-failure';
import {
  decodeJournal,
  decodePosition,
  encodeJournal,
  encodePosition,
  type JournalEntry,
  journalKey,
  journalPrefix,
  type Mark,
  positionKey,
  type PositionRecord,
} from './position-record';
import { readLong } from './stored-value';

/** The part of a write batch that this file needs. */
export interface BatchWriter {
  put(key: Buffer, value: Buffer): unknown;
  del(key: Buffer): unknown;
}

/**
 * A replica's place in one partition, and the chain of journal keys that proves it. The chain reaches back at least
 * `chainBytes`, more than LevelDB holds in write-ahead logs, the only part it can lose in the middle.
 */
export class PartitionLog {
  private readonly key: Buffer;
  private readonly prefix: Buffer;
  /** Oldest first; from `head` on. */
  private entries: JournalEntry[];
  private head = 0;
  private keptBytes: number;

  private constructor(
    readonly partition: number,
    /** As of the last write handed to the database, finished or not. */
    private staged: PositionRecord,
    entries: readonly JournalEntry[],
    private readonly chainBytes: number,
    /** Why the replica was rewound at open, else `undefined`. */
    readonly rewound: string | undefined,
  ) {
    this.key = positionKey(partition);
    this.prefix = journalPrefix(partition);
    this.entries = [...entries];
    this.keptBytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  }

  /** Writes the position of a partition not begun yet. */
  static create(writer: BatchWriter, partition: number, fresh: PositionRecord): void {
    const key = positionKey(partition);
    writer.put(key, encodePosition(key, fresh));
  }

  /** Follows the chain; a broken one is rewound durably before this returns. REPLICA_DAMAGED when nothing is proven. */
  static async open(db: ReplicaDatabase, partition: number, chainBytes: number): Promise<PartitionLog> {
    const key = positionKey(partition);
    const stored = await db.get(key);
    const position = stored === undefined ? undefined : decodePosition(key, stored);
    if (position === undefined)
      throw new ChunkStoreFailure(
        'REPLICA_DAMAGED',
        `I13: the position of partition ${partition} is ${stored === undefined ? 'missing' : 'unreadable'}`,
      );
    const prefix = journalPrefix(partition);
    const entries: JournalEntry[] = [];
    const leftovers: Buffer[] = [];
    let seenBelow = 0;
    for await (const [entryKey, value] of db.iterator({ gte: prefix, lt: upperBound(prefix) })) {
      const entry = decodeJournal(entryKey, value);
      if (entryKey.length === prefix.length + 8) seenBelow = Math.max(seenBelow, readLong(entryKey, prefix.length));
      if (entry === undefined || entry.nextOffset <= position.chainFrom.nextOffset) leftovers.push(entryKey);
      else entries.push(entry);
    }
    const verdict = checkChain(position, entries, seenBelow);
    if (verdict.kind === 'rewound') {
      const batch = db.batch();
      for (const entry of entries) if (!verdict.kept.includes(entry)) batch.del(journalKey(prefix, entry.nextOffset));
      for (const leftover of leftovers) batch.del(leftover);
      batch.put(key, encodePosition(key, verdict.position));
      await batch.write({ sync: true } as object);
    }
    const problem = verdict.kind === 'rewound' ? verdict.problem : undefined;
    return new PartitionLog(partition, verdict.position, verdict.kept, chainBytes, problem);
  }

  get stagedPosition(): PositionRecord {
    return this.staged;
  }

  /** Adds position and journal key of a write that moves the replica to `next` and trims the chain. */
  stage(writer: BatchWriter, next: Mark, bytes: number): PositionRecord {
    const entry: JournalEntry = {
      nextOffset: next.nextOffset,
      leaderEpoch: next.leaderEpoch,
      completeAtMs: next.completeAtMs,
      previousOffset: this.staged.nextOffset,
      bytes,
    };
    const entryKey = journalKey(this.prefix, next.nextOffset);
    writer.put(entryKey, encodeJournal(entryKey, entry));
    this.entries.push(entry);
    this.keptBytes += bytes;
    let chainFrom = this.staged.chainFrom;
    while (this.entries.length - this.head > 1) {
      const oldest = this.entries[this.head] as JournalEntry;
      if (this.keptBytes - oldest.bytes < this.chainBytes) break;
      writer.del(journalKey(this.prefix, oldest.nextOffset));
      chainFrom = { nextOffset: oldest.nextOffset, leaderEpoch: oldest.leaderEpoch, completeAtMs: oldest.completeAtMs };
      this.keptBytes -= oldest.bytes;
      this.head++;
    }
    if (this.head > 1024 && this.head * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
    return this.stagePosition(writer, { ...entry, chainFrom, unreadableBelow: this.staged.unreadableBelow });
  }

  /** Adds the position alone, for a write that does not move it. */
  stageCompleteAt(writer: BatchWriter, completeAtMs: number): PositionRecord {
    return this.stagePosition(writer, { ...this.staged, completeAtMs });
  }

  private stagePosition(writer: BatchWriter, position: PositionRecord): PositionRecord {
    writer.put(this.key, encodePosition(this.key, position));
    this.staged = position;
    return position;
  }
}

/** The first key that does not begin with `prefix`, whose last byte is below 0xff. */
export function upperBound(prefix: Buffer): Buffer {
  const bound = Buffer.from(prefix);
  bound[bound.length - 1] = (bound[bound.length - 1] as number) + 1;
  return bound;
}
