import Redis from 'ioredis';

/** Reads of single keys at a steady rate, from many lines of work that share a connection, and now and then a write. */
export class SteadyLoad {
  operations = 0;
  /** Whatever a caller had to catch, or was not what the key holds. */
  readonly failures: string[] = [];
  private isOver = false;
  private readonly lines: Promise<void>[] = [];

  private constructor(
    private readonly redis: Redis,
    private readonly keys: readonly string[],
  ) {}

  /**
   * `keys` are written first. A line asks every `lineMs`, each in its own part of that time, whatever the last answer took:
   * a machine that is busy changes neither how much is asked for, nor how evenly. After a longer wait it leaves turns out.
   */
  static async begin(
    port: number,
    {
      namespace,
      keys,
      perSecond,
    }: { readonly namespace: string; readonly keys: readonly string[]; readonly perSecond: number },
  ): Promise<SteadyLoad> {
    const redis = new Redis({ port, host: '127.0.0.1', username: namespace, password: '-' });
    redis.on('error', () => undefined);
    const load = new SteadyLoad(redis, keys);
    await Promise.all(keys.map((key) => redis.set(key, key)));
    const lines = Math.round((perSecond * lineMs) / 1_000);
    for (let line = 0; line < lines; line++) load.lines.push(load.work(line, (line * lineMs) / lines));
    return load;
  }

  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.lines);
    this.redis.disconnect();
  }

  private async work(line: number, afterMs: number): Promise<void> {
    let dueMs = performance.now() + afterMs;
    for (let turn = line; !this.isOver; turn++) {
      await rest(dueMs - performance.now());
      const key = this.keys[turn % this.keys.length] as string;
      this.operations++;
      try {
        const isWrite = turn % 20 === 0;
        const found = isWrite ? await this.redis.set(key, key) : await this.redis.get(key);
        if (found !== (isWrite ? 'OK' : key)) this.failures.push(`${key}: ${found}`);
      } catch (error) {
        this.failures.push(`${key}: ${(error as Error).message}`);
      }
      dueMs += lineMs * Math.max(1, Math.ceil((performance.now() - dueMs) / lineMs));
    }
  }
}

const lineMs = 1_000;
const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
