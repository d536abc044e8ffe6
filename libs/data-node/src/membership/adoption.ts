import type { ClusterView } from '@levee/journal';
import type { HostingParts } from '../hosting-parts';
import { assignmentsOf } from '../replica/assignment';
import type { RouteVersions } from '../service/serving-context';
import type { Registration } from './registration';

export interface AdoptionOptions {
  readonly nodeId: string;
  readonly storeId: string;
  readonly hosting: Pick<HostingParts, 'host' | 'orders' | 'moves' | 'reclaims' | 'format'>;
  readonly versions: RouteVersions;
  /** Once the node's doors are known. */
  readonly registration: () => Registration | undefined;
}

/** Makes the node be what decisions in force say: what it hosts, what it copies, what it clears. */
export class Adoption {
  /** Units may have to be cleared once the journal is whole. */
  private clearingWaits = false;

  constructor(
    private readonly view: ClusterView,
    private readonly options: AdoptionOptions,
  ) {}

  /** After every decision. */
  adopt(): void {
    const { nodeId, storeId, versions, hosting } = this.options;
    const { host, orders, moves, reclaims, format } = hosting;
    const registration = this.options.registration();
    versions.clear();
    registration?.check();
    host.adopt(registration?.deposed === true ? [] : assignmentsOf(this.view.state, nodeId, storeId));
    if (host.hostsBound) orders.start();
    moves.check();
    // [safety] What a journal that lost its end says may be older than what is on this disk: nothing is cleared by it.
    this.clearingWaits = this.view.short !== undefined;
    if (this.clearingWaits) return;
    reclaims.check();
    format.check();
  }

  /** Now and then: no decision says that the journal is whole again. */
  goOn(): void {
    if (this.clearingWaits && this.view.short === undefined) this.adopt();
  }
}
