import { createHmac, randomBytes } from 'node:crypto';
import type { ClusterState } from '@levee/cluster';
import { Failure, RareWarning, type Clock, type Logger, type Timers } from '@levee/kernel';
import type { TlsPeer } from '@levee/wire';
import { Attempts } from './attempts';
import type { JwtVerifier } from './jwt/jwt-verifier';
import { UserPrincipal, type Principal, type UsersWorld } from './principal';
import { hashPassword, isPasswordOf, isSameHash, parseToken, secretLimits } from './secrets';

export interface AuthenticatorWorld {
  readonly state: () => ClusterState;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** For how long there may be decisions that this process has not heard of. */
  readonly unheardMs?: (() => number) | undefined;
  /** From there on it believes no user; default 10 minutes. */
  readonly believedMs?: number | undefined;
  /** Of a provider whose tokens stand for users, if there is one. */
  readonly jwts?: JwtVerifier | undefined;
}

/** Reads survive an outage of the log of this length where every door asks who somebody is. */
const believedMsDefault = 600_000;

/** Passwords that were right, so that not each request costs a hash. */
const rememberedMax = 10_000;

/** Finds out who somebody is, by a password or a token. What was right once is remembered until the user changes. */
export class Authenticator {
  private readonly attempts: Attempts;
  /** By HMAC of user, hash and password: with another hash nothing of it is found. */
  private readonly remembered = new Set<string>();
  private readonly rememberKey = randomBytes(32);
  /** By the same: passwords that are looked at now. */
  private readonly underWay = new Map<string, Promise<UserPrincipal | undefined>>();
  private readonly warning: RareWarning;
  private succeeded = 0;
  /** Of nobody: who guesses names learns nothing from how long it takes. */
  private decoy: Promise<string> | undefined;

  private readonly users: UsersWorld;

  constructor(private readonly world: AuthenticatorWorld) {
    const { state, clock } = world;
    this.users = { state, clock, isCutOff: () => this.isCutOff, cutOff: () => this.cutOff };
    this.attempts = new Attempts(world.clock, world.timers);
    this.warning = new RareWarning(world.logger, world.clock);
  }

  stats(): Readonly<Record<string, number>> {
    const { believedMs: usersBelievedMs } = this;
    const usersAgeMs = this.world.unheardMs?.() ?? 0;
    return { succeeded: this.succeeded, ...this.attempts.counts, usersAgeMs, usersBelievedMs };
  }

  /** For how long somebody may have lost rights without that it was heard of here, in whole ms; -1 = always yet. */
  get ageMs(): number {
    const ms = this.world.unheardMs?.() ?? 0;
    return ms === Infinity ? -1 : Math.round(ms);
  }

  get believedMs(): number {
    return this.world.believedMs ?? believedMsDefault;
  }

  private get isCutOff(): boolean {
    return (this.world.unheardMs?.() ?? 0) > this.believedMs;
  }

  /** Why no user is believed, in words. */
  private get cutOff(): string | undefined {
    const ms = this.world.unheardMs?.() ?? 0;
    if (ms <= this.believedMs) return undefined;
    const since = ms === Infinity ? 'since it started' : `for ${Math.round(ms / 1000)} s`;
    return `this process has not heard from the log ${since}, and users may have lost their rights meanwhile: it believes them for ${this.believedMs / 1000} s (LEVEE_USERS_BELIEVED)`;
  }

  private checkHeard(): void {
    const problem = this.cutOff;
    if (problem !== undefined) throw new Failure('UNAVAILABLE', problem);
  }

  /**
   * By user and password, or a token in its place. `undefined`: wrong, and nobody says what. Fails with LIMIT, and with
   * UNAVAILABLE while nobody is believed.
   */
  async byPassword(user: string, secret: string, address: string): Promise<Principal | undefined> {
    this.checkHeard();
    const token = parseToken(secret);
    if (token?.user === user) return this.byToken(secret, address);
    if (this.world.jwts?.takes(secret)) return this.byJwt(secret, address, user);
    if (token !== undefined || Buffer.byteLength(user + secret) > secretLimits.secretBytesMax) {
      await this.attempts.admit(address);
      return this.refused(user, address);
    }
    const known = this.rememberedUser(user, secret);
    const found = known ?? (await this.hashedOnce(user, secret, address));
    if (found === undefined) return this.refused(user, address);
    this.attempts.succeeded(address, user);
    return known ?? this.taken(found);
  }

  /** The same by a token alone, which says whose it is. */
  async byToken(text: string, address: string): Promise<Principal | undefined> {
    this.checkHeard();
    const { state, jwts } = this.world;
    if (jwts?.takes(text)) return this.byJwt(text, address);
    const token = parseToken(text);
    const user = token && state().user(token.user);
    const kept = user?.tokens.find(
      ({ tokenId, sha256 }) => tokenId === token?.tokenId && isSameHash(sha256, token.sha256),
    );
    if (user === undefined || kept === undefined) {
      await this.attempts.admit(address);
      return this.refused(token?.user ?? '?', address);
    }
    const principal = new UserPrincipal(user, kept, this.users);
    return principal.problem === undefined ? this.taken(principal) : this.refused(user.name, address);
  }

  /** By a certificate that a door has checked: the user of its common name. Nobody, where there is no such user. */
  byCertificate({ name, validUntilMs: saidUntilMs }: TlsPeer): Principal | undefined {
    const user = this.world.state().user(name);
    const principal = user && new UserPrincipal(user, { saidUntilMs }, this.users);
    if (principal?.problem !== undefined) return undefined;
    if (principal !== undefined) this.succeeded++;
    return principal;
  }

  /** By a token of the provider; `asked`: it must be for that user. */
  private async byJwt(text: string, address: string, asked?: string): Promise<Principal | undefined> {
    const said = await this.world.jwts?.verify(text);
    const user = said && this.world.state().user(said.user);
    if (said === undefined || user === undefined || (asked !== undefined && asked !== user.name)) {
      await this.attempts.admit(address);
      return this.refused(asked ?? '?', address);
    }
    const principal = new UserPrincipal(user, { saidUntilMs: said.untilMs }, this.users);
    return principal.problem === undefined ? this.taken(principal) : this.refused(user.name, address);
  }

  private rememberedUser(name: string, secret: string): UserPrincipal | undefined {
    const user = this.world.state().user(name);
    const passwordHash = user?.passwordHash ?? undefined;
    if (user === undefined || passwordHash === undefined) return undefined;
    if (!this.remembered.has(this.memory(name, passwordHash, secret))) return undefined;
    const principal = new UserPrincipal(user, { passwordHash }, this.users);
    return principal.problem === undefined ? principal : undefined;
  }

  /** Who says the same at the same time gets the same answer: a pool of connections costs one hash, and no turn more. */
  private hashedOnce(name: string, secret: string, address: string): Promise<UserPrincipal | undefined> {
    const memory = this.memory(name, this.world.state().user(name)?.passwordHash ?? '', secret);
    const known = this.underWay.get(memory);
    if (known !== undefined) return known;
    const found = this.attempts
      .admit(address)
      .then(() => this.attempts.hashed(address, () => this.hashed(name, secret)))
      .finally(() => this.underWay.delete(memory));
    this.underWay.set(memory, found);
    return found;
  }

  private async hashed(name: string, secret: string): Promise<UserPrincipal | undefined> {
    const user = this.world.state().user(name);
    this.decoy ??= hashPassword(randomBytes(16).toString('hex')).catch((error: unknown) => {
      this.decoy = undefined;
      throw error;
    });
    const passwordHash = user?.passwordHash ?? (await this.decoy);
    const isRight = await isPasswordOf(passwordHash, secret);
    if (user === undefined || user.passwordHash === null || !isRight) return undefined;
    const principal = new UserPrincipal(user, { passwordHash }, this.users);
    if (principal.problem !== undefined) return undefined;
    this.remember(this.memory(name, passwordHash, secret));
    return principal;
  }

  private memory(name: string, passwordHash: string, secret: string): string {
    const text = `${name}\0${passwordHash}\0${secret}`;
    return createHmac('sha256', this.rememberKey).update(text).digest('base64');
  }

  private remember(memory: string): void {
    const [oldest] = this.remembered;
    if (this.remembered.size >= rememberedMax && oldest !== undefined) this.remembered.delete(oldest);
    this.remembered.add(memory);
  }

  private taken(principal: UserPrincipal): Principal {
    this.succeeded++;
    return principal;
  }

  private refused(user: string, address: string): undefined {
    // Names that are made up would fill the memory of this process.
    this.attempts.failed(address, this.world.state().user(user)?.name);
    const facts = { user: user.slice(0, 64), client: address, failed: this.attempts.counts.failed };
    this.warning.warn(`${facts.user} ${address}`, facts, 'an attempt to authenticate failed');
    return undefined;
  }
}
