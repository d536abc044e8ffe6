import type { Consistency } from '@levee/client';
import { recordKind } from '@levee/chunk-store';
import { asOffset, type Partition } from '@levee/kernel';
import { hashOf, hasPlace, partitionOf, type Session, slotOf } from '@levee/keyspace';
import type { KeyPlace, NamespaceStatus } from '../api';
import type { PortalSide } from '../client/near';
import { inWindows } from '../client/in-windows';
import {
  later,
  type How,
  type PageHow,
  type RawEntry,
  type RawPage,
  type RawWatch,
  type Reach,
  type ReadHow,
  type WatchWish,
  type WriteHow,
} from '../client/reach';
import type { LeveeError } from '../errors';
import type { BesideTurn } from '../portal/operation';
import type { FollowedPartition } from './followed-partition';
import type { LocalNamespace } from './local-namespace';
import { LocalPages } from './local-pages';
import { failureOf, type LocalReadsWorld, type Why } from './local-reads';
import { LocalSession } from './local-session';
import { type HeldRecord, valueOf } from './held-partition';

/** Where a key is answered here. */
interface Place {
  readonly part: FollowedPartition;
  readonly partition: Partition;
  /** What is seen is kept there; `undefined`: the read does not say. */
  readonly session: Session | undefined;
  /** By which expiry is judged. */
  readonly clockMs: number;
}

/** A namespace by way of a replica in this process, and of portals for what that may not answer. */
export class LocalReach implements Reach {
  private readonly ours: LocalSession;
  private readonly pages: LocalPages;

  constructor(
    private readonly portal: PortalSide,
    private readonly namespace: LocalNamespace,
    private readonly of: Omit<LocalReadsWorld, 'portal' | 'namespace' | 'session'>,
  ) {
    this.ours = new LocalSession(portal, of);
    this.pages = new LocalPages({ ...of, portal, namespace, session: this.ours });
  }

  getNow(key: Buffer, how: ReadHow): RawEntry | undefined | typeof later {
    const keyText = how.keyText ?? key.toString('latin1');
    const place = this.place(key, keyText, how.consistency, how.signal);
    if (typeof place === 'string' || !this.hasSeen(place)) return later;
    const seen = this.look(keyText, place);
    if (seen === elsewhere) return later;
    if (seen instanceof HeldFailure) throw seen.failure;
    return seen;
  }

  get(key: Buffer, how: ReadHow): Promise<RawEntry | undefined> {
    const keyText = how.keyText ?? key.toString('latin1');
    const place = this.place(key, keyText, how.consistency, how.signal);
    if (typeof place === 'string') return this.byPortal(place, key, how);
    if (!this.hasSeen(place)) return this.afterOwnWrite(key, keyText, how, place);
    return this.answer(keyText, place) ?? this.byPortal('always', key, how);
  }

  async getMany(keys: readonly Buffer[], how: ReadHow): Promise<(RawEntry | undefined)[]> {
    const found = new Array<RawEntry | undefined>(keys.length);
    const others: number[] = [];
    for (const [i, key] of keys.entries()) {
      const keyText = key.toString('latin1');
      const place = this.place(key, keyText, how.consistency, how.signal);
      const seen = typeof place !== 'string' && this.hasSeen(place) ? this.look(keyText, place) : elsewhere;
      if (seen === elsewhere) others.push(i);
      else if (seen instanceof HeldFailure) throw seen.failure;
      else found[i] = seen;
    }
    await inWindows(others, async (i) => {
      found[i] = await this.get(keys[i] as Buffer, how);
    });
    return found;
  }

  page(from: Buffer, to: Buffer, how: PageHow): Promise<RawPage> {
    const turn = this.portal.requests.beginBeside(from);
    if (turn === undefined) return this.pageByPortal('always', from, to, how);
    return this.pageBeside(turn, from, to, how);
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

  /** A word is why a portal is asked. */
  private place(
    key: Buffer,
    keyText: string,
    wanted: Consistency | undefined,
    signal: AbortSignal | undefined,
  ): Place | Why {
    const { namespace } = this;
    const { requests } = this.portal;
    if (key.length === 0 || key.length > keyBytesMax || key[0] === 0 || signal?.aborted === true) return 'always';
    const nowMs = this.of.steady.nowMs();
    const replica = namespace.confirmed(nowMs);
    if (replica === undefined) return namespace.replica === undefined ? 'noReplica' : 'stale';
    const { partitions, hashAlgorithm } = replica.followed;
    const consistency = wanted ?? namespace.facts.current?.consistency;
    if (consistency === 'strong' || !hasPlace(key, hashAlgorithm) || !requests.mayAnswer(keyText)) return 'always';
    const current = this.ours.ofLog(replica.followed);
    if (current === undefined) return 'noReplica';
    const hash = hashOf(key, hashAlgorithm);
    const slot = slotOf(hash, partitions);
    const { slotStart, slotEnd } = namespace.slots;
    if (slot < slotStart || slot >= slotEnd) return 'notHeld';
    const partition = partitionOf(hash, partitions);
    const part = replica.parts[partition];
    if (part?.isComplete(nowMs, namespace.stalenessMs) !== true || namespace.facts.stopped.has(partition))
      return part === undefined || replica.isOff ? 'noReplica' : 'stale';
    const session = consistency === 'session' ? current : undefined;
    const clockMs = this.ours.clockMs(session);
    return part.holdsAt(clockMs) ? { part, partition, session, clockMs } : 'stale';
  }

  private byPortal(why: Why, key: Buffer, how: ReadHow, turn?: BesideTurn): Promise<RawEntry | undefined> {
    this.of.counts.throughPortals[why]++;
    return this.portal.reach.get(key, how, turn);
  }

  private async pageBeside(turn: BesideTurn, from: Buffer, to: Buffer, how: PageHow): Promise<RawPage> {
    const { requests } = this.portal;
    let isHere = false;
    try {
      const page = await this.pages.page(from, to, how);
      if (typeof page === 'string') return await this.pageByPortal(page, from, to, how, turn);
      isHere = true;
      this.of.counts.answered++;
      return page;
    } finally {
      requests.endBeside(turn, isHere ? { name: 'page', by: 'replica' } : undefined);
    }
  }

  private pageByPortal(why: Why, from: Buffer, to: Buffer, how: PageHow, turn?: BesideTurn): Promise<RawPage> {
    this.of.counts.throughPortals[why]++;
    return this.portal.reach.page(from, to, how, turn);
  }

  /** `undefined`: a portal must be asked. */
  private answer(keyText: string, place: Place): Promise<RawEntry | undefined> | undefined {
    const seen = this.look(keyText, place);
    if (seen === elsewhere) return undefined;
    return seen instanceof HeldFailure ? Promise.reject(seen.failure) : Promise.resolve(seen);
  }

  private look(
    keyText: string,
    { part, partition, session, clockMs }: Place,
  ): RawEntry | undefined | HeldFailure | typeof elsewhere {
    const { requests } = this.portal;
    const { host, counts } = this.of;
    const { replica } = part;
    const beganAtMs = requests.isMeasured ? host.world.clock.monotonicMs() : 0;
    let found: HeldRecord | undefined;
    try {
      found = replica.get(keyText, clockMs);
    } catch (error) {
      part.failed(error);
      return elsewhere;
    }
    if (session !== undefined) {
      session.observeClock(clockMs);
      requests.memory.note(session, partition, asOffset(replica.seenAt(found)));
      if (found === undefined && replica.mayHide(keyText)) requests.memory.tellClock();
    }
    // A cluster of a later version may know it.
    if (found?.kind === recordKind.unknownSchema) return elsewhere;
    counts.answered++;
    const failure = found && failureOf(found, partition, host);
    if (requests.isMeasured) requests.tell({ name: 'get', by: 'replica', ...(failure && { failure }) }, beganAtMs);
    return failure ? new HeldFailure(failure) : found && new HeldEntry(found, partition);
  }

  /** Waits a moment for the position that this client has written or seen; then a portal is asked. */
  private async afterOwnWrite(
    key: Buffer,
    keyText: string,
    how: ReadHow,
    { part, partition, session }: Place,
  ): Promise<RawEntry | undefined> {
    const { requests } = this.portal;
    const turn = requests.beginBeside(key);
    if (turn === undefined) return this.byPortal('always', key, how);
    try {
      await this.ours.untilApplied(part, session?.nextOffset(partition) ?? 0, how, turn.beganAtMs);
      const place = this.place(key, keyText, how.consistency, how.signal);
      const isThere = typeof place !== 'string' && this.hasSeen(place);
      const answer = isThere ? this.answer(keyText, place) : undefined;
      return await (answer ??
        this.byPortal(typeof place === 'string' ? place : isThere ? 'always' : 'behind', key, how, turn));
    } finally {
      requests.endBeside(turn, undefined);
    }
  }

  private hasSeen({ part, partition, session }: Place): boolean {
    return session === undefined || part.replica.nextOffset >= session.nextOffset(partition);
  }
}

/** Longer ones are refused, and portals know the words. */
const keyBytesMax = 1_024;

/** The key cannot be answered here. */
const elsewhere = Symbol('elsewhere');

/** What is held of the key is an error: of a class that this bundle does not know. */
class HeldFailure {
  constructor(readonly failure: LeveeError) {}
}

/** Its position is made when somebody asks for it. */
class HeldEntry implements RawEntry {
  readonly value: Buffer;
  readonly expiresAtMs: number;
  private readonly offset: number;

  constructor(
    record: HeldRecord,
    private readonly partition: number,
  ) {
    this.value = valueOf(record);
    this.expiresAtMs = record.expiresAtMs;
    this.offset = record.offset;
  }

  get position(): string {
    return `${this.partition}:${this.offset + 1}`;
  }
}
