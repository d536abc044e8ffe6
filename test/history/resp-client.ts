import Redis from 'ioredis';
import { defaultDeadlineMs, OperationFailed, outcomeOfCode, type Consistency, type KeyClient } from './key-client';
import type { Operation } from './operation';

export interface RespClientOptions {
  /** RESP ports of the portals; a lost connection moves on to the next one. */
  readonly ports: readonly number[];
  readonly consistency: Consistency;
  /** Ports are tried in turn, beginning here. */
  readonly first?: number;
  /** After this an operation's outcome is unknown and its connection is given up. */
  readonly deadlineMs?: number;
}

const connectDeadlineMs = 3_000;

/** A Redis connection at a time, each a session of its own. Nothing is retried: the checker judges what was asked. */
export class RespClient implements KeyClient {
  private connection: Promise<Redis> | undefined;
  private turn: number;
  private connections = 0;

  constructor(
    readonly name: string,
    private readonly options: RespClientOptions,
  ) {
    this.turn = options.first ?? 0;
  }

  get session(): string {
    return `${this.name}#${this.connections}`;
  }

  async get(key: string): Promise<string | null> {
    return this.run('get', (redis) => redis.get(key));
  }

  async set(key: string, value: string): Promise<void> {
    await this.run('set', (redis) => redis.set(key, value));
  }

  async del(key: string): Promise<void> {
    await this.run('del', (redis) => redis.del(key));
  }

  async ready(): Promise<void> {
    await this.connected();
  }

  close(): void {
    this.drop();
  }

  private async run<T>(op: Operation['op'], ask: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = await this.connected();
    let timer: NodeJS.Timeout | undefined;
    const deadlineMs = this.options.deadlineMs ?? defaultDeadlineMs;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
    });
    try {
      return await Promise.race([ask(redis), late]);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const code = error instanceof Error && error.name === 'ReplyError' ? message.split(' ')[0] : undefined;
      if (code === undefined) this.drop();
      throw new OperationFailed(outcomeOfCode(code, op), message);
    } finally {
      clearTimeout(timer);
    }
  }

  private connected(): Promise<Redis> {
    return (this.connection ??= this.connect());
  }

  private async connect(): Promise<Redis> {
    const port = this.options.ports[this.turn++ % this.options.ports.length] as number;
    const redis = new Redis({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: null,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      connectTimeout: connectDeadlineMs,
    });
    redis.on('error', () => undefined);
    redis.once('close', () => {
      if (this.current === redis) this.drop();
    });
    try {
      await redis.connect();
      await redis.call('LV.CONSISTENCY', this.options.consistency);
    } catch (error) {
      redis.disconnect();
      this.connection = undefined;
      throw new OperationFailed('definite', `no connection to ${port}: ${String(error)}`);
    }
    this.current = redis;
    this.connections += 1;
    return redis;
  }

  private current: Redis | undefined;

  private drop(): void {
    this.current?.disconnect();
    this.current = undefined;
    this.connection = undefined;
  }
}
