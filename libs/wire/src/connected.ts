import type { Clock } from '@levee/kernel';

/** As much of a connection as is needed here. */
interface Member {
  readonly closed: boolean;
}

export interface ConnectedOptions<T> {
  readonly connectionsMax: number;
  readonly connectionsOfAddressMax: number;
  readonly clock: Clock;
  /** Whether nobody knows who that is, where somebody asks. */
  isStranger(one: T): boolean;
  /** Hangs up on a stranger, so that another may come. */
  giveWay(one: T): void;
}

/**
 * Who is connected to a server, and who may come. Where there is no room, whoever has not said for longest who he is gives
 * way: connecting costs nothing, so strangers could otherwise keep out those who have something to say (as sshd's
 * MaxStartups drops those that have not logged in).
 */
export class Connected<T extends Member> {
  private readonly all = new Group<T>();
  private readonly addresses = new Map<string, Group<T>>();
  private readonly addressOf = new Map<T, string>();

  constructor(private readonly options: ConnectedOptions<T>) {}

  get size(): number {
    return this.all.members.size;
  }

  /** In the order in which they came. */
  get members(): ReadonlySet<T> {
    return this.all.members;
  }

  /** Why one of this address cannot be taken, in the words of Redis; `undefined`: there is room, or was made. */
  refusal(address: string): string | undefined {
    const { connectionsMax, connectionsOfAddressMax } = this.options;
    const own = this.addresses.get(address);
    if (own !== undefined && !this.hasRoom(own, connectionsOfAddressMax))
      return `max number of clients of one address reached (${connectionsOfAddressMax})`;
    if (!this.hasRoom(this.all, connectionsMax)) return `max number of clients reached (${connectionsMax})`;
    return undefined;
  }

  add(one: T, address: string): void {
    this.all.members.add(one);
    this.addressOf.set(one, address);
    const own = this.addresses.get(address) ?? new Group<T>();
    own.members.add(one);
    this.addresses.set(address, own);
  }

  /** It counts no longer among those of its address. */
  leaveAddress(one: T): void {
    const address = this.addressOf.get(one);
    if (address === undefined) return;
    this.addressOf.delete(one);
    const own = this.addresses.get(address);
    own?.members.delete(one);
    if (own?.members.size === 0) this.addresses.delete(address);
  }

  /** False: it had left before. */
  remove(one: T): boolean {
    this.leaveAddress(one);
    return this.all.members.delete(one);
  }

  private hasRoom(group: Group<T>, max: number): boolean {
    if (group.members.size < max) return true;
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs < group.noStrangerUntilMs) return false;
    for (const one of group.members) {
      if (one.closed || !this.options.isStranger(one)) continue;
      this.remove(one);
      this.options.giveWay(one);
      return true;
    }
    group.noStrangerUntilMs = nowMs + lookEveryMs;
    return false;
  }
}

class Group<T> {
  readonly members = new Set<T>();
  /** Looking through thousands for each that is refused would itself be a way to keep a server busy. */
  noStrangerUntilMs = 0;
}

const lookEveryMs = 100;
