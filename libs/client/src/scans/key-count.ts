import type { Clock } from '@levee/kernel';
import { nodeCommands } from '@levee/wire';
import type { PortalReplica } from '../routes/namespace-routes';
import type { NamespaceStore } from '../routes/namespace-store';
import { StoreFailure } from '../store-errors';
import type { StoreLimits } from '../store-limits';
import type { Ranges } from './ranges';
import { slotScanPages } from './slot-scan';

/** The part of LV.STAT that is read here. */
interface NodeStat {
  readonly replicas?: readonly {
    readonly chunkId?: string;
    readonly liveKeys?: number;
    readonly expiringKeys?: number;
  }[];
}

export interface KeyCount {
  readonly keys: number;
  /** Of these, those that expire. */
  readonly expiring: number;
}

const statMs = 2_000;
const none: KeyCount = { keys: 0, expiring: 0 };
const sum = (a: KeyCount, b: KeyCount): KeyCount => ({ keys: a.keys + b.keys, expiring: a.expiring + b.expiring });

/**
 * How many keys a namespace has: up to `keysCountedMax` they are counted, as a session read would see them; of more,
 * the nodes tell what their last sweep counted. An answer is given again for `countKeptMs`.
 */
export class KeyCounts {
  private readonly kept = new WeakMap<NamespaceStore, { readonly atMs: number; readonly count: Promise<KeyCount> }>();

  constructor(
    private readonly ranges: Ranges,
    private readonly clock: Clock,
    private readonly limits: Pick<StoreLimits, 'keysCountedMax' | 'countKeptMs' | 'scanPageKeys'>,
  ) {}

  /** Fails with LVUNAVAILABLE, and LVSOURCE. */
  of(namespace: NamespaceStore): Promise<KeyCount> {
    if (namespace.distrust) return Promise.reject(namespace.distrust);
    const known = this.kept.get(namespace);
    const atMs = this.clock.monotonicMs();
    if (known && atMs - known.atMs < this.limits.countKeptMs) return known.count;
    const count = this.counted(namespace);
    this.kept.set(namespace, { atMs, count });
    count.catch(() => this.kept.delete(namespace));
    return count;
  }

  private async counted(namespace: NamespaceStore): Promise<KeyCount> {
    const { keysCountedMax, scanPageKeys: limit } = this.limits;
    const told = await toldCount(namespace);
    // Sweeps are some time ago: what they counted need not be small, nor large, any more.
    if (told.keys > 2 * keysCountedMax) return told;
    let count = none;
    const query = { limit, keysOnly: true, session: namespace.newSession() };
    try {
      for await (const items of slotScanPages(this.ranges, namespace, query)) {
        const expiring = items.filter(({ expiresAtMs }) => expiresAtMs !== null).length;
        count = sum(count, { keys: items.length, expiring });
        if (count.keys > keysCountedMax) return told.keys > count.keys ? told : count;
      }
      return count;
    } catch (error) {
      // The namespace has no requests left for it.
      if (error instanceof StoreFailure && error.code === 'LVLIMIT') return told;
      throw error;
    }
  }
}

/** As the replicas that serve it counted in their last sweep. */
async function toldCount(namespace: NamespaceStore): Promise<KeyCount> {
  const table = namespace.table;
  if (!table) throw new StoreFailure('LVUNAVAILABLE', namespace.problem ?? 'there are no routes yet');
  const wanted = new Map<string, PortalReplica>();
  for (const { chunkId, readable } of table.all) {
    const replica = readable.find(({ target }) => target.link.usable);
    if (!replica) throw new StoreFailure('LVUNAVAILABLE', `no replica of ${chunkId} can be reached`);
    wanted.set(chunkId, replica);
  }
  const links = [...new Set([...wanted.values()].map(({ target }) => target.link))];
  const counts = await Promise.all(
    links.map(async (link) => {
      const reply = await link.scans.request([nodeCommands.stat], statMs);
      const { replicas = [] } = JSON.parse(String(reply)) as NodeStat;
      return replicas
        .filter(({ chunkId }) => chunkId !== undefined && wanted.get(chunkId)?.target.link === link)
        .map(({ liveKeys, expiringKeys }): KeyCount => ({ keys: whole(liveKeys), expiring: whole(expiringKeys) }))
        .reduce(sum, none);
    }),
  );
  return counts.reduce(sum, none);
}

/** A text would be written to a client as it is. */
const whole = (told: unknown): number => (Number.isSafeInteger(told) && (told as number) >= 0 ? (told as number) : 0);
