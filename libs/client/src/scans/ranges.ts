import { asOffset, asPartition, type Offset } from '@levee/kernel';
import { partitionsOf, type Session } from '@levee/keyspace';
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
import type { EngineContext } from '../engine-context';
import type { LostPositions } from '../reads/lost-positions';
import type { PortalReplica, PortalRoute } from '../routes/namespace-routes';
import type { NamespaceStore } from '../routes/namespace-store';
import type { NodeLink } from '../routes/node-link';
import { Semaphore } from '../semaphore';
import { StoreFailure } from '../store-errors';

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
  readonly session: Session | undefined;
  /** Per partition, from fences; for consistency `strong`. */
  readonly fences?: ReadonlyMap<number, Offset>;
}

/** One page of one chunk, from the first replica that can give it. */
export class Ranges {
  private readonly turns: Semaphore;

  constructor(
    private readonly context: EngineContext,
    private readonly lost: LostPositions,
  ) {
    const { pagesAtOnceMax: atOnceMax, pagesWaitingMax: waitingMax, readTurnMs: waitMsMax } = context.limits;
    this.turns = new Semaphore('pages of scans', { atOnceMax, waitingMax, waitMsMax }, context.timers);
  }

  /** Fails with LVLIMIT at once, or when its turn does not come, with LVUNAVAILABLE, LVBEHIND, LVSTALE after `readMs`; `undefined` when the chunk's route has changed. */
  async page(namespace: NamespaceStore, route: PortalRoute, query: RangeQuery): Promise<RangeReply | undefined> {
    let endAtMs = this.context.clock.monotonicMs() + this.context.limits.readMs;
    const limited = namespace.refusal(route.slotStart);
    if (limited !== undefined) throw new StoreFailure('LVLIMIT', limited);
    let last = new StoreFailure('LVUNAVAILABLE', `no replica of ${route.chunkId} can be reached`);
    while (this.context.clock.monotonicMs() < endAtMs) {
      if (namespace.gone) throw namespace.gone;
      for (const replica of route.readable) {
        const current = namespace.table?.at(route.slotStart);
        if (current?.chunkId !== route.chunkId || current.slotEnd !== route.slotEnd) return undefined;
        if (!replica.target.link.usable) continue;
        endAtMs += await this.turn();
        const result = await this.ask(namespace, route, replica, query).finally(() => this.turns.giveBack());
        if (!(result instanceof StoreFailure)) return result;
        if (result.code === 'LVLIMIT') throw result;
        last = result;
      }
      await new Promise<void>((resolve) => this.context.timers.after(this.context.limits.retryMs, resolve));
      const fresh = namespace.table?.at(route.slotStart);
      if (fresh !== undefined && fresh.seq !== route.seq) return undefined;
    }
    throw await this.toldOf(namespace, route, query, last);
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
    namespace: NamespaceStore,
    route: PortalRoute,
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

  private ask(
    namespace: NamespaceStore,
    route: PortalRoute,
    replica: PortalReplica,
    query: RangeQuery,
  ): Promise<RangeReply | StoreFailure> {
    const { limits } = this.context;
    const request: RangeRequest = {
      namespace: namespace.name,
      tableVersion: namespace.table?.version ?? 0,
      maxAgeMs: namespace.state.maxStalenessMs ?? -1,
      nowMs: Math.max(this.context.expiryNowMs(), query.session?.clockMs ?? 0),
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
      link.scans.send(command, scanAttemptMs, (failure, reply) => {
        if (failure && failure.code !== 'LIMIT') link.failed();
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

function wantedPositions(namespace: NamespaceStore, route: PortalRoute, query: RangeQuery): RangeRequest['positions'] {
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
