import type { Session } from '@levee/keyspace';
import { CommandOrder } from '../command-order';
import type { NamespaceStore } from '../namespace-store';
import type { Ack, Consistency } from '../operations';
import type { Store } from '../store';

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
  private known:
    { readonly namespace: NamespaceStore; readonly session: Session; readonly order: CommandOrder } | undefined;

  constructor(
    private readonly store: Store,
    public namespaceName: string,
    nowMs: number,
  ) {
    this.connectedAtMs = nowMs;
  }

  /** The namespace with what this connection did in it; `undefined` while it is not active. */
  current():
    { readonly namespace: NamespaceStore; readonly session: Session; readonly order: CommandOrder } | undefined {
    const namespace = this.store.namespace(this.namespaceName);
    if (!namespace) return undefined;
    if (this.known?.namespace !== namespace)
      this.known = { namespace, session: namespace.newSession(), order: new CommandOrder(this.store, namespace) };
    return this.known;
  }

  /** As after connecting. */
  reset(namespaceName: string): void {
    this.namespaceName = namespaceName;
    this.user = 'default';
    this.ack = undefined;
    this.consistency = undefined;
    this.known = undefined;
  }
}
