import Redis from 'ioredis';

const together = 200;

/**
 * Keys that are written once and left alone, and keys that were deleted: whatever moves them has them from a copy, not
 * from a later write. `prefix` keeps them apart from everybody else's.
 */
export class ColdKeys {
  private constructor(
    private readonly prefix: string,
    private readonly count: number,
    private readonly valueBytes: number,
    private readonly namespace: string,
  ) {}

  private deleted = false;

  /** Writes `count` values of `valueBytes` through a portal's RESP port. */
  static async write(
    port: number,
    {
      prefix,
      count,
      valueBytes,
      namespace = 'default',
    }: { readonly prefix: string; readonly count: number; readonly valueBytes: number; readonly namespace?: string },
  ): Promise<ColdKeys> {
    const cold = new ColdKeys(prefix, count, valueBytes, namespace);
    await cold.with(port, (redis) => cold.each(async (i) => void (await redis.set(cold.key(i), cold.value(i)))));
    return cold;
  }

  /** Deletes every third. */
  async deleteSome(port: number): Promise<this> {
    await this.with(port, (redis) => this.each(async (i) => void (i % 3 === 0 && (await redis.del(this.key(i))))));
    this.deleted = true;
    return this;
  }

  /** The keys that are not as they were left, as texts, read strongly through a portal's RESP port. */
  async wrong(port: number): Promise<string[]> {
    const wrong: string[] = [];
    await this.with(port, (redis) =>
      this.each(async (i) => {
        const found = await redis.get(this.key(i));
        if (this.isDeleted(i) ? found !== null : found !== this.value(i))
          wrong.push(
            `${this.key(i)}: ${found === null ? 'absent' : `${found.length} characters: ${found.slice(0, 20)}`}`,
          );
      }),
    );
    return wrong;
  }

  /** Those that are there, in the order of their bytes, from the first of these keys to before the second. */
  between(from: string, to: string): string[] {
    const all = Array.from({ length: this.count }, (_, i) => i).filter((i) => !this.isDeleted(i));
    const keys = all.map((i) => this.key(i)).sort();
    return keys.filter((key) => key >= from && key < to);
  }

  private isDeleted(i: number): boolean {
    return this.deleted && i % 3 === 0;
  }

  private key(i: number): string {
    return `${this.prefix}${i}`;
  }

  private value(i: number): string {
    return `${i}:`.padEnd(this.valueBytes, 'x');
  }

  private async each(work: (i: number) => Promise<void>): Promise<void> {
    for (let from = 0; from < this.count; from += together)
      await Promise.all(Array.from({ length: Math.min(together, this.count - from) }, (_, i) => work(from + i)));
  }

  private async with(port: number, work: (redis: Redis) => Promise<void>): Promise<void> {
    const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 0, retryStrategy: () => null });
    try {
      await redis.call('LV.USE', this.namespace);
      await redis.call('LV.CONSISTENCY', 'strong');
      await work(redis);
    } finally {
      redis.disconnect();
    }
  }
}
