import {
  type Copied,
  copiedInto,
  type CopyPosition,
  copyStageOf,
  CopyTarget,
  type ReplicaDatabase,
  type ReplicaIdentity,
} from '@levee/chunk-store';
import { Failure, failureCode, messageOf, pause } from '@levee/kernel';
import type { Assignment } from '../replica/assignment';
import { overdueReason, overdueTimes } from '../replica/completeness';
import type { HostedWorld } from '../replica/hosted-world';
import { copyLimits } from './copy-limits';
import type { PieceOrder, SourceReplica } from './move-order';
import { openPiece, type PieceStream } from './piece-stream';

export interface CopyProgress extends Copied {
  /** As the sources estimate; 0 = unknown. */
  readonly bytesTotal: number;
  /** Where the last piece came from: a unit, or the log. */
  readonly from: string;
}

const nothingCopied = { recordsCopied: 0, bytesCopied: 0, bytesTotal: 0, followedFrom: [] };

/** Where a unit is filled from that no plan fills, and which of its sources will do. */
interface PeerSources {
  readonly pieces: readonly PieceOrder[];
  /** Why the log cannot fill the unit, in words. */
  loss(): Promise<string | undefined>;
  /** A copy begins, or goes on after a restart. */
  begun(): Promise<void>;
  /** Fails when a snapshot at these positions will not do. */
  vet(source: SourceReplica, positions: readonly CopyPosition[]): Promise<void>;
  refused(source: SourceReplica, error: unknown): void;
}

export interface ReplicaCopyOptions {
  readonly identity: ReplicaIdentity;
  readonly assignment: () => Assignment;
  /** Of a replica that is to be there already, and that the log alone cannot fill. */
  readonly peers: PeerSources;
}

/**
 * Fills the unit of a learner as its plan says, and that of a replica in front of a hole in the log from its peers: piece
 * by piece from readable replicas of the source chunks, with a new snapshot behind the last key after every cut; from the
 * log's start where no source answers. Everything that is known of it is in the unit, so that a process that dies goes on
 * where it was.
 */
export class ReplicaCopy {
  /** Of what is loaded now. */
  progress: CopyProgress = { ...nothingCopied, from: '' };
  /** Copies begun anew, since the process lives. */
  restarts = 0;
  private readonly stopping = new AbortController();
  private estimates = new Map<string, number>();

  constructor(
    private readonly world: HostedWorld,
    private readonly options: ReplicaCopyOptions,
  ) {}

  stop(): void {
    this.stopping.abort();
  }

  /**
   * The unit's open database, ready to be opened as a replica; `undefined` when it holds a part and nobody says how to
   * go on. The caller closes it. `fill`: an empty one too, if only from its peers. `begun` is called before it is filled.
   */
  async open(fill: boolean, begun: () => void): Promise<ReplicaDatabase | undefined> {
    const { unitId, generation } = this.options.assignment();
    const { disk } = this.world;
    let db: ReplicaDatabase | undefined = await disk.openUnit(unitId, generation);
    try {
      const stage = await copyStageOf(db);
      if (stage === 'replica') this.progress = { ...this.progress, ...(await copiedInto(db)) };
      else if (this.order !== undefined && (fill || stage === 'loading')) {
        begun();
        db = await this.load(db);
      } else if (stage === 'loading') {
        await disk.closeUnit(unitId, generation);
        db = undefined;
      }
      return db;
    } catch (error) {
      await disk.closeUnit(unitId, generation);
      throw error;
    }
  }

  /** What says how the unit is filled: the plan of a learner, the peers of any other. */
  private get order(): { readonly pieces: readonly PieceOrder[] } | undefined {
    const { move, role } = this.options.assignment();
    return move ?? (role === 'learner' ? undefined : this.options.peers);
  }

  private get isFromPeers(): boolean {
    return this.order === this.options.peers;
  }

  private async load(begun: ReplicaDatabase): Promise<ReplicaDatabase | undefined> {
    if (this.options.assignment().move !== undefined) return this.loadNow(begun);
    const { copyPlaces, timers } = this.world;
    const { signal } = this.stopping;
    await this.options.peers.begun();
    let place = copyPlaces.take();
    while (!place && !signal.aborted) {
      await pause(timers, copyLimits.retryMaxMs, signal);
      place = copyPlaces.take();
    }
    try {
      return await this.loadNow(begun);
    } finally {
      if (place) copyPlaces.giveBack();
    }
  }

  private async loadNow(begun: ReplicaDatabase): Promise<ReplicaDatabase | undefined> {
    const { unitId, generation } = this.options.assignment();
    const { signal } = this.stopping;
    let db = begun;
    let target = await this.targetIn(db);
    let fruitlessSinceMs = this.world.clock.monotonicMs();
    let pauseMs: number = copyLimits.retryMinMs;
    for (let attempt = 0; ; attempt++) {
      const { order } = this;
      if (signal.aborted || order === undefined) {
        await target.rest();
        await this.world.disk.closeUnit(unitId, generation);
        return undefined;
      }
      const late = this.lateReason(target);
      if (late !== undefined) {
        this.countRestart(late);
        db = await this.emptied();
        target = await this.targetIn(db);
      }
      const piece = order.pieces.find((each) => !target.isDone(each));
      if (piece === undefined) {
        if (order.pieces.length === 0) return this.fromLog('the plan names no source');
        await target.seal();
        return db;
      }
      if (piece.sources.length === 0) return this.fromLog(`${piece.chunkId} has no readable replica`);
      const before = target.recordsCopied;
      const error = await this.pull(target, piece, attempt);
      if (error === undefined || target.recordsCopied > before) {
        fruitlessSinceMs = this.world.clock.monotonicMs();
        pauseMs = copyLimits.retryMinMs;
        attempt = -1;
        if (error === undefined) continue;
      }
      // The replica that keeps failing us may heal; one that is busy will have time: only silence is none.
      if (isBusy(error)) fruitlessSinceMs = this.world.clock.monotonicMs();
      const fruitlessMs = this.world.clock.monotonicMs() - fruitlessSinceMs;
      if (fruitlessMs > copyLimits.sourcelessMs)
        return this.fromLog(error === undefined ? 'no source is left' : messageOf(error));
      if ((attempt + 1) % piece.sources.length !== 0) continue;
      await pause(this.world.timers, pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, copyLimits.retryMaxMs);
    }
  }

  /** Pulls the rest of a piece from one of its sources; why it did not come to the end. */
  private async pull(target: CopyTarget, piece: PieceOrder, attempt: number): Promise<unknown> {
    const { signal } = this.stopping;
    const source = piece.sources[attempt % piece.sources.length];
    if (source === undefined) return undefined;
    const fromPeers = this.isFromPeers;
    let stream: PieceStream | undefined;
    try {
      const after = target.after(piece);
      const namespace = this.options.identity.namespace;
      stream = await openPiece(this.world, { source, namespace, piece }, after);
      if (fromPeers) await this.options.peers.vet(source, stream.positions);
      await target.begin(piece, stream.positions);
      this.note(target, { piece, from: source.unitId, estimate: stream.bytesEstimate });
      for (;;) {
        const { bytes, last } = await stream.next();
        if (signal.aborted || this.order === undefined || this.isFromPeers !== fromPeers) return undefined;
        await this.world.copyRate.pass(bytes.length, signal);
        try {
          await target.take(bytes, piece, last);
        } catch (error) {
          throw failureCode(error) === 'COPY_BROKEN' ? error : new UnitTrouble(error);
        }
        this.note(target);
        if (last) return undefined;
      }
    } catch (error) {
      if (error instanceof UnitTrouble) throw error.cause;
      const { chunkId } = this.options.identity;
      const facts = { chunkId, from: source.unitId, error: messageOf(error) };
      if (isBusy(error)) this.world.logger.debug(facts, 'the source of a copy is busy; asking again later');
      else this.world.logger.info(facts, 'a copy is cut; going on');
      if (fromPeers && !signal.aborted) this.options.peers.refused(source, error);
      return error;
    } finally {
      stream?.close();
    }
  }

  /** [safety] A deletion that a snapshot has not seen may be gone from the log by now (I5). */
  private lateReason(target: CopyTarget): string | undefined {
    const { completeAtMs } = target;
    if (completeAtMs === undefined) return undefined;
    return overdueReason('its pieces', completeAtMs, overdueTimes(this.world, this.options.identity.binlog));
  }

  private countRestart(why: string): void {
    this.restarts++;
    const { chunkId } = this.options.identity;
    this.world.logger.warn({ chunkId, why, restarts: this.restarts }, 'a copy took too long and begins anew');
    if (this.restarts <= copyLimits.restartsMax) return;
    this.restarts = 0;
    throw new Failure('COPY_TOO_SLOW', `${chunkId}: ${copyLimits.restartsMax} copies took too long: ${why}`);
  }

  /** What is here may be of another attempt, or lack a block: then it begins anew. */
  private async targetIn(db: ReplicaDatabase): Promise<CopyTarget> {
    const clock = this.world.io.pace('copy');
    const { capacityBytes } = this.options.assignment();
    const target = await CopyTarget.open(db, this.options.identity, { clock, capacityBytes });
    this.estimates = new Map();
    this.note(target);
    return target;
  }

  private async fromLog(why: string): Promise<ReplicaDatabase> {
    const { chunkId } = this.options.identity;
    const loss = await this.options.peers.loss();
    if (loss !== undefined)
      throw new Failure('NO_SOURCE', `${chunkId}: no replica can be copied (${why}), and ${loss}`);
    this.world.logger.warn({ chunkId, why }, 'no replica can be copied: the log from its start is the source');
    this.progress = { ...nothingCopied, from: 'log' };
    return this.emptied();
  }

  private async emptied(): Promise<ReplicaDatabase> {
    const { unitId, generation } = this.options.assignment();
    const { disk } = this.world;
    await disk.closeUnit(unitId, generation);
    await this.mayClear();
    await disk.clearUnit(unitId, generation);
    return disk.openUnit(unitId, generation);
  }

  /** [safety] Waits, however long, while nothing may be cleared; people end that. Fails with STOPPING. */
  private async mayClear(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted && this.world.clearingHeld() !== undefined)
      await pause(this.world.timers, copyLimits.retryMaxMs, signal);
    if (signal.aborted) throw new Failure('STOPPING', `${this.options.identity.chunkId}: the copy ends`);
  }

  private note(
    { recordsCopied, bytesCopied, followedFrom }: CopyTarget,
    begun?: { readonly piece: PieceOrder; readonly from: string; readonly estimate: number },
  ): void {
    if (begun !== undefined) this.estimates.set(`${begun.piece.chunkId}/${begun.piece.slotStart}`, begun.estimate);
    const estimated = [...this.estimates.values()].reduce((sum, each) => sum + each, 0);
    const from = begun?.from ?? this.progress.from;
    this.progress = { recordsCopied, bytesCopied, followedFrom, bytesTotal: Math.max(estimated, bytesCopied), from };
  }
}

/** The source will have time: nothing is wrong with it. */
const isBusy = (error: unknown): boolean => ['LVCOPYBUSY', 'NO_ROOM'].includes(failureCode(error) ?? '');

/** The unit failed, not the source. */
class UnitTrouble extends Error {
  constructor(override readonly cause: unknown) {
    super('the unit of a copy failed');
  }
}
