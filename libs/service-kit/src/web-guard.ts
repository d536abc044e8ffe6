import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { Failure, RareWarning, type Clock, type Logger } from '@levee/kernel';

/** What is looked at of a request before anything else. */
export interface WebRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Address of the client. */
  readonly ip: string;
}

/**
 * Keeps web pages of other people from commanding a door through the browser of somebody who can reach it. Three ways
 * are closed: a page whose own name was bound to this address (it says its name in `Host`), a request across origins
 * (`Origin`, `Sec-Fetch-Site`), and a form post, which old browsers send without `Origin` (its content type is no JSON).
 * Whoever is no browser sends none of them, and an address or one of the door's names as `Host`.
 */
export class WebGuard {
  readonly counts = { refusedHost: 0, refusedOrigin: 0, refusedContentType: 0 };
  private readonly names: ReadonlySet<string>;
  private readonly warning: RareWarning;

  /** `names` are names of the door, beside `localhost` and the name of the machine. */
  constructor(names: readonly string[], logger: Logger, clock: Clock) {
    this.names = new Set([...names, 'localhost', hostname()].map((name) => name.toLowerCase()));
    this.warning = new RareWarning(logger, clock);
  }

  /** Why the request is refused, and nothing of it read. */
  problem(request: WebRequest): Failure | undefined {
    const { counts } = this;
    const host = this.hostProblem(request);
    if (host !== undefined) return this.refuse(request, ++counts.refusedHost, host);
    const origin = originProblem(request);
    if (origin !== undefined) return this.refuse(request, ++counts.refusedOrigin, origin);
    const contentType = contentTypeProblem(request);
    if (contentType !== undefined) counts.refusedContentType++;
    return contentType;
  }

  private refuse({ ip, headers }: WebRequest, times: number, problem: Failure): Failure {
    const facts = { client: ip, host: shown(headers.host), origin: shown(headers.origin), refused: times };
    this.warning.warn(problem.code, facts, `a request of a web page was refused: ${problem.message}`);
    return problem;
  }

  private hostProblem({ method, url, headers }: WebRequest): Failure | undefined {
    const { host } = headers;
    // Only HTTP/1.0 may leave it out, which no browser speaks.
    if (host === undefined || this.isOurs(hostNameOf(host))) return undefined;
    // Load balancers ask for it by any name, and it changes and tells nothing.
    if (isRead(method) && healthPaths.has(url.split('?', 1)[0] as string)) return undefined;
    return new Failure(
      'HOST_REFUSED',
      `this door is not called '${shown(host)}': use its address, LEVEE_ADVERTISED_HOST, or add the name to LEVEE_HTTP_HOSTS`,
    );
  }

  /** An address is always ours: only names can be bound to an address by strangers. */
  private isOurs(name: string): boolean {
    return this.names.has(name) || name.endsWith('.localhost') || isIP(name) !== 0;
  }
}

const healthPaths: ReadonlySet<string> = new Set(['/health/live', '/health/ready']);

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Of a `Host` header, without port, brackets and the dot of the root. */
function hostNameOf(host: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host.trim().toLowerCase());
  return (match?.[1] ?? match?.[2] ?? '').replace(/\.$/, '');
}

function originProblem({ method, headers }: WebRequest): Failure | undefined {
  const site = headers['sec-fetch-site'];
  const isFollowedLink = isRead(method) && headers['sec-fetch-mode'] === 'navigate';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isFollowedLink)
    return new Failure(
      'ORIGIN_REFUSED',
      `a page of another origin (Sec-Fetch-Site: ${shown(site)}) may not use this door`,
    );
  const { origin, host } = headers;
  if (origin === undefined || isRead(method)) return undefined;
  if (host !== undefined && origin.replace(/^https?:\/\//, '').toLowerCase() === host.toLowerCase()) return undefined;
  return new Failure(
    'ORIGIN_REFUSED',
    `a page of '${shown(origin)}' may not use this door, which was called as '${shown(host)}': a proxy in between must pass on the Host header`,
  );
}

/** A form can send no JSON; a request without a body needs no type, but one that names another was made by a form. */
function contentTypeProblem({ method, headers }: WebRequest): Failure | undefined {
  if (method !== 'POST' && method !== 'PATCH') return undefined;
  const type = headers['content-type'];
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (type === undefined ? !hasBody : /^application\/json\s*(;|$)/i.test(type)) return undefined;
  return new Failure(
    'CONTENT_TYPE_REFUSED',
    `the body has the content type '${shown(type)}', but must be JSON: send the header content-type: application/json`,
  );
}

function shown(value: string | string[] | undefined): string {
  return String(value ?? '').slice(0, 100);
}

/** Of every answer: what is in it is no page, no script and no picture of other origins, and is kept nowhere. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
