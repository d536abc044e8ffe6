import { viewRoutes, type ClusterState, type RoutesView, type RouteView } from '@levee/cluster';
import { defined } from '@levee/kernel';
import type { RouteWatch } from './route-watch';
import { serverEvent } from './server-event';

export const feedKey = (namespace: string, number: number): string => `${namespace}#${number}`;

type Routes = Extract<RoutesView, { readonly change: 'metaChange' }>;

/**
 * What the watchers of one creation of a namespace are told. Events are made once and shared: all who know the same
 * version get the same bytes.
 */
export class RouteFeed {
  readonly watches = new Set<RouteWatch>();
  private current = 0;
  private routes: Routes | undefined;
  /** By the version known to the watcher. */
  private readonly events = new Map<number, Buffer>();

  constructor(
    readonly namespace: string,
    /** Which creation of the name. */
    readonly number: number,
    private readonly state: () => ClusterState,
  ) {
    this.look();
  }

  /** Highest seq of any route of the namespace or node in one, as of the last look; 0 = it has no routes yet. */
  get version(): number {
    return this.current;
  }

  /** One creation of a name, ever. */
  get key(): string {
    return feedKey(this.namespace, this.number);
  }

  /** False once this creation serves no more. */
  get exists(): boolean {
    const namespace = this.state().namespace(this.namespace);
    return namespace?.number === this.number && (namespace.state === 'active' || namespace.state === 'creating');
  }

  /** Takes over what was decided; tells whoever is not slow. */
  look(): void {
    const view = viewRoutes(this.state(), this.namespace, this.current);
    if (!('change' in view) || view.change === 'notChange') return;
    this.routes = view;
    this.current = view.version;
    this.events.clear();
    for (const watch of this.watches) watch.catchUp();
  }

  /**
   * What a watcher that knows `version` needs: the routes that changed since. A route that is gone needs no word, for
   * newer ones cover its slots (I9). `whole` when nothing is taken as known.
   */
  since(version: number): Buffer {
    let event = this.events.get(version);
    if (event === undefined) this.events.set(version, (event = this.eventSince(version)));
    return event;
  }

  private eventSince(version: number): Buffer {
    const { routes: all, ...rest } = defined(this.routes, `routes of ${this.namespace}`);
    const whole = version === 0;
    const routes = whole ? all : all.filter((route) => this.changedAt(route) > version);
    return serverEvent('metaChange', { ...rest, whole, routes }, this.current);
  }

  private changedAt({ version, replicas }: RouteView): number {
    const state = this.state();
    return replicas.reduce((highest, { nodeId }) => Math.max(highest, state.node(nodeId)?.seq ?? 0), version);
  }
}
