import { type Ack, type KeyValue, StoreFailure } from '@levee/client';
import type { Session } from '@levee/keyspace';
import { type Consistency, type KeyClient, OperationFailed, outcomeOfCode } from '../history/key-client';
import type { Operation } from '../history/operation';

export interface ClientChoice {
  readonly namespace: string;
  readonly consistency: Consistency;
  readonly ack: Ack;
}

/** A client that sits in a portal's process. */
export class SimulatedClient implements KeyClient {
  readonly session: string;
  private own: Session | undefined;

  constructor(
    readonly name: string,
    private readonly store: () => KeyValue,
    private readonly choice: ClientChoice,
  ) {
    this.session = name;
  }

  get(key: string): Promise<string | null> {
    return this.run('get', async (store) => {
      const namespace = store.namespace(this.choice.namespace);
      const { consistency } = this.choice;
      const session = this.sessionOf(store);
      const entry = await store.get(namespace, Buffer.from(key), { consistency, session });
      return entry?.value.toString('utf8') ?? null;
    });
  }

  async set(key: string, value: string): Promise<void> {
    await this.run('set', (store) => {
      const choice = { ack: this.choice.ack, session: this.sessionOf(store) };
      return store.put(store.namespace(this.choice.namespace), Buffer.from(key), Buffer.from(value), choice);
    });
  }

  async del(key: string): Promise<void> {
    await this.run('del', (store) => {
      const choice = { ack: this.choice.ack, session: this.sessionOf(store) };
      return store.delete(store.namespace(this.choice.namespace), Buffer.from(key), choice);
    });
  }

  close(): void {
    this.own = undefined;
  }

  private sessionOf(store: KeyValue): Session {
    return (this.own ??= store.session(store.namespace(this.choice.namespace), undefined));
  }

  private async run<T>(op: Operation['op'], ask: (store: KeyValue) => Promise<T>): Promise<T> {
    try {
      return await ask(this.store());
    } catch (error) {
      const code = error instanceof StoreFailure ? error.code : undefined;
      throw new OperationFailed(outcomeOfCode(code, op), String(error));
    }
  }
}
