import { isServingRole } from './assignment';
import type { HostedReplica } from './hosted-replica';

/** The replicas of one namespace on this node, by slot. */
export class NamespaceReplicas {
  private readonly starts: readonly number[];
  private readonly hosted: readonly HostedReplica[];

  constructor(replicas: readonly HostedReplica[]) {
    this.hosted = [...replicas].sort((a, b) => a.identity.slotStart - b.identity.slotStart);
    this.starts = this.hosted.map((each) => each.identity.slotStart);
  }

  get any(): HostedReplica | undefined {
    return this.hosted[0];
  }

  /**
   * The readable replica of a slot, of those that routes name rather than a retired one, else any; floor search, since
   * replicas of a split may overlap their parent.
   */
  at(slot: number): HostedReplica | undefined {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] as number) <= slot) low = middle + 1;
      else high = middle;
    }
    let found: HostedReplica | undefined;
    for (let i = low - 1; i >= 0; i--) {
      const each = this.hosted[i] as HostedReplica;
      if (slot >= each.identity.slotEnd) continue;
      if (each.readable && isServingRole(each.assignment.role)) return each;
      if (found === undefined || (each.readable && !found.readable)) found = each;
    }
    return found;
  }
}
