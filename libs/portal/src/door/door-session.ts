import { type Ack, AppendLine, type Consistency, type NamespaceStore, ReadLine, type Store } from '@levee/client';
import type { Session } from '@levee/keyspace';
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
  user = 'default';
  multi: OpenMulti | undefined;
  private refusal: { readonly command: string; readonly problem: string } | undefined;
  libraryName = '';
  libraryVersion = '';
  /** Name of the command that it sent last. */
  lastCommand = '';
  readonly connectedAtMs: number;
  private readonly lines: { readonly reads: ReadLine; readonly writes: AppendLine };
  private known: Place | undefined;
  /** By name, the one used longest ago first: who comes back still sees what it wrote (I4). */
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly store: Store,
    private chosen: string,
    { nowMs, reader }: { readonly nowMs: number; readonly reader: ReplyReader },
  ) {
    const reads = new ReadLine(
      store.limits,
      () => reader.closed,
      () => reader.untakenBytes > store.limits.readWindowBytes,
    );
    this.lines = { reads, writes: new AppendLine() };
    this.connectedAtMs = nowMs;
  }

  /** Empty while the connection has none. */
  get namespaceName(): string {
    return this.refusal ? '' : this.chosen;
  }

  use(namespaceName: string): void {
    this.chosen = namespaceName;
    this.refusal = undefined;
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

  /** As after connecting. */
  reset(namespaceName: string): void {
    this.use(namespaceName);
    this.user = 'default';
    this.multi = undefined;
    this.ack = undefined;
    this.consistency = undefined;
    this.known = undefined;
    this.places.clear();
  }
}
