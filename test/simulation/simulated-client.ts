import { type Ack, KeyValue, type NamespaceStore, StoreFailure, storeLimits } from '@levee/client';
import type { Session } from '@levee/keyspace';
import { type Consistency, type KeyClient, OperationFailed, outcomeOfCode } from '../history/key-client';
import type { Operation } from '../history/operation';
import type { SimulatedCluster } from './simulated-cluster';
import type { SimulatedProcess } from './simulated-process';

export interface ClientChoice {
  readonly namespace: string;
  readonly consistency: Consistency;
  readonly ack: Ack;
}

/** Longer than a portal takes for anything: no answer by then is one that never comes. */
const deadlineMs = 17_000;

interface Request {
  readonly store: KeyValue;
  readonly namespace: NamespaceStore;
  readonly session: Session;
}

/**
 * A client that has one portal until that dies or keeps silent, and then goes on at the next one with the token of its
 * session. What it asked of a portal that stands still waits there, and may happen when nobody waits for it any more.
 */
export class SimulatedClient implements KeyClient {
  private portal: string | undefined;
  private token: string | undefined;

  constructor(
    readonly name: string,
    private readonly cluster: SimulatedCluster,
    private readonly choice: ClientChoice & { readonly portal: string },
  ) {
    this.portal = choice.portal;
  }

  /** One for all portals, since its token goes with it. */
  get session(): string {
    return this.name;
  }

  /** Rejects while no portal takes connections. */
  ready(): Promise<void> {
    return new Promise((resolve) => resolve(void this.door()));
  }

  async get(key: string): Promise<string | null> {
    const portal = this.door().process.name;
    const { consistency } = this.choice;
    const found = await this.run('get', async ({ store, namespace, session: own }) => {
      // Of a stranger a strong read shows what the log says; one of a session would be kept fresh by that alone.
      const session = consistency === 'strong' ? store.session(namespace, undefined) : own;
      const entry = await store.get(namespace, Buffer.from(key), { consistency, session });
      return entry?.value.toString('utf8') ?? null;
    });
    const { answered } = this.cluster.bug;
    return answered === undefined ? found : answered(portal, key, found);
  }

  async set(key: string, value: string): Promise<void> {
    const { ack } = this.choice;
    await this.run('set', ({ store, namespace, session }) =>
      store.put(namespace, Buffer.from(key), Buffer.from(value), { ack, session }),
    );
  }

  async del(key: string): Promise<void> {
    const { ack } = this.choice;
    await this.run('del', ({ store, namespace, session }) =>
      store.delete(namespace, Buffer.from(key), { ack, session }),
    );
  }

  close(): void {
    this.portal = undefined;
    this.token = undefined;
  }

  private run<T>(op: Operation['op'], ask: (request: Request) => Promise<T>): Promise<T> {
    const { process, store } = this.door();
    const { time } = this.cluster;
    const begunAtMs = time.nowMs;
    const may = op === 'get' ? storeLimits.readMs : storeLimits.appendMs;
    const why = (error: unknown): OperationFailed => {
      const { outcome, message } = failed(error, op);
      // What it did not do in time it answers only now.
      return new OperationFailed(outcome, process.stoodStill(begunAtMs, may) ? `${process.name} stood still` : message);
    };
    return new Promise((resolve, reject) => {
      let token = this.token;
      let waiting = true;
      const lost = (reason: string): void => {
        this.portal = undefined;
        settle();
        reject(new OperationFailed('indefinite', `${process.name} ${reason}`));
      };
      const endings = [process.onDeath(() => lost('died')), time.after(deadlineMs, () => lost('does not answer'))];
      const settle = (): void => {
        waiting = false;
        for (const end of endings) end();
      };
      const answered = (answer: () => void): void =>
        process.deliver(() => {
          if (!waiting) return;
          settle();
          this.token = token;
          answer();
        });
      // In the portal, as its doors do it.
      const answer = async (): Promise<T> => {
        const namespace = store.namespace(this.choice.namespace);
        const session = store.session(namespace, token);
        try {
          return await ask({ store, namespace, session });
        } finally {
          token = session.encode();
        }
      };
      process.deliver(
        () =>
          void answer().then(
            (value) => answered(() => resolve(value)),
            (error: unknown) => answered(() => reject(why(error))),
          ),
      );
    });
  }

  private door(): { readonly process: SimulatedProcess; readonly store: KeyValue } {
    const { portals } = this.cluster;
    if (this.portal === undefined || !portals.has(this.portal))
      this.portal = [...portals].find(([, { part }]) => part.readyProblem() === undefined)?.[0];
    const found = portals.get(this.portal ?? '');
    if (found === undefined) throw new OperationFailed('definite', 'no portal takes connections');
    return { process: found.process, store: new KeyValue(found.part.store) };
  }
}

function failed(error: unknown, op: Operation['op']): OperationFailed {
  const code = error instanceof StoreFailure ? error.code : undefined;
  return new OperationFailed(outcomeOfCode(code, op), String(error));
}
