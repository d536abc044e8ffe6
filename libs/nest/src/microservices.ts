import { Logger } from '@nestjs/common';
import {
  BaseRpcContext,
  ClientProxy,
  type CustomTransportStrategy,
  type ReadPacket,
  Server,
  type WritePacket,
} from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { Change, Client, Namespace, PutOptions, Written } from '@levee/sdk';
import { begun } from './changes/beginnings';
import { positionsInLevee, within } from './changes/kept-position';
import { keepAside, messageOf, type PutAside } from './changes/put-aside';
import { LogReader } from './log/log-reader';

/** Where the application keeps how far it is, beside what it made of the changes. */
export interface LogPositions {
  /** The token that was saved last for this pattern; `undefined`: none yet. */
  load(pattern: string): Promise<string | undefined>;
  /** Everything before the token is done. Called at most twice in a second. */
  save(pattern: string, token: string): Promise<void>;
}

export interface LeveeLogServerOptions {
  readonly client: Client;
  /** What positions, and changes that were put aside, are kept under: another one for each application that reads the log. */
  readonly name: string;
  /** Where a pattern begins that has no position yet; `now` by default. */
  readonly from?: 'now' | 'beginning';
  /** Default: in Levee, in the namespace `state`. */
  readonly positions?: LogPositions;
  /** Namespace in which positions, and changes that were put aside, are kept; the one that is read by default. */
  readonly state?: string;
  /** Changes that a method is given at a time at most; default 500. */
  readonly batchMax?: number;
  /** How often a batch, and then each change of it alone, is tried before the change is put aside; default 5. */
  readonly attempts?: number;
  /** For how long a method may be at work with a batch, ms; default 30,000. Longer counts as a failure. */
  readonly handleMs?: number;
  /** For how long closing waits for methods at work, ms; default 10,000. What is not done by then comes again. */
  readonly drainMs?: number;
  /** For how long `positions` may take to load or save one, ms; default 10,000. It is tried again. */
  readonly positionMs?: number;
}

type Method = Parameters<Server['addHandler']>[1];

const bounds = {
  batchMax: 10_000,
  attempts: 1_000,
  handleMs: 3_600_000,
  drainMs: 600_000,
  positionMs: 600_000,
} as const;

/** The second argument of a method: where the batch stands. */
export class LeveeLogContext extends BaseRpcContext<[string, string, AbortSignal]> {
  get pattern(): string {
    return this.args[0];
  }

  /** Behind the last change of the batch. Saved in one transaction with what the batch led to, it makes that happen once. */
  get token(): string {
    return this.args[1];
  }

  /** Is aborted when the batch took too long: it comes again, and nobody waits for this call any more. */
  get signal(): AbortSignal {
    return this.args[2];
  }
}

/**
 * The log of Levee as a transport of `@nestjs/microservices`. A method with `@EventPattern('shop.orders')`, or
 * `@EventPattern({ namespace: 'shop.orders', prefix: 'order:' })`, is given changes of that namespace in batches: a list of
 * `Change<Buffer>` first, a `LeveeLogContext` second. One batch after the other, in the order of the log, at least once.
 */
export class LeveeLogServer extends Server implements CustomTransportStrategy {
  override transportId = Symbol('LEVEE_LOG');
  protected override readonly logger = new Logger('Levee');
  private readonly readers: LogReader[] = [];
  private readonly methods = new Map<string, Method[]>();

  constructor(private readonly options: LeveeLogServerOptions) {
    super();
    for (const [what, most] of Object.entries(bounds)) {
      const count = options[what as keyof typeof bounds];
      if (count !== undefined && (!Number.isInteger(count) || count < 1 || count > most))
        throw new RangeError(`LeveeLogServer: ${what} is ${count}, it must be a whole number from 1 to ${most}`);
    }
    if (!/^[A-Za-z0-9._-]{1,100}$/.test(options.name))
      throw new RangeError(`LeveeLogServer: name is '${options.name}', it must be 1 to 100 letters, digits, ., - or _`);
  }

  /** Several methods of one pattern: Nest would call a batch done as soon as one of them had ended without a value. */
  override addHandler(...[pattern, method, isEvent, extras]: Parameters<Server['addHandler']>): void {
    const name = this.normalizePattern(pattern as string);
    const known = this.methods.get(name);
    if (known) return void known.push(method);
    this.methods.set(name, [method]);
    super.addHandler(pattern, method, isEvent, extras);
  }

  listen(callback: (error?: unknown) => void): void {
    try {
      for (const pattern of this.messageHandlers.keys()) this.readers.push(this.readerOf(pattern));
    } catch (error) {
      return callback(error);
    }
    void begun(this.readers, this.logger).then(() => callback());
  }

  async close(): Promise<void> {
    const ends = await Promise.allSettled(this.readers.map((reader) => reader.stop()));
    for (const end of ends)
      if (end.status === 'rejected')
        this.logger.warn(
          `a position could not be kept, and changes behind the last one come again: ${messageOf(end.reason)}`,
        );
  }

  on(): never {
    throw new Error('the log has no events of its own');
  }

  unwrap<T>(): T {
    return this.options.client as T;
  }

  private readerOf(pattern: string): LogReader {
    const { client, from = 'now', positions, attempts = 5, handleMs = 30_000, ...rest } = this.options;
    const { batchMax = 500, drainMs = 10_000, positionMs = 10_000, state: stateName } = rest;
    const { namespace, prefix } = placeOf(pattern);
    const store = client.namespace(namespace);
    const state = stateName === undefined ? store : client.namespace(stateName);
    const name = `${this.options.name}/${prefix === undefined ? namespace : `${namespace}/${prefix}`}`;
    return new LogReader({
      ...{ name, store, prefix, from, attempts, handleMs, batchMax, drainMs, pauseMs: 100, logger: this.logger },
      positions: positions
        ? within({ load: () => positions.load(pattern), save: (token) => positions.save(pattern, token) }, positionMs)
        : positionsInLevee(state, name),
      putAside: (aside: PutAside) => keepAside(state, name, aside),
      isKeptElsewhere: positions !== undefined,
      handle: async (changes, { token, signal }) => {
        const context = new LeveeLogContext([pattern, token, signal]);
        const methods = this.methods.get(pattern) ?? [];
        const ends = await Promise.allSettled(methods.map((method) => this.call(method, changes, context)));
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      },
    });
  }

  private async call(method: Method, changes: readonly Change<Buffer>[], context: LeveeLogContext): Promise<void> {
    const result = this.transformToObservable<unknown>(await method(changes, context));
    await lastValueFrom(result, { defaultValue: undefined });
  }
}

/** What `emit` of `LeveeLogClient` takes. */
export interface LogEvent extends PutOptions {
  readonly key: string | Uint8Array;
  /** `null` deletes the key. */
  readonly value: string | Uint8Array | null;
}

/**
 * Writes to the log of Levee: `emit('shop.orders', { key, value })`. Its observable gives the position behind the record once that is
 * in the log, and fails with a `LeveeError` that says whether it is. Events of one key keep the order of their calls.
 */
export class LeveeLogClient extends ClientProxy {
  constructor(private readonly client: Client) {
    super();
  }

  connect(): Promise<Client> {
    return Promise.resolve(this.client);
  }

  close(): void {
    // The connection is the application's.
  }

  unwrap<T>(): T {
    return this.client as T;
  }

  protected publish({ pattern }: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const told = `nobody answers in a log: use emit for '${String(pattern)}', not send`;
    callback({ err: new Error(told), isDisposed: true });
    return () => undefined;
  }

  protected async dispatchEvent<T = Written>({ pattern, data }: ReadPacket<LogEvent>): Promise<T> {
    const { key, value, ...options } = data;
    const { namespace, prefix } = placeOf(this.normalizePattern(pattern));
    if (prefix !== undefined)
      throw new Error(`emit takes a namespace, and the whole key in the event, not a prefix '${prefix}'`);
    const store: Namespace<Buffer> = this.client.namespace(namespace);
    if (value === null) return (await store.delete(key, options)) as T;
    return (await store.put(key, Buffer.from(value), options)) as T;
  }
}

/** Nest makes a text of a pattern that is an object. */
function placeOf(pattern: string): { readonly namespace: string; readonly prefix: string | undefined } {
  if (!pattern.startsWith('{')) return { namespace: pattern, prefix: undefined };
  const { namespace, prefix, ...others } = JSON.parse(pattern) as Readonly<Record<string, unknown>>;
  const isText = typeof namespace === 'string' && (prefix === undefined || typeof prefix === 'string');
  if (!isText || Object.keys(others).length > 0)
    throw new Error(`the pattern ${pattern} must be a namespace, or { namespace, prefix }`);
  return { namespace, prefix };
}
