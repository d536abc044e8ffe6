import { SteadyClock } from '@levee/kernel';
import type { SlotRange } from '@levee/keyspace';
import type { Log } from '@levee/log';
import type { ClientStatus } from '../api';
import type { NearDistance, NearHost, PortalSide } from '../client/near';
import type { Reach } from '../client/reach';
import type { KeptPartitions } from './held-partition';
import { PortalClock } from '../direct/portal-clock';
import { LocalNamespace, type LocalWorld } from './local-namespace';
import { LocalReach } from './local-reach';
import type { LocalCounts } from './local-reads';
import { MemoryBudget } from './memory-budget';
import { SharedLog } from './shared-log';

export interface LocalPlan {
  /** What is kept here, by name of the namespace. */
  readonly namespaces: ReadonlyMap<string, SlotRange>;
  readonly memoryBytesMax: number;
  /** No answer is older. */
  readonly stalenessMs: number;
  /** How long a partition is left alone after its log lost something. */
  readonly cutMs: number;
  readonly digests: boolean;
  readonly openLog: () => Promise<Log>;
  /** Where replicas are kept beyond this process; in memory without it. */
  readonly kept?: KeptPartitions;
}

/** The namespaces of a client that are kept in this process; the others are read through portals. */
export class LocalDistance implements NearDistance {
  private readonly of: LocalWorld;
  private readonly kept = new Map<string, LocalNamespace>();
  private readonly counts: LocalCounts = {
    answered: 0,
    throughPortals: { always: 0, notHeld: 0, noReplica: 0, stale: 0, behind: 0, unordered: 0 },
  };

  constructor(
    private readonly host: NearHost,
    private readonly plan: LocalPlan,
  ) {
    const { world } = host;
    const { memoryBytesMax, stalenessMs, cutMs, digests, openLog, kept } = plan;
    this.of = {
      world,
      stalenessMs,
      cutMs,
      digests,
      kept,
      clock: new PortalClock(world.clock),
      steady: new SteadyClock(world.clock),
      budget: new MemoryBudget(memoryBytesMax),
      log: new SharedLog(openLog, world.timers),
    };
  }

  reach(side: PortalSide): Reach {
    const { namespace: name } = side.requests;
    const slots = this.plan.namespaces.get(name);
    if (slots === undefined) return side.reach;
    let kept = this.kept.get(name);
    if (kept === undefined) this.kept.set(name, (kept = new LocalNamespace(name, slots, side, this.of)));
    return new LocalReach(side, kept, { ...this.of, host: this.host, counts: this.counts });
  }

  status(): Pick<ClientStatus, 'local'> {
    const { counts, of, kept } = this;
    const nowMs = of.steady.nowMs();
    const { usedBytes: memoryBytes, bytesMax: memoryBytesMax } = of.budget;
    const namespaces = [...kept.values()].map((one) => one.status(nowMs));
    const { answered, throughPortals } = counts;
    const problem = of.log.problem;
    return {
      local: { answered, throughPortals: { ...throughPortals }, memoryBytes, memoryBytesMax, problem, namespaces },
    };
  }

  async close(): Promise<void> {
    for (const one of this.kept.values()) one.close();
    // What is handed to them from now on nobody waits for.
    await this.of.kept?.close();
    await this.of.log.close();
  }
}
