import { connect } from 'node:net';
import Redis from 'ioredis';
import { createClient } from 'redis';

/** A client library as its documentation shows it: nothing is set but the address. */
export interface OrdinaryClient {
  readonly name: string;
  /** It tries nothing again that it has sent: a connection that ends beside a command is a failure of it. */
  readonly sendsOnce?: true;
  set(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<string | null>;
  close(): void;
}

export function ioredis(name: string, port: number): OrdinaryClient {
  const redis = new Redis(port, '127.0.0.1');
  // Told when a connection ends, which is no failure of an operation.
  redis.on('error', () => undefined);
  return {
    name,
    set: (key, value) => redis.set(key, value),
    get: (key) => redis.get(key),
    close: () => redis.disconnect(),
  };
}

export async function nodeRedis(name: string, port: number): Promise<OrdinaryClient> {
  const redis = createClient({ url: `redis://127.0.0.1:${port}` });
  redis.on('error', () => undefined);
  await redis.connect();
  return {
    name,
    sendsOnce: true,
    set: (key, value) => redis.set(key, value),
    get: (key) => redis.get(key),
    close: () => redis.destroy(),
  };
}

/** The same, set to be told by the server before it goes. */
export async function nodeRedisTold(name: string, port: number): Promise<OrdinaryClient> {
  const redis = createClient({
    RESP: 3,
    maintNotifications: 'enabled',
    maintEndpointType: 'none',
    socket: { host: '127.0.0.1', port },
  });
  redis.on('error', () => undefined);
  await redis.connect();
  return {
    name,
    set: (key, value) => redis.set(key, value),
    get: (key) => redis.get(key),
    close: () => redis.destroy(),
  };
}

/** `redis-cli` in a script: each command has a connection of its own, and nothing is tried again. */
export function oneCommandAConnection(name: string, port: number): OrdinaryClient {
  const ask = (command: string): Promise<string | null> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' });
      let said = '';
      socket.setTimeout(15_000, () => socket.destroy(new Error('no answer within 15 s')));
      socket.on('error', reject);
      socket.on('close', () => reject(new Error(`the connection ended after ${JSON.stringify(said)}`)));
      socket.on('data', (data) => {
        said += data.toString('latin1');
        const reply = /^(?:\+(.*)|\$\d+\r\n([^]*)|(\$-1)|-(.*))\r\n$/.exec(said);
        if (reply === null) return;
        const [, simple, bulk, , error] = reply;
        if (error === undefined) resolve(simple ?? bulk ?? null);
        else reject(new Error(error));
        socket.end();
      });
      socket.write(`${command}\r\n`);
    });
  return {
    name,
    set: (key, value) => ask(`SET ${key} ${value}`),
    get: (key) => ask(`GET ${key}`),
    close: () => undefined,
  };
}

/** `fetch`, which keeps its connections. */
export function http(name: string, port: number): OrdinaryClient {
  const ask = async (method: string, key: string, body?: string): Promise<string | null> => {
    const headers = { 'content-type': 'application/octet-stream' };
    const request = { method, signal: AbortSignal.timeout(15_000), ...(body === undefined ? {} : { body, headers }) };
    const answer = await fetch(`http://127.0.0.1:${port}/v1/kv/default/${key}`, request);
    const text = await answer.text();
    if (answer.status === 404) return null;
    if (!answer.ok || answer.status === 202) throw new Error(`${answer.status} ${text.slice(0, 200)}`);
    return text;
  };
  return {
    name,
    set: (key, value) => ask('PUT', key, value),
    get: (key) => ask('GET', key),
    close: () => undefined,
  };
}

export interface OrdinaryLoad {
  readonly clients: readonly OrdinaryClient[];
  readonly keyPrefix: string;
  /** Of each line of work of a client, between two operations. */
  readonly restMs: (client: OrdinaryClient) => number;
  /** Such lines of one client at a time. */
  readonly lines: (client: OrdinaryClient) => number;
}

export interface OrdinaryOutcome {
  readonly operations: number;
  /** Everything that a caller had to catch, or that is not what was written. */
  readonly failures: readonly string[];
  /** Of clients that send once, while this process did not get its turn: what they sent was on its way for too long. */
  readonly beside: readonly string[];
  /** What each key must hold: the last value that was acknowledged. */
  readonly acknowledged: ReadonlyMap<string, string>;
  readonly slowestMs: Readonly<Record<string, number>>;
}

/** Each line of work writes ever higher numbers to a key of its own and reads it, until `work` has ended. */
export async function whileClientsWork(load: OrdinaryLoad, work: () => Promise<void>): Promise<OrdinaryOutcome> {
  const failures: string[] = [];
  const beside: string[] = [];
  const stalls = new Stalls();
  const acknowledged = new Map<string, string>();
  const slowestMs: Record<string, number> = {};
  let operations = 0;
  let isOver = false;
  const timed = async <T>(client: OrdinaryClient, what: string, ask: () => Promise<T>): Promise<T | undefined> => {
    const beganMs = performance.now();
    operations++;
    try {
      return await ask();
    } catch (error) {
      const { message, cause } = error as Error;
      const stalledMs = client.sendsOnce ? stalls.longestSince(beganMs - stallLookMs) : 0;
      const said = `${client.name}: ${what}: ${message}${cause === undefined ? '' : ` (${String(cause)})`}`;
      if (stalledMs >= stallMs) beside.push(`${said}, beside ${Math.round(stalledMs)} ms without a turn`);
      else failures.push(said);
      return undefined;
    } finally {
      slowestMs[client.name] = Math.max(slowestMs[client.name] ?? 0, Math.round(performance.now() - beganMs));
    }
  };
  const line = async (client: OrdinaryClient, number: number): Promise<void> => {
    const key = `${load.keyPrefix}${client.name}:${number}`;
    for (let value = 1; !isOver; value++) {
      const answer = await timed(client, 'set', () => client.set(key, `${value}`));
      if (answer !== undefined) acknowledged.set(key, `${value}`);
      const found = await timed(client, 'get', () => client.get(key));
      // Another portal may be behind: what is promised there is a value that was written.
      const isWritten = found === null || (Number(found) >= 1 && Number(found) <= value);
      if (found !== undefined && !isWritten) failures.push(`${client.name}: ${key} is ${found}, ${value} was written`);
      await new Promise((resolve) => setTimeout(resolve, load.restMs(client)));
    }
  };
  const lines = load.clients.flatMap((client) =>
    Array.from({ length: load.lines(client) }, (_, number) => line(client, number)),
  );
  try {
    await work();
  } finally {
    isOver = true;
    stalls.stop();
    await Promise.all(lines);
    for (const client of load.clients) client.close();
  }
  return { operations, failures, beside, acknowledged, slowestMs };
}

/** A server hangs up when a client has rested for a while: one that is late by this much looks as if it rested. */
const stallMs = 100;
const stallLookMs = 3_000;

/** When this process did not get its turn. */
class Stalls {
  private readonly known: { readonly endedMs: number; readonly ms: number }[] = [];
  private lastMs = performance.now();
  private readonly timer = setInterval(() => {
    const nowMs = performance.now();
    const ms = nowMs - this.lastMs - stallTickMs;
    if (ms >= stallMs) this.known.push({ endedMs: nowMs, ms });
    this.lastMs = nowMs;
  }, stallTickMs);

  longestSince(fromMs: number): number {
    return Math.max(0, ...this.known.filter(({ endedMs }) => endedMs >= fromMs).map(({ ms }) => ms));
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

const stallTickMs = 10;
