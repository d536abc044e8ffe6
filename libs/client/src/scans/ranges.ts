import { asOffset, asPartition, type Offset, pause } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import {
  FrameFailure,
  parseEntryError,
  parseRangeReply,
  rangeCommand,
  RespError,
  type Seal,
  sealOfCommand,
  type RangeReply,
  type RangeRequest,
  type RespReply,
} from '@levee/wire';
import type { ReadContext } from '../engine-context';
import { sessionTimeMs } from '../expiry-clock';
import type { ReadSession } from '../operations';
import type { PositionLook } from '../reads/lost-positions';
import type { ReadReplica, ReadRoute } from '../routes/namespace-routes';
import type { ReadNamespace } from '../routes/read-namespace';
import type { NodeLink } from '../routes/node-link';
import { Semaphore } from '../semaphore';
import { StoreFailure } from '../store-errors';
import type { ScanVisits } from './scan-visits';

export interface RangeQuery {
  /** Inclusive; empty = from the first key. */
  readonly from: Buffer;
  /** Exclusive; empty = to the last key. */
  readonly to: Buffer;
  readonly limit: number;
  /** Of one page, which has at least one key all the same; default: `scanPageBytes`. */
  readonly bytesMax?: number;
  readonly keysOnly: boolean;
  /** Positions the replica must have applied; observes what it read. */
  readonly session: ReadSession | undefined;
  /** Per partition, from fences; for consistency `strong`. */
  readonly fences?: ReadonlyMap<number, Offset>;
  /** Is told of each page and where it came from. */
  readonly visits?: ScanVisits | undefined;
}

/** One page of one chunk, from the first replica that can give it. */
export class Ranges {
  private readonly turns: Semaphore;

  constructor(
    private readonly context: ReadContext,
    private readonly lost: PositionLook,
  ) {
    const { pagesAtOnceMax: atOnceMax, pagesWaitingMax: waitingMax, readTurnMs: waitMsMax } = context.limits;
    this.turns = new Semaphore('pages of scans', { atOnceMax, waitingMax, waitMsMax }, context.timers);
  }

  /** Fails with LVLIMIT at once, or when its turn does not come, with LVUNAVAILABLE, LVBEHIND, LVSTALE after `readMs`; `undefined` when the chunk's route has changed. */
  async page(namespace: ReadNamespace, route: ReadRoute, query: RangeQuery): Promise<RangeReply | undefined> {
    let endAtMs = this.context.clock.monotonicMs() + this.context.limits.readMs;
    const limited = namespace.refusal(route.slotStart);
    if (limited !== undefined) throw new StoreFailure('LVLIMIT', limited);
    let last = new StoreFailure('LVUNAVAILABLE', `no replica of ${route.chunkId} can be reached`);
    while (this.context.clock.monotonicMs() < endAtMs) {
      const refused = namespace.gone ?? namespace.distrust;
      if (refused) throw refused;
      for (const replica of route.readable) {
        const current = namespace.table?.at(route.slotStart);
        if (current?.chunkId !== route.chunkId || current.slotEnd !== route.slotEnd) return undefined;
        if (!this.mayAsk(replica)) continue;
        endAtMs += await this.turn();
        const result = await this.ask(namespace, route, replica, query).finally(() => this.turns.giveBack());
        if (!(result instanceof StoreFailure)) {
          query.visits?.note(route, { nodeId: replica.nodeId, keys: result.items.length });
          return result;
        }
        if (result.code === 'LVLIMIT') throw result;
        last = result;
      }
      if (!this.context.isPatient) throw last;
      await pause(this.context.timers, this.context.limits.retryMs);
      const fresh = namespace.table?.at(route.slotStart);
      if (fresh !== undefined && fresh.seq !== route.seq) return undefined;
    }
    throw await this.toldOf(namespace, route, query, last);
  }

  private mayAsk({ target: { link } }: ReadReplica): boolean {
    return link.usable && (this.context.isPatient || !link.isDoubted(this.context.clock));
  }

  /** Resolves with the time that it was waited for; whoever has a turn gives it back. */
  private async turn(): Promise<number> {
    const { clock } = this.context;
    const beganMs = clock.monotonicMs();
    await this.turns.take();
    return clock.monotonicMs() - beganMs;
  }

  /** No replica came far enough: perhaps the log does not either. */
  private async toldOf(
    namespace: ReadNamespace,
    route: ReadRoute,
    query: RangeQuery,
    failure: StoreFailure,
  ): Promise<StoreFailure> {
    const { session } = query;
    if (failure.code !== 'LVBEHIND' || session === undefined) return failure;
    for (const { partition, nextOffset } of wantedPositions(namespace, route, query)) {
      const asked = { partition: asPartition(partition), nextOffset: asOffset(nextOffset), session };
      const told = await new Promise<StoreFailure>((resolve) => this.lost.look(namespace, asked, failure, resolve));
      if (told !== failure) return told;
    }
    return failure;
  }

  private noAnswer(link: NodeLink): void {
    if (this.context.isPatient) link.failed();
    else link.doubt(this.context.clock.monotonicMs());
  }

  private ask(
    namespace: ReadNamespace,
    route: ReadRoute,
    replica: ReadReplica,
    query: RangeQuery,
  ): Promise<RangeReply | StoreFailure> {
    const { limits } = this.context;
    const request: RangeRequest = {
      namespace: namespace.name,
      tableVersion: namespace.table?.version ?? 0,
      maxAgeMs: namespace.state.maxStalenessMs ?? -1,
      nowMs: sessionTimeMs(query.session, this.context.expiryNowMs(), limits.sessionClockAheadMsMax),
      deadlineMs: limits.positionWaitMs,
      chunkId: route.chunkId,
      from: query.from,
      to: query.to,
      limit: Math.min(query.limit, limits.scanPageKeys),
      bytesMax: Math.min(query.bytesMax ?? Infinity, limits.scanPageBytes),
      keysOnly: query.keysOnly,
      positions: wantedPositions(namespace, route, query),
    };
    return new Promise((resolve) => {
      const { link } = replica.target;
      const command = rangeCommand(request);
      link.scans.send(command, Math.min(scanAttemptMs, limits.readMs), (failure, reply) => {
        if (failure && failure.code !== 'LIMIT') this.noAnswer(link);
        const result = failure
          ? new StoreFailure('LVUNAVAILABLE', failure.message)
          : pageOf(reply, sealOfCommand(command), link);
        if (!(result instanceof StoreFailure)) {
          query.session?.observeClock(request.nowMs);
          for (const { partition, nextOffset } of result.positions)
            if (partition < namespace.state.partitions)
              query.session?.observe(asPartition(partition), asOffset(nextOffset));
        }
        resolve(result);
      });
    });
  }
}

/** A page of 1 MiB may have to be read from a slow disk. */
const scanAttemptMs = 3_000;

function wantedPositions(namespace: ReadNamespace, route: ReadRoute, query: RangeQuery): RangeRequest['positions'] {
  const positions: { partition: number; nextOffset: number }[] = [];
  for (const partition of partitionsOf(route.slotStart, route.slotEnd, namespace.state.partitions)) {
    const { session, fences } = query;
    const seen = session ? Math.max(session.nextOffset(partition), namespace.writes.newestOf(partition)) : 0;
    const nextOffset = Math.max(seen, fences?.get(partition) ?? 0);
    if (nextOffset > 0) positions.push({ partition, nextOffset });
  }
  return positions;
}

function pageOf(reply: RespReply, seal: Seal, link: NodeLink): RangeReply | StoreFailure {
  if (reply instanceof RespError) {
    const error = parseEntryError(reply.text);
    if (error?.code === 'LVLIMIT') return new StoreFailure('LVLIMIT', error.detail);
    if (error?.code === 'LVBEHIND') return new StoreFailure('LVBEHIND', `${error.detail} is all that is applied yet`);
    if (error?.code === 'LVSTALE') return new StoreFailure('LVSTALE', `the replica is ${error.detail} ms old`);
    if (error?.code === 'LVSTOPPED') return new StoreFailure('LVSTOPPED', error.detail);
    return new StoreFailure('LVUNAVAILABLE', reply.text);
  }
  if (!Buffer.isBuffer(reply)) return new StoreFailure('LVUNAVAILABLE', 'a reply of another type');
  try {
    return parseRangeReply(reply, seal);
  } catch (error) {
    if (!(error instanceof FrameFailure)) throw error;
    link.failed();
    link.scans.renew(error.message);
    return new StoreFailure('LVUNAVAILABLE', error.message);
  }
}
