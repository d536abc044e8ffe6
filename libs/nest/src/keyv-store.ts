import { utf8, type Namespace } from '@levee/sdk';

interface Setting {
  readonly key: string;
  readonly value: string;
  /** Ms; 0 or absent: for ever. */
  readonly ttl?: number;
}

/** Calls under way at a time: well below what a client has room for. */
const atOnceMax = 500;

/**
 * A store for Keyv 5, and by it for cache-manager 6 and 7, on a namespace of Levee: `new Keyv({ store: new LeveeKeyvStore(ns) })`.
 * Values are texts, as Keyv makes them; a time to live is an expiry in Levee too. Several Keyvs with names of their own share
 * a namespace of Levee, each with a LeveeKeyvStore of its own; one without a name clears all of it.
 */
export class LeveeKeyvStore {
  /** Keyv gives an iterator only to stores whose dialect it knows. */
  readonly opts: Record<string, unknown> = { dialect: 'redis', url: '' };
  /** Set by Keyv. Its keys arrive with it in front. */
  namespace?: string | undefined;
  private readonly texts: Namespace<string>;

  constructor(store: Namespace<unknown>) {
    this.texts = store.typed(utf8);
  }

  /** What goes wrong is told by rejections, which Keyv hands on. */
  on(): this {
    return this;
  }

  async get<Value>(key: string): Promise<Value | undefined> {
    return (await this.texts.get(key)) as Value | undefined;
  }

  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    return (await this.texts.getMany(keys)) as (Value | undefined)[];
  }

  async set(key: string, value: string, ttl?: number): Promise<void> {
    await this.texts.put(key, value, ttl !== undefined && ttl > 0 ? { ttlMs: ttl } : {});
  }

  async setMany(settings: Setting[]): Promise<void> {
    await inTurns(settings, ({ key, value, ttl }) => this.set(key, value, ttl));
  }

  /** Whether there was such a key; looked up before, so somebody else may have deleted it meanwhile. */
  async delete(key: string): Promise<boolean> {
    const had = await this.has(key);
    if (had) await this.texts.delete(key);
    return had;
  }

  /** Whether there were all of them. */
  async deleteMany(keys: string[]): Promise<boolean> {
    return (await inTurns(keys, (key) => this.delete(key))).every(Boolean);
  }

  async has(key: string): Promise<boolean> {
    return (await this.texts.get(key)) !== undefined;
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  async clear(): Promise<void> {
    let found: string[] = [];
    const prefix = this.namespace === undefined ? undefined : `${this.namespace}:`;
    for await (const key of this.texts.keys({ prefix })) {
      found.push(key);
      if (found.length < atOnceMax) continue;
      await inTurns(found, (one) => this.texts.delete(one));
      found = [];
    }
    await inTurns(found, (one) => this.texts.delete(one));
  }

  async *iterator<Value>(namespace?: string): AsyncGenerator<[string, Value], void, undefined> {
    const prefix = namespace === undefined ? undefined : `${namespace}:`;
    for await (const { key, value } of this.texts.scan({ prefix })) yield [key, value as Value];
  }

  /** The client stays open: it is not Keyv's. */
  disconnect(): Promise<void> {
    return Promise.resolve();
  }
}

async function inTurns<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < all.length; i += atOnceMax)
    results.push(...(await Promise.all(all.slice(i, i + atOnceMax).map(act))));
  return results;
}
