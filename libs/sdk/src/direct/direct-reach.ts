import {
  CallbackRead,
  type Consistency,
  type Found,
  orderedScan,
  placeIn,
  type Ranges,
  type Reads,
  StoreFailure,
} from '@levee/client';
import { hashOf, partitionOf } from '@levee/keyspace';
import type { RangeItem } from '@levee/wire';
import type { DirectStatus, KeyPlace, NamespaceStatus } from '../api';
import { atOnceMax, inWindows } from '../client/in-windows';
import type { NearHost, PortalSide } from '../client/near';
import type { How, PageHow, RawEntry, RawPage, RawWatch, Reach, ReadHow, WatchWish, WriteHow } from '../client/reach';
import type { LeveeError } from '../errors';
import { ClientSession } from './client-session';
import { DirectGet, type GetEnds } from './direct-get';
import { directLimits } from './direct-limits';
import type { DirectNamespace } from './direct-namespace';
import type { DirectRoutesCache } from './direct-routes';
import { GetsInOrder } from './gets-in-order';

type Counts = { answered: number; throughPortals: { -readonly [K in keyof DirectStatus['throughPortals']]: number } };

export interface DirectEngine {
  readonly host: NearHost;
  readonly reads: Reads;
  readonly ranges: Ranges;
  readonly counts: Counts;
}

/** A key or a kind of read that is always for portals, or they are not known well enough at the moment. */
type WhyNotNear = 'always' | 'noRoutes';

interface Nearby {
  readonly namespace: DirectNamespace;
  readonly consistency: Consistency;
  readonly session: ClientSession | undefined;
}

const { patienceMs, pagePatienceMs, lookMs, pageBytesMax, heldBytesMax } = directLimits;

/** A namespace by way of its nodes, and of portals for what nodes may not decide, or cannot at the moment. */
export class DirectReach implements Reach, GetEnds {
  /** In the order of their calls: those that have all the patience there is, and those in a hurry. */
  private readonly patient = new GetsInOrder<DirectGet>();
  private readonly hurried = new GetsInOrder<DirectGet>();
  private looking = false;
  private learning = false;

  constructor(
    private readonly portal: PortalSide,
    private readonly routes: DirectRoutesCache,
    private readonly engine: DirectEngine,
  ) {}

  get(key: Buffer, how: ReadHow): Promise<RawEntry | undefined> {
    const near = this.near(how);
    return new Promise((resolve, reject) => this.begin({ key, how, near }, resolve, reject));
  }

  /** No promise per key. */
  getMany(keys: readonly Buffer[], how: ReadHow): Promise<(RawEntry | undefined)[]> {
    if (keys.length > atOnceMax) return inWindows(keys, (key) => this.get(key, how));
    const near = this.near(how);
    return new Promise((resolve, reject) => {
      const found = new Array<RawEntry | undefined>(keys.length);
      let left = keys.length;
      if (left === 0) resolve(found);
      keys.forEach((key, i) =>
        this.begin(
          { key, how, near },
          (entry) => {
            found[i] = entry;
            if (--left === 0) resolve(found);
          },
          reject,
        ),
      );
    });
  }

  private begin(
    { key, how, near }: { readonly key: Buffer; readonly how: ReadHow; readonly near: Nearby | WhyNotNear },
    resolve: (entry: RawEntry | undefined) => void,
    reject: (failure: LeveeError) => void,
  ): void {
    const { reach, requests } = this.portal;
    const turn = typeof near === 'string' || isForPortals(key) ? undefined : requests.beginBeside(key);
    if (typeof near === 'string' || !turn) {
      this.leftToPortals(near);
      return void reach.get(key, how).then(resolve, reject);
    }
    const { namespace, consistency, session } = near;
    const get = new DirectGet(key, consistency, session, how, turn, this, resolve, reject);
    placeIn(namespace.state, get);
    if (session) get.minOffset = session.nextOffset(get.partition);
    const leftMs = how.deadlineAtMs - turn.beganAtMs;
    (leftMs >= 2 * patienceMs ? this.patient : this.hurried).add(get);
    this.look();
    this.engine.reads.begin();
    this.engine.reads.enter(namespace, get);
  }

  async page(from: Buffer, to: Buffer, how: PageHow): Promise<RawPage> {
    const { reach, requests } = this.portal;
    const near = this.near(how);
    const turn = typeof near === 'string' ? undefined : requests.beginBeside(from);
    if (typeof near === 'string' || !turn) {
      this.leftToPortals(near);
      return reach.page(from, to, how);
    }
    let byNode = false;
    try {
      const page = await this.pageOfNodes(near, { from, to, how });
      byNode = page !== undefined;
      return page ?? (await reach.page(from, to, how, turn));
    } finally {
      requests.endBeside(turn, byNode ? { name: 'page' } : undefined);
    }
  }

  write(key: Buffer, value: Buffer | undefined, how: WriteHow): Promise<string> {
    return this.portal.reach.write(key, value, how);
  }

  where(key: Buffer, how: How): Promise<KeyPlace> {
    return this.portal.reach.where(key, how);
  }

  status(how: How): Promise<NamespaceStatus> {
    return this.portal.reach.status(how);
  }

  watch(wish: WatchWish): Promise<RawWatch> {
    return this.portal.reach.watch(wish);
  }

  session(): string | undefined {
    return this.portal.reach.session();
  }

  join(token: string, how: How): Promise<void> {
    return this.portal.reach.join(token, how);
  }

  finalFailure({ code, text }: StoreFailure): LeveeError | undefined {
    if (code === 'LVUNREADABLE' || code === 'LVLIMIT') return this.engine.host.failure(text);
    this.routes.outdated();
    return undefined;
  }

  askPortal(get: DirectGet): Promise<RawEntry | undefined> {
    const { throughPortals } = this.engine.counts;
    if (get.nodesFailed) throughPortals.refused++;
    else throughPortals.slow++;
    return this.portal.reach.get(get.key, get.how, get.turn);
  }

  foundNothing({ session }: DirectGet): void {
    if (session) this.portal.requests.memory.tellClock();
  }

  leftToNode(get: DirectGet): void {
    get.among?.delete(get);
    this.hurried.add(get);
    this.look();
  }

  askSlowNode(get: DirectGet, told: (result: Found | undefined | StoreFailure) => void): void {
    const near = this.near(get.how);
    if (typeof near === 'string') return told(new StoreFailure('LVUNAVAILABLE', 'no routes are known'));
    const { namespace, consistency, session } = near;
    const read = new CallbackRead(get.key, consistency, session, told);
    placeIn(namespace.state, read);
    read.minOffset = session?.nextOffset(read.partition) ?? get.minOffset;
    // Those that refused it would do so again.
    [read.tried, read.routeSeq, read.asksDoubted] = [get.tried, get.routeSeq, true];
    this.engine.reads.begin();
    this.engine.reads.enter(namespace, read);
  }

  over(get: DirectGet, byNode: boolean, failure?: LeveeError): void {
    get.among?.delete(get);
    if (byNode) this.engine.counts.answered++;
    // What a portal was asked for is told by its own operation.
    const told = get.asksPortal ? undefined : { name: 'get' as const, ...(failure && { failure }) };
    this.portal.requests.endBeside(get.turn, told);
  }

  /** How nodes are asked, or why a portal is. */
  private near({ consistency: wanted, signal }: ReadHow): Nearby | WhyNotNear {
    const namespace = this.routes.use();
    if (!namespace || signal?.aborted === true) return 'noRoutes';
    const { consistency: usual, partitions } = namespace.state;
    const consistency = wanted ?? usual;
    if (consistency === 'strong') return 'always';
    const { memory } = this.portal.requests;
    const session = memory.current;
    if (session?.scope.binlog === namespace.log && session.scope.partitions === partitions)
      return {
        namespace,
        consistency,
        session: consistency === 'session' ? new ClientSession(memory, session) : undefined,
      };
    // [safety] One of both is of an earlier creation of the namespace: positions of one say nothing in the other.
    this.learn();
    return 'noRoutes';
  }

  private leftToPortals(near: Nearby | WhyNotNear): void {
    this.engine.counts.throughPortals[typeof near === 'string' ? near : 'always']++;
  }

  private learn(): void {
    this.routes.outdated();
    if (this.learning) return;
    this.learning = true;
    const { timers, clock } = this.engine.host.world;
    const done = (): void => void timers.after(learnPauseMs, () => (this.learning = false));
    this.portal.reach.learnSession(clock.monotonicMs() + directLimits.routesWaitMs).then(done, done);
  }

  /** `undefined`: they have none in time. */
  private async pageOfNodes(
    { namespace, session }: Nearby,
    { from, to, how }: { from: Buffer; to: Buffer; how: PageHow },
  ): Promise<RawPage | undefined> {
    const { counts, ranges, host } = this.engine;
    const { clock, timers } = host.world;
    const { count: limit, keysOnly, signal, deadlineAtMs } = how;
    const items = orderedScan(ranges, namespace, { from, to, limit, keysOnly, session }, heldBytesMax);
    const leftMs = deadlineAtMs - clock.monotonicMs();
    let leave = (): void => undefined;
    const tooLong = new Promise<'slow'>((resolve) => {
      const giveUp = (): void => resolve('slow');
      const cancel = timers.after(Math.max(0, Math.min(pagePatienceMs, leftMs / 2)), giveUp);
      signal?.addEventListener('abort', giveUp, { once: true });
      leave = () => {
        cancel();
        signal?.removeEventListener('abort', giveUp);
      };
    });
    const gathered = this.gather(items, namespace, how).catch(() => 'refused' as const);
    const page = await Promise.race([gathered, tooLong]);
    leave();
    if (page !== 'slow' && page !== 'refused') {
      counts.answered++;
      if (session) this.portal.requests.memory.tellClock();
      return page;
    }
    counts.throughPortals[page]++;
    this.routes.outdated();
    if (page === 'slow') void items.return().catch(() => undefined);
    return undefined;
  }

  private async gather(
    items: AsyncGenerator<RangeItem, void, undefined>,
    namespace: DirectNamespace,
    { count }: PageHow,
  ): Promise<RawPage> {
    const { partitions, hashAlgorithm } = namespace.state;
    const entries = [];
    let bytes = 0;
    let ended = true;
    for await (const { key, value, offset, expiresAtMs, error } of items) {
      const position = `${partitionOf(hashOf(key, hashAlgorithm), partitions)}:${offset + 1}`;
      const failure = error === undefined ? undefined : this.engine.host.failure(error);
      entries.push({ key, value, position, expiresAtMs: expiresAtMs ?? 0, error: failure });
      bytes += key.length + value.length;
      ended = entries.length < count && bytes < pageBytesMax;
      if (!ended) break;
    }
    const last = entries.at(-1)?.key;
    return { entries, next: ended || !last ? undefined : Buffer.concat([last, Buffer.alloc(1)]) };
  }

  /** Reads that wait for long are asked of portals too. */
  private look(): void {
    if (this.looking) return;
    this.looking = true;
    const { timers, clock } = this.engine.host.world;
    timers.after(lookMs, () => {
      const nowMs = clock.monotonicMs();
      // Not in the timer itself: after a pause of this process, answers that have arrived meanwhile are read first.
      setImmediate(() => this.lookAt(nowMs));
    });
  }

  private lookAt(nowMs: number): void {
    this.looking = false;
    this.patient.lookWhile((get) => {
      if (nowMs - get.turn.beganAtMs < patienceMs) return false;
      // While it waits for its turn behind others of this process, a portal would only have as much to do again.
      if (get.legs > 0 || get.nodesFailed || isHalfOver(get, nowMs)) this.hurry(get, nowMs);
      return true;
    });
    this.hurried.lookWhile((get) => {
      if (isHalfOver(get, nowMs)) this.hurry(get, nowMs);
      return true;
    });
    if (!this.patient.isEmpty || !this.hurried.isEmpty) this.look();
  }

  private hurry(get: DirectGet, nowMs: number): void {
    const { budget, limits } = this.engine.host;
    // At its deadline a portal is asked for nothing: that is how it ends.
    const isLate = nowMs >= get.how.deadlineAtMs;
    if (get.portalFailed) {
      if (isLate) get.endAsPortalFailed();
      return;
    }
    // So that a slow cluster does not get twice as much to do; and portals that fail are asked again all the same.
    const asksMore = !get.asksPortal || get.nodesFailed;
    if (asksMore && !isLate && !budget.take(limits.retriesAtOnceMax / 2)) return;
    get.among?.delete(get);
    if (get.asksPortal && get.nodesFailed && !isLate) get.askSlowNode();
    else get.turnToPortal();
  }
}

const learnPauseMs = 100;

const isHalfOver = ({ how, turn: { beganAtMs } }: DirectGet, nowMs: number): boolean =>
  nowMs - beganAtMs >= (how.deadlineAtMs - beganAtMs) / 2;

/** Keys that are refused, or have no place of their own: portals know what to say. */
const isForPortals = (key: Buffer): boolean => key.length === 0 || key.length > keyBytesMax || key[0] === 0;
const keyBytesMax = 1_024;
