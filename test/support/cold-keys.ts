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
  ) {}

  /** Writes `count` values of `valueBytes` through a portal's RESP port and deletes every third. */
  static async write(
    port: number,
    { prefix, count, valueBytes }: { readonly prefix: string; readonly count: number; readonly valueBytes: number },
  ): Promise<ColdKeys> {
    const cold = new ColdKeys(prefix, count, valueBytes);
    await cold.with(port, async (redis) => {
      await cold.each(async (i) => void (await redis.set(cold.key(i), cold.value(i))));
      await cold.each(async (i) => void (cold.isDeleted(i) && (await redis.del(cold.key(i)))));
    });
    return cold;
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

  private isDeleted(i: number): boolean {
    return i % 3 === 0;
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
      await redis.call('LV.CONSISTENCY', 'strong');
      await work(redis);
    } finally {
      redis.disconnect();
    }
  }
}
