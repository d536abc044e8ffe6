import { NodeLinks, type PositionLook, Ranges, type ReadContext, Reads } from '@levee/client';
import { silentLogger, SteadyClock } from '@levee/kernel';
import type { ClientStatus, NodeStatus } from '../api';
import type { NearDistance, NearHost, PortalSide } from '../client/near';
import type { Reach } from '../client/reach';
import { checkDirectLimits, directStoreLimits } from './direct-limits';
import { type DirectEngine, DirectReach } from './direct-reach';
import { DirectRoutesCache } from './direct-routes';
import { PortalClock } from './portal-clock';

/** Whether a log has lost a position only a fence can say, which portals write. */
const leftToPortals: PositionLook = { look: (_namespace, _asked, failure, told) => told(failure) };

/** To a portal a user may name a namespace too, as `ann@shop`; nodes know names alone. */
const nameAlone = (user: string): string => user.split('@', 1)[0] as string;

/** All nodes of a client, and its namespaces as they are read there. */
export class DirectDistance implements NearDistance {
  private readonly links: NodeLinks;
  private readonly clock: PortalClock;
  private readonly steady: SteadyClock;
  private readonly engine: DirectEngine;
  private readonly routes = new Map<string, DirectRoutesCache>();

  constructor(private readonly host: NearHost) {
    checkDirectLimits();
    const { world, network } = host;
    const credentials = host.credentials && ([nameAlone(host.credentials[0]), host.credentials[1]] as const);
    const { clock, timers, random } = world;
    const logger = silentLogger;
    this.clock = new PortalClock(clock);
    this.steady = new SteadyClock(clock);
    this.links = new NodeLinks({ logger, clock, timers, random, network, credentials });
    const context: ReadContext = {
      clock,
      timers,
      random,
      logger,
      limits: directStoreLimits,
      expiryNowMs: () => this.clock.nowMs(),
      isPatient: false,
    };
    this.engine = {
      host,
      reads: new Reads(context, leftToPortals),
      ranges: new Ranges(context, leftToPortals),
      counts: { answered: 0, throughPortals: { always: 0, noRoutes: 0, refused: 0, slow: 0 } },
    };
  }

  reach(side: PortalSide): Reach {
    const { namespace } = side.requests;
    let routes = this.routes.get(namespace);
    if (!routes) {
      const { links, clock, steady } = this;
      const of = { links, clock, steady, world: this.host.world, changed: () => this.retain() };
      this.routes.set(namespace, (routes = new DirectRoutesCache(namespace, side.reach, of)));
    }
    return new DirectReach(side, routes, this.engine);
  }

  status(): Pick<ClientStatus, 'direct'> {
    const { answered, throughPortals } = this.engine.counts;
    const { clock } = this.host.world;
    const nodes = [...this.links.all()].map((link): NodeStatus => ({
      node: link.address.nodeId,
      address: link.address.respAddress,
      isAsked: link.usable && !link.isDoubted(clock),
      outstanding:
        link.reads.outstanding + link.waitingReads.outstanding + link.largeReads.outstanding + link.scans.outstanding,
    }));
    const namespaces = [...this.routes].map(([name, { versionKnown: version, problem }]) => ({
      name,
      version,
      problem,
    }));
    const hedges = this.engine.reads.stats()['hedgesSent'] ?? 0;
    return { direct: { answered, throughPortals: { ...throughPortals }, hedges, nodes, namespaces } };
  }

  close(): void {
    for (const routes of this.routes.values()) routes.close();
    this.engine.reads.close();
    this.links.close();
  }

  /** Nodes that hold nothing of any namespace here are hung up on. */
  private retain(): void {
    const named = new Set<string>();
    for (const { current } of this.routes.values()) for (const { nodeId } of current?.nodes ?? []) named.add(nodeId);
    this.links.retain((nodeId) => named.has(nodeId));
  }
}
