import type { Partition } from '@levee/kernel';
import {
  awaitCommand,
  type AwaitEntry,
  type AwaitOutcome,
  FrameFailure,
  nodeProtocolLimits,
  parseAwaitReply,
  type RespClient,
  type RespReply,
  type Seal,
  sealOfCommand,
} from '@levee/wire';
import type { EngineContext } from '../engine-context';
import type { PortalReplica } from '../routes/namespace-routes';
import type { NamespaceStore } from '../routes/namespace-store';
import type { NodeLink } from '../routes/node-link';
import { StoreFailure } from '../store-errors';
import { type AckWaiter, pending } from './ack-waiter';

/**
 * Writes of one chunk, partition and ack, logged in one tick; or those who wait for one position that they named. Each
 * waiter keeps its own position and deadline: what is asked for the others decides nothing of it.
 */
interface Group {
  readonly chunkId: string;
  readonly partition: Partition;
  readonly ack: 'primary' | 'all';
  readonly slot: number;
  /** Not known to be in the log: it may wait for long, so its requests stand in the way of no write. */
  readonly named: boolean;
  /** The highest of its waiters, which is what replicas are asked for. */
  nextOffset: number;
  /** The earliest of its waiters. */
  deadlineAtMs: number;
  waiters: AckWaiter[];
  /** How far replicas have said that they are. */
  readonly reached: Map<string, number>;
  readonly asked: Set<string>;
}

interface Ask {
  readonly group: Group;
  readonly replicaId: string;
}

/** By the connection that they are asked on. */
type Asks = Map<RespClient, { readonly link: NodeLink; readonly list: Ask[] }>;

/**
 * Waits until logged writes are applied: by the primary, or by every primary and follower of the route in force.
 * One LV.AWAIT per node and tick. Every answer makes the group look at the current route again, so that a replica is
 * left out only when a decision has taken it out. A node answers an LV.AWAIT as a whole and those of one connection in
 * order, so what may wait there for long (a replica that lags, a position that somebody named) has a connection of
 * its own, and no node is asked to wait for longer than `positionWaitMs`.
 */
export class AckWaits {
  private opening = new Map<string, Group>();
  private due: Group[] = [];
  private scheduled = false;
  private again = new Set<Group>();
  private retryArmed = false;
  private readonly groups = new Set<Group>();
  private sweepArmed = false;
  /** Replicas that were behind when they were asked last, with the partition. */
  private readonly lagging = new Set<string>();
  private named = 0;

  constructor(
    private readonly context: EngineContext,
    private readonly namespace: NamespaceStore,
  ) {}

  /** Waits for positions that somebody named, under way. */
  get positionWaits(): number {
    return this.named;
  }

  /** A write that is in the log: its ack comes within `ackMs`, and within the write's own deadline. */
  add(append: AckWaiter & { readonly deadlineAtMs: number }): void {
    if (append.ack === 'logged') return append.done();
    this.context.counts.waits++;
    const nowMs = this.context.clock.monotonicMs();
    append.ackSinceMs = nowMs;
    append.ackDeadlineAtMs = Math.min(append.deadlineAtMs, nowMs + this.context.limits.ackMs);
    this.place(append, false);
  }

  /**
   * Positions that somebody named and that the log may not even have: all of them, or the reason why none is waited
   * for.
   */
  addNamed(waiters: readonly AckWaiter[], waitMs: number): StoreFailure | undefined {
    const { positionWaitsMax } = this.context.limits;
    if (this.named + waiters.length > positionWaitsMax)
      return new StoreFailure(
        'LVLIMIT',
        `${this.named} waits for positions are under way (one for each chunk of a partition), at most ` +
          `${positionWaitsMax}: wait for fewer at a time, or shorter`,
      );
    this.named += waiters.length;
    this.context.counts.waits += waiters.length;
    const deadlineAtMs = this.context.clock.monotonicMs() + waitMs;
    for (const waiter of waiters) {
      waiter.ackDeadlineAtMs = deadlineAtMs;
      this.place(waiter, true);
    }
    return undefined;
  }

  /** Into the group of its chunk as the route says now. */
  private place(waiter: AckWaiter, named: boolean): void {
    const { slot, partition, nextOffset, ackDeadlineAtMs: deadlineAtMs } = waiter;
    const ack = waiter.ack === 'all' ? 'all' : 'primary';
    const chunkId = this.namespace.table?.at(slot).chunkId ?? '';
    const key = `${ack}|${partition}|${chunkId}|${named ? nextOffset : ''}`;
    let group = this.opening.get(key);
    if (group === undefined) {
      group = {
        chunkId,
        partition,
        ack,
        slot,
        named,
        nextOffset,
        deadlineAtMs,
        waiters: [],
        reached: new Map(),
        asked: new Set(),
      };
      this.opening.set(key, group);
      this.groups.add(group);
      this.due.push(group);
      this.schedule();
      this.sweepLater();
    }
    group.waiters.push(waiter);
    group.nextOffset = Math.max(group.nextOffset, nextOffset);
    group.deadlineAtMs = Math.min(group.deadlineAtMs, deadlineAtMs);
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
    const asks: Asks = new Map();
    for (const group of groups) this.look(group, asks);
    for (const [client, { link, list }] of asks)
      for (let at = 0; at < list.length; at += nodeProtocolLimits.entriesMax)
        this.ask(link, client, list.slice(at, at + nodeProtocolLimits.entriesMax));
  };

  /** Completes those of the group that have what they wait for, and collects the replicas that have to be asked. */
  private look(group: Group, asks: Asks): void {
    if (group.waiters.length === 0) return;
    const route = this.namespace.table?.at(group.slot);
    if (route && route.chunkId !== group.chunkId) return this.regroup(group);
    const wanted = route?.readable.filter(({ role }) => group.ack === 'all' || role === 'primary') ?? [];
    this.settle(group, wanted);
    if (group.waiters.length === 0) return void this.groups.delete(group);
    let asked = false;
    for (const { replicaId, target } of wanted) {
      if ((group.reached.get(replicaId) ?? 0) >= group.nextOffset) continue;
      if (group.asked.has(replicaId)) {
        asked = true;
        continue;
      }
      const { link } = target;
      if (!link.usable) continue;
      asked = true;
      group.asked.add(replicaId);
      const client = group.named || this.lagging.has(lagKey(replicaId, group)) ? link.longAcks : link.acks;
      const known = asks.get(client);
      if (known) known.list.push({ group, replicaId });
      else asks.set(client, { link, list: [{ group, replicaId }] });
    }
    if (!asked) this.later(group);
  }

  /** Every waiter by its own position and deadline. */
  private settle(group: Group, wanted: readonly PortalReplica[]): void {
    let reached = wanted.length === 0 ? 0 : Infinity;
    for (const { replicaId } of wanted) reached = Math.min(reached, group.reached.get(replicaId) ?? 0);
    const now = this.namespace.gone ? Infinity : this.context.clock.monotonicMs();
    if (reached === 0 && group.nextOffset > 0 && now < group.deadlineAtMs && !group.named) return;
    const { waiters } = group;
    const left: AckWaiter[] = (group.waiters = []);
    group.nextOffset = 0;
    group.deadlineAtMs = Infinity;
    for (const waiter of waiters) {
      if (waiter.nextOffset > reached && waiter.ackDeadlineAtMs > now && waiter.abandoned?.() !== true) {
        left.push(waiter);
        group.nextOffset = Math.max(group.nextOffset, waiter.nextOffset);
        group.deadlineAtMs = Math.min(group.deadlineAtMs, waiter.ackDeadlineAtMs);
        continue;
      }
      if (group.named) this.named--;
      const isApplied = waiter.nextOffset <= reached;
      if (waiter.ackSinceMs) this.context.times.ack.over(waiter.ackSinceMs, isApplied ? undefined : 'LVPENDING');
      if (isApplied) waiter.done();
      else {
        this.context.counts.pending++;
        const missing = wanted.filter(({ replicaId }) => (group.reached.get(replicaId) ?? 0) < waiter.nextOffset);
        waiter.failed(pending(waiter, { missing, named: group.named, gone: this.namespace.gone }));
      }
    }
  }

  private ask(link: NodeLink, client: RespClient, asks: readonly Ask[]): void {
    const entries = asks.map(({ group: { chunkId, partition, nextOffset } }) => ({ chunkId, partition, nextOffset }));
    const { attemptMs, positionWaitMs } = this.context.limits;
    const request = { tableVersion: this.namespace.table?.version ?? 0, deadlineMs: positionWaitMs, entries };
    const command = awaitCommand({ namespace: this.namespace.name, ...request });
    client.send(command, attemptMs, (failure, reply) => {
      if (failure && failure.code !== 'LIMIT') link.failed();
      const outcomes = failure ? undefined : outcomesOf(reply, sealOfCommand(command), link, client);
      asks.forEach(({ group, replicaId }, i) => {
        const { nextOffset } = entries[i] as AwaitEntry;
        group.asked.delete(replicaId);
        const outcome = outcomes?.[i];
        if (!group.named) this.noteLag(lagKey(replicaId, group), outcome?.kind);
        const reached = outcome?.kind === 'applied' ? nextOffset : outcome?.kind === 'behind' ? outcome.nextOffset : 0;
        if (reached > (group.reached.get(replicaId) ?? 0)) {
          group.reached.set(replicaId, reached);
          if (group.waiters.some((waiter) => waiter.nextOffset <= reached)) this.due.push(group);
          else this.later(group);
        } else this.later(group);
      });
      if (this.due.length > 0) this.schedule();
    });
  }

  private noteLag(key: string, kind: AwaitOutcome['kind'] | undefined): void {
    if (kind === 'applied') this.lagging.delete(key);
    if (kind !== 'behind') return;
    // Of replicas that are no more, too: forgetting one costs a wait on the common connection.
    if (this.lagging.size >= laggingMax) this.lagging.clear();
    this.lagging.add(key);
  }

  private later(group: Group): void {
    this.again.add(group);
    if (this.retryArmed) return;
    this.retryArmed = true;
    this.context.timers.after(this.context.limits.retryMs, () => {
      this.retryArmed = false;
      for (const again of this.again) this.due.push(again);
      this.again.clear();
      this.schedule();
    });
  }

  /** The chunk was split, merged or replaced: every write looks for its own chunk again. */
  private regroup(group: Group): void {
    this.groups.delete(group);
    for (const waiter of group.waiters.splice(0)) this.place(waiter, group.named);
  }

  /** A deadline holds whether a node answers or not. */
  private sweepLater(): void {
    if (this.sweepArmed) return;
    this.sweepArmed = true;
    this.context.timers.after(sweepMs, () => {
      this.sweepArmed = false;
      const now = this.context.clock.monotonicMs();
      for (const group of this.groups) if (group.deadlineAtMs <= now) this.due.push(group);
      if (this.due.length > 0) this.schedule();
      if (this.groups.size > 0) this.sweepLater();
    });
  }
}

const sweepMs = 20;
const laggingMax = 10_000;

const lagKey = (replicaId: string, { partition }: Group): string => `${replicaId}|${partition}`;

function outcomesOf(
  reply: RespReply,
  seal: Seal,
  link: NodeLink,
  client: RespClient,
): readonly AwaitOutcome[] | undefined {
  if (!Buffer.isBuffer(reply)) return undefined;
  try {
    return parseAwaitReply(reply, seal).outcomes;
  } catch (error) {
    if (!(error instanceof FrameFailure)) throw error;
    link.failed();
    client.renew(error.message);
    return undefined;
  }
}
