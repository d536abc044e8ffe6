import type { Partition } from '@levee/kernel';
import {
  awaitCommand,
  type AwaitOutcome,
  FrameFailure,
  nodeProtocolLimits,
  parseAwaitReply,
  type RespClient,
  type RespReply,
  type Seal,
  sealOfCommand,
} from '@levee/wire';
import type { EngineContext } from './engine-context';
import type { PortalReplica } from './namespace-routes';
import type { NamespaceStore } from './namespace-store';
import type { Ack } from './operations';
import { StoreFailure } from './store-errors';
import type { NodeLink } from './node-link';

/** Who waits for a position of a slot's partition; an {@link Append} is one. */
export interface AckWaiter {
  readonly slot: number;
  readonly partition: Partition;
  readonly ack: Ack;
  readonly nextOffset: number;
  done(): void;
  /** Only ever LVPENDING. */
  failed(failure: StoreFailure): void;
}

/** Writes of one chunk, partition and ack, logged in one tick: applied where the highest of them is. */
interface Group {
  readonly chunkId: string;
  readonly partition: Partition;
  readonly ack: 'primary' | 'all';
  readonly slot: number;
  readonly deadlineAtMs: number;
  nextOffset: number;
  waiters: AckWaiter[];
  /** Replicas that have said so. */
  readonly applied: Set<string>;
  readonly asked: Set<string>;
}

interface Ask {
  readonly group: Group;
  readonly replicaId: string;
}

/**
 * Waits until logged writes are applied: by the primary, or by every primary and follower of the route in force.
 * One LV.AWAIT per node and tick. Every answer makes the group look at the current route again, so that a replica is
 * left out only when a decision has taken it out.
 */
export class AckWaits {
  private opening = new Map<string, Group>();
  private due: Group[] = [];
  private scheduled = false;
  private again: Group[] = [];
  private retryArmed = false;
  private counts = { waits: 0, pending: 0 };

  constructor(
    private readonly context: EngineContext,
    private readonly namespace: NamespaceStore,
  ) {}

  stats(): Readonly<Record<string, number>> {
    return this.counts;
  }

  add(waiter: AckWaiter, ackMs = this.context.limits.ackMs): void {
    if (waiter.ack === 'logged') return waiter.done();
    this.counts.waits++;
    const chunkId = this.namespace.table?.at(waiter.slot).chunkId ?? '';
    const key = `${waiter.ack}|${waiter.partition}|${chunkId}`;
    const group = this.opening.get(key);
    if (group) {
      group.waiters.push(waiter);
      group.nextOffset = Math.max(group.nextOffset, waiter.nextOffset);
      return;
    }
    const { ack, partition, slot, nextOffset } = waiter;
    const deadlineAtMs = this.context.clock.monotonicMs() + ackMs;
    const opened: Group = {
      chunkId,
      partition,
      ack,
      slot,
      deadlineAtMs,
      nextOffset,
      waiters: [waiter],
      applied: new Set(),
      asked: new Set(),
    };
    this.opening.set(key, opened);
    this.due.push(opened);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    this.scheduled = false;
    this.opening = new Map();
    const groups = this.due;
    this.due = [];
    const asks = new Map<NodeLink, Ask[]>();
    for (const group of groups) this.look(group, asks);
    for (const [link, list] of asks)
      for (let at = 0; at < list.length; at += nodeProtocolLimits.entriesMax)
        this.ask(link, list.slice(at, at + nodeProtocolLimits.entriesMax));
  };

  /** Completes the group, or collects the replicas that have to be asked. */
  private look(group: Group, asks: Map<NodeLink, Ask[]>): void {
    if (group.waiters.length === 0) return;
    const route = this.namespace.table?.at(group.slot);
    if (route && route.chunkId !== group.chunkId) return this.regroup(group);
    const wanted = route?.readable.filter(({ role }) => group.ack === 'all' || role === 'primary') ?? [];
    const missing = wanted.filter(({ replicaId }) => !group.applied.has(replicaId));
    if (wanted.length > 0 && missing.length === 0) {
      for (const waiter of finish(group)) waiter.done();
      return;
    }
    if (this.context.clock.monotonicMs() >= group.deadlineAtMs) return this.expire(group, missing);
    let asked = false;
    for (const { replicaId, target } of missing) {
      if (group.asked.has(replicaId)) {
        asked = true;
        continue;
      }
      if (!target.link.usable) continue;
      asked = true;
      group.asked.add(replicaId);
      const list = asks.get(target.link);
      if (list) list.push({ group, replicaId });
      else asks.set(target.link, [{ group, replicaId }]);
    }
    if (!asked) this.later(group);
  }

  private ask(link: NodeLink, asks: readonly Ask[]): void {
    const entries = asks.map(({ group: { chunkId, partition, nextOffset } }) => ({ chunkId, partition, nextOffset }));
    const { attemptMs } = this.context.limits;
    const request = { tableVersion: this.namespace.table?.version ?? 0, deadlineMs: attemptMs / 2, entries };
    const command = awaitCommand({ namespace: this.namespace.name, ...request });
    link.acks.send(command, attemptMs, (failure, reply) => {
      const outcomes = failure ? undefined : outcomesOf(reply, sealOfCommand(command), link.acks);
      if (!outcomes) link.failures++;
      asks.forEach(({ group, replicaId }, i) => {
        group.asked.delete(replicaId);
        if (outcomes?.[i]?.kind === 'applied') {
          group.applied.add(replicaId);
          this.due.push(group);
          this.schedule();
        } else this.later(group);
      });
    });
  }

  private later(group: Group): void {
    this.again.push(group);
    if (this.retryArmed) return;
    this.retryArmed = true;
    this.context.timers.after(this.context.limits.retryMs, () => {
      this.retryArmed = false;
      this.due.push(...this.again.splice(0));
      this.schedule();
    });
  }

  /** The chunk was split, merged or replaced: every write looks for its own chunk again. */
  private regroup(group: Group): void {
    for (const waiter of finish(group)) {
      const leftMs = group.deadlineAtMs - this.context.clock.monotonicMs();
      if (leftMs <= 0) this.pend(waiter, []);
      else this.add(waiter, leftMs);
    }
  }

  private expire(group: Group, missing: readonly PortalReplica[]): void {
    for (const waiter of finish(group)) this.pend(waiter, missing);
  }

  private pend(waiter: AckWaiter, missing: readonly PortalReplica[]): void {
    this.counts.pending++;
    const where =
      missing.length === 0 ? 'there is no primary' : `not applied by ${missing.map((m) => m.nodeId).join(', ')}`;
    const position = `${waiter.partition}:${waiter.nextOffset}`;
    waiter.failed(new StoreFailure('LVPENDING', `${position} logged; ${where} yet`, { details: { position } }));
  }
}

/** Takes the waiters out: a group may be looked at again by answers still under way. */
function finish(group: Group): readonly AckWaiter[] {
  const { waiters } = group;
  group.waiters = [];
  return waiters;
}

function outcomesOf(reply: RespReply, seal: Seal, client: RespClient): readonly AwaitOutcome[] | undefined {
  if (!Buffer.isBuffer(reply)) return undefined;
  try {
    return parseAwaitReply(reply, seal).outcomes;
  } catch (error) {
    if (!(error instanceof FrameFailure)) throw error;
    client.renew(error.message);
    return undefined;
  }
}
