import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  clusterScheme,
  httpDoorName,
  TrustedPrincipal,
  type Authenticator,
  type ClusterKey,
  type Principal,
} from '@levee/auth';
import type { NamespaceRight, Right } from '@levee/cluster';
import { assert, Failure, type Timers } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { tlsPeerOf, type TlsPeer } from '@levee/wire';

/**
 * What a route asks of who calls it: nothing, that it is known who that is, a right on the cluster, a right on the namespace
 * that a parameter of the path names, or any right on it. `demanded`: its controller asks, since the body says what for.
 */
type RouteAccess =
  | 'open'
  | 'user'
  | 'demanded'
  | Exclude<Right, NamespaceRight>
  | { readonly right: NamespaceRight | 'any'; readonly of: string };

/** By method and path as it is registered: `GET /v1/kv/:namespace/:key`. What is not here is refused to everybody. */
export type RouteTable = Readonly<Record<string, RouteAccess>>;

/** Of every process. */
export const commonRoutes: RouteTable = {
  'GET /health/live': 'open',
  'GET /health/ready': 'open',
  'GET /metrics': 'operate',
};

/** Who may do what at an HTTP door. */
export interface HttpAccess {
  readonly routes: RouteTable;
  /** `undefined`: authentication is off, and everybody may do everything. */
  readonly authenticator?: (() => Authenticator) | undefined;
  /** Processes of the cluster prove themselves with it. */
  readonly clusterKey?: ClusterKey | undefined;
  /** Or by a certificate with this common name. */
  readonly clusterName?: string | undefined;
  readonly timers?: Timers;
}

const principals = new WeakMap<IncomingMessage, Principal>();

/** Who made the request, as the door has proved it. */
export function principalOf({ raw }: Pick<FastifyRequest, 'raw'>): Principal {
  const principal = principals.get(raw);
  if (principal !== undefined) return principal;
  throw new Failure('UNAUTHORIZED', 'nobody has looked at who made this request');
}

/** For routes whose right depends on their body. Fails with FORBIDDEN. */
export function demandRight(request: Pick<FastifyRequest, 'raw'>, right: Right, namespace?: string): void {
  const principal = principalOf(request);
  if (!principal.may(right, namespace)) throw noRight(principal, right, namespace);
}

/**
 * Every request is refused that the door has no rule for, or whose principal has not the right that it states. Returns the
 * routes as they are registered from now on; one without a rule is a mistake of ours (I21).
 */
export function guardRoutes(fastify: FastifyInstance, access: HttpAccess): ReadonlySet<string> {
  const open = new OpenRequests(access.timers);
  const registered = new Set<string>();
  fastify.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) {
      const route = routeOf(one, url);
      assert(ruleFor(access.routes, route) !== undefined, `I21: ${route} states no right`);
      registered.add(route);
    }
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    const admit = (principal: Principal | undefined): void => {
      if (principal !== undefined) principals.set(request.raw, principal);
      const problem = routeProblem(request, access, principal);
      if (problem?.code === 'UNAUTHORIZED') challenge(reply);
      else if (principal !== undefined && access.authenticator !== undefined)
        open.watch(reply, () => routeProblem(request, access, principal));
      done(problem);
    };
    const { authenticator } = access;
    if (authenticator === undefined) admit(new TrustedPrincipal(`http ${request.ip}`));
    else authenticated(request, authenticator(), access).then(admit, done);
  });
  return registered;
}

function routeOf(method: string, url: string | undefined): string {
  return `${method === 'HEAD' ? 'GET' : method} ${url}`;
}

function routeProblem(
  { method, is404, routeOptions, params }: FastifyRequest,
  { routes }: HttpAccess,
  principal: Principal | undefined,
): Failure | undefined {
  const route = routeOf(method, routeOptions.url);
  const asked = is404 ? 'user' : ruleFor(routes, route);
  if (asked === 'open') return undefined;
  if (principal?.problem !== undefined) return new Failure('UNAUTHORIZED', `${principal.name}: ${principal.problem}`);
  if (principal === undefined)
    return new Failure('UNAUTHORIZED', 'this door asks who you are: a user and its password, or a token');
  if (asked === undefined) return new Failure('FORBIDDEN', `${route} states no right: nobody may use it`);
  if (asked === 'user' || asked === 'demanded') return undefined;
  if (typeof asked === 'string') return principal.may(asked) ? undefined : noRight(principal, asked);
  const namespace = (params as Readonly<Record<string, string | undefined>>)[asked.of] ?? '';
  if (asked.right === 'any') return principal.knows(namespace) ? undefined : noRight(principal, 'any', namespace);
  return principal.may(asked.right, namespace) ? undefined : noRight(principal, asked.right, namespace);
}

/** A rule that ends in `*` is one for everything that begins so. */
function ruleFor(routes: RouteTable, route: string): RouteAccess | undefined {
  if (Object.hasOwn(routes, route)) return routes[route];
  const rule = Object.keys(routes).find((each) => each.endsWith('*') && route.startsWith(each.slice(0, -1)));
  return rule === undefined ? undefined : routes[rule];
}

async function authenticated(
  { headers, ip, raw }: FastifyRequest,
  authenticator: Authenticator,
  { clusterKey, clusterName }: HttpAccess,
): Promise<Principal | undefined> {
  const given = authorizationOf(headers);
  const peer = raw.socket instanceof TLSSocket ? tlsPeerOf(raw.socket) : undefined;
  // Whoever says who he is is asked for that, whatever certificate his side has.
  if (given === undefined && peer === undefined) return undefined;
  if (given === undefined && peer?.name === clusterName) return new TrustedPrincipal(`process ${ip}`);
  if (given === undefined) return authenticator.byCertificate(peer as TlsPeer);
  const { scheme, value } = given;
  if (scheme === clusterScheme.toLowerCase() && clusterKey?.proves(httpDoorName, value))
    return new TrustedPrincipal(`process ${ip}`);
  const address = raw.socket.remoteAddress ?? ip;
  if (scheme === 'bearer') return authenticator.byToken(value, address);
  if (scheme !== 'basic') return undefined;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : authenticator.byPassword(pair.slice(0, colon), pair.slice(colon + 1), address);
}

function authorizationOf({ authorization }: IncomingHttpHeaders): { scheme: string; value: string } | undefined {
  const match = /^([A-Za-z-]+) +(\S+)$/.exec(authorization?.trim() ?? '');
  return match === null ? undefined : { scheme: (match[1] as string).toLowerCase(), value: match[2] as string };
}

/** The body that may follow is not read. */
function challenge(reply: FastifyReply): void {
  void reply.header('www-authenticate', 'Basic realm="levee", charset="UTF-8", Bearer').header('connection', 'close');
}

function noRight({ name }: Principal, right: Right | 'any', namespace?: string): Failure {
  const where = namespace === undefined ? '' : ` in namespace '${namespace.slice(0, 200)}'`;
  return new Failure('FORBIDDEN', `${name} has ${right === 'any' ? 'no right' : `not the right ${right}`}${where}`);
}

/** How soon a request that is still under way, such as a watch, ends after its principal lost the right to it. */
const lookMs = 200;

/** Requests under way, looked at again and again: what is revoked ends also what had begun. */
class OpenRequests {
  private readonly all = new Map<FastifyReply['raw'], () => Failure | undefined>();
  private isLooking = false;

  constructor(private readonly timers: Timers = systemTimers) {}

  watch({ raw }: FastifyReply, problem: () => Failure | undefined): void {
    this.all.set(raw, problem);
    raw.once('close', () => this.all.delete(raw));
    this.lookLater();
  }

  private lookLater(): void {
    if (this.isLooking) return;
    this.isLooking = true;
    this.timers.after(lookMs, () => {
      this.isLooking = false;
      for (const [raw, problem] of this.all) if (problem() !== undefined) raw.destroy();
      if (this.all.size > 0) this.lookLater();
    });
  }
}
