import { readFile } from 'node:fs/promises';
import { Failure, messageOf, type Clock } from '@levee/kernel';
import { boundedBody } from '@levee/wire';
import { verifyingKeys, type VerifyingKey } from './jwt';

const keySetLimits = {
  /** Keys are asked for again after so long, also where all is well: the provider may have taken one back. */
  refreshMs: 600_000,
  /** At most so often because of a token whose key is not there: strangers choose what stands in tokens. */
  againMs: 30_000,
  fetchMs: 5_000,
  bytesMax: 1024 * 1024,
} as const;

/**
 * The keys of an OpenID provider, from a file or a URL. While the provider does not answer, those that it had last are
 * used, and `problem` says so.
 */
export class KeySet {
  private keys: readonly VerifyingKey[] | undefined;
  private loadedAtMs = -Infinity;
  private triedAtMs = -Infinity;
  private loading: Promise<void> | undefined;
  /** Why they could not be read the last time, in words. */
  problem: string | undefined;

  constructor(
    readonly source: string,
    private readonly clock: Clock,
    private readonly read: (source: string) => Promise<string> = readSource,
  ) {}

  /** Those among which `find` finds what it looks for, read anew where it does not. Fails with UNAVAILABLE without any. */
  async find<T>(find: (keys: readonly VerifyingKey[]) => T | undefined): Promise<T | undefined> {
    if (this.clock.monotonicMs() - this.loadedAtMs > keySetLimits.refreshMs) await this.load();
    const found = this.keys && find(this.keys);
    if (found !== undefined) return found;
    await this.load();
    if (this.keys === undefined)
      throw new Failure('UNAVAILABLE', `the keys of the OpenID provider cannot be read: ${this.problem}`);
    return find(this.keys);
  }

  private async load(): Promise<void> {
    if (this.loading === undefined) {
      const nowMs = this.clock.monotonicMs();
      if (nowMs - this.triedAtMs < keySetLimits.againMs) return;
      this.triedAtMs = nowMs;
      this.loading = this.loadOnce().finally(() => (this.loading = undefined));
    }
    await this.loading;
  }

  private async loadOnce(): Promise<void> {
    try {
      this.keys = verifyingKeys(await this.read(this.source));
      this.loadedAtMs = this.clock.monotonicMs();
      this.problem = undefined;
    } catch (error) {
      this.problem = `${this.source}: ${messageOf(error)}`;
    }
  }
}

const isUrl = (source: string): boolean => /^https?:\/\//.test(source);

async function readSource(source: string): Promise<string> {
  if (!isUrl(source)) return readFile(source, 'utf8');
  const signal = AbortSignal.timeout(keySetLimits.fetchMs);
  // Where it leads to is not what people have set.
  const answer = await fetch(source, { signal, redirect: 'error' });
  if (!answer.ok || answer.body === null) throw new Failure('UNAVAILABLE', `it answers ${answer.status}`);
  return boundedBody(answer, keySetLimits.bytesMax);
}
