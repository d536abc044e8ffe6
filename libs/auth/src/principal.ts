import { may, mayKnow, type ClusterState, type Right } from '@levee/cluster';
import type { UserState } from '@levee/events';
import type { Clock } from '@levee/kernel';

/** Who asks, as a door has proved it. Doors ask it before each command, so that what was revoked is refused at once. */
export interface Principal {
  /** As it stands in decisions: `user ann`, `http 127.0.0.1`. Nothing that a client claims is in it. */
  readonly name: string;
  /** Why it may do nothing any more, in words; `undefined` = it is who it was. */
  readonly problem: string | undefined;
  may(right: Right, namespace?: string): boolean;
  /** Whether it may know that the namespace exists. */
  knows(namespace: string): boolean;
  /** Of connections that name none; `undefined` = the default of the door. */
  readonly defaultNamespace: string | undefined;
}

/** Anybody at a door that asks nobody, or a process of the cluster: may do everything. */
export class TrustedPrincipal implements Principal {
  readonly problem = undefined;
  readonly defaultNamespace = undefined;

  constructor(readonly name: string) {}

  may(): boolean {
    return true;
  }

  knows(): boolean {
    return true;
  }
}

/** What proved who somebody is. */
export type Proof =
  | { readonly passwordHash: string }
  | { readonly tokenId: string; readonly sha256: string }
  /** Somebody else said so, until then: a certificate authority, or a provider of OpenID. */
  | { readonly saidUntilMs: number };

/** The users that a process knows. */
export interface UsersWorld {
  readonly state: () => ClusterState;
  readonly clock: Clock;
  /** It cannot know any more what was taken from them. */
  readonly isCutOff?: (() => boolean) | undefined;
  /** Why, in words. */
  readonly cutOff?: (() => string | undefined) | undefined;
}

/** A user, for as long as the cluster knows it by what it proved itself with. */
export class UserPrincipal implements Principal {
  readonly name: string;
  /** As the state had it when it was looked at last, and what was found out of it. */
  private seen: UserState | undefined;
  private validUntilMs = 0;
  private readonly allowed = new Map<string, boolean>();
  /** The question that was answered last: a connection asks the same one again and again. */
  private last = { right: '', namespace: '', answer: false };

  constructor(
    private readonly user: Pick<UserState, 'name' | 'number'>,
    private readonly proof: Proof,
    private readonly world: UsersWorld,
  ) {
    this.name = `user ${user.name}`;
  }

  get problem(): string | undefined {
    if (this.current() !== undefined) return undefined;
    return this.world.cutOff?.() ?? 'what it was authenticated with does not hold any more';
  }

  get defaultNamespace(): string | undefined {
    return this.current()?.defaultNamespace ?? undefined;
  }

  may(right: Right, namespace = ''): boolean {
    const user = this.current();
    if (user === undefined) return false;
    const { last } = this;
    if (last.right === right && last.namespace === namespace) return last.answer;
    const answer = this.answer(`${right} ${namespace}`, () => may(user, right, namespace));
    this.last = { right, namespace, answer };
    return answer;
  }

  knows(namespace: string): boolean {
    const user = this.current();
    return user !== undefined && this.answer(`? ${namespace}`, () => mayKnow(user, namespace));
  }

  private answer(question: string, ask: () => boolean): boolean {
    const known = this.allowed.get(question);
    if (known !== undefined) return known;
    if (this.allowed.size >= answersMax) this.allowed.clear();
    const answer = ask();
    this.allowed.set(question, answer);
    return answer;
  }

  /** The user as it is now; `undefined` when it is not there, disabled, somebody else, or its proof holds no more. */
  private current(): UserState | undefined {
    if (this.world.isCutOff?.()) return undefined;
    const user = this.world.state().user(this.user.name);
    if (user !== this.seen) {
      this.seen = user;
      this.allowed.clear();
      this.last = { right: '', namespace: '', answer: false };
      this.validUntilMs = user === undefined ? 0 : validUntilMs(user, this.user.number, this.proof);
    }
    return this.validUntilMs === Infinity || this.world.clock.nowMs() < this.validUntilMs ? user : undefined;
  }
}

/** Of one principal; more than any connection asks. */
const answersMax = 1_000;

/** 0 = not now. */
function validUntilMs(user: UserState, number: number, proof: Proof): number {
  if (user.state !== 'active' || user.number !== number) return 0;
  if ('passwordHash' in proof) return user.passwordHash === proof.passwordHash ? Infinity : 0;
  if ('saidUntilMs' in proof) return proof.saidUntilMs;
  const token = user.tokens.find(({ tokenId, sha256 }) => tokenId === proof.tokenId && sha256 === proof.sha256);
  return token === undefined ? 0 : (token.expiresAtMs ?? Infinity);
}
