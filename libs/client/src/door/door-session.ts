import type { Session } from '@levee/keyspace';
import { CommandOrder } from '../command-order';
import type { NamespaceStore } from '../namespace-store';
import type { Ack, Consistency } from '../operations';
import { ReadLine } from '../read-turns';
import type { Store } from '../store';

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

/** Namespaces in which a connection's session is remembered while it is in another one. */
const placesMax = 16;

/** What one RESP connection has chosen, written and seen. */
export class DoorSession {
  /** Set by LV.ACK; else the namespace's default. */
  ack: Ack | undefined;
  /** Set by LV.CONSISTENCY; else the namespace's default. */
  consistency: Consistency | undefined;
  user = 'default';
  libraryName = '';
  libraryVersion = '';
  readonly connectedAtMs: number;
  private readonly line: ReadLine;
  private known: Place | undefined;
  /** By name, the one used longest ago first: who comes back still sees what it wrote (I4). */
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly store: Store,
    public namespaceName: string,
    { nowMs, reader }: { readonly nowMs: number; readonly reader: ReplyReader },
  ) {
    this.line = new ReadLine(
      store.limits,
      () => reader.closed,
      () => reader.untakenBytes > store.limits.readWindowBytes,
    );
    this.connectedAtMs = nowMs;
  }

  /** The namespace with what this connection did in it; `undefined` while it is not active. */
  current(): Place | undefined {
    const namespace = this.store.namespace(this.namespaceName);
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
      place = { namespace, session: namespace.newSession(), order: new CommandOrder(this.store, namespace, this.line) };
    this.places.set(name, place);
    const [oldest] = this.places.keys();
    if (this.places.size > placesMax && oldest !== undefined) this.places.delete(oldest);
    return place;
  }

  /** As after connecting. */
  reset(namespaceName: string): void {
    this.namespaceName = namespaceName;
    this.user = 'default';
    this.ack = undefined;
    this.consistency = undefined;
    this.known = undefined;
    this.places.clear();
  }
}
