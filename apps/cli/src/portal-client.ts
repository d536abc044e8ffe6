import { Failure, messageOf } from '@levee/kernel';
import { type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { CliFailure, usageFailure } from './exit';
import { serverEvents } from './event-stream';
import type { Row } from './output';
import { splitLines } from './split-lines';

export interface PortalRequest {
  readonly method?: 'GET' | 'HEAD' | 'PUT' | 'DELETE' | 'POST' | 'PATCH';
  /** Path from the root, already percent-encoded. */
  readonly path: string;
  /** Entries that are `undefined` are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: Uint8Array;
}

/** A value as the body of a request. */
export function jsonBody(value: unknown): Required<Pick<PortalRequest, 'body' | 'headers'>> {
  return { body: Buffer.from(JSON.stringify(value)), headers: { 'content-type': 'application/json' } };
}

/** As PEM: whom the command line believes, and the certificate that it shows. */
export interface PortalTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface PortalReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What the portal says when it does not do what it was asked to. */
export class PortalFailure extends Failure {
  override readonly name = 'PortalFailure';

  constructor(
    readonly status: number,
    code: string,
    message: string,
    details: Readonly<Record<string, unknown>>,
  ) {
    super(code, message, { details });
  }
}

export const defaultUrl = 'http://127.0.0.1:7380';

/** Replies held in memory; scans and log tails are streams and have no such limit. */
const replyBytesMax = 64 * 1024 * 1024;
/** One line of a stream: a record of 2 MiB in base64, inside JSON. */
const lineBytesMax = 16 * 1024 * 1024;

/**
 * The HTTP door of a portal. Paths go out as they are (`fetch` would fold a key named `..` into the path).
 * Failures: PortalFailure with the portal's own code; CliFailure `UNREACHABLE` and `DEADLINE`.
 */
export class PortalClient {
  private readonly base: URL;

  constructor(
    private readonly url: string,
    private readonly options: {
      readonly deadlineMs: number;
      readonly interrupted: AbortSignal;
      /** The file that the URL was found in. */
      readonly namedBy?: string;
      readonly token?: string | undefined;
      readonly tls?: PortalTls | undefined;
    },
  ) {
    if (!URL.canParse(url)) throw usageFailure(`'${url}' is no URL: use one like ${defaultUrl} (--url, LEVEE_URL)`);
    this.base = new URL(url);
    if (this.base.protocol !== 'http:' && this.base.protocol !== 'https:')
      throw usageFailure(`'${url}' has the scheme ${this.base.protocol}, not http: or https:`);
  }

  /** The same door, for whoever has this token. */
  as(token: string): PortalClient {
    return new PortalClient(this.url, { ...this.options, token });
  }

  get origin(): string {
    return this.base.origin;
  }

  get deadlineMs(): number {
    return this.options.deadlineMs;
  }

  /** A whole reply. */
  async send(request: PortalRequest): Promise<PortalReply> {
    const deadline = AbortSignal.timeout(this.options.deadlineMs);
    const response = await this.open(request, deadline);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await this.bodyOf(response, deadline, request.method),
    };
  }

  /** A reply that is JSON. */
  async json(request: PortalRequest): Promise<unknown> {
    const { body } = await this.send(request);
    return parseJson(body.toString('utf8'), `the reply to ${request.method ?? 'GET'} ${request.path}`);
  }

  /** A reply of JSON lines, as they come; ends quietly when interrupted or at `stop`. The deadline is for the first byte. */
  async *lines(request: PortalRequest, stop?: AbortSignal): AsyncGenerator<Row> {
    const lines = (response: IncomingMessage) => splitLines(response, lineBytesMax);
    for await (const line of this.stream(request, lines, stop))
      if (line.trim() !== '') yield parseJson(line, `a line of ${request.path}`) as Row;
  }

  /** Server-sent events whose data is JSON, as they come; `opened` is called when they may; else as {@link lines}. */
  async *events(
    request: PortalRequest,
    opened: () => void,
  ): AsyncGenerator<{ event: string; id: string | undefined; data: Row }> {
    const events = (response: IncomingMessage) => {
      opened();
      return serverEvents(response, lineBytesMax);
    };
    for await (const { event, id, data } of this.stream(request, events))
      yield { event, id, data: parseJson(data, `an event of ${request.path}`) as Row };
  }

  private async *stream<T>(
    request: PortalRequest,
    parts: (response: IncomingMessage) => AsyncIterable<T | undefined>,
    stop?: AbortSignal,
  ): AsyncGenerator<T> {
    const { interrupted } = this.options;
    const stopped = stop ? AbortSignal.any([interrupted, stop]) : interrupted;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.options.deadlineMs);
    const leave = (): void => void response?.destroy();
    let response: IncomingMessage | undefined;
    try {
      response = await this.open(request, AbortSignal.any([deadline.signal, stopped]));
      clearTimeout(timer);
      stopped.addEventListener('abort', leave);
      for await (const part of parts(response)) {
        if (part === undefined) throw new CliFailure('MALFORMED', `a line of more than ${lineBytesMax} bytes`);
        yield part;
      }
      if (!response.complete && !stopped.aborted)
        throw new CliFailure('UNREACHABLE', `${this.base.origin} ended the reply to ${request.path} in the middle`);
    } catch (error) {
      if (!stopped.aborted) throw this.explain(error, deadline.signal, request.method);
    } finally {
      clearTimeout(timer);
      stopped.removeEventListener('abort', leave);
      response?.destroy();
    }
  }

  /** Resolves when the head of a good reply is there; a bad status throws. */
  private async open(request: PortalRequest, deadline: AbortSignal): Promise<IncomingMessage> {
    const send = this.base.protocol === 'https:' ? httpsRequest : httpRequest;
    const query = Object.entries(request.query ?? {}).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
    );
    const path = `${this.base.pathname.replace(/\/$/, '')}${request.path}${query.length > 0 ? `?${query.join('&')}` : ''}`;
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers ?? {})) if (value !== undefined) headers[name] = value;
    if (request.body) headers['content-length'] = String(request.body.length);
    const { token } = this.options;
    if (token !== undefined && this.base.username === '') headers['authorization'] = `Bearer ${token}`;
    const auth =
      this.base.username === '' ? {} : { auth: decodeURIComponent(`${this.base.username}:${this.base.password}`) };

    let response: IncomingMessage;
    try {
      response = await new Promise<IncomingMessage>((resolve, reject) => {
        const outgoing = send({
          host: this.base.hostname.replace(/^\[|\]$/g, ''),
          port: this.base.port === '' ? undefined : Number(this.base.port),
          method: request.method ?? 'GET',
          path,
          headers,
          agent: false,
          ...(this.base.protocol === 'https:' ? this.options.tls : {}),
          signal: AbortSignal.any([deadline, this.options.interrupted]),
          ...auth,
        });
        outgoing.once('response', resolve).once('error', reject);
        outgoing.end(request.body);
      });
    } catch (error) {
      throw this.explain(error, deadline, request.method);
    }
    // 202: logged, but not yet applied everywhere asked for. What was asked for did not happen, or not yet.
    if (response.statusCode === undefined || response.statusCode === 202 || response.statusCode >= 300)
      throw failureOf(response.statusCode ?? 0, await this.bodyOf(response, deadline, request.method));
    return response;
  }

  private async bodyOf(
    response: IncomingMessage,
    deadline: AbortSignal,
    method: PortalRequest['method'],
  ): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > replyBytesMax) throw new CliFailure('LVLIMIT', `a reply of more than ${replyBytesMax} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.explain(error, deadline, method);
    }
    return Buffer.concat(chunks);
  }

  private explain(error: unknown, deadline: AbortSignal, method: PortalRequest['method'] = 'GET'): unknown {
    if (error instanceof Failure) return error;
    if (this.options.interrupted.aborted) return new CliFailure('INTERRUPTED', 'interrupted');
    const isRead = method === 'GET' || method === 'HEAD';
    if (deadline.aborted)
      return new CliFailure(
        'DEADLINE',
        `no answer from ${this.base.origin} within ${this.options.deadlineMs} ms (--timeout)${isRead ? '' : '; what was asked may have happened, or still happen'}`,
      );
    const reason = (error as NodeJS.ErrnoException).code ?? messageOf(error);
    const { namedBy } = this.options;
    const found = namedBy === undefined ? '' : `, which ${namedBy} names`;
    const wire = wireProblem(reason, this.base.protocol);
    if (wire !== undefined) return new CliFailure('UNREACHABLE', `${this.base.origin}${found}: ${wire}`);
    return new CliFailure(
      'UNREACHABLE',
      `no portal answers at ${this.base.origin}${found} (${reason}): start one with 'npm start', or name another with --url or LEVEE_URL`,
    );
  }
}

/** Of TLS: what is wrong with who answers, in words; `undefined`: nothing of that kind. */
function wireProblem(reason: string, protocol: string): string | undefined {
  if (protocol === 'http:')
    return reason === 'ECONNRESET' || reason.startsWith('HPE_')
      ? `the connection broke off (${reason}): where LEVEE_TLS_CERT is set a door speaks TLS and nothing else: use https://`
      : undefined;
  if (reason === 'EPROTO' || /wrong version number/i.test(reason))
    return `no TLS is spoken there (${reason}): use http://, or set LEVEE_TLS_CERT and LEVEE_TLS_KEY of the portal`;
  if (/CERT|SIGNATURE|ISSUER|CRL|ALTNAME/.test(reason))
    return `its certificate is not believed (${reason}): LEVEE_TLS_CA names the file of the authority that signed it, and it must be one of the name that the URL has`;
  if (/SSL|TLS/.test(reason))
    return `the TLS handshake failed (${reason}): does it ask for a certificate (LEVEE_TLS_CERT, LEVEE_TLS_KEY)?`;
  return undefined;
}

/** What every other door of a cluster says of a path of the portal's. */
const notThere = /^Cannot [A-Z]+ \//;
const isItAPortal = ': is that the HTTP door of a portal (--url, LEVEE_URL)?';

function failureOf(status: number, body: Buffer): PortalFailure {
  const text = body.toString('utf8');
  try {
    const { code, message, details } = JSON.parse(text) as { code?: unknown; message?: unknown; details?: Row };
    if (typeof code === 'string' && typeof message === 'string')
      return new PortalFailure(status, code, `${message}${notThere.test(message) ? isItAPortal : ''}`, details ?? {});
  } catch {
    // Not ours: something else answers at this address.
  }
  return new PortalFailure(status, `HTTP_${status}`, `an answer of status ${status}: ${text.slice(0, 200)}`, {});
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliFailure('MALFORMED', `${what} is no JSON: ${text.slice(0, 100)}; is it a portal that answers?`);
  }
}
