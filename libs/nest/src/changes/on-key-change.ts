import { SetMetadata } from '@nestjs/common';
import type { Codec } from '@levee/sdk';
import { defaultConnection } from '../tokens';

export interface OnKeyChangeOptions {
  /** Keys that begin with it, or one key; without both all keys. */
  readonly prefix?: string;
  readonly key?: string;
  /** Of the connection that it watches by; the one without a name by default. */
  readonly connection?: string;
  /** How values are read; bytes by default. */
  readonly codec?: Codec<unknown>;
  /**
   * What its position is kept under: give one, so that the class and the method may get other names later. By default
   * `Class.method`.
   */
  readonly name?: string;
  /** Where it begins when it has no position yet; `now` by default. */
  readonly from?: 'now' | 'beginning';
  /** Changes of different keys that are handled at a time; default 8. Those of one key come one after the other. */
  readonly concurrency?: number;
  /** How often a change is tried before it is put aside; default 5. */
  readonly attempts?: number;
  /** Namespace in which positions, and changes that were put aside, are kept; the watched one by default. */
  readonly state?: string;
}

export interface WatchedMethod extends Required<Omit<OnKeyChangeOptions, 'prefix' | 'key' | 'codec' | 'name'>> {
  readonly namespace: string;
  readonly prefix: string | undefined;
  readonly key: string | undefined;
  readonly codec: Codec<unknown> | undefined;
  readonly name: string | undefined;
}

/** What the decorator leaves at a method. */
export const keyChangeMetadata = Symbol.for('@levee/nest on key change');

/**
 * The method is called with every change (a `Change` of the client) of the namespace's keys: at least once, those of a
 * key in the order of the log, also of what happened while the application was down.
 */
export function OnKeyChange(namespace: string, options: OnKeyChangeOptions = {}): MethodDecorator {
  const { prefix, key, codec, name } = options;
  const { connection = defaultConnection, from = 'now', concurrency = 8, attempts = 5, state = namespace } = options;
  for (const [what, count] of Object.entries({ concurrency, attempts }))
    if (!Number.isInteger(count) || count < 1 || count > 1_000)
      throw new RangeError(
        `@OnKeyChange('${namespace}'): ${what} is ${count}, it must be a whole number from 1 to 1000`,
      );
  const handler: WatchedMethod = {
    namespace,
    prefix,
    key,
    codec,
    name,
    connection,
    from,
    concurrency,
    attempts,
    state,
  };
  return SetMetadata(keyChangeMetadata, handler);
}
