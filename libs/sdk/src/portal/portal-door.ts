import type { Address, Random } from '@levee/kernel';
import { type Network, RespClient, RespError } from '@levee/wire';
import type { ClientLimits, ClientMetrics, PortalStatus } from '../api';
import { DeniedError, LeveeError } from '../errors';
import type { World } from '../world';
import { doorError } from './door-errors';
import { seedOf } from './rendezvous';
import { textOf } from './replies';

/** How often a portal of the client came or went: then keys are asked for elsewhere. */
export interface PortalUps {
  changes: number;
}

export interface DoorChoice {
  readonly network: Network;
  /** As HELLO takes it: user and secret, or nothing. */
  readonly credentials: readonly [user: string, secret: string] | undefined;
  readonly limits: ClientLimits;
  readonly metrics: ClientMetrics;
  readonly ups: PortalUps;
  readonly world: World;
}

/** A connection to it. */
export interface DoorLink {
  readonly outstanding: number;
  renew(why: string): void;
  close(): void;
}

/** One portal, and whether it answers. It is asked again and again, on a connection on which nothing else waits. */
export class PortalDoor {
  readonly seed: number;
  up = false;
  /** It has said that it is going to stop; what it is asked until then it answers. */
  leaving = false;
  problem: string | undefined = 'not asked yet';
  /** It does not let this client in. */
  denied: LeveeError | undefined;
  readonly links = new Set<DoorLink>();
  private readonly control: RespClient;
  private cancelProbe: () => void = () => undefined;
  private probing = false;
  private closed = false;
  private readonly random: Random;
  /** Told of every answer to a probe. */
  onProbe: () => void = () => undefined;

  constructor(
    readonly address: Address,
    /** As it was given: what all clients call it. */
    readonly name: string,
    private readonly choice: DoorChoice,
  ) {
    this.seed = seedOf(name);
    this.random = choice.world.random;
    this.control = this.newClient(() => this.begin());
    this.probe();
  }

  /** Not connected yet. `onReady`: it is, and what is sent then comes first. */
  newClient(onReady: () => void): RespClient {
    const { credentials, network, limits, world } = this.choice;
    const auth = credentials ? ['AUTH', ...credentials] : [];
    return new RespClient(this.address, {
      ...world,
      network,
      onReady,
      onPush: ([kind]) => {
        if (textOf(kind) !== 'MOVING') return;
        this.leaving = true;
        this.set(false, 'it is going to stop');
      },
      limits: {
        requestsMax: limits.operationsMax + ownRequests,
        requestBytesMax: limits.bytesMax,
        connectMs: limits.probeMs,
        // Over before the next probe.
        backoffMaxMs: Math.max(20, limits.probeMs / 4),
        // Whether it is silent is found out by asking it. A connection that nothing comes through is found out here.
        stallMs: limits.silentMs,
      },
      hello: {
        args: ['HELLO', '3', ...auth],
        check: (reply) => {
          // Authentication is off there: the name is taken for that of a namespace, and the connection is as good.
          if (!(reply instanceof RespError) || reply.code === 'LVNAMESPACE') this.denied = undefined;
          else this.denied = doorError(reply.text, false);
          return this.denied?.message;
        },
      },
    });
  }

  get status(): PortalStatus {
    const { name: address, up, problem } = this;
    let outstanding = 0;
    for (const link of this.links) outstanding += link.outstanding;
    return { address, up, problem, outstanding };
  }

  /** A connection to it was lost, or it says that it stops: it is not asked before it has answered a probe. */
  suspect(problem: string): void {
    this.set(false, problem);
    this.probeSoon(this.choice.limits.retryPauseMs);
  }

  close(): void {
    this.closed = true;
    this.cancelProbe();
    this.control.close();
    for (const link of this.links) link.close();
  }

  /** Another process may answer now. */
  private begin(): void {
    this.leaving = false;
    // Who does not know it says no, and that is all.
    const wish = ['CLIENT', 'MAINT_NOTIFICATIONS', 'ON', 'MOVING-ENDPOINT-TYPE', 'NONE'];
    this.control.send(wish, this.choice.limits.probeMs, () => undefined);
  }

  private probe(): void {
    const { probeMs } = this.choice.limits;
    if (this.probing || this.closed) return;
    this.probing = true;
    this.control.send(['PING'], probeMs, (failure, reply) => {
      this.probing = false;
      if (this.closed) return;
      const problem = failure?.message ?? (reply instanceof RespError ? reply.text : undefined);
      // It let this client in before: a user that was disabled since, or a token that is over.
      if (!failure) this.denied = reply instanceof RespError ? denialOf(reply) : undefined;
      const silent = failure?.code === 'OUTCOME_UNKNOWN';
      if (problem !== undefined) this.leaving = false;
      this.set(problem === undefined && !this.leaving, problem ?? (this.leaving ? this.problem : undefined));
      // What was asked of it is asked of another one, and its old connections are not waited for, this one neither: nothing
      // may come through it any more, while the portal answers on another.
      if (silent) for (const link of [this.control, ...this.links]) link.renew(problem as string);
      this.onProbe();
      this.probeSoon(probeMs);
    });
  }

  private probeSoon(withinMs: number): void {
    this.cancelProbe();
    const pauseMs = withinMs * (0.5 + this.random.next() / 2);
    this.cancelProbe = this.choice.world.timers.after(pauseMs, () => this.probe());
  }

  private set(up: boolean, problem: string | undefined): void {
    const changed = this.up !== up;
    this.up = up;
    this.problem = problem;
    if (!changed) return;
    this.choice.ups.changes++;
    try {
      this.choice.metrics.portal?.({ address: this.name, up, problem });
    } catch {
      // Measurements do not stop what is measured.
    }
  }
}

/** Nobody answers, and who could does not let this client in: waiting would not help. */
export function denialBy(doors: readonly PortalDoor[]): LeveeError | undefined {
  if (doors.some(({ up, leaving }) => up || leaving)) return undefined;
  return doors.find(({ denied }) => denied instanceof DeniedError)?.denied;
}

function denialOf({ text }: RespError): LeveeError | undefined {
  const failure = doorError(text, false);
  return failure instanceof DeniedError ? failure : undefined;
}

/** Requests that the client sends for itself, beside operations. */
const ownRequests = 16;
