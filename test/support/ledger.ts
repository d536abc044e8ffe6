import type Redis from 'ioredis';

interface Entry {
  acknowledged: number;
  attempted: number;
}

/**
 * Writes ever higher numbers to many keys, one write per key at a time, and remembers what was acknowledged.
 * After a crash each key must hold a number between the last acknowledged and the last attempted one.
 */
export class Ledger {
  private readonly entries = new Map<string, Entry>();
  acknowledgedWrites = 0;

  constructor(
    private readonly prefix: string,
    private readonly keys: number,
    /** Of each writer, between two writes. */
    private readonly restMs = 0,
  ) {}

  /** Writes with `this.keys` writers until `stop` is set or the connection dies. */
  async write(client: Redis, stop: { now: boolean }): Promise<void> {
    const writer = async (key: string): Promise<void> => {
      const entry = this.entries.get(key) ?? { acknowledged: 0, attempted: 0 };
      this.entries.set(key, entry);
      while (!stop.now) {
        entry.attempted += 1;
        const number = entry.attempted;
        try {
          await client.set(key, `${number}:${'x'.repeat(80)}`);
        } catch {
          return;
        }
        entry.acknowledged = number;
        this.acknowledgedWrites += 1;
        if (this.restMs > 0) await new Promise((resolve) => setTimeout(resolve, this.restMs));
      }
    };
    await Promise.all(Array.from({ length: this.keys }, (_, i) => writer(`${this.prefix}${i}`)));
  }

  /** The keys whose value contradicts the ledger, as texts; what was found becomes the new truth. */
  async contradictions(client: Redis): Promise<string[]> {
    const wrong: string[] = [];
    for (const [key, entry] of this.entries) {
      const value = await client.get(key);
      const found = value === null ? 0 : Number(value.split(':')[0]);
      if (!(found >= entry.acknowledged && found <= entry.attempted))
        wrong.push(`${key}: found ${found}, acknowledged ${entry.acknowledged}, attempted ${entry.attempted}`);
      entry.acknowledged = found;
      entry.attempted = Math.max(found, entry.attempted);
    }
    return wrong;
  }
}
