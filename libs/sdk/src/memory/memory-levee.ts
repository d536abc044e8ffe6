import type { Client, Namespace } from '../api';
import { StoredNamespace } from '../client/stored-namespace';
import { bytes } from '../codecs/codec';
import { DefiniteError, LimitError } from '../errors';
import { checkedLimits } from '../limits';
import { systemWorld } from '../world';
import { MemoryData } from './memory-data';
import { memoryAddress, MemoryReach } from './memory-reach';

export interface MemoryLeveeOptions {
  /** The namespaces that there are; others fail with NamespaceError. Without it there is every one that is asked for. */
  readonly namespaces?: readonly string[];
  /** Ms since 1970; the clock of the process when it is not given. {@link MemoryLevee.advance} is added to it. */
  readonly now?: () => number;
}

/**
 * Levee in the memory of this process, for tests: the same namespaces, codecs and errors as those of `connect`, without
 * a port or a timer. Nothing is kept, nothing is replicated, and nothing fails by itself.
 */
export class MemoryLevee {
  private readonly stored = new Map<string, MemoryData>();
  private movedMs = 0;
  private creations = 0;

  constructor(private readonly options: MemoryLeveeOptions = {}) {}

  /** A client of its own, with its own sessions; all clients share the keys. */
  client(): Client {
    return new MemoryClient(
      () => this.nowMs(),
      (name) => this.dataOf(name),
    );
  }

  /** Moves time on by `ms`: keys whose time to live is over are gone. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time cannot go on by ${ms} ms: give 0 or more`);
    this.movedMs += ms;
  }

  /** Forgets all keys, as between two tests; positions begin anew, and watches of before end with HistoryError. */
  clear(): void {
    for (const data of this.stored.values()) data.forget();
    this.stored.clear();
  }

  private nowMs(): number {
    const { now = systemWorld.clock.nowMs } = this.options;
    return now() + this.movedMs;
  }

  private dataOf(name: string): MemoryData | undefined {
    const { namespaces } = this.options;
    if (namespaces && !namespaces.includes(name)) return undefined;
    let data = this.stored.get(name);
    if (!data) this.stored.set(name, (data = new MemoryData(++this.creations)));
    return data;
  }
}

class MemoryClient implements Client {
  private readonly namespaces = new Map<string, Namespace<Buffer>>();
  private readonly limits = checkedLimits();
  private readonly reaches: MemoryReach[] = [];
  private closed = false;

  constructor(
    private readonly nowMs: () => number,
    private readonly dataOf: (name: string) => MemoryData | undefined,
  ) {}

  namespace(name: string): Namespace<Buffer> {
    if (this.closed) throw new DefiniteError('CLIENT_CLOSED', 'the client is closed');
    const known = this.namespaces.get(name);
    if (known) return known;
    const { namespacesMax, operationsMax } = this.limits;
    if (this.namespaces.size >= namespacesMax)
      throw new LimitError(
        'CLIENT_LIMIT',
        `${this.namespaces.size} namespaces are in use by this client, at most ${namespacesMax} (limits.namespacesMax)`,
      );
    const reach = new MemoryReach(name, {
      nowMs: this.nowMs,
      isClosed: () => this.closed,
      operationsMax,
      data: () => this.dataOf(name),
    });
    const world = { ...systemWorld, clock: { ...systemWorld.clock, nowMs: this.nowMs } };
    const made = new StoredNamespace<Buffer>(name, reach, bytes, { deadlineMs: 10_000, world });
    this.namespaces.set(name, made);
    this.reaches.push(reach);
    return made;
  }

  status() {
    const portal = { address: memoryAddress, up: !this.closed, problem: undefined, outstanding: 0 };
    return { portals: [portal], retries: 0, retriesRefused: 0 };
  }

  close(): Promise<void> {
    this.closed = true;
    for (const reach of this.reaches) reach.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
