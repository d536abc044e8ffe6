import { parseAddress, SteadyClock } from '@levee/kernel';
import type { ClientLimits, ClientStatus, ConnectOptions } from '../api';
import type { NearChoice, NearDistance } from '../client/near';
import type { Reach } from '../client/reach';
import { type LeveeError, LimitError, UnavailableError } from '../errors';
import type { World } from '../world';
import { doorError } from './door-errors';
import { PortalDoor } from './portal-door';
import { portalNetwork } from './portal-network';
import { PortalReach } from './portal-reach';
import { PortalRequests } from './portal-requests';
import type { RequestsChoice } from './requests-choice';
import { RetryBudget } from './retry-budget';

/** All portals of a client, and its namespaces. */
export class PortalDistance {
  private readonly doors: readonly PortalDoor[];
  private readonly namespaces = new Map<string, PortalRequests>();
  private readonly choice: RequestsChoice;
  private readonly clientId: string;
  private readonly near: NearDistance | undefined;

  constructor(
    options: ConnectOptions,
    private readonly limits: ClientLimits,
    private readonly world: World,
  ) {
    const { metrics = {}, tls } = options;
    const network = portalNetwork(tls, world);
    const credentials = credentialsOf(options);
    const reads = nearer(options.reads);
    // In one order for all clients, whatever the order in which they were given.
    const names = [...new Set(options.portals.map((portal) => portal.trim()))].sort();
    if (names.length === 0) throw new RangeError("portals is empty: name at least one, as 'host:7379'");
    const addresses = names.map((name) => {
      const address = parseAddress(name);
      if (!address) throw new RangeError(`'${name}' is no portal: write host:port, such as 127.0.0.1:7379`);
      return { name, address };
    });
    const ups = { changes: 0 };
    this.doors = addresses.map(
      ({ name, address }) => new PortalDoor(address, name, { network, credentials, limits, metrics, ups, world }),
    );
    const budget = new RetryBudget(limits.retryShare, limits.retriesAtOnceMax);
    this.choice = { doors: this.doors, ups, limits, metrics, budget, world, steady: new SteadyClock(world.clock) };
    this.clientId = world.newId();
    const failure = (text: string): LeveeError => doorError(text, false);
    this.near = reads?.open({ network, credentials, limits, budget, world, failure });
  }

  /** Resolves when a portal answers. Rejects when one does not let this client in, or none answers in time. */
  open(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.world.timers.after(deadlineMs, () => {
        const problems = this.doors.map(({ name, problem }) => `${name}: ${problem}`).join('; ');
        settle(() =>
          reject(new UnavailableError('NO_PORTAL', `no portal answered within ${deadlineMs} ms: ${problems}`)),
        );
      });
      const settle = (action: () => void): void => {
        cancel();
        for (const door of this.doors) door.onProbe = () => undefined;
        action();
      };
      for (const door of this.doors)
        door.onProbe = () => {
          const { denied } = door;
          if (door.up) settle(resolve);
          else if (denied) settle(() => reject(denied));
        };
    });
  }

  reach(name: string): Reach {
    const requests = this.requestsOf(name);
    const reach = new PortalReach(requests, `${this.clientId}.${this.namespaces.size}`);
    return this.near?.reach({ reach, requests }) ?? reach;
  }

  status(): ClientStatus {
    const { taken: retries, refused: retriesRefused } = this.choice.budget.counts;
    const portals = this.doors.map(({ status }) => status);
    return { portals, retries, retriesRefused, ...this.near?.status() };
  }

  async close(): Promise<void> {
    await Promise.all([...this.namespaces.values()].map((requests) => requests.close()));
    try {
      await this.near?.close();
    } finally {
      for (const door of this.doors) door.close();
    }
  }

  private requestsOf(name: string): PortalRequests {
    let requests = this.namespaces.get(name);
    if (requests) return requests;
    if (this.namespaces.size >= this.limits.namespacesMax)
      throw new LimitError(
        'CLIENT_LIMIT',
        `${this.namespaces.size} namespaces are in use by this client, at most ${this.limits.namespacesMax} ` +
          '(limits.namespacesMax)',
      );
    requests = new PortalRequests(name, this.choice);
    this.namespaces.set(name, requests);
    return requests;
  }
}

function nearer(reads: ConnectOptions['reads']): NearChoice | undefined {
  if (reads === undefined || reads === 'portal') return undefined;
  if (typeof (reads as Partial<NearChoice> | null)?.open === 'function') return reads as NearChoice;
  throw new RangeError(
    `reads is ${typeof reads === 'string' ? `'${String(reads)}'` : typeof reads}: leave it out, or import { direct } from ` +
      "'@levee/client/direct' and give reads: direct(), or local of '@levee/client/local' and give reads: local({ ... })",
  );
}

function credentialsOf({ user, password, token }: ConnectOptions): readonly [string, string] | undefined {
  const secret = password ?? token;
  if (password !== undefined && token !== undefined) throw new RangeError('give a password or a token, not both');
  if (user === undefined && secret === undefined) return undefined;
  if (user === undefined) throw new RangeError('a password or a token is one of a user: give the user too');
  if (secret === undefined) throw new RangeError(`user '${user}' needs a password or a token`);
  return [user, secret];
}
