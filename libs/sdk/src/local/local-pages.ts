import { recordKind } from '@levee/chunk-store';
import { asOffset, assert, type Partition } from '@levee/kernel';
import { type Session, slotsTotal } from '@levee/keyspace';
import type { PageHow, RawPage } from '../client/reach';
import type { FollowedPartition } from './followed-partition';
import { localLimits } from './local-limits';
import { failureOf, type LocalReadsWorld, type Why } from './local-reads';
import type { LocalReplica } from './local-replica';
import { type HeldRecord, valueOf } from './held-partition';
import { KeyCursor, MergedKeys } from './ordered-keys';

/** Where a page is taken from: every partition of the namespace. */
interface Whole {
  readonly replica: LocalReplica;
  readonly session: Session | undefined;
  readonly clockMs: number;
}

type RawItem = RawPage['entries'][number];

const { pageMs, pageBytesMax, entryBytes, portalPageKeysMax } = localLimits;

/**
 * Pages of scans from a replica in this process. A page is what is held at one moment, by the rules by which a key is
 * answered, of all partitions at once; as it says up to which key it goes, the next one may come from a portal.
 */
export class LocalPages {
  constructor(private readonly of: LocalReadsWorld) {}

  /** A word is why a portal is asked. */
  async page(from: Buffer, to: Buffer, how: PageHow): Promise<RawPage | Why> {
    const { host, session } = this.of;
    const { world } = host;
    const beganAtMs = world.clock.monotonicMs();
    const first = this.whole(how);
    if (typeof first === 'string') return first;
    const waits = behind(first).map((part) =>
      session.untilApplied(part, first.session?.nextOffset(part.partition) ?? 0, how, beganAtMs),
    );
    if (waits.length > 0) await Promise.all(waits);
    // A scan of whoever does nothing between its pages must not hold up this process.
    await new Promise<void>((resolve) => setImmediate(resolve));
    // From here on nothing happens beside.
    const whole = this.whole(how);
    if (typeof whole === 'string') return whole;
    if (behind(whole).length > 0) return 'behind';
    if (!whole.replica.order.want()) return 'unordered';
    return this.gather(whole, from.toString('latin1'), to.toString('latin1'), how);
  }

  private whole({ consistency: wanted, signal, count }: PageHow): Whole | Why {
    const { namespace, steady, session: sessions } = this.of;
    if (signal?.aborted === true || !Number.isInteger(count) || count > portalPageKeysMax) return 'always';
    const { slotStart, slotEnd } = namespace.slots;
    if (slotStart > 0 || slotEnd < slotsTotal) return 'notHeld';
    const nowMs = steady.nowMs();
    const replica = namespace.confirmed(nowMs);
    if (replica === undefined) return namespace.replica === undefined ? 'noReplica' : 'stale';
    const { followed, parts } = replica;
    const consistency = wanted ?? namespace.facts.current?.consistency;
    if (consistency === 'strong') return 'always';
    const current = sessions.ofLog(followed);
    if (current === undefined || replica.isOff || parts.length < followed.partitions) return 'noReplica';
    const session = consistency === 'session' ? current : undefined;
    const clockMs = sessions.clockMs(session);
    for (let partition = 0; partition < followed.partitions; partition++) {
      const part = parts[partition];
      if (part?.isComplete(nowMs, namespace.stalenessMs) !== true) return 'stale';
      // Of those on disk nobody walks the keys here.
      if (part.memory === undefined) return 'unordered';
      if (namespace.facts.stopped.has(partition) || !part.holdsAt(clockMs)) return 'stale';
    }
    return { replica, session, clockMs };
  }

  private gather(
    { replica, session, clockMs }: Whole,
    from: string,
    to: string,
    { count, keysOnly }: PageHow,
  ): RawPage | Why {
    const { clock } = this.of.host.world;
    const endMs = clock.monotonicMs() + pageMs;
    const merged = new MergedKeys(replica.all.map((part) => new PartCursor(part, from)));
    const entries: RawItem[] = [];
    let next: string | undefined;
    let bytes = 0;
    let looked = 0;
    let hidden = false;
    for (let at = merged.first; at?.key !== undefined; at = merged.first) {
      const { key, part } = at;
      if (to !== '' && key >= to) break;
      const isFull = entries.length >= count || bytes >= pageBytesMax;
      if (isFull || ((++looked & lookedAtOnce) === 0 && clock.monotonicMs() >= endMs)) {
        next = key;
        break;
      }
      const record = part.replica.get(key, clockMs);
      if (record === undefined) hidden = true;
      else if (record.kind === recordKind.unknownSchema && !keysOnly) {
        // A cluster of a later version may know it.
        if (entries.length === 0) return 'always';
        next = key;
        break;
      } else {
        entries.push(this.itemOf(key, record, part.partition, keysOnly));
        bytes += key.length + entryBytes + (keysOnly ? 0 : record.raw.length);
      }
      merged.next();
    }
    this.seen(replica, session, clockMs, hidden);
    return { entries, next: next === undefined ? undefined : Buffer.from(next, 'latin1') };
  }

  private itemOf(keyText: string, record: HeldRecord, partition: Partition, keysOnly: boolean): RawItem {
    const { offset, expiresAtMs } = record;
    const error = failureOf(record, partition, this.of.host);
    const value = keysOnly || error !== undefined ? none : valueOf(record);
    return { key: Buffer.from(keyText, 'latin1'), value, position: `${partition}:${offset + 1}`, expiresAtMs, error };
  }

  /** What a page rests on, and so what is not in it. */
  private seen(replica: LocalReplica, session: Session | undefined, clockMs: number, hidden: boolean): void {
    if (session === undefined) return;
    const { memory } = this.of.portal.requests;
    session.observeClock(clockMs);
    for (const part of replica.all) memory.note(session, part.partition, asOffset(part.replica.nextOffset));
    if (hidden) memory.tellClock();
  }
}

/** Those that have not come to what this client has written or seen. */
const behind = ({ replica, session }: Whole): readonly FollowedPartition[] =>
  session === undefined
    ? []
    : replica.all.filter((part) => part.replica.nextOffset < session.nextOffset(part.partition));

class PartCursor extends KeyCursor {
  constructor(
    readonly part: FollowedPartition,
    from: string,
  ) {
    const order = part.memory?.order;
    assert(order?.isWhole === true, 'its keys are in order');
    super(order, from);
  }
}

const none = Buffer.alloc(0);
/** Between two looks at the clock; a power of two less one. */
const lookedAtOnce = 31;
