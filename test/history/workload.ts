import { HistoryRecorder } from './history-recorder';
import { KeyRing, type RingKey } from './key-ring';
import { OperationFailed, type Consistency, type KeyClient } from './key-client';
import type { History, Outcome } from './operation';

/** Where the time of a workload comes from. */
export interface WorkloadTime {
  /** Never falls. */
  nowMs(): number;
  pause(ms: number): Promise<void>;
}

const realTime: WorkloadTime = {
  nowMs: () => performance.now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

export interface WorkloadOptions {
  readonly clients: readonly KeyClient[];
  /** Clients that never write, so that a write that waits cannot hide whether reads go on. */
  readonly readers?: readonly KeyClient[];
  /** Strong readers of every key at the end, so that a lost write cannot hide in a key nobody read again. */
  readonly auditor: KeyClient;
  readonly consistency: Consistency;
  readonly random: () => number;
  readonly keyPrefix: string;
  /** Keys in use at a time. */
  readonly keys?: number;
  /** Share of operations that read, and of writes that delete, 0..1. */
  readonly reads?: number;
  readonly deletes?: number;
  /** Rest of each client between two operations; keeps a run's history within what a test can judge. */
  readonly pauseMs?: number;
  /** With `consistency: session`: one open write per key, so that versions have an order. */
  readonly oneWriterPerKey?: boolean;
  /** Virtual, in a simulation. */
  readonly time?: WorkloadTime;
  readonly recorder?: HistoryRecorder;
}

/** After a refusal a client waits a little instead of filling the history with refusals. */
const pauseAfterFailureMs = 25;
const auditDeadlineMs = 30_000;
const auditorsAtOnce = 8;

/** Clients that work at once on a few rotating keys until they are told to stop; everything they see is recorded. */
export class Workload {
  readonly recorder: HistoryRecorder;
  private readonly time: WorkloadTime;
  private readonly ring: KeyRing;
  private readonly running: Array<Promise<void>> = [];
  private stopping = false;

  constructor(private readonly options: WorkloadOptions) {
    this.recorder = options.recorder ?? new HistoryRecorder();
    this.time = options.time ?? realTime;
    this.ring = new KeyRing(options.keyPrefix, options.keys ?? 6, options.random);
  }

  start(): void {
    for (const client of this.options.clients) this.running.push(this.drive(client, this.options.reads ?? 0.6));
    for (const client of this.options.readers ?? []) this.running.push(this.drive(client, 1));
  }

  /** Lets open operations end, reads every key strongly, closes the clients, and gives the history. */
  async stop(): Promise<History> {
    this.stopping = true;
    await Promise.all(this.running);
    const keys = [...this.ring.all];
    const audit = async (): Promise<void> => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop()) await this.audit(key);
    };
    try {
      await Promise.all(Array.from({ length: auditorsAtOnce }, audit));
    } finally {
      for (const client of [...this.options.clients, ...(this.options.readers ?? []), this.options.auditor])
        client.close();
    }
    return this.recorder.history();
  }

  /** Runs until `operations` have been recorded. */
  async reach(operations: number, deadlineMs: number): Promise<void> {
    const untilMs = this.time.nowMs() + deadlineMs;
    while (this.recorder.size < operations) {
      if (this.time.nowMs() > untilMs)
        throw new Error(`${this.recorder.size} of ${operations} operations within ${deadlineMs} ms`);
      await this.time.pause(10);
    }
  }

  private async drive(client: KeyClient, reads: number): Promise<void> {
    const { random, deletes = 0.1, pauseMs = 0, oneWriterPerKey = false } = this.options;
    while (!this.stopping) {
      const key = this.ring.pick();
      const writes = random() >= reads && this.ring.mayWrite(key, oneWriterPerKey);
      const outcome = !writes
        ? await this.read(client, key)
        : await this.write(client, key, random() < deletes ? undefined : `${key.nextValue++}`);
      if (outcome === 'definite' || outcome === 'indefinite') await this.time.pause(pauseAfterFailureMs);
      else if (pauseMs > 0) await this.time.pause(pauseMs);
      // Fakes answer within the tick; the timers of a fault must still get their turn.
      else await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async read(client: KeyClient, key: RingKey): Promise<Outcome> {
    const session = await sessionOf(client);
    if (session === undefined) return 'definite';
    const sent = this.recorder.sent({
      client: client.name,
      session,
      key: key.name,
      op: 'get',
      consistency: this.options.consistency,
    });
    try {
      sent.answer('ok', { value: await client.get(key.name) });
      return 'ok';
    } catch (error) {
      const { outcome, reason } = failure(error);
      sent.answer(outcome, { reason });
      return outcome;
    }
  }

  private async write(client: KeyClient, key: RingKey, value: string | undefined): Promise<Outcome> {
    key.openWrites += 1;
    const session = await sessionOf(client);
    if (session === undefined) {
      key.openWrites -= 1;
      return 'definite';
    }
    const asked = { client: client.name, session, key: key.name } as const;
    const sent = this.recorder.sent(value === undefined ? { ...asked, op: 'del' } : { ...asked, op: 'set', value });
    let outcome: Outcome = 'ok';
    try {
      await (value === undefined ? client.del(key.name) : client.set(key.name, value));
      sent.answer('ok');
    } catch (error) {
      const failed = failure(error);
      outcome = failed.outcome;
      sent.answer(outcome, { reason: failed.reason });
      if (outcome === 'indefinite') key.unresolvedWrites += 1;
    } finally {
      key.openWrites -= 1;
    }
    return outcome;
  }

  private async audit(key: RingKey): Promise<void> {
    const { auditor } = this.options;
    const untilMs = this.time.nowMs() + auditDeadlineMs;
    for (;;) {
      try {
        const session = await sessionOf(auditor);
        if (session === undefined) throw new Error(`${auditor.name} finds no portal`);
        const asked = { client: auditor.name, session, key: key.name, op: 'get', consistency: 'strong' } as const;
        const sent = this.recorder.sent(asked);
        const value = await auditor.get(key.name).catch((error: unknown) => {
          const { outcome, reason } = failure(error);
          sent.answer(outcome, { reason });
          throw error;
        });
        sent.answer('ok', { value });
        return;
      } catch (error) {
        if (this.time.nowMs() > untilMs)
          throw new Error(`${key.name} cannot be read after the run: ${String(error)}`, { cause: error });
        await this.time.pause(1_000);
      }
    }
  }
}

/** The session that the next operation belongs to; undefined while no portal takes a connection. */
async function sessionOf(client: KeyClient): Promise<string | undefined> {
  try {
    await client.ready?.();
    return client.session;
  } catch {
    return undefined;
  }
}

function failure(error: unknown): { outcome: Exclude<Outcome, 'ok'>; reason: string } {
  if (error instanceof OperationFailed) return { outcome: error.outcome, reason: error.message };
  throw error;
}
