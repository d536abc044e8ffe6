import { crc32cNative } from '@levee/codec';
import { assert } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import { Breather, type Pace } from '../breather';
import { ChunkStoreFailure } from '../chunk-store-failure';
import { copiesAtOnce, intoTables, type ReplicaDatabase } from '../engine';
import { PartitionLog } from '../partition-log';
import { encodeIdentity, identityKey, identityProblem, type ReplicaIdentity } from '../replica-identity';
import { chunkSeed, dataPrefixBytes, storedOverheadBytes, writeWord } from '../stored-value';
import { CopyEntries } from './copy-block';
import { type CopyPiece, pieceName } from './copy-piece';
import { type CopyPosition, CopyPositions } from './copy-position';
import {
  type CopyState,
  copyStateKey,
  type Milestone,
  milestoneKey,
  readCopyState,
  readMilestones,
  sealRecord,
} from './copy-record';

export interface CopyTargetOptions {
  readonly clock: Pace;
  /** Most bytes that the unit takes; 0 = no limit. */
  readonly capacityBytes: number;
  /** A milestone after so many bytes; 32 MiB by default. */
  readonly milestoneBytes?: number;
}

const milestoneBytesDefault = 32 << 20;

interface PieceProgress {
  /** Hexadecimal. */
  after: string | null;
  done: boolean;
}

/** What a database holds before a replica is opened in it: nothing, a copy that goes on, or a replica. */
export async function copyStageOf(db: ReplicaDatabase): Promise<'empty' | 'loading' | 'replica'> {
  for await (const key of db.keys({ limit: 1 })) {
    assert(key.length > 0, 'a database key has a prefix');
    const state = await readCopyState(db);
    return state === 'unreadable' || state?.kind === 'loading' ? 'loading' : 'replica';
  }
  return 'empty';
}

export interface Copied {
  readonly recordsCopied: number;
  readonly bytesCopied: number;
  /** `partition:nextOffset` of the snapshots, the lowest in each partition. */
  readonly followedFrom: readonly string[];
}

/** Of a copy that was sealed; nothing where there was none. */
export async function copiedInto(db: ReplicaDatabase): Promise<Copied> {
  const milestones = (await readMilestones(db)) ?? [];
  const all = new CopyPositions();
  for (const { positions } of milestones) all.add(positions);
  const last = milestones.at(-1);
  return { recordsCopied: last?.records ?? 0, bytesCopied: last?.bytes ?? 0, followedFrom: all.followedFrom };
}

/**
 * The target's side of a copy: takes blocks into an empty database, one write each, and makes it a replica with
 * `seal`. Before that nothing can open it as one. After a crash `open` goes on behind the last milestone.
 *
 * Entries come by ascending key, so LevelDB's memtables make tables that do not overlap, and none is ever compacted. A
 * record among them whose key sorts elsewhere would make every table overlap all others: three times the CPU time of
 * the whole copy. So milestones are rare, and go into tables of their own.
 */
export class CopyTarget {
  private readonly pieces = new Map<string, PieceProgress>();
  private readonly positions = new CopyPositions();
  private readonly breather: Breather;
  private readonly ownsBuffers: boolean;
  /** The block taken last is written while the next one is unpacked. */
  private writing: Promise<void> = Promise.resolve();
  private milestones = 0;
  private records = 0;
  private bytes = 0;
  private readonly milestoneBytes: number;
  private bytesAtMilestone = 0;

  private constructor(
    private readonly db: ReplicaDatabase,
    private readonly identity: ReplicaIdentity,
    private readonly options: CopyTargetOptions,
  ) {
    this.breather = new Breather(options.clock);
    this.ownsBuffers = !copiesAtOnce(db);
    this.milestoneBytes = options.milestoneBytes ?? milestoneBytesDefault;
  }

  /** REPLICA_MISMATCH when another replica is here; REPLICA_DAMAGED when what is here cannot be gone on with. */
  static async open(db: ReplicaDatabase, identity: ReplicaIdentity, options: CopyTargetOptions): Promise<CopyTarget> {
    const target = new CopyTarget(db, identity, options);
    if ((await copyStageOf(db)) === 'empty') {
      const batch = db.batch();
      batch.put(identityKey, encodeIdentity(identity));
      batch.put(copyStateKey, sealRecord(copyStateKey, { kind: 'loading', milestones: 0 } satisfies CopyState));
      await batch.write({ sync: true } as object);
    } else await target.resume();
    return target;
  }

  /** Records of all blocks taken. */
  get recordsCopied(): number {
    return this.records;
  }

  /** Bytes of their keys and values. */
  get bytesCopied(): number {
    return this.bytes;
  }

  /** `partition:nextOffset`: where the log goes on from behind the snapshots. */
  get followedFrom(): readonly string[] {
    return this.positions.followedFrom;
  }

  /** Earliest log time (ms since 1970) at which one of the sources missed nothing; `undefined` before the first. */
  get completeAtMs(): number | undefined {
    return this.positions.completeAtMs;
  }

  isDone(piece: CopyPiece): boolean {
    return this.pieces.get(pieceName(piece))?.done === true;
  }

  /** The last key of the piece that is here. */
  after(piece: CopyPiece): Buffer | undefined {
    const after = this.pieces.get(pieceName(piece))?.after ?? null;
    return after === null ? undefined : Buffer.from(after, 'hex');
  }

  /**
   * A new snapshot of the piece begins: its positions are durable before the first of its entries is here [safety],
   * since a deletion behind them must be read from the log again.
   */
  async begin(piece: CopyPiece, positions: readonly CopyPosition[]): Promise<void> {
    await this.mark(pieceName(piece), positions);
    this.positions.add(positions);
  }

  /**
   * Puts a block of the snapshot begun last here; `last`: the piece ends with it. The checksum of a value is bound to
   * its chunk, so it is renewed, in place, where the chunk is another. One call at a time; a write that fails fails the
   * next call. UNIT_FULL above the capacity.
   */
  async take(bytes: Buffer, piece: CopyPiece, last: boolean): Promise<void> {
    const batch = this.db.batch();
    const entries = new CopyEntries(bytes);
    const seed = piece.chunkId === this.identity.chunkId ? undefined : chunkSeed(this.identity.chunkId);
    const name = pieceName(piece);
    let { records, bytes: total } = this;
    let lastKey: Buffer | undefined;
    while (entries.next()) {
      const { start, valueStart, end } = entries;
      if (seed !== undefined) writeWord(bytes, end - 4, crc32cNative(bytes.subarray(start, end - 4), seed));
      const key = bytes.subarray(start, valueStart);
      const stored = bytes.subarray(valueStart, end);
      if (this.ownsBuffers) batch.put(Buffer.from(key), Buffer.from(stored));
      else batch.put(key, stored);
      lastKey = key;
      records++;
      total += end - start - dataPrefixBytes - storedOverheadBytes;
      if (this.breather.tired()) await this.breather.breathe();
    }
    this.checkRoom(total + records * (dataPrefixBytes + storedOverheadBytes));
    const before = this.pieces.get(name)?.after ?? null;
    const after = lastKey === undefined ? before : lastKey.toString('hex', dataPrefixBytes);
    await this.writing;
    this.writing = batch.write();
    this.writing.catch(() => undefined);
    this.records = records;
    this.bytes = total;
    this.pieces.set(name, { after, done: last });
    if (last || total - this.bytesAtMilestone >= this.milestoneBytes) await this.mark(name, []);
  }

  /** Resolves when every block taken is written. */
  written(): Promise<void> {
    return this.writing;
  }

  /** Nothing more comes for now: whoever opens the database next goes on right here. */
  async rest(): Promise<void> {
    const begun = [...this.pieces].find(([, { done }]) => !done);
    if (begun !== undefined) await this.mark(begun[0], []);
  }

  /** All pieces are here: makes the database a replica, durably. */
  async seal(): Promise<void> {
    await this.written();
    const batch = this.db.batch();
    const { slotStart, slotEnd, partitions, chunkId } = this.identity;
    for (const partition of partitionsOf(slotStart, slotEnd, partitions)) {
      const position = this.positions.positionOf(partition);
      assert(position !== undefined, `I13: no piece of ${chunkId} tells where it stands in partition ${partition}`);
      PartitionLog.create(batch, partition, position);
    }
    batch.put(
      copyStateKey,
      sealRecord(copyStateKey, { kind: 'sealed', milestones: this.milestones } satisfies CopyState),
    );
    await batch.write({ sync: true } as object);
  }

  private async resume(): Promise<void> {
    const stored = await this.db.get(identityKey);
    const problem = stored === undefined ? 'it has no identity' : identityProblem(stored, this.identity);
    if (stored !== undefined && problem !== undefined)
      throw new ChunkStoreFailure('REPLICA_MISMATCH', `I10: the database is not ${this.identity.chunkId}: ${problem}`);
    const state = await readCopyState(this.db);
    const found = state === 'unreadable' || problem !== undefined ? undefined : await readMilestones(this.db);
    if (found === undefined)
      throw new ChunkStoreFailure(
        'REPLICA_DAMAGED',
        `a copy of ${this.identity.chunkId} cannot go on: a milestone is lost`,
      );
    for (const { piece, after, last, positions, records, bytes } of found) {
      this.pieces.set(piece, { after, done: last });
      this.positions.add(positions);
      [this.records, this.bytes] = [records, bytes];
    }
    this.milestones = found.length;
    this.bytesAtMilestone = this.bytes;
  }

  /** Everything that is here stays, whatever befalls the process or the power. */
  private async mark(piece: string, positions: readonly CopyPosition[]): Promise<void> {
    await this.written();
    await intoTables(this.db);
    const { records, bytes } = this;
    const { after, done: last } = this.pieces.get(piece) ?? { after: null, done: false };
    const milestone: Milestone = { piece, after, last, positions, records, bytes };
    const key = milestoneKey(this.milestones);
    const batch = this.db.batch();
    batch.put(key, sealRecord(key, milestone));
    await batch.write({ sync: true } as object);
    await intoTables(this.db);
    this.milestones++;
    this.bytesAtMilestone = bytes;
  }

  private checkRoom(stored: number): void {
    const { capacityBytes } = this.options;
    if (capacityBytes === 0 || stored <= capacityBytes) return;
    throw new ChunkStoreFailure(
      'UNIT_FULL',
      `the copy of ${this.identity.chunkId} takes more than the ${capacityBytes} bytes of unit ${this.identity.unitId}: ` +
        'split the chunk first or choose a larger unit',
    );
  }
}
