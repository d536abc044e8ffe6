import type { Clock } from '@levee/kernel';
import { isSignedBy, keyOf, parseJwt, userOf, type ExpectedClaims } from './jwt';
import type { KeySet } from './key-set';

/** Says for whom a JWT of an OpenID provider is, if it is one. */
export class JwtVerifier {
  constructor(
    private readonly expected: ExpectedClaims,
    readonly keys: KeySet,
    private readonly clock: Clock,
  ) {}

  /** Whether it looks like one; nothing of it is believed. */
  takes(text: string): boolean {
    return parseJwt(text) !== undefined;
  }

  /** `undefined`: it is not believed, and nobody says why. Fails with UNAVAILABLE while there are no keys. */
  async verify(text: string): Promise<{ readonly user: string; readonly untilMs: number } | undefined> {
    const jwt = parseJwt(text);
    // What its claims say is cheaper to look at than its signature, and keys are not fetched for it.
    const said = jwt && userOf(jwt, this.expected, this.clock.nowMs());
    if (jwt === undefined || said === undefined) return undefined;
    const key = await this.keys.find((keys) => keyOf(jwt, keys));
    return key !== undefined && isSignedBy(jwt, key) ? said : undefined;
  }
}
