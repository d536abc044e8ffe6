import type { Principal } from '@levee/auth';
import { type Ack, AppendLine, type Consistency, type NamespaceStore, ReadLine, type Store } from '@levee/client';
import type { Session } from '@levee/keyspace';
import type { ChangeFeed } from '../changes/change-feed';
import { CommandOrder } from './command-order';

/** Who is to take what is read. */
export interface ReplyReader {
  readonly closed: boolean;
  readonly untakenBytes: number;
}

/** What a connection did in one namespace. */
interface Place {
  readonly namespace: NamespaceStore;
  readonly session: Session;
  readonly order: CommandOrder;
}

/** What MULTI began: its connection keeps the commands that follow, until EXEC or DISCARD. */
export interface OpenMulti {
  /** Why EXEC carries out none of them. */
  problem: string | undefined;
}

/** Namespaces in which a connection's session is remembered while it is in another one. */
const placesMax = 16;

/** What one RESP connection has chosen, written and seen. */
export class DoorSession {
  /** Set by LV.ACK; else the namespace's default. */
  ack: Ack | undefined;
  /** Set by LV.CONSISTENCY; else the namespace's default. */
  consistency: Consistency | undefined;
  user: string;
  private chosen: string;
  /** The namespace is meant in one creation, the number of which is known once it was used. */
  private pin: { number: number | undefined } | undefined;
  /** Who it is; `undefined` = nobody yet, or nobody any more. */
  principal: Principal | undefined;
  /** Since when it has been nobody. */
  private nobodySinceMs: number;
  multi: OpenMulti | undefined;
  /** It watches keys. */
  changes: ChangeFeed | undefined;
  private refusal: { readonly command: string; readonly problem: string } | undefined;
  libraryName = '';
  libraryVersion = '';
  /** It asked to be told before the door closes. */
  isToldOfEnd = false;
  /** Name of the command that it sent last. */
  lastCommand = '';
  readonly connectedAtMs: number;
  private readonly lines: { readonly reads: ReadLine; readonly writes: AppendLine };
  private known: Place | undefined;
  /** By name, the one used longest ago first: who comes back still sees what it wrote (I4). */
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly store: Store,
    private readonly first: string,
    private readonly of: {
      readonly nowMs: number;
      readonly reader: ReplyReader;
      /** Who it is before it says so: everybody at a door that asks nobody, or what a certificate proves. */
      readonly stranger?: Principal | undefined;
      readonly user?: string | undefined;
    },
  ) {
    const { nowMs, reader } = of;
    this.principal = of.stranger;
    this.user = of.user ?? 'default';
    this.chosen = first;
    const reads = new ReadLine(
      store.limits,
      () => reader.closed,
      () => reader.untakenBytes > store.limits.readWindowBytes,
    );
    this.lines = { reads, writes: new AppendLine() };
    this.connectedAtMs = nowMs;
    this.nobodySinceMs = nowMs;
  }

  /** Since when nobody knows who it is, by the monotonic clock; `undefined` = it is somebody. */
  get strangerSinceMs(): number | undefined {
    return this.principal === undefined ? this.nobodySinceMs : undefined;
  }

  /** It is nobody, from now on. */
  becomeNobody(nowMs: number): void {
    this.principal = undefined;
    this.nobodySinceMs = nowMs;
  }

  /** Empty while the connection has none. */
  get namespaceName(): string {
    return this.refusal ? '' : this.chosen;
  }

  /** `pinned`: in the creation that it finds first, and in no later one. */
  use(namespaceName: string, pinned = false): void {
    this.chosen = namespaceName;
    this.pin = pinned ? { number: undefined } : undefined;
    this.refusal = undefined;
  }

  /** Why nothing is done in the namespace that it has: this is not the creation that was meant. */
  anotherCreation({ state: { name, number } }: NamespaceStore): string | undefined {
    const { pin } = this;
    if (!pin || pin.number === number) return undefined;
    if (pin.number !== undefined)
      return `LVANEW ${name} was created anew or rewound since this connection chose it: LV.USE ${name} takes what it is now`;
    pin.number = number;
    return undefined;
  }

  /** Whoever was refused a namespace must not go on in another one: it has none until it is given one. */
  refuse(command: string, problem: string): void {
    // SELECT 0 takes back what SELECT did, nothing else.
    if (command === 'SELECT' && this.refusal && this.refusal.command !== 'SELECT') return;
    this.refusal = { command, problem };
  }

  /** Why nothing can be done with data on this connection, as a RESP error. */
  get problem(): string | undefined {
    if (!this.refusal) return undefined;
    const { command, problem } = this.refusal;
    const back = command === 'SELECT' ? 'SELECT 0, AUTH or LV.USE' : 'AUTH or LV.USE';
    return `LVNAMESPACE nothing is read or written on this connection since its ${command} was refused: ${back} chooses a namespace. The refusal: ${problem}`;
  }

  /** SELECT 0: the namespace chosen last, unless that was refused. */
  keepNamespace(): string | undefined {
    if (this.refusal?.command === 'SELECT') this.refusal = undefined;
    return this.problem;
  }

  /** The namespace with what this connection did in it; `undefined` while it is not active. */
  current(): Place | undefined {
    const namespace = this.store.namespace(this.chosen);
    if (!namespace) return undefined;
    if (this.known?.namespace !== namespace) this.known = this.placeIn(namespace);
    return this.known;
  }

  private placeIn(namespace: NamespaceStore): Place {
    const { name } = namespace;
    let place = this.places.get(name);
    this.places.delete(name);
    // Of an earlier creation of the namespace nothing is left to be seen.
    if (place?.namespace !== namespace)
      place = {
        namespace,
        session: namespace.newSession(),
        order: new CommandOrder(this.store, namespace, this.lines),
      };
    this.places.set(name, place);
    const [oldest] = this.places.keys();
    if (this.places.size > placesMax && oldest !== undefined) this.places.delete(oldest);
    return place;
  }

  endChanges(): void {
    this.changes?.close();
    this.changes = undefined;
  }

  /** As after connecting. */
  reset(nowMs: number): void {
    if (this.principal !== undefined) this.nobodySinceMs = nowMs;
    this.endChanges();
    this.use(this.first);
    this.user = this.of.user ?? 'default';
    this.principal = this.of.stranger;
    this.multi = undefined;
    this.ack = undefined;
    this.consistency = undefined;
    this.isToldOfEnd = false;
    this.known = undefined;
    this.places.clear();
  }
}
