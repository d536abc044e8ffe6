import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  checkFiles,
  clearGeneration,
  damageOf,
  diskRefusal,
  type DiskWriteTurns,
  type HeldFolder,
  holdFolder,
  openLevelDb,
  Replica,
  type ReplicaIdentity,
  UnitOwner,
  ValueBudget,
  wrongKind,
  WriteTurns,
} from '@levee/chunk-store';
import { type Clock, failureCode, messageOf, type Timers } from '@levee/kernel';
import { fixedOf } from '../local/followed-namespace';
import type { KeptPartitions, KeptPlace } from '../local/held-partition';
import { DiskPartition } from './disk-partition';

export interface DiskChoice {
  readonly folder: string;
  /** For values that are asked for often, and of LevelDB. */
  readonly memoryBytesMax: number;
  readonly clock: Clock;
  readonly timers: Timers;
}

const limits = {
  /** A folder of another one holds nothing that is understood here. */
  formatVersion: 1,
  /** Of memory, for hot values; the rest is LevelDB's. */
  valuesShare: 0.5,
  writeBufferBytesMin: 64 * 1024,
  /** The chain of journal keys of a replica reaches back further than twice that. */
  writeBufferBytesMax: 2 * 1024 * 1024,
  blockCacheBytesMin: 64 * 1024,
} as const;

/** What the disk says is not what belongs there: it is given up as a whole. */
const doubts = new Set(['REPLICA_DAMAGED', 'REPLICA_MISMATCH']);

/**
 * Partitions in a folder that one process holds at a time: each a replica of data nodes, with the same checks. A
 * folder that holds anything else than what is asked for is emptied, as the log has all of it.
 */
export class DiskPartitions implements KeptPartitions {
  private readonly values: ValueBudget;
  private readonly writeTurns: DiskWriteTurns;
  /** By place: ends when what was open there is closed. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly stopping = new AbortController();
  private holding: Promise<HeldFolder> | undefined;

  constructor(private readonly of: DiskChoice) {
    this.values = new ValueBudget(of.memoryBytesMax * limits.valuesShare);
    this.writeTurns = new WriteTurns(of.timers).ofDisk();
  }

  open(place: KeptPlace): ReturnType<KeptPartitions['open']> {
    const path = join(this.of.folder, encodeURIComponent(place.name), `p${String(place.partition).padStart(5, '0')}`);
    return this.inTurn(path, async () => {
      await this.hold();
      const opened = await this.openAnyhow(path, place);
      if (!this.stopping.signal.aborted) return opened;
      await opened.held.close();
      throw new Error('the client is closed');
    });
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.turns.values());
    await (await this.holding?.catch(() => undefined))?.close();
  }

  private async openAnyhow(path: string, place: KeptPlace): Promise<{ held: DiskPartition; anew: string | undefined }> {
    try {
      return { held: await this.openKept(path, place), anew: undefined };
    } catch (error) {
      const doubt = damageOf(error) ?? error;
      if (!doubts.has(failureCode(doubt) ?? '')) throw diskRefusal(error) ?? wrongKind(error) ?? error;
      await clearGeneration(path);
      return { held: await this.openKept(path, place), anew: messageOf(doubt) };
    }
  }

  private async openKept(path: string, place: KeptPlace): Promise<DiskPartition> {
    const identity = identityOf(place);
    await mkdir(dirname(path), { recursive: true });
    const owner = new UnitOwner(path);
    const stage = await owner.stage();
    owner.throwIfFatal(await owner.fatalOpenings());
    // [safety] Before LevelDB sees it: what it makes of a damaged database destroys the evidence, or ends the process.
    if (stage === 'used') await checkFiles(path, { state: 'closed' }, this.of.clock, this.stopping.signal);
    await owner.opening();
    const db = await openLevelDb(path, this.budget(place), stage === 'new').finally(() => owner.opened());
    try {
      await owner.used();
      const { values, writeTurns } = this;
      const replica = await Replica.open(db, identity, { values, writeTurns });
      const { partition, nowMs } = place;
      if (replica.isFresh(partition)) replica.noteComplete(partition, nowMs);
      const ended = (how: 'forgotten' | 'kept'): void => this.ended(path, replica, how);
      return new DiskPartition(replica, partition, { clock: this.of.clock, ended });
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  private ended(path: string, replica: Replica, how: 'forgotten' | 'kept'): void {
    void this.inTurn(path, async () => {
      // A write that failed before says so again; the database is closed all the same.
      await replica.close().catch(() => replica.db.close());
      if (how === 'forgotten') await clearGeneration(path);
    }).catch(() => undefined);
  }

  /** An attempt that failed is made again by who opens next. */
  private async hold(): Promise<void> {
    if (this.stopping.signal.aborted) throw new Error('the client is closed');
    const { folder } = this.of;
    const holding = (this.holding ??= mkdir(folder, { recursive: true }).then(() => holdFolder(folder)));
    try {
      await holding;
    } catch (error) {
      if (this.holding === holding) this.holding = undefined;
      throw error;
    }
  }

  private inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = this.turns.get(path) ?? Promise.resolve();
    const done = before.then(work);
    this.turns.set(
      path,
      done.catch(() => undefined),
    );
    return done;
  }

  /** Of each database: all that a client may have open share what is not for values. */
  private budget({ followed: { partitions } }: KeptPlace): {
    readonly writeBufferBytes: number;
    readonly blockCacheBytes: number;
  } {
    const { valuesShare, writeBufferBytesMin, writeBufferBytesMax, blockCacheBytesMin } = limits;
    const bytes = (this.of.memoryBytesMax * (1 - valuesShare)) / partitions;
    // LevelDB holds two of them.
    const writeBufferBytes = Math.floor(Math.min(writeBufferBytesMax, Math.max(writeBufferBytesMin, bytes / 4)));
    return {
      writeBufferBytes,
      blockCacheBytes: Math.floor(Math.max(blockCacheBytesMin, bytes - 2 * writeBufferBytes)),
    };
  }
}

function identityOf({ name, followed, partition, topicId, slotStart, slotEnd }: KeptPlace): ReplicaIdentity {
  const { clusterId, bornAs, binlog, partitions, hashAlgorithm, recordFormat, hiddenAfterMs } = followed;
  return {
    clusterId,
    namespace: bornAs,
    binlog,
    // Whatever portals say of a namespace and its creation.
    chunkId: `${name} ${fixedOf(followed)}`,
    unitId: `local/${limits.formatVersion}/p${partition}`,
    generation: 1,
    slotStart,
    slotEnd,
    partitions,
    hashAlgorithm,
    recordFormat,
    // Of a binlog of Levee's own too: one that was made anew under its name is another one.
    sourceTopicId: topicId,
    ...(hiddenAfterMs === null ? {} : { hiddenAfterMs }),
  };
}
